//! One row of a dataset.

use xxhash_rust::xxh3::Xxh3;

use super::gathered::{Content, Gathered, Shown};
use super::note::{Example, Odd};
use super::reason;
use crate::blob::Blob;
use crate::dataset::{Dataset, MediaKind, Sample, Turn};
use crate::extract::Preparer;
use crate::extract::measured::Measured;
use crate::extract::source::Source;
use crate::media::{self, Inspected, Mark};
use crate::store::Failure;
use crate::vlm::Cost;

/// What a row is looked at with.
pub(super) struct Surveyor<'a> {
    pub(super) dataset: &'a dyn Dataset,
    pub(super) preparer: &'a Preparer,
    pub(super) cost: &'a Cost,
}

/// A picture whose header was read.
struct Picture {
    name: String,
    inspected: Inspected,
    /// A hash of all its bytes, where they are in memory anyway and its mark leaves some out.
    rest: u64,
}

impl Surveyor<'_> {
    /// Looks at the row at `index`; `chosen` says whether a run would take it.
    pub(super) fn visit(&self, index: u64, chosen: bool, into: &mut Gathered) {
        into.sum.measured += 1;
        let sample = match self.dataset.read(index) {
            Ok(sample) => sample,
            Err(error) => {
                let kind = reason::kind(&error.problem.to_string(), std::iter::empty());
                let failure = Failure::new(error.row, &error.id, &error.reason());
                into.fail(kind, index, failed(failure));
                return;
            }
        };
        into.count_modalities(&sample);
        let (row, id) = (sample.row, sample.id.clone());
        for &odd in &sample.irregularities {
            into.note(Odd::Row(odd), index, || Example::new(row, &id, None));
        }
        into.words.push(Content {
            key: words(&sample.turns),
            rest: 0,
            unread: false,
            index,
            number: 0,
        });
        let mut pictures = Vec::new();
        let options = self.preparer.options();
        let measured = self.preparer.measured(sample, index, &mut |media| {
            let (blob, name) = (&media.blob, &media.name);
            let inspected = media::inspect(blob, name, options.orientation, options.limits)?;
            let size = inspected.size;
            pictures.push(Picture {
                // Only what is odd is told of by name.
                name: match inspected.oddities.as_slice() {
                    [] => String::new(),
                    _ => name.clone(),
                },
                rest: held_content(blob, &inspected),
                inspected,
            });
            Ok(size)
        });
        for picture in &pictures {
            for &odd in &picture.inspected.oddities {
                let named = || Example::new(row, &id, Some(&picture.name));
                into.note(Odd::Picture(odd), index, named);
            }
        }
        into.add_pictures(index, &pictures);
        match measured {
            Ok(measured) => self.add(index, chosen, &measured, into),
            Err(reason) => {
                // The names went with the sample; few rows fail.
                let again = self.dataset.read(index).ok();
                let media = again.iter().flat_map(|sample| &sample.media);
                let kind = reason::kind(&reason, media.map(|media| media.name.as_str()));
                into.fail(kind, index, failed(Failure::new(row, &id, &reason)));
            }
        }
    }

    fn add(&self, index: u64, chosen: bool, measured: &Measured, into: &mut Gathered) {
        let tokens = measured.tokens();
        into.lengths.push(u32::try_from(tokens).unwrap_or(u32::MAX));
        into.sum.tokens += tokens as u64;
        into.sum.picture_tokens += measured.tokens_of(MediaKind::Image) as u64;
        into.sum.video_tokens += measured.tokens_of(MediaKind::Video) as u64;
        let mut number = 0;
        for seen in &measured.media {
            if let Source::Clip { clip, .. } = &seen.source {
                if let Ok(mark) = clip.mark() {
                    into.clips.push(content(index, number, mark, 0));
                }
                number += 1;
            }
        }
        if !chosen {
            return;
        }
        let protocol = self.preparer.options().protocol;
        let work = &mut into.work;
        work.samples += 1;
        work.tokens += tokens as u64;
        work.longest = work.longest.max(tokens as u64);
        let passes = measured.passes(protocol);
        work.language += passes
            .map(|tokens| self.cost.language(tokens))
            .sum::<u128>();
        for seen in &measured.media {
            work.tower += self.cost.tower(&seen.shape);
            work.pixel_bytes += self.cost.pixels(&seen.shape);
            let (size, frame_of) = match &seen.source {
                Source::Picture(size) => (*size, 1),
                Source::Clip { clip, .. } => (clip.size, 2),
            };
            // A clip has two frames in memory.
            work.largest = work.largest.max(size.pixels() * frame_of);
        }
    }
}

impl Gathered {
    fn count_modalities(&mut self, sample: &Sample) {
        let has = |kind| sample.media.iter().any(|media| media.kind == kind);
        let (pictures, videos) = (has(MediaKind::Image), has(MediaKind::Video));
        self.sum.with_text_only += u64::from(!pictures && !videos);
        self.sum.with_pictures += u64::from(pictures);
        self.sum.with_videos += u64::from(videos);
    }

    fn add_pictures(&mut self, index: u64, pictures: &[Picture]) {
        for (number, picture) in (0..).zip(pictures) {
            let inspected = &picture.inspected;
            self.shown.push(Shown {
                index,
                number,
                pixels: u32::try_from(inspected.size.pixels()).unwrap_or(u32::MAX),
            });
            if let Some(mark) = inspected.mark {
                let unread = !mark.is_whole() && picture.rest == 0;
                self.pictures.push(Content {
                    unread,
                    ..content(index, number, mark, picture.rest)
                });
            }
        }
    }
}

fn content(index: u64, number: u32, mark: Mark, rest: u64) -> Content {
    let mut hash = Xxh3::new();
    hash.update(&mark.bytes.to_le_bytes());
    hash.update(&mark.ends.to_le_bytes());
    Content {
        key: hash.digest128(),
        rest,
        unread: false,
        index,
        number,
    }
}

/// What bytes that are in memory say of the picture's middle.
fn held_content(blob: &Blob, inspected: &Inspected) -> u64 {
    match (blob, inspected.mark) {
        (Blob::Held(_), Some(mark)) if !mark.is_whole() => Mark::content(blob).unwrap_or(0),
        _ => 0,
    }
}

/// A hash of what is said and by whom; the blanks around it do not count.
fn words(turns: &[Turn]) -> u128 {
    let mut hash = Xxh3::new();
    for turn in turns {
        let text = turn.text.trim();
        hash.update(turn.role.as_str().as_bytes());
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.digest128()
}

fn failed(failure: Failure) -> Example {
    Example {
        row: failure.row,
        id: failure.id,
        detail: Some(failure.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Role;

    #[test]
    fn words_are_told_apart_by_turns_and_speakers() {
        let turn = |role, text: &str| Turn {
            role,
            text: text.into(),
        };
        let of = |turns: &[Turn]| words(turns);
        let one = [turn(Role::User, "a b"), turn(Role::Assistant, "c")];
        let blanks = [turn(Role::User, "a b\n"), turn(Role::Assistant, " c")];
        assert_eq!(of(&one), of(&blanks));
        for other in [
            [turn(Role::User, "a"), turn(Role::Assistant, "b c")],
            [turn(Role::User, "a b"), turn(Role::User, "c")],
            [turn(Role::User, "a b"), turn(Role::Assistant, "C")],
        ] {
            assert_ne!(of(&one), of(&other));
        }
        assert_ne!(of(&one[..1]), of(&one));
    }
}
