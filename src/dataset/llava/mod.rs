//! LLaVA's conversations, as a JSON list or as JSON lines (told by the content, not by the file's name).
//!
//! ```json
//! {"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]}
//! ```
//!
//! Files that people train on bend this in many ways; wherever the meaning is plain it is taken, and else the row is a
//! failure. `image` (or `images`) is a path, a list of paths, null, empty or absent; `video` (or `videos`) likewise.
//! Roles may be called human or user, gpt, assistant or model, system, under `from` or `role`; texts stand under
//! `value` or `content`. An id is a string or a number, or else the row number. Other keys are ignored, and an element
//! of the list may itself be a list of rows. [`placeholders`] says which media go with which placeholders.

mod placeholders;
mod row;

use super::json_rows::JsonRows;
use super::media_root::MediaRoot;
use super::{
    Dataset, DatasetProblem, DatasetSpec, Format, Opened, Progress, Sample, SampleError, scan,
};

pub(super) const FORMAT: Format = Format {
    name: "LLaVA JSON or JSONL",
    recognises: scan::looks_like_json,
    open,
};

struct Llava {
    rows: JsonRows,
    media: MediaRoot,
}

fn open(spec: &DatasetSpec, progress: Progress<'_>) -> Opened {
    let root = spec
        .media_root
        .as_deref()
        .or_else(|| spec.path.parent())
        .unwrap_or(&spec.path);
    let media = MediaRoot::open(root).map_err(|error| DatasetProblem::MediaRoot {
        path: root.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "there is none of that name".into(),
            _ => error.to_string(),
        },
    })?;
    let rows = JsonRows::open(&spec.path, spec.filter.as_ref(), progress)?;
    Ok(Box::new(Llava { rows, media }))
}

impl Dataset for Llava {
    fn len(&self) -> u64 {
        self.rows.len()
    }

    fn read(&self, index: u64) -> Result<Sample, SampleError> {
        let (row, bytes) = self.rows.read(index);
        let mut id = row.to_string();
        bytes
            .and_then(|bytes| row::parse(row, &mut id, &bytes, &self.media))
            .map_err(|problem| SampleError { row, id, problem })
    }

    fn fingerprint(&self) -> &str {
        self.rows.fingerprint()
    }
}
