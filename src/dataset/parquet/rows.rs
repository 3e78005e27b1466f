//! The rows of a parquet file, one at a time.

use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::{Map, Value};

use super::cache::CachedFile;
use super::chunk::Chunk;
use super::columns::{DATA_SOURCE, MEDIA, View, is_media};
use super::group::Group;
use super::kept::Kept;
use super::media::shown;
use super::value::{Budget, value};
use crate::blob::Blob;
use crate::dataset::format::Rows;
use crate::dataset::json_rows;
use crate::dataset::media_root::MediaRoot;
use crate::dataset::named::Named;
use crate::dataset::row::{self, Inside};
use crate::dataset::{
    MAX_ROW_BYTES, MAX_ROW_VALUES, MediaKind, Sample, SampleError, SampleProblem,
};

/// Where a row group lies.
pub(super) struct Place {
    /// The number of its first row.
    pub(super) first: u64,
    pub(super) rows: usize,
    /// Its columns, in the order of the view's.
    pub(super) chunks: Arc<[Chunk]>,
}

/// A parquet file, which is open only while a row is read.
pub(super) struct ParquetRows {
    pub(super) blob: Blob,
    pub(super) view: View,
    /// The row groups that can be read, in their order.
    pub(super) groups: Vec<Place>,
    pub(super) kept: Kept,
    pub(super) total: u64,
    pub(super) fingerprint: String,
    pub(super) media: Arc<MediaRoot>,
    pub(super) cached: Arc<CachedFile>,
}

impl Rows for ParquetRows {
    fn len(&self) -> u64 {
        self.kept.len()
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn read(&self, index: u64) -> Result<Sample, SampleError> {
        let Some(row) = self.kept.row(index) else {
            let problem = SampleProblem::OutOfRange { len: self.len() };
            return Err(SampleError::new(index, index.to_string(), problem));
        };
        let mut id = row.to_string();
        self.cells(row)
            .and_then(|(object, inside)| {
                row::sample(row, &mut id, &object, inside, None, &self.media)
            })
            .map_err(|problem| SampleError::new(row, id, problem))
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl ParquetRows {
    /// What a row of JSON would hold, and the media that it could not.
    fn cells(&self, row: u64) -> Result<(Map<String, Value>, Inside), SampleProblem> {
        let after = self.groups.partition_point(|group| group.first <= row);
        let place = &self.groups[after - 1];
        let file = self
            .blob
            .open()
            .map_err(|error| SampleProblem::Io(error.kind()))?;
        let group = Group {
            file: &file,
            view: &self.view,
            chunks: &place.chunks,
            rows: place.rows,
            cached: Some(&self.cached),
        };
        let at = (row - place.first) as usize;
        let mut cells = None;
        group.decode(at..at + 1, 1, |batch| {
            cells = Some((self.object(batch)?, self.inside(batch, row)?));
            Ok(())
        })?;
        cells.ok_or_else(|| SampleProblem::Damaged("the row is not there".to_owned()))
    }

    fn object(&self, batch: &RecordBatch) -> Result<Map<String, Value>, SampleProblem> {
        let mut budget = Budget::default();
        let mut object = Map::new();
        for (field, cells) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let key = field.name();
            if is_media(key) && !self.view.is_written(key) || cells.is_null(0) {
                continue;
            }
            let mut value = match value(key, cells, 0, &mut budget) {
                // Sound itself, of which nothing is asked but whether it is there.
                Err(SampleProblem::NotUtf8 { .. }) if row::is_sound(key) => Value::Bool(true),
                // No conversation is unusable for want of where it was taken from.
                Err(_) if key == DATA_SOURCE => continue,
                value => value?,
            };
            if row::is_list_of_turns(key) {
                unpack(&mut value)?;
            }
            object.insert(key.clone(), value);
        }
        Ok(object)
    }

    fn inside(&self, batch: &RecordBatch, row: u64) -> Result<Inside, SampleProblem> {
        let [images, videos] = MEDIA.map(|(kind, keys)| {
            let [first, second] = keys.map(|key| self.named(batch, kind, key, row));
            let (first, second) = (first?, second?);
            match (first.is_empty(), second.is_empty()) {
                (_, true) => Ok(first),
                (true, false) => Ok(second),
                _ if first == second => Ok(first),
                _ => Err(SampleProblem::TwoKeys {
                    first: keys[0],
                    second: keys[1],
                }),
            }
        });
        Ok(Inside {
            images: images?,
            videos: videos?,
            key: String::new(),
        })
    }

    /// The media of one column.
    fn named(
        &self,
        batch: &RecordBatch,
        kind: MediaKind,
        key: &str,
        row: u64,
    ) -> Result<Vec<Named>, SampleProblem> {
        let mut found = Vec::new();
        let cells = batch.column_by_name(key);
        if let Some(cells) = cells.filter(|_| !self.view.is_written(key)) {
            shown(key, cells, 0, &mut |media| {
                let named = media.named(kind, row, found.len(), &self.media)?;
                found.extend(named);
                Ok(())
            })?;
        }
        Ok(found)
    }
}

/// Turns that are written as JSON, as a whole or in the contents of each, become what they say.
pub(super) fn unpack(turns: &mut Value) -> Result<(), SampleProblem> {
    if let Value::String(text) = turns {
        let parsed = parse(text)?;
        *turns = parsed.map_err(|error| SampleProblem::Json(error.to_string()))?;
    }
    let Value::Array(turns) = turns else {
        return Ok(());
    };
    for turn in turns {
        let Some(content) = turn.get_mut("content") else {
            continue;
        };
        // Who says something in brackets does not mean JSON; a list of parts is told by the type of each.
        if let Value::String(text) = content
            && text.trim_start().starts_with('[')
            && let Ok(parts @ Value::Array(_)) = parse(text)?
            && parts.as_array().is_some_and(|parts| {
                !parts.is_empty() && parts.iter().all(|part| part["type"].is_string())
            })
        {
            *content = parts;
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<serde_json::Result<Value>, SampleProblem> {
    if text.len() as u64 > MAX_ROW_BYTES {
        return Err(SampleProblem::TooLong {
            bytes: text.len() as u64,
            limit: MAX_ROW_BYTES,
        });
    }
    if json_rows::values(text.as_bytes()) > MAX_ROW_VALUES {
        return Err(SampleProblem::TooManyValues {
            limit: MAX_ROW_VALUES,
        });
    }
    Ok(serde_json::from_str(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn turns_may_be_written_as_json() {
        let parts = r#"[{"type": "image"}, {"type": "text", "text": "What?"}]"#;
        let unpacked =
            json!([{"role": "user", "content": serde_json::from_str::<Value>(parts).unwrap()}]);
        let mut whole = json!(unpacked.to_string());
        unpack(&mut whole).unwrap();
        assert_eq!(whole, unpacked);
        let mut contents = json!([{"role": "user", "content": parts}]);
        unpack(&mut contents).unwrap();
        assert_eq!(contents, unpacked);
    }

    #[test]
    fn brackets_alone_are_no_json() {
        for text in [
            "[1, 2]",
            "[]",
            "[sic]",
            r#"[{"a": 1}]"#,
            r#"{"type": "text"}"#,
            "[{",
        ] {
            let turns = json!([{"role": "user", "content": text}, {"from": "x"}, 1]);
            let mut unpacked = turns.clone();
            unpack(&mut unpacked).unwrap();
            assert_eq!(unpacked, turns, "{text}");
        }
        let broken = unpack(&mut json!("[{")).unwrap_err();
        assert!(matches!(broken, SampleProblem::Json(_)), "{broken}");
        let many = format!("[{}1]", "1,".repeat(MAX_ROW_VALUES));
        let many = unpack(&mut json!(many)).unwrap_err();
        assert!(
            matches!(many, SampleProblem::TooManyValues { .. }),
            "{many}"
        );
    }
}
