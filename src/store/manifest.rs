//! `manifest.json`: what a run's folder is to hold, so that `status` and `solve` need neither checkpoint nor data.
//!
//! It depends on the config, the checkpoint and the data alone, so every rank of a run writes the same bytes.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::{PublishError, Published, SHARD_ROWS, Settings, ShardKey, publish, read_regular};

const FORMAT: u32 = 1;
/// A hundred thousand datasets have less.
const MAX_BYTES: u64 = 64 << 20;
const FILE: &str = "manifest.json";

/// The shards of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The checkpoint as the config names it.
    pub checkpoint: String,
    /// The checkpoint's fingerprint.
    pub fingerprint: String,
    /// The extraction settings.
    pub settings: Settings,
    /// The datasets, in the order of the config.
    pub datasets: Vec<ManifestDataset>,
    /// How many shards of each dataset were enough, where `extract.stop_when` ended the run before the last.
    pub enough: Option<u32>,
}

/// A dataset's part of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestDataset {
    /// Its name in the config.
    pub name: String,
    /// The fingerprint of its content.
    pub fingerprint: String,
    /// Its rows.
    pub rows: u64,
    /// How many of them are taken.
    pub samples: u64,
    /// How many shards they fall into.
    pub shards: u32,
}

/// `manifest.json` cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The file is not there.
    #[error(
        "{0} has no {FILE}: nothing has been extracted into it yet; start with `madmix run` or `madmix extract`"
    )]
    Absent(String),
    /// The file cannot be read.
    #[error("cannot read the run's {FILE}")]
    Read(#[from] std::io::Error),
    /// Not what [`Manifest::publish`] wrote.
    #[error("{path}: {problem}; `madmix extract` with the run's config writes it anew")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// The file. Its checksum is over the JSON with an empty one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    checksum: String,
    checkpoint: String,
    fingerprint: String,
    settings: Box<RawValue>,
    datasets: Vec<ManifestDataset>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enough: Option<u32>,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl File {
    /// xxh3-128 of the compact JSON.
    fn checksum(&mut self) -> Result<String, serde_json::Error> {
        self.checksum.clear();
        let json = serde_json::to_vec(self)?;
        Ok(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&json)))
    }
}

impl Manifest {
    /// What a dataset's shards are made from.
    pub fn key(&self, dataset: &ManifestDataset) -> ShardKey {
        ShardKey {
            checkpoint: self.fingerprint.clone(),
            settings: self.settings.clone(),
            dataset: dataset.fingerprint.clone(),
        }
    }

    /// How many shards of a dataset make the mixture: all, or as many as were enough.
    pub fn wanted(&self, dataset: &ManifestDataset) -> u32 {
        dataset.shards.min(self.enough.unwrap_or(u32::MAX))
    }

    /// How many samples those shards were to give.
    pub fn wanted_samples(&self, dataset: &ManifestDataset) -> u64 {
        let shards = u64::from(self.wanted(dataset));
        dataset.samples.min(shards * SHARD_ROWS as u64)
    }

    /// The number of wanted shards of all datasets.
    pub fn shards(&self) -> u64 {
        let wanted = |dataset| u64::from(self.wanted(dataset));
        self.datasets.iter().map(wanted).sum()
    }

    /// Publishes it in a run's folder.
    ///
    /// # Errors
    /// As [`publish()`].
    pub fn publish(&self, run: &Path) -> Result<Published, PublishError> {
        let json = self
            .file()
            .and_then(|file| serde_json::to_string_pretty(&file));
        let json = json.expect("canonical settings, strings and numbers have a JSON form");
        publish(&run.join(FILE), (json + "\n").as_bytes())
    }

    fn file(&self) -> Result<File, serde_json::Error> {
        let mut file = File {
            format: FORMAT,
            checksum: String::new(),
            checkpoint: self.checkpoint.clone(),
            fingerprint: self.fingerprint.clone(),
            settings: RawValue::from_string(self.settings.json().to_owned())?,
            datasets: self.datasets.clone(),
            enough: self.enough,
        };
        file.checksum = file.checksum()?;
        Ok(file)
    }

    /// Reads the manifest of a run's folder; `None` where there is none.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or of a newer format.
    pub fn find(run: &Path) -> Result<Option<Self>, ManifestError> {
        let path = run.join(FILE);
        let text = match read_regular(&path, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let content = |problem| ManifestError::Content {
            path: path.display().to_string(),
            problem,
        };
        let text = text
            .ok_or_else(|| content(format!("not a regular file of at most {MAX_BYTES} bytes")))?;
        Self::parse(&text).map(Some).map_err(content)
    }

    /// As [`Manifest::find`], of a folder that must have one.
    ///
    /// # Errors
    /// As [`Manifest::find`], and when there is none.
    pub fn read(run: &Path) -> Result<Self, ManifestError> {
        Self::find(run)?.ok_or_else(|| ManifestError::Absent(run.display().to_string()))
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let said = |error: serde_json::Error| error.to_string();
        let Version { format } = serde_json::from_slice(text).map_err(said)?;
        if format != FORMAT {
            return Err(format!(
                "format version {format}, but this madmix knows {FORMAT}"
            ));
        }
        let mut file: File = serde_json::from_slice(text).map_err(said)?;
        let found = file.checksum.clone();
        if file.checksum().map_err(said)? != found {
            return Err("it is damaged or was edited: its checksum does not hold".into());
        }
        Ok(Self {
            checkpoint: file.checkpoint,
            fingerprint: file.fingerprint,
            settings: Settings::from_canonical(file.settings.get()),
            datasets: file.datasets,
            enough: file.enough,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            checkpoint: "owner/name".into(),
            fingerprint: "c0ffee".into(),
            settings: Settings::new(
                &serde_json::json!({"seed": 0, "fps": 2.0, "layers": ["last"]}),
            )
            .unwrap(),
            datasets: vec![ManifestDataset {
                name: "a".into(),
                fingerprint: "da7a".into(),
                rows: 1000,
                samples: 512,
                shards: 8,
            }],
            enough: None,
        }
    }

    #[test]
    fn it_reads_back_the_same() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Manifest::read(folder.path()),
            Err(ManifestError::Absent(_))
        ));
        manifest().publish(folder.path()).unwrap();
        let found = Manifest::read(folder.path()).unwrap();
        assert_eq!(found, manifest());
        assert_eq!(found.shards(), 8);
        let stopped = Manifest {
            enough: Some(3),
            ..manifest()
        };
        stopped.publish(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), stopped);
        assert_eq!(stopped.shards(), 3);
        manifest().publish(folder.path()).unwrap();
        assert_eq!(
            found.publish(folder.path()).unwrap(),
            Published::AlreadyThere
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        manifest().publish(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        let whole = fs_err::read(&path).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                if let Ok(found) = Manifest::parse(&damaged) {
                    assert_eq!(found, manifest(), "only white space may differ");
                }
            }
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let error = Manifest::parse(br#"{"format": 2, "new": 1}"#).unwrap_err();
        assert!(error.contains("format version 2"), "{error}");
    }
}
