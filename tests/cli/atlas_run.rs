//! `madmix atlas run` with proxies that are lines of shell: every way in which they end, and in which a search does.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Ended, Project};

/// How long a test waits for what should come soon, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(2);
/// A score that hangs on the seed.
const SCORE: &str = "echo \"{\\\"vqa\\\": 0.$3}\" > \"$2/metrics.json\"";

/// A project whose proxy is a script, which is given the mixture, the folder and the seed.
fn project(script: &str, settings: &str, proxy: &str) -> Project {
    let project = Project::new();
    let text = project.read("mix.toml");
    project.write(
        "mix.toml",
        format!(
            "{text}\n[atlas]\nmin_cell = 1\n[atlas.concepts]\nclusters = 2\nrestarts = 1\n\
             [atlas.search]\ninitial = 4\nbatch = 2\nacquisition = \"random\"\n{settings}\n\
             [[atlas.benchmark]]\nname = \"vqa\"\n\
             [atlas.proxy]\ncommand = [\"./proxy.sh\", \"{{mixture}}\", \"{{out}}\", \"{{seed}}\"]\n{proxy}\n"
        ),
    );
    change(&project, script);
    project
}

fn change(project: &Project, script: &str) {
    project.write("proxy.sh", format!("#!/bin/sh\n{script}\n"));
    let executable = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(project.path("proxy.sh"), executable).unwrap();
}

fn trial(number: u32, file: &str) -> String {
    format!("run/atlas/study/trials/{number:04}/{file}")
}

fn json(project: &Project, name: &str) -> Value {
    serde_json::from_str(&project.read(name)).unwrap()
}

/// Why a trial failed.
#[track_caller]
fn failure(project: &Project, number: u32) -> String {
    let outcome = json(project, &trial(number, "outcome.json"));
    outcome["failed"]
        .as_str()
        .unwrap_or_else(|| panic!("{outcome}"))
        .to_owned()
}

fn trials(project: &Project) -> usize {
    fs_err::read_dir(project.path("run/atlas/study/trials"))
        .unwrap()
        .count()
}

#[track_caller]
fn wait_for(child: &mut Child, path: &Path) {
    let started = Instant::now();
    while !path.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        assert!(
            started.elapsed() < PATIENCE,
            "{} does not come",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(name: &str, pid: &str) -> bool {
    let status = std::process::Command::new("kill")
        .args(["-s", name, pid])
        .status();
    status.unwrap().success()
}

fn end(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn runs_that_fail_are_told_as_failed_and_the_search_goes_on() {
    let script = format!(
        "case $MADMIX_TRIAL in\n\
         2) echo '{{\"vqa\": NaN}}' > \"$2/metrics.json\" ;;\n\
         5) echo broken >&2; exit 1 ;;\n\
         6) sleep 600 ;;\n\
         7) test $MADMIX_ATTEMPT = 2 && {SCORE} ;;\n\
         *) {SCORE} ;;\nesac"
    );
    let project = project(&script, "runs = 9", "retries = 1\ntimeout_seconds = 1");
    let ended = project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    for (number, words) in [
        (2, "\"vqa\" is not a finite number"),
        (5, "exit code 1; its last words:\nbroken"),
        (6, "not done after 1 s"),
    ] {
        let reason = failure(&project, number);
        assert!(reason.contains(words), "{number}: {reason}");
        assert!(
            ended
                .stderr
                .contains(&format!(" WARN trial {number} failed: ")),
            "{ended}"
        );
    }
    for number in [1, 3, 4, 7, 8, 9] {
        let seed = json(&project, &trial(number, "trial.json"))["seed"].to_string();
        let told = json(&project, &trial(number, "outcome.json"))["told"]["vqa"].clone();
        assert_eq!(told, format!("0.{seed}").parse::<f64>().unwrap());
    }
    let log = project.read(&trial(5, "run/log.txt"));
    assert!(
        log.contains("attempt 1 of 2") && log.contains("attempt 2 of 2"),
        "{log}"
    );
    assert_eq!(trials(&project), 9);
    assert!(ended.stdout.contains("of 6 finished runs"), "{ended}");
    assert!(project.path("run/atlas/best/mixture.json").exists());
    // All is told: nothing is run again.
    change(&project, "exit 1");
    let again = project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    assert_eq!((trials(&project), again.stdout), (9, ended.stdout));
}

#[test]
fn an_interrupted_search_ends_its_proxies_and_goes_on_with_their_trials() {
    let waits =
        format!("test $MADMIX_TRIAL -lt 3 || {{ echo $$ > \"$2/pid\"; sleep 600; }}; {SCORE}");
    let project = project(&waits, "runs = 5", "");
    for name in ["INT", "TERM"] {
        let mut child = project.start(&["atlas", "run", "mix.toml"]);
        let pid = project.path(&trial(3, "run/pid"));
        wait_for(&mut child, &pid);
        assert!(signal(name, &child.id().to_string()));
        let ended = end(child).expect(75);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(
            last.ends_with("To go on from there: madmix atlas run mix.toml"),
            "{ended}"
        );
        let proxy = fs_err::read_to_string(&pid).unwrap();
        assert!(!signal("0", proxy.trim()), "the proxy runs on");
        fs_err::remove_file(pid).unwrap();
    }
    assert!(project.path(&trial(2, "outcome.json")).exists());
    assert!(!project.path(&trial(3, "outcome.json")).exists());
    let before = project.read(&trial(3, "trial.json"));
    change(&project, SCORE);
    project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    assert_eq!(project.read(&trial(3, "trial.json")), before);
    assert_eq!(trials(&project), 5);
    assert!(project.path(&trial(5, "outcome.json")).exists());
}

#[test]
fn a_run_that_ends_after_madmix_was_killed_counts() {
    let waits = format!(
        "echo $MADMIX_TRIAL >> tried; test $MADMIX_TRIAL -lt 2 || {{ echo $$ > \"$2/pid\"; while ! test -e go; do sleep 0.05; done; }}; {SCORE}"
    );
    let project = project(&waits, "runs = 4", "");
    let mut child = project.start(&["atlas", "run", "mix.toml"]);
    wait_for(&mut child, &project.path(&trial(2, "run/pid")));
    child.kill().unwrap();
    child.wait().unwrap();
    project.write("go", "");
    let started = Instant::now();
    while !project.path(&trial(2, "run/exit")).exists() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    assert_eq!(project.read("tried"), "1\n2\n3\n4\n");
    assert!(project.path(&trial(2, "outcome.json")).exists());
}

#[test]
fn a_misnamed_benchmark_ends_the_search_and_the_run_is_not_lost() {
    let script = format!("echo $MADMIX_TRIAL >> tried; {SCORE}");
    let project = project(&script, "runs = 4", "retries = 2");
    project.edit("mix.toml", "name = \"vqa\"", "name = \"vqb\"");
    let ended = project.madmix(&["atlas", "run", "mix.toml"]).expect(1);
    assert!(ended.stderr.contains("no \"vqb\"; it has vqa"), "{ended}");
    assert_eq!(project.read("tried"), "1\n");
    project.edit("mix.toml", "name = \"vqb\"", "name = \"vqa\"");
    project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    assert_eq!(project.read("tried"), "1\n2\n3\n4\n");
}

#[test]
fn two_searches_at_once_try_every_trial_once() {
    let script = format!("echo $MADMIX_TRIAL >> tried; sleep 0.05; {SCORE}");
    let project = project(&script, "runs = 8", "");
    project.madmix(&["atlas", "label", "mix.toml"]).expect(0);
    let both: Vec<Child> = (0..2)
        .map(|_| project.start(&["atlas", "run", "mix.toml"]))
        .collect();
    for child in both {
        end(child).expect(0);
    }
    let text = project.read("tried");
    let mut tried: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    tried.sort_unstable();
    assert_eq!(tried, (1..=8).collect::<Vec<_>>());
    assert_eq!(trials(&project), 8);
}

#[test]
fn a_command_that_never_works_ends_the_search() {
    let project = project("echo no such data; exit 3", "runs = 9", "");
    let ended = project.madmix(&["atlas", "run", "mix.toml"]).expect(1);
    assert!(ended.stderr.contains("5 trials failed in a row"), "{ended}");
    assert!(ended.stderr.contains("no such data"), "{ended}");
    fs_err::remove_file(project.path("proxy.sh")).unwrap();
    let ended = project.madmix(&["atlas", "run", "mix.toml"]).expect(1);
    assert!(
        ended.stderr.contains("proxy.sh cannot be started"),
        "{ended}"
    );
    assert!(!project.path(&trial(6, "outcome.json")).exists());
    project.edit("mix.toml", "{seed}", "{sed}");
    let ended = project.madmix(&["atlas", "run", "mix.toml"]).expect(2);
    assert!(ended.stderr.contains("{sed}"), "{ended}");
}

#[test]
fn a_search_of_which_every_run_failed_has_no_good_end() {
    let project = project("exit 3", "runs = 2", "");
    let ended = project
        .madmix(&["atlas", "run", "mix.toml", "--json"])
        .expect(1);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("no best mixture"), "{ended}");
    // With more to come that is no error.
    project.edit("mix.toml", "runs = 2", "runs = 9");
    project
        .madmix(&["atlas", "run", "mix.toml", "--until", "2"])
        .expect(0);
}

#[test]
fn a_batch_system_tries_each_trial_by_itself() {
    let script = format!("echo on ${{CUDA_VISIBLE_DEVICES:-what Slurm gives}}; {SCORE}");
    let project = project(&script, "runs = 5", "devices = [\"7\"]");
    let ended = project
        .madmix(&["atlas", "run", "mix.toml", "--array", "3"])
        .expect(1);
    assert!(ended.stderr.contains("atlas label"), "{ended}");
    project.madmix(&["atlas", "label", "mix.toml"]).expect(0);
    let array = || {
        project
            .madmix(&["atlas", "run", "mix.toml", "--array", "3"])
            .expect(0)
            .stdout
    };
    assert_eq!(array(), "1,2,3\n");
    for number in ["1", "3"] {
        project
            .madmix(&["atlas", "run", "mix.toml", "--trial", number])
            .expect(0);
    }
    assert_eq!(array(), "2,4,5\n");
    let log = project.read(&trial(3, "run/log.txt"));
    assert!(log.contains("\non what Slurm gives\n"), "{log}");
    for number in ["2", "4", "5"] {
        project
            .madmix(&["atlas", "run", "mix.toml", "--trial", number])
            .expect(0);
    }
    assert_eq!(array(), "");
    let ended = project
        .madmix(&["atlas", "run", "mix.toml", "--trial", "6"])
        .expect(2);
    assert!(ended.stderr.contains("no trial 6"), "{ended}");
}

#[test]
fn a_search_that_waits_for_another_process_can_be_stopped() {
    let project = project(SCORE, "runs = 5", "");
    project.madmix(&["atlas", "label", "mix.toml"]).expect(0);
    fs_err::create_dir_all(project.path("run/atlas/study")).unwrap();
    for (lock, arguments) in [
        ("running", &["atlas", "run", "mix.toml"][..]),
        ("proposing", &["atlas", "run", "mix.toml"]),
        ("proposing", &["atlas", "run", "mix.toml", "--array", "2"]),
    ] {
        let path = project.path(&format!("run/atlas/study/{lock}"));
        let held = fs_err::File::create(path).unwrap();
        held.file().lock().unwrap();
        let study = project.path("run/atlas/study/study.json");
        let mut child = project.start(arguments);
        wait_for(&mut child, &study);
        // By then it waits, or will find that it need not begin to.
        std::thread::sleep(Duration::from_millis(500));
        assert!(signal("INT", &child.id().to_string()));
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > Duration::from_secs(20) {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let ended = end(child).expect(75);
        assert!(ended.stdout.is_empty(), "{ended}");
        // The next writes it anew, once it listens for signals.
        fs_err::remove_file(study).unwrap();
    }
    assert!(!project.path("run/atlas/study/trials").exists());
}

#[test]
fn a_trainers_files_are_written_for_each_trial() {
    // Each of its files is there, and holds rows.
    let script = format!(
        "grep -q 'sampling_strategy: ' \"$1\" && test -d \"$MADMIX_MEDIA_ROOT\" || exit 4\n\
         for file in $(sed -n 's/.*json_path: \"\\(.*\\)\"/\\1/p' \"$1\"); do test -s \"$file\" || exit 5; done\n{SCORE}"
    );
    let project = project(&script, "runs = 2", "export = \"llava-next\"\nbudget = 40");
    project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    assert!(project.path(&trial(1, "run/mixture/mixture.yaml")).exists());
    assert!(project.path("run/atlas/export/llava-next/rows").is_dir());
    let outcome = json(&project, &trial(2, "outcome.json"));
    assert!(outcome["told"]["vqa"].is_f64(), "{outcome}");
    // Another process finds the rows, which trials may be reading, and leaves them alone.
    let rows = || -> Vec<_> {
        let folder = fs_err::read_dir(project.path("run/atlas/export/llava-next/rows")).unwrap();
        let files = folder.map(|file| file.unwrap());
        files
            .map(|file| {
                (
                    file.file_name(),
                    file.metadata().unwrap().modified().unwrap(),
                )
            })
            .collect()
    };
    let before = rows();
    let until = ["atlas", "run", "mix.toml", "--until", "4"];
    project.edit("mix.toml", "runs = 2", "runs = 5");
    project.madmix(&until).expect(0);
    assert_eq!(rows(), before);
    // One that is gone is made anew.
    let gone = project
        .path("run/atlas/export/llava-next/rows")
        .join(&before[0].0);
    fs_err::remove_file(&gone).unwrap();
    project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    assert!(gone.is_file());
    let outcome = json(&project, &trial(5, "outcome.json"));
    assert!(outcome["told"]["vqa"].is_f64(), "{outcome}");
}

#[test]
fn the_examples_train_again_for_other_settings_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs_err::create_dir_all(at("bin")).unwrap();
    fs_err::create_dir_all(at("mixture")).unwrap();
    fs_err::write(at("mixture/mixture.yaml"), "").unwrap();
    for (name, script) in [
        ("torchrun", "echo torchrun >> $TRIED"),
        ("llamafactory-cli", "echo factory >> $TRIED"),
        // The first evaluation fails.
        (
            "accelerate",
            "test -e $TRIED.once || { touch $TRIED.once; exit 1; }\n\
             while [ $1 != --output_path ]; do shift; done; mkdir -p $2; echo '{\"a\": 1}' > $2/x_results.json",
        ),
    ] {
        fs_err::write(at("bin").join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(at("bin").join(name), executable).unwrap();
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/atlas");
    for name in ["llava_next.sh", "llama_factory.sh"] {
        let out = at(name);
        fs_err::create_dir_all(&out).unwrap();
        let tried = at(&format!("{name}.tried"));
        let run = |checkpoint: &str, gpus: &str| {
            let path = format!("{}:{}", at("bin").display(), std::env::var("PATH").unwrap());
            let output = std::process::Command::new(scripts.join(name))
                .args([at("mixture"), out.clone(), "7".into()])
                .env("PATH", path)
                .env("TRIED", &tried)
                .env("LLAVA_NEXT", folder.path())
                .env("CHECKPOINT", checkpoint)
                .env("CUDA_VISIBLE_DEVICES", gpus)
                .env("KEEP", "1")
                .output()
                .unwrap();
            let trainings = fs_err::read_to_string(&tried).unwrap().lines().count();
            (output.status.success(), trainings)
        };
        assert_eq!(run("a", "0"), (false, 1), "{name}");
        assert_eq!(run("a", "0,1"), (true, 1), "{name}");
        assert_eq!(run("b", "0"), (true, 2), "{name}");
        assert!(out.join("metrics.json").exists());
    }
}

#[test]
fn without_a_command_the_small_proxy_is_tried() {
    let project = project("", "runs = 3", "");
    let text = project.read("mix.toml");
    let (before, _) = text.split_once("[[atlas.benchmark]]").unwrap();
    project.write("mix.toml", format!("{before}[atlas.proxy]\nbudget = 64\n"));
    project.madmix(&["atlas", "run", "mix.toml"]).expect(0);
    let metrics = json(&project, &trial(3, "run/metrics.json"));
    assert!(metrics["loss"].as_f64().unwrap() > 0.0);
    assert_eq!(json(&project, &trial(3, "outcome.json"))["told"], metrics);
}
