//! Reads objects in a process of its own: with its own environment, and knowing nothing from before.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use madmix::blob::{self, Blob};
use madmix::media::{self, MediaError};
use tempfile::TempDir;

/// What a process says about what it was asked.
#[derive(Debug)]
pub(crate) struct Said {
    /// The bytes' hash and number, or a list.
    pub(crate) done: Result<String, Failure>,
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: String,
    pub(crate) of_machine: bool,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn has(&self, content: &[u8]) {
        let done = self.done.as_ref().unwrap();
        assert_eq!(*done, digest(content));
    }

    pub(crate) fn failure(&self) -> &Failure {
        self.done.as_ref().unwrap_err()
    }
}

pub(crate) fn digest(content: &[u8]) -> String {
    format!("{} {}", content.len(), blake3::hash(content).to_hex())
}

/// A place with a cache of its own, and what the environment says there.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Place {
    /// With credentials for the server at an endpoint.
    pub(crate) fn at(endpoint: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_ACCESS_KEY_ID", "key-id".into()),
            ("AWS_SECRET_ACCESS_KEY", "very-secret".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("HOME", path("home")),
            ("MADMIX_REMOTE_CACHE", path("cache")),
            ("MADMIX_REMOTE_TIMEOUT", "30".into()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Self {
            folder,
            variables: variables.into(),
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn unset(&mut self, start: &str) {
        self.variables.retain(|name, _| !name.starts_with(start));
    }

    /// A program with this environment and no other.
    pub(crate) fn program(&self, path: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(path);
        command.env_clear().envs(&self.variables);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// A process that answers.
    pub(crate) fn reader(&self) -> Asked {
        let mut process = self
            .program(std::env::current_exe().unwrap())
            .args(["--exact", "asking::answers", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Asked {
            tell: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()).lines(),
            process,
        }
    }

    /// Asks a fresh process a single thing.
    pub(crate) fn ask(&self, question: &str) -> Said {
        self.reader().ask(question)
    }

    /// What the cache takes on disk.
    pub(crate) fn cache_files(&self) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().join("cache")];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files
    }
}

pub(crate) struct Asked {
    process: Child,
    tell: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Asked {
    /// `read URL`, `crowd URL`, `at URL OFFSET BYTES`, `probe URL` or `list URL`.
    pub(crate) fn ask(&mut self, question: &str) -> Said {
        self.say(question);
        self.hear()
    }

    pub(crate) fn say(&mut self, question: &str) {
        writeln!(self.tell, "{question}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> Said {
        loop {
            let line = self.answers.next().unwrap().unwrap();
            if let Some(done) = line.strip_prefix("@done ") {
                let done = Ok(done.to_owned());
                return Said { done };
            }
            if let Some(failure) = line.strip_prefix("@failed ") {
                let mut parts = failure.splitn(3, '|').map(str::to_owned);
                let failure = Failure {
                    kind: parts.next().unwrap(),
                    of_machine: parts.next().unwrap() == "true",
                    text: parts.next().unwrap(),
                };
                let done = Err(failure);
                return Said { done };
            }
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
#[ignore = "is run by the other tests, which ask it"]
#[expect(clippy::print_stdout, reason = "it answers")]
fn answers() {
    for question in std::io::stdin().lines() {
        let question = question.unwrap();
        let words: Vec<_> = question.split(' ').collect();
        let done = match words[..] {
            ["read", url] => Blob::Url(url.into()).read(1 << 32).map(|all| digest(&all)),
            ["at", url, offset, bytes] => {
                let mut buffer = vec![0; bytes.parse().unwrap()];
                Blob::Url(url.into())
                    .open()
                    .and_then(|reader| reader.read_exact_at(&mut buffer, offset.parse().unwrap()))
                    .map(|()| digest(&buffer))
            }
            // Small pieces from many threads at once.
            ["crowd", url] => Blob::Url(url.into()).open().map(|reader| {
                let hashes = std::thread::scope(|scope| {
                    let whole = || {
                        let mut all = vec![0; reader.len() as usize];
                        for (number, piece) in all.chunks_mut(50_000).enumerate() {
                            reader.read_exact_at(piece, number as u64 * 50_000).unwrap();
                        }
                        digest(&all)
                    };
                    let threads: Vec<_> = (0..8).map(|_| scope.spawn(whole)).collect();
                    threads
                        .into_iter()
                        .map(|one| one.join().unwrap())
                        .collect::<Vec<_>>()
                });
                assert!(hashes.windows(2).all(|two| two[0] == two[1]));
                hashes[0].clone()
            }),
            ["probe", url] => {
                let blob = Blob::Url(url.into());
                match media::probe_file(&blob, media::Orientation::Apply, media::Limits::default())
                {
                    Ok(size) => Ok(size.to_string()),
                    Err(MediaError::File(error)) => Err(error),
                    Err(fault) => Ok(fault.to_string()),
                }
            }
            ["list", url] => blob::list(url).map(|found| {
                let names = found
                    .iter()
                    .map(|one| format!("{}={}", one.name, one.bytes));
                names.collect::<Vec<_>>().join(" ")
            }),
            _ => panic!("asked {question:?}"),
        };
        match done {
            Ok(done) => println!("\n@done {done}"),
            Err(error) => println!(
                "\n@failed {:?}|{}|{}",
                error.kind(),
                blob::is_of_machine(&error),
                error.to_string().replace('\n', " ")
            ),
        }
    }
}
