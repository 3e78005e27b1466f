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
        let mixture =
            |_: &Trial| Mixture::from_bytes(MIXTURE.as_bytes()).map_err(|e| e.to_string());
        let proxy = CommandProxy::new(&self.settings, &self.benchmarks, &mixture, None)
            .with_grace(Duration::from_millis(300));
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

fn vqa(metrics: BTreeMap<String, f64>) -> Option<f64> {
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
    assert_eq!(vqa(bench.run().unwrap()), Some(0.75));
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
        (
            "echo '{\"gqa\": 1}' > \"$2/metrics.json\"",
            "no \"vqa\"; it has gqa",
        ),
        ("echo oops > \"$2/metrics.json\"", "neither JSON nor CSV"),
        ("mkdir \"$2/metrics.json\"", "it is no file"),
        (
            "echo one; echo two >&2; exit 3",
            "exit code 3; its last words:\none\ntwo",
        ),
        ("kill -9 $$", "ended by signal 9; it said nothing"),
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
    assert_eq!(vqa(bench.run().unwrap()), Some(3.0));
    let log = bench.read("log.txt");
    assert!(log.contains("try 1\n") && log.contains("try 2\n") && log.contains("try 3\n"));
    bench.settings.retries = 1;
    assert!(bench.reason().contains("left no such file"));
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
    assert_eq!(vqa(bench.run().unwrap()), Some(1.0));
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
fn a_trial_whose_log_is_still_written_to_is_left_alone() {
    // What leaves the group, as a server does, is not ended with it.
    let bench = Bench::new(
        "setsid sleep 600 & echo $! > \"$2/pid\"; echo '{\"vqa\": 1}' > \"$2/metrics.json\"",
    );
    bench.run().unwrap();
    let again = bench.run();
    let pid = bench.read("pid");
    // setsid may have forked; whoever sleeps is found by its log.
    let killed = std::process::Command::new("kill").arg(pid.trim()).status();
    assert!(killed.unwrap().success());
    assert!(
        matches!(&again, Err(ProxyError::Busy(reason)) if reason.contains("log.txt")),
        "{again:?}"
    );
    is_gone(&pid);
    assert!(bench.run().is_ok());
    let last = bench.read("pid");
    let _ = std::process::Command::new("kill").arg(last.trim()).status();
}
