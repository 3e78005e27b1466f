//! LLaVA-NeXT's mixture files: the YAML that its `--data_path` takes.
//!
//! ```yaml
//! datasets:
//!   - json_path: /data/ai2d_4874.json
//!     sampling_strategy: "first:10%"
//! ```
//!
//! Its `llava/train/train.py` asks for these keys and passes over all others, and so does this reader, which says so. What
//! it takes for `all` without a word (a strategy that it does not know, or one without a number) is an error here.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_saphyr::{Options, SnippetMode, Spanned};

use super::normalised;
use crate::blob::{Blob, url_of};
use crate::dataset::SamplingStrategy;
use crate::reason::reason;

/// Bytes of a mixture file; the published ones have some ten thousand.
const MAX_BYTES: u64 = 4 << 20;
/// Bytes of a path. An alias may stand for a text many times, so that a small file could hold more than memory does.
const MAX_PATH_BYTES: usize = 4096;

/// What is said beside a reader's error.
const SHAPE: &str =
    "a mixture file has `datasets:` with a list of entries, each with a `json_path`";

const KEYS: [&str; 2] = ["json_path", "sampling_strategy"];

/// Why a mixture file cannot be read. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum MixtureYamlError {
    /// The file cannot be opened, is too long, or is not UTF-8.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// No YAML, a key that is absent or of the wrong type, or a strategy that is none.
    #[error("{}, {place}{message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line with a colon behind, where it is known.
        place: String,
        /// What is wrong there.
        message: String,
    },
}

/// A mixture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixtureYaml {
    /// Its folder, which relative paths start from.
    folder: PathBuf,
    /// The datasets in the file's order.
    pub entries: Vec<Entry>,
    /// Keys that are not read, each with the line where it stands first and how often it stands.
    pub ignored: Vec<(String, u64, usize)>,
}

/// A dataset of a mixture file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As written.
    pub json_path: String,
    /// Which part of it is used; all if not said.
    pub sampling_strategy: Option<SamplingStrategy>,
    /// Where it stands in the file, from 1.
    pub line: u64,
}

impl Entry {
    /// What the dataset is called: its file's stem.
    pub fn name(&self) -> String {
        let path = Path::new(&self.json_path);
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        stem.to_string_lossy().into_owned()
    }
}

impl MixtureYaml {
    /// Reads a file, which may be named by a URL.
    ///
    /// # Errors
    /// When it cannot be read, or is no mixture.
    pub fn read(path: &Path) -> Result<Self, MixtureYamlError> {
        let wrong = |reason: String| MixtureYamlError::Read {
            path: path.to_owned(),
            reason,
        };
        let bytes = Blob::at(path)
            .read(MAX_BYTES)
            .map_err(|error| wrong(reason(&error)))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n');
            wrong(format!("line {} is not UTF-8", line.count() + 1))
        })?;
        Self::parse(&text, path)
    }

    /// Takes the text of a file; `path` is for messages and for the folder that relative paths start from.
    ///
    /// # Errors
    /// When it is no mixture.
    pub fn parse(text: &str, path: &Path) -> Result<Self, MixtureYamlError> {
        let wrong = |place: String, message: String| MixtureYamlError::Content {
            path: path.to_owned(),
            place,
            message,
        };
        // Numbers are texts here: a file may be called 2024.
        let options = serde_saphyr::options! { with_snippet: false, };
        let file: File =
            read_yaml(text, options).map_err(|(place, message)| wrong(place, message))?;
        let mut entries = Vec::new();
        let mut ignored = file.others;
        for entry in file.datasets {
            let line = entry.referenced.line();
            let at = |line: u64| format!("line {line}: ");
            let RawEntry {
                json_path,
                sampling_strategy,
                others,
            } = entry.value;
            let json_path = json_path
                .filter(|path| !path.is_empty())
                .ok_or_else(|| wrong(at(line), "an entry of `datasets` has no json_path".into()))?;
            let sampling_strategy = sampling_strategy
                .map(|text| {
                    let line = text.referenced.line();
                    text.value
                        .parse()
                        .map_err(|message| wrong(at(line), message))
                })
                .transpose()?;
            ignored.extend(others);
            entries.push(Entry {
                json_path,
                sampling_strategy,
                line,
            });
        }
        if entries.is_empty() {
            return Err(wrong(String::new(), "`datasets` is empty".into()));
        }
        Ok(Self {
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            entries,
            ignored: counted(ignored),
        })
    }

    /// Where an entry's file lies. Relative paths start from the file's folder; or, as LLaVA-NeXT's start from wherever it
    /// runs, from `other` if the file is there and not in the first place.
    pub fn place(&self, entry: &Entry, other: &Path) -> PathBuf {
        let written = Path::new(&entry.json_path);
        if written.is_absolute() || url_of(written).is_some() {
            return written.to_owned();
        }
        if url_of(&self.folder).is_some() {
            return self.folder.join(written);
        }
        let beside = normalised(&self.folder.join(written));
        let elsewhere = normalised(&other.join(written));
        if !is_there(&beside) && is_there(&elsewhere) {
            return elsewhere;
        }
        beside
    }

    /// What to say about the keys that are not read: a line for each.
    pub fn warnings(&self, path: &Path) -> Vec<String> {
        let warning = |(key, line, times): &(String, u64, usize)| {
            let meant = KEYS
                .into_iter()
                .find(|known| strsim::damerau_levenshtein(known, key) <= 3)
                .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            let times = match times {
                1 => String::new(),
                times => format!(" ({times} times)"),
            };
            format!(
                "{}, line {line}: `{key}`{times} is passed over, as LLaVA-NeXT does{meant}",
                path.display()
            )
        };
        self.ignored.iter().map(warning).collect()
    }
}

/// Whether a path names something: itself, or as a pattern the folder that its fixed part ends in.
fn is_there(path: &Path) -> bool {
    let is_pattern = |part: &std::path::Component<'_>| {
        let text = part.as_os_str().as_encoded_bytes();
        text.iter().any(|byte| b"{*?[".contains(byte))
    };
    if path.exists() {
        return true;
    }
    let fixed: PathBuf = path
        .components()
        .take_while(|part| !is_pattern(part))
        .collect();
    fixed != path && fixed.exists()
}

/// Each key once, in the file's order.
fn counted(keys: Vec<(String, u64)>) -> Vec<(String, u64, usize)> {
    let mut counted: Vec<(String, u64, usize)> = Vec::new();
    for (key, line) in keys {
        match counted.iter_mut().find(|(known, _, _)| *known == key) {
            Some((_, _, times)) => *times += 1,
            None => counted.push((key, line, 1)),
        }
    }
    counted
}

/// The line with a colon behind, and the message.
fn read_yaml<T: serde::de::DeserializeOwned>(
    text: &str,
    options: Options,
) -> Result<T, (String, String)> {
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = match error.location() {
            Some(location) if location.line() > 0 => format!("line {}: ", location.line()),
            _ => String::new(),
        };
        let plain = serde_saphyr::render_options! { snippets: SnippetMode::Off, };
        let message = error.render_with_options(plain);
        let message = match message.rsplit_once(" at line ") {
            Some((message, _)) => message,
            None => &message,
        };
        (place, format!("{message}; {SHAPE}"))
    })
}

/// The whole file.
struct File {
    datasets: Vec<Spanned<RawEntry>>,
    others: Vec<(String, u64)>,
}

#[derive(Default)]
struct RawEntry {
    json_path: Option<String>,
    sampling_strategy: Option<Spanned<String>>,
    others: Vec<(String, u64)>,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping with `datasets`, LLaVA-NeXT's list of datasets")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let (mut datasets, mut others) = (None, Vec::new());
                while let Some(key) = map.next_key::<Spanned<String>>()? {
                    if key.value == "datasets" {
                        datasets = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        others.push((key.value, key.referenced.line()));
                    }
                }
                let datasets =
                    datasets.ok_or_else(|| serde::de::Error::missing_field("datasets"))?;
                Ok(File { datasets, others })
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

impl<'de> Deserialize<'de> for RawEntry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = RawEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an entry with a `json_path`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawEntry, A::Error> {
                let mut entry = RawEntry::default();
                while let Some(key) = map.next_key::<Spanned<String>>()? {
                    match key.value.as_str() {
                        "json_path" => {
                            let path: String = map.next_value()?;
                            if path.len() > MAX_PATH_BYTES {
                                return Err(serde::de::Error::custom(format!(
                                    "json_path has more than {MAX_PATH_BYTES} bytes"
                                )));
                            }
                            entry.json_path = Some(path);
                        }
                        "sampling_strategy" => entry.sampling_strategy = Some(map.next_value()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            entry.others.push((key.value, key.referenced.line()));
                        }
                    }
                }
                Ok(entry)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests;
