//! Which rows of a file belong to a dataset: one file often holds several.

use std::collections::HashMap;
use std::path::Path;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::error::excerpt;
use super::{DatasetProblem, MediaKind};
use crate::modality::Modality;

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
    /// This regular expression is found in the path of one of the row's pictures or videos.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The row shows one of these; `text` stands for rows that show neither pictures nor videos.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<Vec<Modality>>,
}

impl Filter {
    /// Whether it asks for nothing and so keeps everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What of it cannot be used, if anything: an expression that is none.
    ///
    /// # Errors
    /// The reason, which names the key.
    pub fn check(&self) -> Result<(), String> {
        Sieve::new(self)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// The same text for filters that say the same.
    pub(super) fn canonical(&self) -> String {
        let mut filter = self.clone();
        if let Some(sources) = &mut filter.data_source {
            sources.sort_unstable();
            sources.dedup();
        }
        if let Some(modalities) = &mut filter.modality {
            modalities.sort_unstable();
            modalities.dedup();
        }
        serde_json::to_string(&filter).expect("strings and lists of them are JSON")
    }
}

/// What a filter asks about a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Described {
    /// Its `data_source`.
    pub(super) data_source: Option<String>,
    /// The paths of its pictures, as written; empty ones for pictures that have none.
    pub(super) images: Vec<String>,
    /// The paths of its videos likewise.
    pub(super) videos: Vec<String>,
}

impl Described {
    /// The paths of one kind.
    pub(super) fn media_mut(&mut self, kind: MediaKind) -> &mut Vec<String> {
        match kind {
            MediaKind::Image => &mut self.images,
            MediaKind::Video => &mut self.videos,
        }
    }
}

/// A filter at work.
pub(super) struct Sieve<'a> {
    filter: &'a Filter,
    path: Option<Regex>,
}

/// What a filter has met, to say what is there when it keeps nothing.
#[derive(Debug, Default)]
pub(super) struct Sift {
    seen: HashMap<String, u64>,
    /// Rows that were met.
    pub(super) rows: u64,
    /// Rows that cannot be described. They are not kept: nothing says that they belong here.
    pub(super) unreadable: u64,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(filter: &'a Filter) -> Result<Self, DatasetProblem> {
        let regex = |text: &String| {
            Regex::new(text).map_err(|error| DatasetProblem::BadPattern {
                key: "filter.path",
                reason: error.to_string(),
            })
        };
        let path = filter.path.as_ref().map(regex).transpose()?;
        Ok(Self { filter, path })
    }

    /// Whether paths are asked for.
    pub(super) fn wants_paths(&self) -> bool {
        self.filter.media.is_some() || self.filter.path.is_some()
    }

    /// Whether it has to be known what a row shows.
    pub(super) fn wants_media(&self) -> bool {
        self.wants_paths() || self.filter.modality.is_some()
    }

    /// Whether the filter keeps a row. `None` stands for a row that cannot be read.
    pub(super) fn keeps(&self, row: Option<&Described>, sift: &mut Sift) -> bool {
        sift.rows += 1;
        let Some(row) = row else {
            sift.unreadable += 1;
            return false;
        };
        sift.count(self.asked_of(row));
        let filter = self.filter;
        let mut paths = row.images.iter().chain(&row.videos);
        let source_fits = filter.data_source.as_ref().is_none_or(|wanted| {
            row.data_source
                .as_ref()
                .is_some_and(|it| wanted.contains(it))
        });
        let media_fits = filter.media.as_ref().is_none_or(|prefix| {
            paths
                .clone()
                .any(|path| without_dot(path).starts_with(without_dot(prefix)))
        });
        let path_fits = self
            .path
            .as_ref()
            .is_none_or(|regex| paths.any(|path| regex.is_match(path)));
        let modality_fits = filter
            .modality
            .as_ref()
            .is_none_or(|wanted| wanted.iter().any(|modality| shows(row, *modality)));
        source_fits && media_fits && path_fits && modality_fits
    }

    /// What a row has where the filter looks first.
    fn asked_of(&self, row: &Described) -> Option<String> {
        if self.filter.data_source.is_some() {
            return row.data_source.clone();
        }
        if self.wants_paths() {
            let path = row.images.iter().chain(&row.videos).next()?;
            return Some(Path::new(path).parent()?.to_str()?.to_owned());
        }
        Modality::ALL
            .into_iter()
            .rev()
            .find(|modality| shows(row, *modality))
            .map(|modality| modality.name().to_owned())
    }
}

fn shows(row: &Described, modality: Modality) -> bool {
    match modality {
        Modality::Text => row.images.is_empty() && row.videos.is_empty(),
        Modality::Image => !row.images.is_empty(),
        Modality::Video => !row.videos.is_empty(),
    }
}

impl Sift {
    fn count(&mut self, seen: Option<String>) {
        let seen = seen.map_or_else(
            || "absent".to_owned(),
            |seen| format!("\"{}\"", excerpt(&seen)),
        );
        self.add_seen(seen, 1);
    }

    fn add_seen(&mut self, seen: String, rows: u64) {
        if self.seen.len() < MAX_SEEN || self.seen.contains_key(&seen) {
            *self.seen.entry(seen).or_default() += rows;
        }
    }

    /// Adds what was met in another file.
    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.unreadable += other.unreadable;
        for (seen, rows) in other.seen {
            self.add_seen(seen, rows);
        }
    }

    /// The error for a filter that kept nothing.
    pub(super) fn nothing_kept(self, filter: Option<&Filter>) -> DatasetProblem {
        let key = match filter {
            Some(filter) if filter.data_source.is_some() => "data_source",
            Some(filter) if filter.media.is_none() && filter.path.is_none() => "modality",
            _ => "media folder",
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

#[cfg(test)]
mod tests {
    use super::super::row;
    use super::*;

    fn filter(text: &str) -> Filter {
        serde_json::from_str(text).unwrap()
    }

    fn keeps(filter: &Filter, row: &str) -> bool {
        let sieve = Sieve::new(filter).unwrap();
        let described = row::described(row.as_bytes(), &sieve).unwrap();
        sieve.keeps(Some(&described), &mut Sift::default())
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
        let (sieve, mut sift) = (Sieve::new(&filter).unwrap(), Sift::default());
        for bytes in [&b"[1]"[..], b"{", b"{\"a\": \"\xff\"}"] {
            let row = row::described(bytes, &sieve);
            assert!(!sieve.keeps(row.as_ref(), &mut sift));
        }
        assert_eq!(sift.unreadable, 3);
    }

    #[test]
    fn nothing_kept_shows_the_most_frequent_values() {
        let filter = filter(r#"{"data_source": ["z"]}"#);
        let (sieve, mut sift) = (Sieve::new(&filter).unwrap(), Sift::default());
        let mut row = Described::default();
        for (value, times) in [("a", 1), ("b", 3), ("c", 3)] {
            row.data_source = Some(value.into());
            for _ in 0..times {
                sieve.keeps(Some(&row), &mut sift);
            }
        }
        sieve.keeps(Some(&Described::default()), &mut sift);
        let message = sift.nothing_kept(Some(&filter)).to_string();
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
