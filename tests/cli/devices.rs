//! Several devices in one process: the same files, however the run goes.

use std::fmt::Write as _;
use std::time::Duration;

use crate::assert_ended;
use crate::project::{Project, assert_same};
use crate::samples::rows;

/// Seven shards of text and one of pictures.
fn project(device: &str) -> Project {
    let project = Project::new();
    project.write("words.jsonl", rows(0..448));
    project.extract("batch_tokens = 512");
    project.edit("mix.toml", "\"cpu\"", device);
    project
}

const THREE: &str = r#"["cpu", "cpu", "cpu"]"#;

#[test]
fn three_devices_end_in_the_files_of_one() {
    let one = project("\"cpu\"");
    one.run();
    let three = project(THREE);
    let ended = three.madmix(&["--verbose", "run", "mix.toml"]).expect(0);
    assert_same(&three.results(), &one.results());
    assert!(
        ended
            .stderr
            .contains("f32 on 3 devices: the CPU, the CPU, the CPU"),
        "{ended}"
    );
    assert!(ended.stderr.contains("extracted 454 samples"), "{ended}");
    assert!(
        ended.stderr.contains("batches of at most 512 tokens\n"),
        "{ended}"
    );
    // What each of them did.
    let told = |line: &&str| line.starts_with(" INFO cpu: ") && line.contains(" samples, ");
    let told: Vec<&str> = ended.stderr.lines().filter(told).collect();
    assert_eq!(told.len(), 3, "{ended}");
    for line in told {
        assert!(line.contains(" tokens/s); waited "), "{line}");
        assert!(
            line.ends_with(" %)"),
            "the CPU has no memory of its own: {line}"
        );
    }
    assert!(
        three
            .read("run/config.toml")
            .contains("device = [\n    \"cpu\",\n    \"cpu\",\n    \"cpu\",\n]")
    );
    // One that goes on where the other was, and finds nothing to do.
    three.edit("mix.toml", THREE, "\"cpu\"");
    let ended = three.run();
    assert!(
        ended.stderr.contains("every shard is there already"),
        "{ended}"
    );
}

#[test]
fn killed_or_interrupted_they_end_in_the_same_files() {
    let one = project("\"cpu\"");
    let started = std::time::Instant::now();
    one.run();
    let whole = started.elapsed();
    let three = project(THREE);
    let mut stopped = 0;
    for (step, signal) in ["KILL", "TERM", "KILL", "INT", "KILL", "KILL"]
        .iter()
        .enumerate()
    {
        let child = three.start(&["run", "mix.toml"]);
        std::thread::sleep(
            whole
                .mul_f64(0.1 + 0.1 * step as f64)
                .max(Duration::from_millis(20)),
        );
        let pid = child.id().to_string();
        let _ = std::process::Command::new("kill")
            .args(["-s", signal, &pid])
            .output();
        let output = child.wait_with_output().unwrap();
        let code = output.status.code();
        stopped += u32::from(code != Some(0));
        assert!(
            matches!(code, None | Some(0 | 75)),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(stopped > 0, "every run was quicker than its signal");
    three.run();
    assert_same(&three.results(), &one.results());
}

#[test]
fn lists_that_make_no_sense() {
    let mut all = String::new();
    for device in [
        "[]",
        "[0, 1]",
        r#"["cpu", "cuda:0"]"#,
        r#"["cuda:0", "cuda:0"]"#,
        r#"["auto", "cuda:0"]"#,
    ] {
        let project = project(device);
        let ended = project.madmix(&["run", "mix.toml"]).expect(2);
        assert!(!project.path("run").exists(), "{ended}");
        writeln!(all, "device = {device}\n{}", ended.stderr).unwrap();
    }
    assert_ended!("config_devices", all);
}

/// What was a failure on all devices is one on each, and is counted over all of them.
#[test]
fn the_failure_limit_holds_over_all_devices() {
    let project = project(THREE);
    for i in 0..3 {
        fs_err::remove_file(project.path(&format!("{i}.png"))).unwrap();
    }
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    assert!(ended.stderr.contains("3 of 6 samples failed"), "{ended}");
}

/// Why there is no CUDA device where none is visible, on a machine with a driver or without.
fn without_a_device(stderr: &str) -> bool {
    let reasons: &[&str] = if cfg!(feature = "cuda") {
        &[
            "no CUDA driver was found: libcuda.so.1, which is part of it, was sought ",
            "the CUDA driver finds no device; CUDA_VISIBLE_DEVICES is \"\"",
            "the CUDA driver takes CUDA up to ",
        ]
    } else {
        &["this binary was built without CUDA; build it with `--features cuda,flash-attn`"]
    };
    reasons.iter().any(|reason| stderr.contains(reason))
}

#[test]
fn auto_falls_back_to_the_cpu_and_says_why() {
    let project = Project::new();
    project.edit("mix.toml", "\"cpu\"", "\"auto\"");
    let mut command = project.command(&["--verbose", "run", "mix.toml"]);
    let ended = project
        .ended(command.env("CUDA_VISIBLE_DEVICES", ""))
        .expect(0);
    assert!(ended.stderr.contains("f32 on the CPU ("), "{ended}");
    assert!(without_a_device(&ended.stderr), "{ended}");
}

#[test]
fn cuda_that_cannot_be_had_is_refused_with_the_reason() {
    for device in [r#""cuda""#, r#""cuda:1""#, r#"["cuda:0", "cuda:1"]"#] {
        let project = Project::new();
        project.edit("mix.toml", "\"cpu\"", device);
        let mut command = project.command(&["run", "mix.toml"]);
        let ended = project
            .ended(command.env("CUDA_VISIBLE_DEVICES", ""))
            .expect(1);
        assert!(ended.stderr.contains("device = \"cuda"), "{ended}");
        assert!(without_a_device(&ended.stderr), "{ended}");
        assert!(!project.path("run").exists(), "{ended}");
    }
}
