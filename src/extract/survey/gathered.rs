//! What the rows of a dataset tell, added up in any order.

use std::collections::BTreeMap;

use super::lengths::median;
use super::note::{Example, Note, Noted, Odd, Unit, ranked};
use super::{Sum, Work};
use crate::media::Oddity;

/// A picture has so many times the median's pixels to be large.
const LARGE: u64 = 10;

/// Something that may occur again: a picture, a clip, the words of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// Different for different contents, but for those that `rest` tells apart.
    pub(super) key: u128,
    /// Tells contents with the same key apart, once that is known.
    pub(super) rest: u64,
    /// Whether `rest` is still to be found where another has this key.
    pub(super) unread: bool,
    /// The row, as an index into its dataset.
    pub(super) index: u64,
    /// Which of the row's pictures, or clips.
    pub(super) number: u32,
}

/// What is held of a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) index: u64,
    pub(super) pixels: u32,
    pub(super) number: u32,
}

/// What some rows of a dataset tell.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Counts; names and lengths are filled in later.
    pub(super) sum: Sum,
    /// Tokens of each row that can be used.
    pub(super) lengths: Vec<u32>,
    pub(super) work: Work,
    pub(super) pictures: Vec<Content>,
    pub(super) clips: Vec<Content>,
    pub(super) words: Vec<Content>,
    /// Pixels of each picture.
    pub(super) shown: Vec<Shown>,
    odd: BTreeMap<Odd, Note>,
    failed: BTreeMap<String, Note>,
}

impl Gathered {
    pub(super) fn note(&mut self, odd: Odd, index: u64, example: impl FnOnce() -> Example) {
        self.odd.entry(odd).or_default().add(index, example);
    }

    /// Counts a row that cannot be used. The example's detail is the reason.
    pub(super) fn fail(&mut self, kind: String, index: u64, example: Example) {
        self.sum.failed += 1;
        self.failed.entry(kind).or_default().add(index, || example);
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.sum.add(&other.sum);
        self.work += other.work;
        self.lengths.append(&mut other.lengths);
        self.pictures.append(&mut other.pictures);
        self.clips.append(&mut other.clips);
        self.words.append(&mut other.words);
        self.shown.append(&mut other.shown);
        for (odd, note) in other.odd {
            self.odd.entry(odd).or_default().append(note);
        }
        for (kind, note) in other.failed {
            self.failed.entry(kind).or_default().append(note);
        }
    }

    /// Pictures that are far larger than most, which is known only once all are. `named` reads a row again for its
    /// number, its id and the name of one of its pictures.
    pub(super) fn note_large(&mut self, named: impl Fn(u64, u32) -> Example) {
        let mut pixels: Vec<u32> = self.shown.iter().map(|seen| seen.pixels).collect();
        let Some(median) = median(&mut pixels) else {
            return;
        };
        let limit = u64::from(median) * LARGE;
        let large = |seen: &&Shown| u64::from(seen.pixels) > limit;
        let mut note = Note::default();
        let first = self
            .shown
            .iter()
            .filter(large)
            .min_by_key(|seen| (seen.index, seen.number));
        let Some(&first) = first else { return };
        note.add(first.index, || named(first.index, first.number));
        note.count = self.shown.iter().filter(large).count() as u64;
        self.odd.insert(Odd::Picture(Oddity::Large), note);
    }

    pub(super) fn irregularities(&self) -> Vec<Noted> {
        let noted =
            |(odd, note): (&Odd, &Note)| note.noted(odd.kind(), odd.to_string(), odd.unit());
        ranked(self.odd.iter().filter_map(noted).collect())
    }

    pub(super) fn failures(&self) -> Vec<Noted> {
        let noted = |(kind, note): (&String, &Note)| {
            let reason = note.first().and_then(|first| first.detail.clone());
            note.noted(kind.clone(), reason.unwrap_or_default(), Unit::Rows)
        };
        ranked(self.failed.iter().filter_map(noted).collect())
    }

    /// Row, id and reason of the first row that cannot be used.
    pub(super) fn first_failure(&self) -> Option<(u64, String, String)> {
        let first = self
            .failed
            .values()
            .min_by_key(|note| note.place())?
            .first()?;
        let reason = first.detail.clone().unwrap_or_default();
        Some((first.row, first.id.clone(), reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_is_what_exceeds_ten_medians() {
        let mut gathered = Gathered::default();
        let pixels = [100, 100, 1000, 90, 1001, 5000, 110];
        for (index, pixels) in (0..).zip(pixels) {
            gathered.shown.push(Shown {
                index,
                pixels,
                number: 0,
            });
        }
        gathered.shown.reverse();
        // The median of seven is 110.
        gathered.note_large(|index, _| Example {
            row: index,
            id: String::new(),
            detail: None,
        });
        let [noted] = &gathered.irregularities()[..] else {
            panic!("one kind");
        };
        assert_eq!((noted.count, noted.first.row), (1, 5));
        Gathered::default().note_large(|_, _| unreachable!());
    }
}
