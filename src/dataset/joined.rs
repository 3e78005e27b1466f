//! A dataset of one file or of many, whose rows follow each other.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use tempfile::TempPath;

use super::error::Place;
use super::files;
use super::filter::{Sieve, Sift};
use super::format::{Format, HEAD_BYTES, Opened, Opening, Rows};
use super::formats::FORMATS;
use super::gzip::{self, Unpacked};
use super::listing::{DataFile, Listing};
use super::media_root::MediaRoot;
use super::{
    Dataset, DatasetProblem, DatasetSpec, Fault, Filter, Progress, Sample, SampleError,
    SampleProblem, sniff,
};
use crate::blob::Blob;

/// Files of one format.
pub(super) struct Joined {
    format: &'static Format,
    parts: Vec<Part>,
    len: u64,
    fingerprint: String,
    faults: Vec<Fault>,
    /// Unpacked copies, which go with the dataset.
    copies: Vec<TempPath>,
}

/// A file with what comes before it.
struct Part {
    /// Its name, where there are several.
    name: Option<Arc<str>>,
    rows: Box<dyn Rows>,
    /// Kept rows of the files before it.
    kept_before: u64,
    /// All rows of the files before it.
    rows_before: u64,
}

/// Opens all files that a spec names. A file that cannot be opened is a fault if another can.
pub(super) fn open(
    spec: &DatasetSpec,
    progress: Progress<'_>,
) -> Result<Box<dyn Dataset>, DatasetProblem> {
    let listing = files::list(&spec.path)?;
    let filter = spec.filter.as_ref().filter(|filter| !filter.is_empty());
    let sieve = filter.map(Sieve::new).transpose()?;
    let media = Arc::new(media_root(spec, &listing.folder)?);
    let progress = Sum::new(listing.files.len(), progress);
    let alone = listing.files.len() == 1;
    let ready: Vec<Result<Ready, DatasetProblem>> = listing
        .files
        .par_iter()
        .enumerate()
        .map(|(number, file)| {
            let hear = |done, total| progress.hear(number, done, total);
            Ready::new(file, spec.format.as_deref(), &hear)
        })
        .collect();
    one_format(&listing.files, &ready)?;
    let opened = ready
        .into_par_iter()
        .enumerate()
        .map(|(number, ready)| {
            let hear = |done, total| progress.hear(number, done, total);
            ready?.open(alone, sieve.as_ref(), &media, &hear)
        })
        .collect();
    join(&listing, opened, filter)
}

/// A file whose bytes can be read as they are, and whose format is known.
struct Ready {
    blob: Blob,
    unpacked: Option<Unpacked>,
    format: &'static Format,
}

/// A file with its rows.
struct Open {
    format: &'static Format,
    opened: Opened,
    copy: Option<TempPath>,
}

impl Ready {
    fn new(
        file: &DataFile,
        said: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<Self, DatasetProblem> {
        // To unpack a file is half of the work, and to read it the other.
        let whole = file.blob.open()?.len();
        let unpacked = gzip::unpack(&file.blob, &|done| progress(done, 2 * whole))?;
        let (blob, format) = match &unpacked {
            Some(unpacked) => {
                let blob = unpacked.blob();
                let format = recognise(&blob, said);
                (blob, format)
            }
            None => (file.blob.clone(), recognise(&file.blob, said)),
        };
        let claims = [".gz", ".tgz"]
            .iter()
            .any(|end| file.name.to_lowercase().ends_with(end));
        match format {
            Ok(format) => Ok(Self {
                blob,
                unpacked,
                format,
            }),
            Err(problem) => Err(match (problem, unpacked) {
                (
                    problem,
                    Some(Unpacked {
                        damage: Some(damage),
                        ..
                    }),
                ) => damage.problem(problem),
                (DatasetProblem::Unrecognised { looks_like, known }, None) if claims => {
                    DatasetProblem::Unrecognised {
                        looks_like: format!("is no gzip, as its name says, and {looks_like}"),
                        known,
                    }
                }
                (problem, _) => problem,
            }),
        }
    }

    fn open(
        self,
        alone: bool,
        sieve: Option<&Sieve<'_>>,
        media: &Arc<MediaRoot>,
        progress: Progress<'_>,
    ) -> Result<Open, DatasetProblem> {
        let is_copy = self.unpacked.is_some();
        let opened = (self.format.open)(&Opening {
            blob: &self.blob,
            alone,
            sieve,
            media,
            progress: &|done, total| {
                let before = if is_copy { total } else { 0 };
                progress(before + done, before + total);
            },
        });
        let (copy, damage) = match self.unpacked {
            None => (None, None),
            Some(Unpacked { copy, damage }) => (Some(copy), damage),
        };
        let opened = match (opened, damage) {
            (Ok(opened), Some(damage)) => Opened {
                faults: vec![damage.fault(opened.rows.total(), opened.faults)],
                ..opened
            },
            (Err(problem), Some(damage)) => return Err(damage.problem(problem)),
            (opened, None) => opened?,
        };
        Ok(Open {
            format: self.format,
            opened,
            copy,
        })
    }
}

/// Refuses files of several formats: rows of one dataset are of one kind.
fn one_format(
    files: &[DataFile],
    ready: &[Result<Ready, DatasetProblem>],
) -> Result<(), DatasetProblem> {
    let mut counted: Vec<(&str, u64, &str)> = Vec::new();
    for (file, ready) in files.iter().zip(ready) {
        let Ok(ready) = ready else { continue };
        let title = ready.format.title;
        match counted.iter_mut().find(|(known, ..)| *known == title) {
            Some((_, count, _)) => *count += 1,
            None => counted.push((title, 1, &file.name)),
        }
    }
    if counted.len() < 2 {
        return Ok(());
    }
    let formats = counted
        .into_iter()
        .map(|(title, count, first)| format!("{title} ({count}, the first is `{first}`)"))
        .collect();
    Err(DatasetProblem::MixedFormats { formats })
}

fn media_root(spec: &DatasetSpec, folder: &Path) -> Result<MediaRoot, DatasetProblem> {
    let root = spec.media_root.as_deref().unwrap_or(folder);
    MediaRoot::open(root).map_err(|error| DatasetProblem::MediaRoot {
        path: root.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "there is none of that name".into(),
            _ => error.to_string(),
        },
    })
}

fn recognise(blob: &Blob, said: Option<&str>) -> Result<&'static Format, DatasetProblem> {
    let mut head = Vec::new();
    blob.open()?.take(HEAD_BYTES).read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(DatasetProblem::Empty);
    }
    let fits = |format: &&Format| match said {
        Some(said) => format.name == said,
        None => (format.recognises)(&head),
    };
    FORMATS.iter().find(fits).ok_or_else(|| {
        let titles: Vec<_> = FORMATS.iter().map(|format| format.title).collect();
        DatasetProblem::Unrecognised {
            looks_like: sniff::looks_like(&head),
            known: titles.join(", "),
        }
    })
}

fn join(
    listing: &Listing,
    opened: Vec<Result<Open, DatasetProblem>>,
    filter: Option<&Filter>,
) -> Result<Box<dyn Dataset>, DatasetProblem> {
    let files = &listing.files;
    let several = files.len() > 1;
    let mut joined: Option<Joined> = None;
    let (mut sift, mut unusable, mut first_problem) = (Sift::default(), Vec::new(), None);
    let mut rows_before = 0;
    for (file, opened) in files.iter().zip(opened) {
        let Open {
            format,
            opened,
            copy,
        } = match opened {
            Ok(opened) => opened,
            // Another try may find these rows: without them this would be another dataset.
            Err(problem) if problem.is_of_machine() => return Err(problem),
            Err(problem) => {
                unusable.push((file.name.as_str(), problem.to_string()));
                first_problem.get_or_insert(problem);
                continue;
            }
        };
        let joined = joined.get_or_insert_with(|| Joined {
            format,
            parts: Vec::new(),
            len: 0,
            fingerprint: String::new(),
            faults: Vec::new(),
            copies: Vec::new(),
        });
        joined.copies.extend(copy);
        sift.add(opened.sift);
        let name_of = |fault| Fault {
            file: file.name.clone(),
            ..fault
        };
        joined.faults.extend(opened.faults.into_iter().map(name_of));
        let part = Part {
            name: several.then(|| file.name.as_str().into()),
            kept_before: joined.len,
            rows_before,
            rows: opened.rows,
        };
        rows_before += part.rows.total();
        joined.len += part.rows.len();
        joined.parts.push(part);
    }
    let Some(mut joined) = joined else {
        return Err(first_problem.unwrap_or(DatasetProblem::Empty));
    };
    if rows_before == 0 {
        return Err(DatasetProblem::Empty);
    }
    if joined.len == 0 {
        return Err(sift.nothing_kept(filter));
    }
    if sift.unreadable > 0 {
        tracing::warn!(
            unreadable = sift.unreadable,
            rows = rows_before,
            "rows that are not JSON objects, or too long, were left out by the filter"
        );
    }
    // Of a file that does not open no one knows how many rows it has: as many as the others on average.
    let each = (rows_before / joined.parts.len() as u64).max(1);
    let missing = listing.missing.iter();
    unusable.extend(missing.map(|name| (name.as_str(), "there is no such file".to_owned())));
    joined
        .faults
        .extend(unusable.into_iter().map(|(file, reason)| Fault {
            file: file.to_owned(),
            reason,
            rows: each,
        }));
    // Of the rows that are lost the filter would have kept as large a part as of those that are there.
    if filter.is_some() {
        for fault in &mut joined.faults {
            fault.scale(joined.len, sift.rows);
        }
    }
    joined.fingerprint = joined.fingerprint_with(filter);
    Ok(Box::new(joined))
}

impl Joined {
    /// Of a single file its own, so that it does not matter how it is named.
    fn fingerprint_with(&self, filter: Option<&Filter>) -> String {
        let content = match self.parts.as_slice() {
            [one] => one.rows.fingerprint().to_owned(),
            several => {
                let mut all = blake3::Hasher::new();
                for part in several {
                    all.update(part.rows.fingerprint().as_bytes());
                }
                all.finalize().to_hex().to_string()
            }
        };
        match filter {
            None => content,
            Some(filter) => {
                let text = format!("{content}\n{}", filter.canonical());
                blake3::hash(text.as_bytes()).to_hex().to_string()
            }
        }
    }
}

impl Dataset for Joined {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, index: u64) -> Result<Sample, SampleError> {
        let after = self.parts.partition_point(|part| part.kept_before <= index);
        let part = &self.parts[after - 1];
        if index >= self.len {
            return Err(SampleError::new(
                index,
                index.to_string(),
                SampleProblem::OutOfRange { len: self.len() },
            ));
        }
        match part.rows.read(index - part.kept_before) {
            Ok(sample) => Ok(Sample {
                row: part.rows_before + sample.row,
                ..sample
            }),
            Err(error) => Err(SampleError {
                row: part.rows_before + error.row,
                place: part.name.as_ref().map(|file| Place {
                    file: Arc::clone(file),
                    row: error.row,
                }),
                ..error
            }),
        }
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn format(&self) -> &str {
        self.format.title
    }

    fn files(&self) -> usize {
        self.parts.len()
    }

    fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// Adds up what is heard of several files at once.
struct Sum<'a> {
    files: Vec<(AtomicU64, AtomicU64)>,
    progress: Progress<'a>,
}

impl<'a> Sum<'a> {
    fn new(files: usize, progress: Progress<'a>) -> Self {
        let files = (0..files).map(|_| Default::default()).collect();
        Self { files, progress }
    }

    fn hear(&self, file: usize, done: u64, total: u64) {
        self.files[file].0.store(done, Ordering::Relaxed);
        self.files[file].1.store(total, Ordering::Relaxed);
        if let [_] = self.files.as_slice() {
            return (self.progress)(done, total);
        }
        let sum = |of: fn(&(AtomicU64, AtomicU64)) -> &AtomicU64| {
            let each = self
                .files
                .iter()
                .map(|file| of(file).load(Ordering::Relaxed));
            each.sum::<u64>()
        };
        (self.progress)(sum(|file| &file.0), sum(|file| &file.1));
    }
}
