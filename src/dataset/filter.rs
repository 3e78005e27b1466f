//! Which rows of a file belong to a dataset: one file often holds several.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::DatasetProblem;
use super::error::excerpt;

/// The keys that may hold a picture's or a video's path.
const MEDIA_KEYS: [&str; 4] = ["image", "images", "video", "videos"];
/// How many distinct values are counted for the message; the rest go uncounted.
const MAX_SEEN: usize = 4096;
/// How many values the message shows.
const SHOWN: usize = 8;

/// Keeps the rows that meet every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The row's `data_source` is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_source: Option<Vec<String>>,
    /// The path of one of the row's pictures or videos starts with this, in whole folder names: `coco` has
    /// `coco/1.jpg` but not `coco2017/1.jpg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
}

impl Filter {
    /// Whether it asks for nothing and so keeps everything.
    pub fn is_empty(&self) -> bool {
        self.data_source.is_none() && self.media.is_none()
    }

    /// The same text for filters that say the same.
    pub(super) fn canonical(&self) -> String {
        let mut filter = self.clone();
        if let Some(sources) = &mut filter.data_source {
            sources.sort_unstable();
            sources.dedup();
        }
        serde_json::to_string(&filter).expect("strings and lists of them are JSON")
    }
}

/// A filter at work: counts what it meets, to say what is there when it keeps nothing.
pub(super) struct Sieve<'a> {
    filter: &'a Filter,
    seen: HashMap<String, u64>,
    rows: u64,
    /// Rows whose values cannot be told. They are not kept: nothing says that they belong here.
    pub(super) unreadable: u64,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(filter: &'a Filter) -> Self {
        Self {
            filter,
            seen: HashMap::new(),
            rows: 0,
            unreadable: 0,
        }
    }

    /// Whether the filter keeps a row. `None` stands for a row too long to be read.
    pub(super) fn keeps(&mut self, row: Option<&[u8]>) -> bool {
        self.rows += 1;
        let values =
            row.and_then(|row| serde_json::from_slice::<HashMap<String, &RawValue>>(row).ok());
        let Some(values) = values else {
            self.unreadable += 1;
            return false;
        };
        let value = |key| {
            values
                .get(key)
                .and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok())
        };

        let data_source = value("data_source");
        let data_source = data_source.as_ref().and_then(Value::as_str);
        let mut paths = Vec::new();
        if self.filter.media.is_some() {
            MEDIA_KEYS
                .iter()
                .filter_map(|key| value(key))
                .for_each(|v| strings(v, &mut paths));
        }
        let seen = if self.filter.data_source.is_some() {
            data_source
        } else {
            paths
                .first()
                .and_then(|path| Path::new(path).parent()?.to_str())
        };
        self.count(seen);

        let source_fits = self.filter.data_source.as_ref().is_none_or(|wanted| {
            data_source.is_some_and(|source| wanted.iter().any(|one| one == source))
        });
        let media_fits = self.filter.media.as_ref().is_none_or(|prefix| {
            paths
                .iter()
                .any(|path| without_dot(path).starts_with(without_dot(prefix)))
        });
        source_fits && media_fits
    }

    fn count(&mut self, seen: Option<&str>) {
        let seen = seen.map_or_else(
            || "absent".to_owned(),
            |seen| format!("\"{}\"", excerpt(seen)),
        );
        if self.seen.len() < MAX_SEEN || self.seen.contains_key(&seen) {
            *self.seen.entry(seen).or_default() += 1;
        }
    }

    /// The error for a filter that kept nothing.
    pub(super) fn nothing_kept(self) -> DatasetProblem {
        let key = if self.filter.data_source.is_some() {
            "data_source"
        } else {
            "media folder"
        };
        let mut seen: Vec<_> = self.seen.into_iter().collect();
        if self.unreadable > 0 {
            seen.push(("unreadable".to_owned(), self.unreadable));
        }
        seen.sort_unstable_by(|(a, na), (b, nb)| nb.cmp(na).then_with(|| a.cmp(b)));
        seen.truncate(SHOWN);
        DatasetProblem::NothingKept {
            rows: self.rows,
            key,
            seen,
        }
    }
}

fn without_dot(path: &str) -> &Path {
    let path = Path::new(path);
    path.strip_prefix(".").unwrap_or(path)
}

/// The strings in a value: itself, or those of its lists.
fn strings(value: Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.into_iter().for_each(|item| strings(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Filter {
        serde_json::from_str(text).unwrap()
    }

    fn keeps(filter: &Filter, row: &str) -> bool {
        Sieve::new(filter).keeps(Some(row.as_bytes()))
    }

    #[test]
    fn data_source_is_matched_whole() {
        let filter = filter(r#"{"data_source": ["a", "b(c,d)"]}"#);
        assert!(keeps(&filter, r#"{"data_source": "a"}"#));
        assert!(keeps(&filter, r#"{"data_source": "b(c\u002cd)"}"#));
        assert!(
            keeps(&filter, r#"{"data_source": "x", "data_source": "a"}"#),
            "the last one counts"
        );
        for row in [
            "{}",
            r#"{"data_source": "aa"}"#,
            r#"{"data_source": null}"#,
            r#"{"data_source": 1}"#,
        ] {
            assert!(!keeps(&filter, row), "{row}");
        }
    }

    #[test]
    fn media_is_a_prefix_of_whole_names() {
        let filter = filter(r#"{"media": "./coco/train/"}"#);
        for row in [
            r#"{"image": "coco/train/1.jpg"}"#,
            r#"{"image": ["x.jpg", "./coco/train/1.jpg"]}"#,
            r#"{"images": [["coco/train/1.jpg"]]}"#,
            r#"{"video": "coco/train"}"#,
        ] {
            assert!(keeps(&filter, row), "{row}");
        }
        for row in [
            "{}",
            r#"{"image": "coco/train2/1.jpg"}"#,
            r#"{"image": null}"#,
            r#"{"id": "coco/train"}"#,
        ] {
            assert!(!keeps(&filter, row), "{row}");
        }
    }

    #[test]
    fn both_conditions_hold() {
        let filter = filter(r#"{"data_source": ["a"], "media": "m"}"#);
        assert!(keeps(&filter, r#"{"data_source": "a", "image": "m/1"}"#));
        assert!(!keeps(&filter, r#"{"data_source": "a", "image": "n/1"}"#));
        assert!(!keeps(&filter, r#"{"data_source": "b", "image": "m/1"}"#));
    }

    #[test]
    fn unreadable_rows_are_counted_and_not_kept() {
        let filter = Filter {
            media: Some(String::new()),
            ..Filter::default()
        };
        let mut sieve = Sieve::new(&filter);
        for row in [
            None,
            Some(&b"[1]"[..]),
            Some(b"{"),
            Some(b"{\"a\": \"\xff\"}"),
        ] {
            assert!(!sieve.keeps(row));
        }
        assert_eq!(sieve.unreadable, 4);
    }

    #[test]
    fn nothing_kept_shows_the_most_frequent_values() {
        let filter = filter(r#"{"data_source": ["z"]}"#);
        let mut sieve = Sieve::new(&filter);
        for (value, times) in [("a", 1), ("b", 3), ("c", 3)] {
            for _ in 0..times {
                sieve.keeps(Some(format!(r#"{{"data_source": "{value}"}}"#).as_bytes()));
            }
        }
        sieve.keeps(Some(b"{}"));
        let message = sieve.nothing_kept().to_string();
        let expected = r#"none of its 8 rows; `data_source` most often is "b" (3 rows), "c" (3 rows), "a" (1 rows), absent (1 rows)"#;
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn canonical_ignores_order_and_repetition() {
        let canonical = |text| filter(text).canonical();
        assert_eq!(
            canonical(r#"{"data_source": ["b", "a", "b"]}"#),
            r#"{"data_source":["a","b"]}"#
        );
        assert_ne!(
            canonical(r#"{"media": "a"}"#),
            canonical(r#"{"media": "b"}"#)
        );
        assert!(
            serde_json::from_str::<Filter>(r#"{"source": "a"}"#).is_err(),
            "unknown key"
        );
    }
}
