//! A study on disk: what is proposed and what is told, each in a file of its own that is published whole.
//!
//! ```text
//! study.json             what is searched; never changes
//! lock                   held for moments by who writes; released when a process dies
//! proposing              held by who proposes, all the while
//! trials/0001/trial.json      what was proposed; never changes
//! trials/0001/outcome.json    what came of it; replaced only when asked to, and then kept as outcome.1.json, …
//! ```
//!
//! `trial.json` is what makes a folder a trial. One without it is what a killed process left: if it is empty, who proposes
//! next fills it; if there is anything in it, such as what was told of a run made elsewhere, its number is not used again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Outcome, StudyError, Trial};
use crate::atlas::lock::Lock;
use crate::atlas::trial::LARGEST;
use crate::config::Benchmark;
use crate::store::{publish, read_regular};

const FORMAT: u64 = 1;
const RECORD: &str = "study.json";
const LOCK: &str = "lock";
const PROPOSING: &str = "proposing";
const TRIALS: &str = "trials";
const TRIAL: &str = "trial.json";
const OUTCOME: &str = "outcome.json";
/// More differences than these help nobody.
const DIFFERENCES: usize = 8;
/// A trial of a hundred thousand cells has less.
const MAX_BYTES: u64 = 64 << 20;

/// The folder of a study.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

/// `study.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u64,
    search: Value,
}

impl Folder {
    /// Opens the study at `root`, making it if there is none. `search` says what is searched: a study's trials all have
    /// the same.
    ///
    /// # Errors
    /// When the folder is of another search, or cannot be read or written.
    pub fn open(root: &Path, search: &Value) -> Result<Self, StudyError> {
        fs_err::create_dir_all(root)?;
        let folder = Self {
            root: root.to_owned(),
        };
        // Two that begin at once must not each write theirs.
        let _lock = folder.lock()?;
        if !folder.is_of(search)? {
            let path = root.join(RECORD);
            let record = Record {
                format: FORMAT,
                search: search.clone(),
            };
            publish(&path, &written(&path, &record)?)?;
        }
        Ok(folder)
    }

    /// The study at `root` as it stands, if there is one: nothing is made, locked or changed.
    ///
    /// # Errors
    /// When the folder is of another search, or cannot be read.
    pub fn look(root: &Path, search: &Value) -> Result<Self, StudyError> {
        let folder = Self {
            root: root.to_owned(),
        };
        folder.is_of(search)?;
        Ok(folder)
    }

    /// Whether it is of this search; not while there is none, or only one that nothing rests on yet.
    fn is_of(&self, search: &Value) -> Result<bool, StudyError> {
        let path = self.root.join(RECORD);
        let Some(Record {
            format,
            search: found,
        }) = read::<Record>(&path)?
        else {
            return Ok(false);
        };
        if format != FORMAT {
            return Err(content(
                &path,
                format!("its format is {format}, and this madmix knows {FORMAT}"),
            ));
        }
        let mut differences = Vec::new();
        differ("", Some(&found), Some(search), &mut differences);
        if differences.is_empty() {
            return Ok(true);
        }
        if self.trials()?.is_empty() {
            return Ok(false);
        }
        let more = differences.len().saturating_sub(DIFFERENCES);
        differences.truncate(DIFFERENCES);
        if more > 0 {
            differences.push(format!("and {more} more"));
        }
        Err(StudyError::OtherSearch { path, differences })
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a trial.
    pub fn of_trial(&self, number: u32) -> PathBuf {
        self.root.join(TRIALS).join(format!("{number:04}"))
    }

    /// Waits until nobody else proposes, which takes as long as learning does. Nobody who tells has to.
    ///
    /// # Errors
    /// As [`Self::lock`], and when `stop` is set meanwhile.
    pub fn proposing(&self, stop: Option<&AtomicBool>) -> Result<Lock, StudyError> {
        let reason = "another madmix proposes in this study";
        Ok(Lock::wait(&self.root.join(PROPOSING), reason, stop)?)
    }

    /// Waits until nobody else writes, which takes moments; the lock is given back when it is dropped, or the process dies.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub fn lock(&self) -> Result<Lock, StudyError> {
        let reason = "another madmix writes in this study";
        Ok(Lock::wait(&self.root.join(LOCK), reason, None)?)
    }

    /// All trials that were proposed, by number, with what came of them.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn trials(&self) -> Result<Vec<Trial>, StudyError> {
        let mut trials = Vec::new();
        for number in self.numbers()? {
            trials.extend(self.trial(number)?);
        }
        Ok(trials)
    }

    /// One trial; `None` when it was not proposed.
    ///
    /// # Errors
    /// As [`Self::trials`].
    pub fn trial(&self, number: u32) -> Result<Option<Trial>, StudyError> {
        let path = self.of_trial(number).join(TRIAL);
        let Some(mut trial) = read::<Trial>(&path)? else {
            return Ok(None);
        };
        if trial.number != number {
            return Err(content(
                &path,
                format!("it says that it is trial {}", trial.number),
            ));
        }
        trial.outcome = read(&self.of_trial(number).join(OUTCOME))?;
        Ok(Some(trial))
    }

    /// Adds trials behind those there are, each made by `trial` with the number that it gets. Nobody else can meanwhile, as
    /// the lock is held. What came of a trial is written first, so that it is never there without.
    ///
    /// # Errors
    /// When a trial holds what is no number, or a file cannot be read or written; what was added before stays.
    pub fn add<T>(
        &self,
        _held: &Lock,
        of: Vec<T>,
        trial: impl Fn(T, u32) -> Trial,
    ) -> Result<Vec<Trial>, StudyError> {
        let first = self.free()?;
        let trials: Vec<Trial> = of
            .into_iter()
            .zip(first..)
            .map(|(of, number)| Trial {
                number,
                ..trial(of, number)
            })
            .collect();
        if trials.iter().any(|trial| !is_finite(trial)) {
            return Err(StudyError::NoMixture);
        }
        for trial in &trials {
            let folder = self.of_trial(trial.number);
            if let Some(outcome) = &trial.outcome {
                let path = folder.join(OUTCOME);
                publish(&path, &written(&path, outcome)?)?;
            }
            let path = folder.join(TRIAL);
            let proposed = Trial {
                outcome: None,
                ..trial.clone()
            };
            publish(&path, &written(&path, &proposed)?)?;
        }
        Ok(trials)
    }

    /// The number behind all that were used.
    fn free(&self) -> Result<u32, StudyError> {
        for number in self.numbers()?.into_iter().rev() {
            let path = self.of_trial(number);
            for entry in fs_err::read_dir(&path)? {
                // What is about to be published has a name that starts with a dot.
                if !entry?.file_name().as_encoded_bytes().starts_with(b".") {
                    let next = number.checked_add(1);
                    return next.ok_or_else(|| content(&path, "there is no number behind".into()));
                }
            }
        }
        Ok(1)
    }

    /// Tells what came of a trial. All metrics have to be finite, and all `benchmarks` among them. The same may be told
    /// again; something else only with `replace`, and then the old is kept beside it.
    ///
    /// # Errors
    /// When there is no such trial, the metrics cannot be used, something else was told, or a file cannot be written.
    pub fn tell(
        &self,
        number: u32,
        outcome: &Outcome,
        benchmarks: &[Benchmark],
        replace: bool,
    ) -> Result<(), StudyError> {
        check(number, outcome, benchmarks)?;
        let _lock = self.lock()?;
        let Some(trial) = self.trial(number)? else {
            let last = self.numbers()?.into_iter().max().unwrap_or(0);
            return Err(StudyError::NoTrial { number, last });
        };
        let path = self.of_trial(number).join(OUTCOME);
        match trial.outcome {
            Some(before) if before == *outcome => return Ok(()),
            Some(before) if !replace => {
                let before = described(&before);
                return Err(StudyError::ToldBefore { number, before });
            }
            Some(before) => self.keep(number, &before)?,
            None => {}
        }
        publish(&path, &written(&path, outcome)?)?;
        Ok(())
    }

    /// Keeps an outcome that is about to be replaced.
    fn keep(&self, number: u32, outcome: &Outcome) -> Result<(), StudyError> {
        let of = |n: u32| self.of_trial(number).join(format!("outcome.{n}.json"));
        let path = (1..u32::MAX).map(of).find(|path| !path.exists());
        if let Some(path) = path {
            publish(&path, &written(&path, outcome)?)?;
        }
        Ok(())
    }

    /// The numbers that trials' folders have, ascending.
    fn numbers(&self) -> Result<Vec<u32>, StudyError> {
        let entries = match fs_err::read_dir(self.root.join(TRIALS)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok());
            // What else lies there is not the study's.
            numbers.extend(number.filter(|number| self.of_trial(*number).ends_with(&name)));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

pub(super) fn check(
    number: u32,
    outcome: &Outcome,
    benchmarks: &[Benchmark],
) -> Result<(), StudyError> {
    let Outcome::Told(metrics) = outcome else {
        return Ok(());
    };
    if let Some((name, value)) = metrics.iter().find(|(_, value)| !value.is_finite()) {
        let (name, value) = (name.clone(), *value);
        return Err(StudyError::NotFinite {
            number,
            name,
            value,
        });
    }
    let mut wanted = benchmarks.iter().map(|benchmark| &benchmark.name);
    if let Some((name, value)) = metrics.iter().find(|(_, value)| value.abs() > LARGEST) {
        let (name, value) = (name.clone(), *value);
        return Err(StudyError::TooLarge {
            number,
            name,
            value,
        });
    }
    match wanted.find(|name| !metrics.contains_key(*name)) {
        Some(name) => Err(StudyError::Lacking {
            number,
            name: name.clone(),
            found: metrics.keys().cloned().collect(),
        }),
        None => Ok(()),
    }
}

/// JSON has no word for other numbers, and would say null.
fn is_finite(trial: &Trial) -> bool {
    let predicted = trial.predicted.values();
    let predicted = predicted.flat_map(|predicted| [predicted.mean, predicted.deviation]);
    let shares = trial.point.iter().chain(&trial.weights).copied();
    shares.chain(predicted).all(f64::is_finite)
}

fn described(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(reason) => format!("it failed, {reason}"),
        Outcome::Told(metrics) => {
            let shown: Vec<String> = metrics
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            shown.join(", ")
        }
    }
}

pub(super) fn content(path: &Path, problem: String) -> StudyError {
    StudyError::Content {
        path: path.to_owned(),
        problem,
    }
}

fn written<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, StudyError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| content(path, error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What a file of JSON holds; `None` when there is no file.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, StudyError> {
    let bytes = match read_regular(path, MAX_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            return Err(content(
                path,
                format!("it is no file of at most {MAX_BYTES} bytes"),
            ));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let value = serde_json::from_slice(&bytes);
    value
        .map(Some)
        .map_err(|error| content(path, error.to_string()))
}

/// A line for each value in which two differ.
fn differ(at: &str, found: Option<&Value>, wanted: Option<&Value>, lines: &mut Vec<String>) {
    let below = |key: &str| match at {
        "" => key.to_owned(),
        at => format!("{at}.{key}"),
    };
    match (found, wanted) {
        (Some(Value::Object(found)), Some(Value::Object(wanted))) => {
            let more = wanted.keys().filter(|key| !found.contains_key(*key));
            for key in found.keys().chain(more) {
                differ(&below(key), found.get(key), wanted.get(key), lines);
            }
        }
        (Some(Value::Array(found)), Some(Value::Array(wanted))) if found.len() == wanted.len() => {
            for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                differ(&below(&i.to_string()), Some(found), Some(wanted), lines);
            }
        }
        (found, wanted) if found == wanted => {}
        (found, wanted) => {
            let text = |value: Option<&Value>| {
                value.map_or_else(|| "nothing".to_owned(), Value::to_string)
            };
            lines.push(format!("{at} was {}, and is {}", text(found), text(wanted)));
        }
    }
}

#[cfg(test)]
mod tests;
