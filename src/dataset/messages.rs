//! Messages, as a JSON list or as JSON lines: what ms-swift, LLaMA-Factory and `OpenAI`'s fine-tuning take.
//!
//! ```json
//! {"messages": [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "A cat."}], "images": ["a.jpg"]}
//! {"messages": [{"role": "user", "content": [{"type": "image", "image": "a.jpg"}, {"type": "text", "text": "What?"}]}]}
//! ```
//!
//! Told from LLaVA's files by the keys of the first row. What the rows may hold is said in `row::messages`; ms-swift's
//! older `query`, `response` and `history` are read too.

use super::format::Format;
use super::json_rows;
use super::row::Dialect;
use super::scan;

pub(super) const FORMAT: Format = Format {
    name: "messages",
    title: "messages JSON or JSONL",
    recognises: |head| {
        let keys = scan::first_row_keys(head);
        let has = |dialect: Dialect| keys.contains(&dialect.key().as_bytes());
        !has(Dialect::Llava) && (has(Dialect::Messages) || has(Dialect::Query))
    },
    open: |opening| json_rows::open(opening, Dialect::Messages),
};
