//! The shards of the Python package webdataset: an archive (tar) whose members with one key, one after another, are a sample.
//!
//! ```text
//! 000/a.jpg  000/a.json      a picture and its row, in any dialect
//! 000/b.img1.jpg  000/b.img2.jpg  000/b.json
//! 000/c.jpg  000/c.txt       a picture and its caption
//! ```
//!
//! A member's key is its name up to the first dot after the last slash. The JSON of a sample is a row as in any other
//! format; its pictures and videos are the members beside it, unless it names other files (see [`sample`]). A text or
//! the row's `caption` stands in for a conversation that the row lacks: the user shows the pictures and the assistant
//! says the caption. All other endings (`cls`, `npy`, …) are passed over.
//!
//! An archive is walked through once, from header to header, and 8 bytes are held of each sample (12 with a filter): the
//! place of its first header. Whoever reads a sample opens the archive and takes the few steps through its members
//! again; nothing is unpacked, and no file stays open.

mod group;
mod name;
mod sample;
mod walk;
mod window;

use std::sync::Arc;

use group::{Group, Grouping};
use name::Class;
use sample::Archive;
use walk::{Broken, Member, Stop, Walk, has_checksum};

use super::filter::{Described, Sieve, Sift};
use super::format::{Format, Opened, Opening, Rows};
use super::json_rows::MAX_ROW_BYTES;
use super::media_root::MediaRoot;
use super::{DatasetProblem, Fault, Sample, SampleError, SampleProblem, row};
use crate::blob::{Blob, Reader};

pub(super) const FORMAT: Format = Format {
    name: "webdataset",
    title: "WebDataset",
    recognises: |head| {
        let block = head.get(..walk::BLOCK as usize);
        // An archive of nothing starts with its end mark.
        block.is_some_and(|block| has_checksum(block) || block.iter().all(|byte| *byte == 0))
    },
    open,
};

/// The most samples of an archive.
const MAX_ROWS: u64 = u32::MAX as u64;

/// How often, in bytes of the archive, it is told how far the walk is.
const PROGRESS_BYTES: u64 = 1 << 20;

/// The samples of an archive. It must not change while it is in use.
struct TarRows {
    blob: Arc<Blob>,
    /// Where the first headers of the kept samples start.
    starts: Box<[u64]>,
    /// Their numbers among all samples, where not all are kept.
    numbers: Option<Box<[u32]>>,
    total: u64,
    fingerprint: String,
    media: Arc<MediaRoot>,
}

fn open(opening: &Opening<'_>) -> Result<Opened, DatasetProblem> {
    let file = opening.blob.open()?;
    let blob = Arc::new(opening.blob.clone());
    let archive = Archive {
        file: &file,
        blob: &blob,
        media: opening.media,
    };
    let mut index = Index::new(opening.sieve);
    let mut walk = Walk::new(&file, 0);
    let mut told = 0;
    let mut faults = Vec::new();
    let end = loop {
        match walk.next() {
            Ok(Some(member)) => {
                let text = if is_text(&member) {
                    walk.bytes_of(&member)?
                } else {
                    &[]
                };
                index.fingerprint(&member, text);
                index.add(&archive, member)?;
            }
            Ok(None) => break None,
            Err(Stop::Io(error)) => return Err(error.into()),
            Err(Stop::Broken(broken)) => break Some(broken),
        }
        if walk.at() >= told + PROGRESS_BYTES {
            told = walk.at();
            (opening.progress)(told, file.len());
        }
    };
    let at = walk.at();
    match end {
        None => {
            index.end_group(&archive)?;
            faults.extend(after_the_end(&file, at)?.map(|left| {
                let reason = format!(
                    "after the end mark at byte {at} follow {left} bytes that are read by no program; are these \
                     archives joined by `cat`? Keep them apart"
                );
                Fault::new(reason, index.lost_in(left, at))
            }));
        }
        Some(broken) => {
            // A group is whole if the member that is cut is of another; between members one may be missing.
            let is_whole = match broken.name.as_deref() {
                Some(name) => !index.grouping.goes_on_with(name),
                None => {
                    broken.between_members && index.grouping.has_endings_of(index.last.as_ref())
                }
            };
            let mut from = broken.offset;
            if is_whole {
                index.end_group(&archive)?;
            } else if let Some(group) = index.grouping.finish() {
                from = group.place();
            }
            if index.rows == 0 {
                return Err(broken.into());
            }
            let lost = index.lost_in(file.len() - from.min(file.len()), from);
            faults.push(Fault::new(DatasetProblem::from(broken).to_string(), lost));
        }
    }
    if index.rows == 0 && index.members > 0 {
        return Err(DatasetProblem::NoSamples {
            members: index.members,
            first: index.first_name,
        });
    }
    (opening.progress)(file.len(), file.len());
    // The same members are fewer samples where the archive breaks off behind them.
    index.content.update(&index.rows.to_le_bytes());
    let rows = TarRows {
        blob: Arc::clone(&blob),
        starts: index.starts.into_boxed_slice(),
        numbers: opening.sieve.map(|_| index.numbers.into_boxed_slice()),
        total: index.rows,
        fingerprint: index.content.finalize().to_hex().to_string(),
        media: Arc::clone(opening.media),
    };
    Ok(Opened {
        rows: Box::new(rows),
        sift: index.sift,
        faults,
    })
}

/// Whether a member is a row or a caption, of a length that is read.
fn is_text(member: &Member) -> bool {
    let class = name::split(&member.name).map(|(_, ending)| Class::of(&ending.to_lowercase()));
    matches!(class, Some(Class::Json | Class::Caption))
        && member.is_plain
        && member.bytes <= MAX_ROW_BYTES
}

/// How many bytes come after the block of zeros at `at`, if they are not zeros as well.
fn after_the_end(file: &Reader, at: u64) -> std::io::Result<Option<u64>> {
    // Two blocks of zeros end an archive, and most writers fill up to 10 KiB.
    let mut rest = vec![0; file.len().saturating_sub(at).min(64 << 10) as usize];
    file.read_exact_at(&mut rest, at)?;
    let used = rest.iter().position(|byte| *byte != 0);
    Ok(used.map(|used| file.len() - at - used as u64))
}

impl From<Broken> for DatasetProblem {
    fn from(broken: Broken) -> Self {
        Self::BrokenArchive {
            offset: broken.offset,
            expected: broken.expected,
            found: broken.found,
        }
    }
}

/// The samples as they are found.
struct Index<'a> {
    grouping: Grouping,
    /// How many samples were found.
    rows: u64,
    /// The last of them.
    last: Option<Group>,
    starts: Vec<u64>,
    numbers: Vec<u32>,
    sieve: Option<&'a Sieve<'a>>,
    sift: Sift,
    content: blake3::Hasher,
    members: u64,
    /// The name of the first member, for the message if none is of use.
    first_name: String,
}

impl<'a> Index<'a> {
    fn new(sieve: Option<&'a Sieve<'a>>) -> Self {
        Self {
            grouping: Grouping::default(),
            rows: 0,
            last: None,
            starts: Vec::new(),
            numbers: Vec::new(),
            sieve,
            sift: Sift::default(),
            content: blake3::Hasher::new(),
            members: 0,
            first_name: String::new(),
        }
    }

    /// Texts with their bytes, since they are the rows; all else with its name, place and size, since to read it takes as
    /// long as to read the archive.
    fn fingerprint(&mut self, member: &Member, text: &[u8]) {
        let numbers = [member.name.len() as u64, member.bytes, member.start];
        let mut line = Vec::with_capacity(member.name.len() + 32);
        for number in numbers {
            line.extend(number.to_le_bytes());
        }
        line.push(u8::from(member.is_plain));
        line.extend(member.name.as_bytes());
        self.content.update(&line);
        self.content.update(text);
    }

    fn add(&mut self, archive: &Archive<'_>, member: Member) -> Result<(), DatasetProblem> {
        if self.members == 0 {
            self.first_name.clone_from(&member.name);
        }
        self.members += 1;
        match self.grouping.add(member) {
            Some(group) => self.keep(archive, group),
            None => Ok(()),
        }
    }

    fn end_group(&mut self, archive: &Archive<'_>) -> Result<(), DatasetProblem> {
        match self.grouping.finish() {
            Some(group) => self.keep(archive, group),
            None => Ok(()),
        }
    }

    fn keep(&mut self, archive: &Archive<'_>, group: Group) -> Result<(), DatasetProblem> {
        if self.rows == MAX_ROWS {
            return Err(DatasetProblem::TooManyRows { max: MAX_ROWS });
        }
        let number = self.rows as u32;
        self.rows += 1;
        let is_kept = match self.sieve {
            None => true,
            Some(sieve) => {
                let described = described(archive, &group, sieve)?;
                sieve.keeps(described.as_ref(), &mut self.sift)
            }
        };
        if is_kept {
            self.starts.push(group.place());
            if self.sieve.is_some() {
                self.numbers.push(number);
            }
        }
        self.last = Some(group);
        Ok(())
    }

    /// How many samples so many bytes are likely to hold, by those in the bytes before them.
    fn lost_in(&self, bytes: u64, before: u64) -> u64 {
        let each = (before / self.rows.max(1)).max(1);
        bytes.div_ceil(each)
    }
}

/// What a filter asks about a sample; `None` when its row cannot be read.
fn described(
    archive: &Archive<'_>,
    group: &Group,
    sieve: &Sieve<'_>,
) -> Result<Option<Described>, DatasetProblem> {
    if sample::check(group).is_err() {
        return Ok(None);
    }
    let mut described = match group.main(Class::Json) {
        Some(part) => match archive.row_bytes(part) {
            Ok(bytes) => match described_row(&bytes, sieve) {
                Some(described) => described,
                None => return Ok(None),
            },
            Err(SampleProblem::Io(kind)) => return Err(std::io::Error::from(kind).into()),
            Err(_) => return Ok(None),
        },
        None if group.main(Class::Caption).is_none() => return Ok(None),
        None => Described::default(),
    };
    let names = |class| {
        group
            .of(class)
            .into_iter()
            .map(|part| part.member.name.clone())
    };
    described.images.extend(names(Class::Image));
    described.videos.extend(names(Class::Video));
    Ok(Some(described))
}

/// What a filter asks about a row, which a list may hold.
fn described_row(bytes: &[u8], sieve: &Sieve<'_>) -> Option<Described> {
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return row::described(bytes, sieve);
    }
    let object = sample::object_of(bytes).ok()?;
    Some(row::described_by(|key| object.get(key).cloned(), sieve))
}

impl Rows for TarRows {
    fn len(&self) -> u64 {
        self.starts.len() as u64
    }

    fn total(&self) -> u64 {
        self.total
    }

    fn read(&self, index: u64) -> Result<Sample, SampleError> {
        let row = match &self.numbers {
            Some(numbers) => u64::from(numbers[index as usize]),
            None => index,
        };
        let mut id = row.to_string();
        self.sample(self.starts[index as usize], row, &mut id)
            .map_err(|problem| SampleError::new(row, id, problem))
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl TarRows {
    fn sample(&self, start: u64, row: u64, id: &mut String) -> Result<Sample, SampleProblem> {
        let io = |error: std::io::Error| SampleProblem::Io(error.kind());
        let file = self.blob.open().map_err(io)?;
        let group = Group::read(&file, start).map_err(io)?;
        let group = group.ok_or(SampleProblem::Io(std::io::ErrorKind::InvalidData))?;
        id.clone_from(&group.key);
        let archive = Archive {
            file: &file,
            blob: &self.blob,
            media: &self.media,
        };
        archive.sample(&group, row, id)
    }
}
