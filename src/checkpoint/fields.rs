//! Reading the JSON that comes with a checkpoint, so that every error names the file, the key and the value.

use super::error::CheckpointError;
use serde_json::{Map, Value};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Length limits in bytes; honest files stay far below them.
pub(super) const CONFIG_LIMIT: u64 = 16 << 20;
pub(super) const INDEX_LIMIT: u64 = 64 << 20;
pub(super) const TOKENIZER_LIMIT: u64 = 256 << 20;
pub(super) const TEMPLATE_LIMIT: u64 = 1 << 20;

/// The most of what a model has in a row: its width, its heads, its vocabulary. The products of two are far from where
/// arithmetic ends.
const MOST: usize = 1 << 28;
/// The longest side of a tower's input, of a patch, of a window, in pixels.
pub(super) const LONGEST_SIDE: usize = 1 << 14;
/// The most layers. Their tensors' names are listed before the weights are looked at.
const MOST_LAYERS: usize = 1 << 12;

/// Refuses a file over `limit` bytes, and what is no file: a pipe would be waited for, a device never ends.
pub(super) fn check_size(path: &Path, limit: u64) -> Result<(), CheckpointError> {
    let size = check_regular(path)?.len();
    if size > limit {
        return Err(CheckpointError::TooLarge {
            path: path.to_owned(),
            size,
            limit,
        });
    }
    Ok(())
}

/// Refuses what is no file, and gives the metadata of one. Links are followed: a hub's snapshot consists of them.
pub(super) fn check_regular(path: &Path) -> Result<Metadata, CheckpointError> {
    let metadata = fs_err::metadata(path)?;
    if metadata.is_file() {
        Ok(metadata)
    } else {
        Err(CheckpointError::NotAFile {
            path: path.to_owned(),
        })
    }
}

/// Reads a text file of at most `limit` bytes.
pub(super) fn read_text(path: &Path, limit: u64) -> Result<String, CheckpointError> {
    check_size(path, limit)?;
    Ok(fs_err::read_to_string(path)?)
}

/// A JSON file whose top level is an object.
#[derive(Debug)]
pub(super) struct JsonFile {
    pub(super) path: PathBuf,
    map: Map<String, Value>,
}

impl JsonFile {
    pub(super) fn read(path: PathBuf, limit: u64) -> Result<Self, CheckpointError> {
        let text = read_text(&path, limit)?;
        match serde_json::from_str(&text) {
            Ok(map) => Ok(Self { path, map }),
            Err(error) => Err(CheckpointError::Json {
                path,
                reason: error.to_string(),
            }),
        }
    }

    pub(super) fn fields(&self) -> Fields<'_> {
        Fields {
            path: &self.path,
            prefix: String::new(),
            map: &self.map,
        }
    }
}

/// One object in a JSON file. `null` counts as absent, as it does for transformers' configs.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    pub(super) path: &'a Path,
    prefix: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether `key` is there and null.
    pub(super) fn is_null(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(Value::is_null)
    }

    /// The object under `key`.
    pub(super) fn section(&self, key: &str) -> Result<Option<Fields<'a>>, CheckpointError> {
        let section = |map| Fields {
            path: self.path,
            prefix: format!("{}{key}.", self.prefix),
            map,
        };
        self.typed(key, "an object", |value| value.as_object().map(section))
    }

    /// The object under `key`; where it is left out, one in which every key is.
    pub(super) fn section_or_empty(&self, key: &str) -> Result<Fields<'a>, CheckpointError> {
        static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        Ok(self.section(key)?.unwrap_or_else(|| Fields {
            path: self.path,
            prefix: format!("{}{key}.", self.prefix),
            map: &EMPTY,
        }))
    }

    pub(super) fn usize(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        self.typed(key, "a whole number", |value| {
            value.as_u64().and_then(|n| n.try_into().ok())
        })
    }

    /// As [`usize`](Self::usize), and at least 1; no more than any honest model has, so that products of sizes fit.
    pub(super) fn size(&self, key: &str, default: usize) -> Result<usize, CheckpointError> {
        self.within(key, default, MOST)
    }

    /// A [`size`](Self::size) that is a side of something square, in pixels or patches.
    pub(super) fn side(&self, key: &str, default: usize) -> Result<usize, CheckpointError> {
        self.within(key, default, LONGEST_SIDE)
    }

    /// A [`size`](Self::size) that is a number of layers.
    pub(super) fn layers(&self, key: &str, default: usize) -> Result<usize, CheckpointError> {
        self.within(key, default, MOST_LAYERS)
    }

    fn within(&self, key: &str, default: usize, most: usize) -> Result<usize, CheckpointError> {
        match self.usize(key)? {
            Some(0) => Err(self.refuse(key, "a whole number of at least 1")),
            Some(found) if found > most => Err(self.refuse(key, &format!("at most {most}"))),
            found => Ok(found.unwrap_or(default)),
        }
    }

    pub(super) fn u32(&self, key: &str) -> Result<Option<u32>, CheckpointError> {
        self.typed(key, "a token id", |value| {
            value.as_u64().and_then(|n| n.try_into().ok())
        })
    }

    pub(super) fn f64(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        self.typed(key, "a number", Value::as_f64)
    }

    /// A number above 0.
    pub(super) fn positive(&self, key: &str, default: f64) -> Result<f64, CheckpointError> {
        match self.f64(key)? {
            Some(value) if value <= 0.0 => Err(self.refuse(key, "a number above 0")),
            found => Ok(found.unwrap_or(default)),
        }
    }

    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, CheckpointError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn str(&self, key: &str) -> Result<Option<&'a str>, CheckpointError> {
        self.typed(key, "a string", Value::as_str)
    }

    /// Refuses every string but one of `supported`; absent is fine.
    pub(super) fn only(&self, key: &str, supported: &[&str]) -> Result<(), CheckpointError> {
        match self.str(key)? {
            Some(found) if !supported.contains(&found) => {
                Err(self.refuse(key, &supported.join(", ")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses every boolean but `supported`; absent is fine.
    pub(super) fn must_be(&self, key: &str, supported: bool) -> Result<(), CheckpointError> {
        match self.bool(key)? {
            Some(found) if found != supported => Err(self.refuse(key, &supported.to_string())),
            _ => Ok(()),
        }
    }

    /// The error about `key` as it stands.
    pub(super) fn refuse(&self, key: &str, supported: &str) -> CheckpointError {
        let found = self.get(key).map_or_else(|| "absent".to_owned(), short);
        CheckpointError::Setting {
            path: self.path.to_owned(),
            key: format!("{}{key}", self.prefix),
            found,
            supported: supported.to_owned(),
        }
    }

    fn typed<T>(
        &self,
        key: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, CheckpointError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| self.refuse(key, kind))
    }
}

/// A value as JSON, cut to what fits a message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
