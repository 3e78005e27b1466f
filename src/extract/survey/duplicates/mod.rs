//! What occurs more than once, in one dataset or in two.

mod pairs;

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::sync::Mutex;

use rayon::prelude::*;
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3Default;

use super::gathered::{Content, Gathered};
use super::note::{Example, row_at};
use super::{Step, Watch};
use crate::blob::Blob;
use crate::dataset::{Dataset, Media, MediaKind};
use crate::media::Mark;
use pairs::count_pairs;

/// What is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Same {
    /// The bytes of a picture.
    Picture,
    /// The length and the ends of a clip's file; the number of its frames and the first and last of them.
    Clip,
    /// What is said, whatever is shown.
    Conversation,
    /// What is said and what is shown.
    Sample,
}

/// What two datasets, or the rows of one, have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Duplicates {
    /// What is the same.
    pub same: Same,
    /// The dataset, by its place.
    pub first: usize,
    /// The other one; the same for what is repeated in one.
    pub second: usize,
    /// How many different ones both have; of one dataset how many of its rows have what an earlier row has.
    pub count: u64,
    /// A row of each.
    pub example: [Example; 2],
}

/// A content of a dataset.
type Placed = (u32, Content);

/// Finds what occurs more than once. Files are read as a whole only where their marks are the same.
pub(super) fn find(
    datasets: &[&dyn Dataset],
    gathered: &mut [Gathered],
    watch: &dyn Watch,
) -> Vec<Duplicates> {
    let mut all = |of: fn(&mut Gathered) -> &mut Vec<Content>| -> Vec<Placed> {
        let each = (0..).zip(gathered.iter_mut());
        each.flat_map(|(i, gathered)| {
            let contents = std::mem::take(of(gathered));
            contents.into_iter().map(move |content| (i, content))
        })
        .collect()
    };
    let mut pictures = all(|gathered| &mut gathered.pictures);
    let mut clips = all(|gathered| &mut gathered.clips);
    let mut words = all(|gathered| &mut gathered.words);
    read_rest(datasets, &mut pictures, watch);
    let mut pairs = Vec::new();
    let mut count = |same, contents: &mut Vec<Placed>| {
        contents.par_sort_unstable_by_key(|(dataset, content)| {
            (content.key, content.rest, *dataset, content.index)
        });
        for ((first, second), pair) in count_pairs(contents) {
            pairs.push((same, first, second, pair));
        }
    };
    count(Same::Picture, &mut pictures);
    count(Same::Clip, &mut clips);
    count(Same::Conversation, &mut words);
    let mut samples = samples(&words, [pictures, clips]);
    count(Same::Sample, &mut samples);
    // The most frequent first; a stable sort leaves the others in the order of kinds and datasets.
    pairs.sort_by_key(|(.., pair)| std::cmp::Reverse(pair.count));
    let named = |dataset: u32, index: u64| row_at(datasets[dataset as usize], index);
    pairs
        .into_par_iter()
        .map(|(same, first, second, pair)| Duplicates {
            same,
            first: first as usize,
            second: second as usize,
            count: pair.count,
            example: [named(first, pair.rows.0), named(second, pair.rows.1)],
        })
        .collect()
}

/// Tells pictures of the same mark apart by all of their bytes.
fn read_rest(datasets: &[&dyn Dataset], pictures: &mut [Placed], watch: &dyn Watch) {
    pictures.par_sort_unstable_by_key(|(_, content)| content.key);
    let groups = pictures.chunk_by_mut(|(_, a), (_, b)| a.key == b.key);
    let mut unread: Vec<&mut Placed> = groups
        .filter(|group| group.len() > 1)
        .flatten()
        .filter(|(_, content)| content.unread)
        .collect();
    // Row by row in the order of the files.
    unread.par_sort_unstable_by_key(|(dataset, content)| (*dataset, content.index, content.number));
    watch.begin(Step::Comparing, unread.len() as u64);
    let known: Mutex<HashMap<Blob, u64>> = Mutex::default();
    unread
        .par_chunk_by_mut(|(a, first), (b, second)| a == b && first.index == second.index)
        .for_each(|row| {
            let Some((dataset, first)) = row.first().map(|placed| &**placed) else {
                return;
            };
            let sample = datasets[*dataset as usize].read(first.index);
            let media = sample.map(|sample| sample.media).unwrap_or_default();
            let of_kind = |media: &&Media| media.kind == MediaKind::Image;
            let blobs: Vec<&Blob> = media
                .iter()
                .filter(of_kind)
                .map(|media| &media.blob)
                .collect();
            for (_, content) in row.iter_mut().map(|placed| &mut **placed) {
                let blob = blobs.get(content.number as usize);
                // What cannot be read any more is like no other.
                content.rest = blob.and_then(|blob| content_of(blob, &known)).unwrap_or(
                    content.index.wrapping_mul(u64::MAX / 3) ^ u64::from(content.number),
                );
                content.unread = false;
                watch.advance(1);
            }
        });
}

/// A hash of all bytes; of a file that many rows show only once.
fn content_of(blob: &Blob, known: &Mutex<HashMap<Blob, u64>>) -> Option<u64> {
    if matches!(blob, Blob::Held(_)) {
        return Mark::content(blob).ok();
    }
    let found = known.lock().ok()?.get(blob).copied();
    if found.is_some() {
        return found;
    }
    let content = Mark::content(blob).ok()?;
    known.lock().ok()?.insert(blob.clone(), content);
    Some(content)
}

/// Rows that say the same, with what they show; those that show nothing are left out.
fn samples(words: &[Placed], media: [Vec<Placed>; 2]) -> Vec<Placed> {
    let by_row = |mut media: Vec<Placed>| {
        media.par_sort_unstable_by_key(|(dataset, content)| {
            (*dataset, content.index, content.number)
        });
        media
    };
    let media = media.map(by_row);
    let shown = |dataset: u32, index: u64| {
        let mut hash = Xxh3Default::new();
        let mut count = 0_u32;
        for (kind, media) in media.iter().enumerate() {
            let start =
                media.partition_point(|(d, content)| (*d, content.index) < (dataset, index));
            let row = media[start..]
                .iter()
                .take_while(|(d, content)| (*d, content.index) == (dataset, index));
            for (_, content) in row {
                hash.write_usize(kind);
                hash.write_u128(content.key);
                hash.write_u64(content.rest);
                count += 1;
            }
        }
        (count > 0).then(|| hash.finish())
    };
    words
        .chunk_by(|(_, a), (_, b)| a.key == b.key)
        .filter(|group| group.len() > 1)
        .flatten()
        .filter_map(|&(dataset, content)| {
            let rest = shown(dataset, content.index)?;
            Some((dataset, Content { rest, ..content }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::pairs::tests::{at, counted};
    use super::*;

    #[test]
    fn samples_say_and_show_the_same() {
        let words = [
            at(0, 0, 5),
            at(0, 1, 5),
            at(0, 2, 5),
            at(0, 3, 5),
            at(1, 0, 6),
        ];
        let pictures = vec![at(0, 0, 8), at(0, 1, 8), at(0, 2, 9), at(1, 0, 8)];
        let found = samples(&words, [pictures.clone(), Vec::new()]);
        assert_eq!(counted(found), [((0, 0), 1, (0, 1))], "row 3 shows nothing");
        let clips = vec![at(0, 1, 4)];
        assert!(counted(samples(&words, [pictures, clips])).is_empty());
    }
}
