//! Rows as the JSON of samples in an archive, the media beside it.

use std::path::Path;

use madmix::dataset::DatasetSpec;

use super::{Row, Writer, llava};
use crate::webdataset::tar;

pub(super) struct Shard;

impl Writer for Shard {
    fn name(&self) -> &'static str {
        "a shard"
    }

    fn format(&self) -> &'static str {
        "WebDataset"
    }

    fn write(&self, rows: &[Row], folder: &Path) -> DatasetSpec {
        let member = |(i, row): (usize, &Row)| (format!("{i}.json"), llava::written(row));
        let members: Vec<_> = rows.iter().enumerate().map(member).collect();
        let files: Vec<_> = members
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_slice()))
            .collect();
        let path = folder.join("shard.tar");
        fs_err::write(&path, tar(&files)).unwrap();
        DatasetSpec {
            name: "conformance".into(),
            path,
            ..DatasetSpec::default()
        }
    }

    fn can(&self, _: &Row) -> bool {
        true
    }

    /// By the samples' keys, which are the row numbers here.
    fn names_rows(&self) -> bool {
        true
    }
}
