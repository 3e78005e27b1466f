//! What holds on the device that `MADMIX_TEST_DEVICE` names: `cpu` (as unset), `cuda` or `cuda:N`.
//!
//! Where it names a CUDA device and there is none, these tests fail with the reason. Where it does not, those that are
//! about CUDA alone say that they are skipped; the others run on the CPU.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Tensor};
use madmix::vlm::device::{cuda_ordinal, memory, open_all};
use serde_json::Value;

use crate::demo::demo;
use crate::project::{Ended, Project, assert_same};
use crate::samples::rows;

const VARIABLE: &str = "MADMIX_TEST_DEVICE";

/// One test at a time: one of them fills the device's memory.
fn device() -> (MutexGuard<'static, ()>, String) {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let name = std::env::var(VARIABLE).unwrap_or_else(|_| "cpu".to_owned());
    let known = name == "cpu" || cuda_ordinal(&name).is_some();
    assert!(known, "{VARIABLE}={name}: it is cpu, cuda or cuda:N");
    (alone, name)
}

/// The CUDA device, if one was asked for.
#[expect(clippy::print_stderr, reason = "says what was not tested")]
fn cuda() -> Option<(MutexGuard<'static, ()>, String)> {
    let (alone, name) = device();
    if name == "cpu" {
        eprintln!("skipped: {VARIABLE} names no CUDA device");
        return None;
    }
    Some((alone, name))
}

/// The demo on a device.
fn demo_on(device: &str, dtype: &str) -> Project {
    let project = demo();
    project.edit(
        "mix.toml",
        "device = \"cpu\"",
        &format!("device = \"{device}\"\ndtype = \"{dtype}\""),
    );
    project
}

#[test]
fn two_runs_on_one_device_are_byte_identical() {
    let (_alone, device) = device();
    let runs = [0; 2].map(|_| {
        let project = demo_on(&device, "auto");
        project.run();
        project
    });
    assert_same(&runs[1].results(), &runs[0].results());
}

/// The weights of the domains in percent.
fn weights(project: &Project) -> Vec<f64> {
    project.run();
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    let domains = mixture["domains"].as_array().unwrap().iter();
    domains
        .map(|domain| 100.0 * domain["weight"].as_f64().unwrap())
        .collect()
}

fn furthest(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f64::max)
}

/// transformers' own bf16 moves the demo's weights by 0.066 percentage points (`scripts/bench_bf16.py`).
#[test]
fn a_mixture_from_bf16_is_that_from_f32() {
    let Some((_alone, device)) = cuda() else {
        return;
    };
    let on_cpu = weights(&demo_on("cpu", "f32"));
    let full = weights(&demo_on(&device, "f32"));
    let half = weights(&demo_on(&device, "bf16"));
    let (of_device, of_bf16) = (furthest(&full, &on_cpu), furthest(&half, &on_cpu));
    assert!(of_device < 0.001, "f32: {full:?} for {on_cpu:?}");
    assert!(of_bf16 < 0.1, "bf16: {half:?} for {on_cpu:?}");
    assert!(of_bf16 > 0.0, "bf16 is f32");
}

/// A shard of texts of 13,000 tokens each.
fn long_texts(device: &str) -> Project {
    let project = Project::new();
    project.write("words.jsonl", long_rows());
    // All of a shard together, whatever the memory.
    project.extract("batch_tokens = 100000000");
    project.edit(
        "mix.toml",
        "device = \"cpu\"",
        &format!("device = \"{device}\"\ndtype = \"f32\""),
    );
    project
}

fn long_rows() -> String {
    let long = "and then some more of it, ".repeat(1200);
    let lines = rows(0..64);
    let mut all = String::new();
    for line in lines.lines() {
        let mut row: Value = serde_json::from_str(line).unwrap();
        row["conversations"][1]["value"] = long.clone().into();
        all += &row.to_string();
        all.push('\n');
    }
    all
}

/// Leaves ever less of the device's memory until a batch does not fit, and compares what comes of its parts.
#[test]
fn a_batch_beyond_the_memory_goes_in_parts() {
    let Some((_alone, name)) = cuda() else {
        return;
    };
    let whole = long_texts(&name);
    let ended = whole.run();
    assert!(!ended.stderr.contains(DOES_NOT_FIT), "{ended}");
    let expected = weights(&whole);

    let mut last: Option<Ended> = None;
    for left in [
        8192, 6144, 4096, 3072, 2048, 1792, 1536, 1280, 1024, 896, 768,
    ] {
        let hog = Hog::start(&name, left);
        let tight = long_texts(&name);
        let ended = tight.madmix(&["run", "mix.toml"]);
        drop(hog);
        if ended.stderr.contains(DOES_NOT_FIT) {
            let ended = ended.expect(0);
            assert!(tight.failures().is_empty(), "{ended}");
            let apart = furthest(&weights(&tight), &expected);
            assert!(apart < 0.001, "{apart} percentage points apart\n{ended}");
            return;
        }
        last = Some(ended);
    }
    panic!(
        "every batch fitted, or the model did not: {}",
        last.unwrap()
    );
}

/// A process that holds nearly all of a device's memory until this is dropped.
struct Hog(Child);

const LEFT: &str = "MADMIX_TEST_LEFT";
const TAKEN: &str = "the memory is taken";

impl Hog {
    /// Leaves so many MiB.
    fn start(device: &str, left: u64) -> Self {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["cuda::hog", "--exact", "--ignored", "--nocapture"])
            .env(VARIABLE, device)
            .env(LEFT, left.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let taken = said.map_while(Result::ok).any(|line| line.contains(TAKEN));
        assert!(taken, "the memory could not be taken");
        Self(child)
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        // It ends when nobody speaks to it any more.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "a part of another test, which starts it as a process of its own"]
#[expect(clippy::print_stdout, reason = "speaks to the process that started it")]
fn hog() {
    let Ok(left) = std::env::var(LEFT) else {
        return;
    };
    let name = std::env::var(VARIABLE).unwrap();
    let device = &open_all(&[name], None).unwrap()[0].device;
    let free = memory(device).expect("CUDA tells how full it is").free;
    let bytes = free.saturating_sub(left.parse::<u64>().unwrap() << 20);
    let _held = Tensor::zeros(bytes as usize, DType::U8, device).unwrap();
    device.synchronize().unwrap();
    println!("{TAKEN}");
    let _ = std::io::stdin().read_line(&mut String::new());
}

const DOES_NOT_FIT: &str = "does not fit into its memory; from here on at most";

#[test]
fn the_device_that_was_named_is_the_one_that_is_used() {
    let (_alone, name) = device();
    let on_cpu = |device: &str| {
        let project = Project::new();
        project.edit(
            "mix.toml",
            "device = \"cpu\"",
            &format!("device = \"{device}\""),
        );
        let ended = project.run();
        ended.stderr.contains(" on the CPU")
    };
    assert_eq!(on_cpu(&name), name == "cpu");
    if name != "cpu" {
        assert!(!on_cpu("auto"), "there is a CUDA device");
    }
}

#[test]
fn a_device_that_is_not_there_is_refused_with_the_reason() {
    let project = Project::new();
    project.edit("mix.toml", "device = \"cpu\"", "device = \"cuda:4096\"");
    let ended = project.madmix(&["run", "mix.toml"]);
    assert!(matches!(ended.code, Some(1 | 2)), "{ended}");
    assert!(ended.stderr.contains("device = \"cuda:4096\": "), "{ended}");
    assert!(!project.path("run").exists(), "{ended}");
}

/// The table of `--profile`, whatever the device.
#[test]
fn a_profile_says_where_the_time_went_and_changes_no_byte() {
    let (_alone, name) = device();
    let runs = ["--verbose", "--profile"].map(|option| {
        let project = Project::new();
        project.edit(
            "mix.toml",
            "device = \"cpu\"",
            &format!("device = \"{name}\""),
        );
        let ended = project.madmix(&["run", "mix.toml", option]).expect(0);
        (project, ended)
    });
    let [(plain, without), (profiled, with)] = runs;
    assert_same(&profiled.results(), &plain.results());
    let title = "where the forward passes' time went:";
    assert!(!without.stderr.contains(title), "{without}");
    let (_, table) = with.stderr.split_once(title).unwrap();
    let share = |section: &str| -> f64 {
        let line = table
            .lines()
            .find(|line| line.trim_start().starts_with(section));
        let line = line.unwrap_or_else(|| panic!("no {section} in\n{table}"));
        let (before, _) = line.split_once(" %").unwrap();
        before
            .split_whitespace()
            .next_back()
            .unwrap()
            .parse()
            .unwrap()
    };
    for section in ["pass", "vision", "language", "attention"] {
        assert!(share(section) >= 0.0);
    }
    assert!((share("all, 18 samples") - 100.0).abs() < 1e-9, "{table}");
}
