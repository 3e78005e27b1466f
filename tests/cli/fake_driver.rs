//! What the program says of drivers and cards that this machine does not have, by a driver that only pretends.

use std::process::Command;

use tempfile::TempDir;

use crate::project::{Project, binary, repository};

/// A folder with that driver, and with cuBLAS and cuRAND that are empty; `None` where the program was linked with the
/// real ones, and would not start.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn driver() -> Option<TempDir> {
    let linked = Command::new("ldd").arg(binary()).output().unwrap();
    if String::from_utf8_lossy(&linked.stdout).contains("libcuda") {
        eprintln!("skipped: the program is linked with the driver");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = format!("{}/tests/cli/fake_driver.c", repository());
    compile(&folder, "libcuda.so.1", &source);
    fs_err::copy(
        folder.path().join("libcuda.so.1"),
        folder.path().join("libcuda.so"),
    )
    .unwrap();
    for library in ["libcublas.so", "libcublasLt.so", "libcurand.so"] {
        compile(&folder, library, "/dev/null");
    }
    Some(folder)
}

fn compile(folder: &TempDir, library: &str, source: &str) {
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-o"]);
    command.arg(folder.path().join(library));
    assert!(
        command
            .args(["-x", "c", source])
            .status()
            .unwrap()
            .success()
    );
}

/// The message of a run that asks for `device`, with that driver as the variables make it.
fn message(driver: &TempDir, device: &str, variables: &[(&str, &str)]) -> String {
    let project = Project::new();
    project.edit("mix.toml", "\"cpu\"", &format!("\"{device}\""));
    let mut command = project.command(&["run", "mix.toml"]);
    command.env("LD_LIBRARY_PATH", driver.path());
    command.env_remove("CUDA_VISIBLE_DEVICES");
    command.envs(variables.iter().copied());
    project.ended(&mut command).expect(1).stderr
}

#[test]
fn drivers_that_do_not_work() {
    let Some(driver) = driver() else { return };
    for (variables, expected) in [
        (("FAKE_INIT", "100"), "the CUDA driver finds no device"),
        (("FAKE_COUNT", "0"), "the CUDA driver finds no device"),
        (("FAKE_INIT", "34"), "is a toolkit's stub"),
        (("FAKE_INIT", "803"), "restart the machine"),
        (("FAKE_INIT", "999"), "is there /dev/nvidia-uvm?"),
        (
            ("FAKE_VERSION", "11080"),
            "takes CUDA up to 11.8 and this binary was built with CUDA 1",
        ),
    ] {
        let message = message(&driver, "cuda", &[variables]);
        assert!(message.contains(expected), "{variables:?}: {message}");
    }
}

#[test]
fn cards_that_cannot_be_used() {
    let Some(driver) = driver() else { return };
    let ask = |device, variables: &[(&str, &str)]| message(&driver, device, variables);
    let text = ask(
        "cuda:5",
        &[("FAKE_COUNT", "2"), ("CUDA_VISIBLE_DEVICES", "3,4")],
    );
    assert!(
        text.contains(
            "there is no CUDA device 5, only cuda:0 (Fake card), cuda:1 (Fake card); CUDA_VISIBLE_DEVICES is \"3,4\""
        ),
        "{text}"
    );
    let text = ask("cuda", &[("FAKE_CAPABILITY", "75")]);
    assert!(
        text.contains(
            "cuda:0 (Fake card) has compute capability 7.5 and this binary was built for "
        ),
        "{text}"
    );
    assert!(text.contains("CUDA_COMPUTE_CAP=75"), "{text}");
}

#[test]
fn a_card_without_room_for_a_context() {
    let Some(driver) = driver() else { return };
    // What it was built for is in its own message.
    let text = message(&driver, "cuda", &[("FAKE_CAPABILITY", "75")]);
    let built = text.split("was built for ").nth(1).unwrap();
    let built = built.split(' ').next().unwrap().replace('.', "");
    let variables = [("FAKE_CAPABILITY", built.as_str()), ("FAKE_CONTEXT", "2")];
    let text = message(&driver, "cuda", &variables);
    assert!(text.contains("CUDA_ERROR_OUT_OF_MEMORY"), "{text}");
    assert!(text.contains("not even a context fits"), "{text}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
}
