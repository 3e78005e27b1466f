//! Proxies that are programs of the user's: every way in which one may end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use madmix::atlas::Trial;
use madmix::atlas::proxy::command::CommandProxy;
use madmix::atlas::proxy::{Proxy, ProxyError};
use madmix::config::{self, Benchmark, Goal};
use madmix::mix::Mixture;
use tempfile::TempDir;

const MIXTURE: &str = r#"{"format": 1, "method": "atlas", "lambda": null, "domains": [
    {"name": "a × b", "weight": 1.0, "size": 3, "human": null, "modalities": [], "scores": {}, "alpha": null, "datasets": []}],
    "baselines": {}, "provenance": {"checkpoint": "none", "fingerprint": "none", "samples": 0, "madmix": "0"}}"#;

struct Bench {
    folder: TempDir,
    settings: config::Proxy,
    benchmarks: Vec<Benchmark>,
}

type Metrics = Result<BTreeMap<String, f64>, ProxyError>;

impl Bench {
    /// A proxy that is a line of shell.
    fn new(script: &str) -> Self {
        let command = [
            "/bin/sh",
            "-c",
            script,
            "sh",
            "{mixture}",
            "{out}",
            "{seed}",
        ];
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: config::Proxy {
                command: command.map(str::to_owned).to_vec(),
                retries: 0,
                ..config::Proxy::default()
            },
            benchmarks: vec![Benchmark {
                name: "vqa".into(),
                goal: Goal::Max,
                weight: 1.0,
            }],
        }
    }

    fn out(&self) -> &Path {
        self.folder.path()
    }

    fn run_until(&self, stop: &AtomicBool, device: Option<&str>) -> Metrics {
        self.run_within(stop, device, Duration::from_millis(300))
    }

    fn run_within(&self, stop: &AtomicBool, device: Option<&str>, grace: Duration) -> Metrics {
        let mixture =
            |_: &Trial| Mixture::from_bytes(MIXTURE.as_bytes()).map_err(|e| e.to_string());
        let proxy =
            CommandProxy::new(&self.settings, &self.benchmarks, &mixture, None).with_grace(grace);
        proxy.run(&trial(), self.out(), device, stop)
    }

    fn run(&self) -> Metrics {
        self.run_until(&AtomicBool::new(false), None)
    }

    /// Why it failed.
    #[track_caller]
    fn reason(&self) -> String {
        match self.run() {
            Err(ProxyError::Failed(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.out().join(name)).unwrap()
    }
}

fn vqa(metrics: &BTreeMap<String, f64>) -> Option<f64> {
    metrics.get("vqa").copied()
}

fn trial() -> Trial {
    Trial {
        number: 3,
        space: "joint".into(),
        point: vec![1.0],
        weights: vec![1.0],
        seed: 42,
        by: "design".into(),
        predicted: BTreeMap::new(),
        outcome: None,
    }
}

/// Waits for a process to be gone.
#[track_caller]
fn is_gone(pid: &str) {
    let started = Instant::now();
    let process = Path::new("/proc").join(pid.trim());
    let is_there =
        || fs_err::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while is_there() {
        assert!(started.elapsed() < Duration::from_secs(20), "{pid} runs on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_command_is_told_of_its_trial_and_its_metrics_are_read() {
    let bench = Bench::new(
        "grep -q 'a × b' \"$1\" && test \"$1\" = \"$MADMIX_MIXTURE\" && \
         echo \"$CUDA_VISIBLE_DEVICES $MADMIX_TRIAL $MADMIX_SEED $MADMIX_BUDGET\" && \
         echo \"{\\\"vqa\\\": $3, \\\"extra\\\": 0.5, \\\"broken\\\": NaN}\" > \"$2/metrics.json\"",
    );
    let metrics = bench
        .run_until(&AtomicBool::new(false), Some("2,3"))
        .unwrap();
    let expected = [("extra", 0.5), ("vqa", 42.0)].map(|(name, value)| (name.to_owned(), value));
    assert_eq!(metrics, BTreeMap::from(expected));
    let log = bench.read("log.txt");
    assert!(
        log.contains("attempt 1 of 1") && log.contains("\n2,3 3 42 10000\n"),
        "{log}"
    );
}

#[test]
fn what_a_command_leaves_may_be_csv() {
    let mut bench = Bench::new("printf 'step,vqa\\n1,0.1\\n2,0.75\\n' > \"$2/eval.csv\"");
    bench.settings.metrics = "eval.csv".into();
    assert_eq!(vqa(&bench.run().unwrap()), Some(0.75));
}

#[test]
fn a_command_without_usable_metrics_fails_for_a_reason() {
    for (script, words) in [
        ("true", "the command left no such file"),
        (
            "echo '{\"vqa\": NaN}' > \"$2/metrics.json\"",
            "\"vqa\" is not a finite number",
        ),
        (
            "echo '{\"vqa\": 1e999}' > \"$2/metrics.json\"",
            "metrics.json",
        ),
        ("echo oops > \"$2/metrics.json\"", "neither JSON nor CSV"),
        ("mkdir \"$2/metrics.json\"", "it is no file"),
        (
            "echo one; echo two >&2; exit 3",
            "exit code 3; its last words:\none\ntwo",
        ),
        ("kill -9 $$", "ended by signal 9"),
    ] {
        let reason = Bench::new(script).reason();
        assert!(reason.contains(words), "{script}: {reason}");
    }
}

#[test]
fn a_failed_attempt_is_followed_by_others_that_do_not_see_its_metrics() {
    let mut bench = Bench::new(
        "echo try $MADMIX_ATTEMPT; test $MADMIX_ATTEMPT = 3 && echo '{\"vqa\": 3}' > \"$2/metrics.json\" && exit 0; \
         echo '{\"vqa\": 1}' > \"$2/metrics.json\"; test $MADMIX_ATTEMPT = 2 && rm \"$2/metrics.json\" && exit 0; exit 1",
    );
    bench.settings.retries = 2;
    assert_eq!(vqa(&bench.run().unwrap()), Some(3.0));
    let log = bench.read("log.txt");
    assert!(log.contains("try 1\n") && log.contains("try 2\n") && log.contains("try 3\n"));
    bench.settings.retries = 1;
    fs_err::remove_file(bench.out().join("exit")).unwrap();
    assert!(bench.reason().contains("left no such file"));
}

#[test]
fn a_misnamed_benchmark_costs_no_second_training() {
    let script = "echo x >> \"$2/tried\"; echo '{\"gqa\": 1, \"b\": 2}' > \"$2/metrics.json\"";
    let mut bench = Bench::new(script);
    bench.settings.retries = 2;
    for _ in 0..2 {
        match bench.run() {
            Err(ProxyError::Misnamed(reason)) => {
                assert!(reason.contains("no \"vqa\"; it has b, gqa"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
    bench.benchmarks[0].name = "gqa".into();
    assert!((bench.run().unwrap()["gqa"] - 1.0).abs() < 1e-12);
    assert_eq!(bench.read("tried"), "x\n");
    // It was the command: the file is removed, and the run is tried again.
    bench.benchmarks[0].name = "vqa".into();
    fs_err::remove_file(bench.out().join("metrics.json")).unwrap();
    assert!(matches!(bench.run(), Err(ProxyError::Misnamed(_))));
    assert_eq!(bench.read("tried"), "x\nx\n");
}

#[test]
fn what_takes_too_long_is_not_tried_again() {
    let mut bench = Bench::new("echo x >> \"$2/tried\"; sleep 600");
    (bench.settings.timeout_seconds, bench.settings.retries) = (1, 3);
    assert!(bench.reason().contains("not done after 1 s"));
    assert_eq!(bench.read("tried"), "x\n");
}

#[test]
fn metrics_of_a_run_that_did_not_end_well_are_not_taken() {
    let bench = Bench::new("echo '{\"vqa\": 2}' > \"$2/metrics.json\"");
    for exit in ["1\n", "", "0\n"] {
        fs_err::write(bench.out().join("metrics.json"), "{\"vqa\": 1}").unwrap();
        fs_err::write(bench.out().join("exit"), exit).unwrap();
        let expected = if exit == "0\n" { 1.0 } else { 2.0 };
        assert_eq!(vqa(&bench.run().unwrap()), Some(expected), "{exit:?}");
    }
}

#[test]
fn a_command_that_hangs_is_ended_with_all_it_started() {
    // The first does as it is asked, the second does not.
    for script in [
        "sleep 600 & echo $! > \"$2/pid\"; wait",
        "trap '' TERM; (trap '' TERM; sleep 600; sleep 600) & echo $! > \"$2/pid\"; while :; do sleep 1; done",
    ] {
        let mut bench = Bench::new(script);
        bench.settings.timeout_seconds = 1;
        let started = Instant::now();
        let reason = bench.reason();
        assert!(reason.contains("not done after 1 s"), "{reason}");
        assert!(started.elapsed() < Duration::from_secs(20));
        is_gone(&bench.read("pid"));
    }
}

#[test]
fn what_a_command_leaves_running_is_ended_too() {
    let bench =
        Bench::new("sleep 600 & echo $! > \"$2/pid\"; echo '{\"vqa\": 1}' > \"$2/metrics.json\"");
    assert_eq!(vqa(&bench.run().unwrap()), Some(1.0));
    is_gone(&bench.read("pid"));
}

#[test]
fn a_stop_ends_a_command_and_nothing_is_known() {
    let bench = Bench::new("echo $$ > \"$2/pid\"; sleep 600");
    let stop = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.run_until(&stop, None));
        while !bench.out().join("pid").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        run.join().unwrap()
    });
    assert!(matches!(result, Err(ProxyError::Stopped)), "{result:?}");
    is_gone(&bench.read("pid"));
}

#[test]
fn a_command_that_cannot_be_started_is_no_trials_fault() {
    for program in ["/no/such/program", "madmix-no-such-program", "/etc/passwd"] {
        let mut bench = Bench::new("true");
        bench.settings.command[0] = program.into();
        match bench.run() {
            Err(ProxyError::Unusable(reason)) => {
                assert!(
                    reason.contains(program) && reason.contains("atlas.proxy.command"),
                    "{reason}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_left_the_group_is_ended_too() {
    let bench = Bench::new(
        "setsid sh -c 'echo $$ > \"$1/pid\"; exec sleep 600' sh \"$2\" & \
         while ! test -s \"$2/pid\"; do sleep 0.01; done; echo '{\"vqa\": 1}' > \"$2/metrics.json\"",
    );
    assert_eq!(vqa(&bench.run().unwrap()), Some(1.0));
    is_gone(&bench.read("pid"));
}

#[test]
fn workers_have_time_to_end_when_their_shell_is_gone() {
    // A shell ends at once when it is asked to; what it runs writes a checkpoint first. The second is of another session,
    // and its agent ends it, as torchrun does.
    for script in [
        "(trap 'sleep 1; echo saved > \"$2/saved\"; exit' TERM; echo > \"$2/pid\"; while :; do sleep 0.05; done) & wait",
        "agent='setsid sh -c \"trap \\\"sleep 1; echo saved > $0/saved; exit\\\" TERM; echo > $0/pid; while :; do sleep 0.05; done\" & \
         worker=$!; trap \"kill $worker; wait $worker; exit\" TERM; wait'; sh -c \"$agent\" \"$2\" & wait",
    ] {
        let bench = Bench::new(script);
        let stop = AtomicBool::new(false);
        let result = std::thread::scope(|scope| {
            let run = scope.spawn(|| bench.run_within(&stop, None, Duration::from_secs(20)));
            while !bench.out().join("pid").exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
            stop.store(true, Ordering::Relaxed);
            run.join().unwrap()
        });
        assert!(matches!(result, Err(ProxyError::Stopped)), "{result:?}");
        assert!(bench.out().join("saved").exists(), "{script}");
    }
}

#[test]
fn a_trial_whose_log_is_still_written_to_is_left_alone() {
    let bench = Bench::new("echo '{\"vqa\": 1}' > \"$2/metrics.json\"");
    // As by what a killed madmix left behind.
    let log = fs_err::File::create(bench.out().join("log.txt")).unwrap();
    log.file().lock().unwrap();
    let busy = bench.run();
    assert!(
        matches!(&busy, Err(ProxyError::Busy(reason)) if reason.contains("log.txt")),
        "{busy:?}"
    );
    drop(log);
    assert!(bench.run().is_ok());
}
