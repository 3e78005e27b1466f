//! A small project to run the program on: two domains, one of text alone and one with pictures of 20 pixels.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use assert_cmd::Command;
use image::ImageFormat;
use serde_json::Value;
use tempfile::TempDir;

#[path = "../support/places.rs"]
mod places;

pub(crate) use places::repository;

use crate::samples::{picture, picture_row, rows};

/// The program: `MADMIX_TEST_BINARY`, or the one that was compiled with the tests.
pub(crate) fn binary() -> OsString {
    env::var_os("MADMIX_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_madmix").into())
}

/// What a user's shell may have set and the tests' results must not depend on.
const VARIABLES: [&str; 13] = [
    "COLUMNS",
    "JOB_COMPLETION_INDEX",
    "LOCAL_RANK",
    "MADMIX_LOG",
    "MADMIX_RANK",
    "MADMIX_RANKS",
    "RANK",
    "RAYON_NUM_THREADS",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_STEP_ID",
    "WORLD_SIZE",
];

const CONFIG: &str = r#"output = "run"
cache = "off"
[model]
checkpoint = "[REPO]/models/tiny-llava-onevision"
device = "cpu"

[extract]
seed = 0

[[domain]]
name = "Words"
[[domain.dataset]]
path = "words.jsonl"

[[domain]]
name = "Pictures"
[[domain.dataset]]
path = "pictures.jsonl"
"#;

/// A folder with `mix.toml` and its data. The run goes to `run`.
pub(crate) struct Project {
    folder: TempDir,
}

/// What the program did. Its text form, made for snapshots, has the project's folder as `[DIR]`.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Files by their path below a folder.
pub(crate) type Tree = BTreeMap<PathBuf, Vec<u8>>;

impl Project {
    /// Twelve conversations, and six questions about a picture each.
    pub(crate) fn new() -> Self {
        let project = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        project.write("mix.toml", CONFIG.replace("[REPO]", repository()));
        project.write("words.jsonl", rows(0..12));
        let pictures: String = (0..6).map(|i| picture_row(i) + "\n").collect();
        project.write("pictures.jsonl", pictures);
        for i in 0..6 {
            project.write(&format!("{i}.png"), picture(i, ImageFormat::Png));
        }
        project
    }

    /// A file or folder of the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces a piece of a file, which must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from}:\n{text}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// Adds a line to the section `[extract]`.
    pub(crate) fn extract(&self, line: &str) {
        self.edit("mix.toml", "[extract]\n", &format!("[extract]\n{line}\n"));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.folder.path());
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.env("HF_HUB_OFFLINE", "1");
        command
    }

    /// Runs the program to its end.
    pub(crate) fn madmix(&self, arguments: &[&str]) -> Ended {
        self.ended(&mut self.command(arguments))
    }

    pub(crate) fn ended(&self, command: &mut Command) -> Ended {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            let folder = self.folder.path().to_str().unwrap();
            text.replace(folder, "[DIR]")
                .replace(repository(), "[REPO]")
        };
        Ended {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// `madmix run`, which must succeed.
    pub(crate) fn run(&self) -> Ended {
        self.madmix(&["run", "mix.toml"]).expect(0)
    }

    /// Starts the program and leaves it running.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = std::process::Command::new(binary());
        command.args(arguments).current_dir(self.folder.path());
        for name in VARIABLES {
            command.env_remove(name);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// All files of the run.
    pub(crate) fn tree(&self) -> Tree {
        tree(&self.path("run"))
    }

    /// The samples that the run could not use.
    pub(crate) fn failures(&self) -> Vec<Value> {
        let lines = self.read("run/failures.jsonl");
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The run's files as they are for every folder and every data that is the same: all but its config.
    pub(crate) fn results(&self) -> Tree {
        let mut tree = self.tree();
        tree.remove(Path::new("config.toml"));
        tree
    }
}

impl Ended {
    /// The same, once the exit code is as it should be.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit code {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        for (title, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {title}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// Compares a snapshot with how the program ended, without what varies from run to run.
#[macro_export]
macro_rules! assert_ended {
    ($name:literal, $ended:expr) => {
        insta::with_settings!({
            // The last digits of a score hang on the processor: wider vectors add in another order.
            filters => [
                (r"(\d\.\d\d)\d\d\b", "${1}__"),
                (r"\d+\.\d\d? s\b", "[TIME]"),
                (r"[\d,]+ tokens/s", "[RATE]"),
                (r"[\d.]+ samples/s", "[RATE]"),
                (r"[\d.]+ [MGTP]FLOP/s that", "[RATE] that"),
                (r"about [\d.a-z ]+ for the passes", "about [TIME] for the passes"),
                (r"about [\d.]+ [KMG]iB,", "about [MEMORY],"),
                (r"for samples \([\d.]+ %\)", "for samples ([SHARE])"),
                (r"\b[0-9a-f]{64}\b", "[HASH]"),
            ],
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, { insta::assert_snapshot!($name, $ended.to_string()) })
    };
}

pub(crate) fn tree(folder: &Path) -> Tree {
    let mut files = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(name, fs_err::read(&path).unwrap());
            }
        }
    }
    files
}

/// Fails with the names of the files that differ.
#[track_caller]
pub(crate) fn assert_same(found: &Tree, expected: &Tree) {
    let mut report = String::new();
    for name in found
        .keys()
        .chain(expected.keys().filter(|name| !found.contains_key(*name)))
    {
        let (found, expected) = (found.get(name), expected.get(name));
        if found != expected {
            let bytes = |file: Option<&Vec<u8>>| {
                file.map_or("absent".into(), |f| format!("{} bytes", f.len()))
            };
            let (found, expected) = (bytes(found), bytes(expected));
            writeln!(report, "{}: {found}, expected {expected}", name.display()).unwrap();
        }
    }
    assert!(report.is_empty(), "files differ:\n{report}");
}
