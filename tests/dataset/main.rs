//! Datasets as people have them: every irregularity that real files show, and what comes of it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod conformance;
mod files;
mod filter;
mod gzip;
mod listing;
mod messages;
mod parquet;
mod rows;
mod sampling;
mod scale;
mod webdataset;
mod written;

use std::path::PathBuf;

use madmix::dataset::{self, Dataset, DatasetProblem, DatasetSpec, Filter};
use tempfile::TempDir;

/// A folder with one annotation file.
struct Fixture {
    folder: TempDir,
    spec: DatasetSpec,
}

impl Fixture {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        fs_err::write(&path, content).unwrap();
        let spec = DatasetSpec {
            name: "test".into(),
            path,
            ..DatasetSpec::default()
        };
        Self { folder, spec }
    }

    fn filtered(content: impl AsRef<[u8]>, filter: &str) -> Self {
        let mut fixture = Self::new(content);
        fixture.spec.filter = Some(serde_json::from_str::<Filter>(filter).unwrap());
        fixture
    }

    fn open(&self) -> Box<dyn Dataset> {
        dataset::open(&self.spec).unwrap()
    }

    fn problem(&self) -> DatasetProblem {
        dataset::open(&self.spec)
            .err()
            .expect("the dataset should not open")
            .problem
    }

    fn media(&self, path: &str) -> PathBuf {
        fs_err::canonicalize(self.folder.path()).unwrap().join(path)
    }
}

/// A row with these keys in front, and one exchange whose question this is.
fn row(keys: &str, question: &str) -> String {
    format!(
        r#"{{{keys}"conversations": [{{"from": "human", "value": "{question}"}}, {{"from": "gpt", "value": "a"}}]}}"#
    )
}

fn ids(dataset: &dyn Dataset) -> Vec<String> {
    (0..dataset.len())
        .map(|i| dataset.read(i).unwrap().id)
        .collect()
}

fn plain(id: u64) -> String {
    row(&format!(r#""id": {id}, "#), "q")
}
