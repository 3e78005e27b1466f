//! LLaVA's conversations, as a JSON list or as JSON lines (told by the content, not by the file's name).
//!
//! ```json
//! {"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]}
//! ```
//!
//! Files that people train on bend this in many ways; wherever the meaning is plain it is taken, and else the row is a
//! failure. `image` (or `images`) is a path, a list of paths, null, empty or absent; `video` (or `videos`) likewise. An
//! id is a string or a number, or else the row number. Other keys are ignored, and an element of the list may itself be
//! a list of rows.

use super::format::Format;
use super::json_rows;
use super::row::Dialect;
use super::scan;

pub(super) const FORMAT: Format = Format {
    name: "llava",
    title: "LLaVA JSON or JSONL",
    recognises: scan::looks_like_json,
    open: |opening| json_rows::open(opening, Dialect::Llava),
};
