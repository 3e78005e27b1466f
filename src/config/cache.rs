//! The key `cache`: where shards are kept beyond the run that made them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The folder's name where the config says nothing: beside the output, so that runs beside each other share it.
const FOLDER: &str = ".madmix-cache";

/// Where shards are kept for other runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Cache {
    /// `.madmix-cache` beside the output folder.
    #[default]
    Auto,
    /// Nowhere. (A folder of that name is `./off`.)
    Off,
    /// In this folder.
    Folder(PathBuf),
}

impl Cache {
    pub(super) fn check(&self) -> Result<(), String> {
        if *self == Self::Folder(PathBuf::new()) {
            return Err("cache is empty: say \"auto\", \"off\" or a folder".into());
        }
        Ok(())
    }

    /// Makes it a folder or `Off`, with `at` for paths that start from the config file.
    pub(super) fn resolve(&mut self, output: &Path, at: impl Fn(&Path) -> PathBuf) {
        match self {
            Self::Auto => *self = Self::Folder(output.parent().unwrap_or(output).join(FOLDER)),
            Self::Folder(path) => *path = at(path),
            Self::Off => {}
        }
    }

    /// The folder of a config that was read; `None` for `off`.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Auto | Self::Off => None,
        }
    }
}

impl From<String> for Cache {
    fn from(text: String) -> Self {
        match text.as_str() {
            "auto" => Self::Auto,
            "off" => Self::Off,
            _ => Self::Folder(text.into()),
        }
    }
}

impl From<Cache> for String {
    fn from(cache: Cache) -> Self {
        match cache {
            Cache::Auto => "auto".into(),
            Cache::Off => "off".into(),
            Cache::Folder(path) => path.to_string_lossy().into_owned(),
        }
    }
}
