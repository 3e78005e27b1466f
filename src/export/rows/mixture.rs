//! A plan's rows, drawn to its counts and shuffled, as one file.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Layout;
use super::reader::{BATCH, Line, Reader, batch};
use super::spares::Spares;
use crate::dataset::order;
use crate::export::{ExportError, Folder, Plan, PlannedDataset};
use crate::store::Output;

/// What [`mixture()`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The file.
    pub path: PathBuf,
    /// How many rows it has.
    pub rows: u64,
    /// How many of them have a video.
    pub videos: u64,
    /// How many of them stand in for rows that cannot be used.
    pub replaced: u64,
    /// The datasets that have rows that cannot be used, with how many of those were met.
    pub unreadable: Vec<(String, u64)>,
}

/// Writes the rows of a plan with a budget to the file `name`: of every dataset as many as its count, its name under
/// the key `dataset`, all in an order that the plan's seed gives.
///
/// A dataset is drawn in whole passes, and the rest is the start of the order that the seed gives its rows
/// ([`order`]), so a larger budget keeps what a smaller one drew. A row that cannot be used is replaced by the next of
/// that order that can, so counts are exact. The same plan and files give the same bytes. Rows are read where they lie;
/// what is held is eight bytes for each row that is written.
///
/// # Errors
/// When a dataset has no count, cannot be opened or read, or has no row that can be used; when the rows are too many;
/// when the file cannot be written.
pub fn mixture(
    plan: &Plan,
    layout: Layout,
    folder: &mut Folder,
    name: &str,
) -> Result<Drawn, ExportError> {
    let mut sources = Vec::new();
    for (_, dataset) in plan.used() {
        if let Some(source) = Source::open(dataset, layout, folder.root())? {
            sources.push(source);
        }
    }
    let slots = slots(&sources, plan.seed)?;
    let (path, drawn) = folder.write_with(name, |output, progress| {
        let mut draw = Draw::new(&sources, plan.seed, output);
        for slots in slots.chunks(BATCH) {
            draw.add(slots)?;
            progress(draw.rows, slots_total(&sources));
        }
        Ok(draw.into_drawn())
    })?;
    Ok(Drawn { path, ..drawn })
}

struct Source<'a> {
    reader: Reader<'a>,
    name: &'a str,
    count: u64,
}

impl<'a> Source<'a> {
    /// `None` for a dataset of which nothing is drawn: it need not even be readable.
    fn open(
        dataset: &'a PlannedDataset,
        layout: Layout,
        root: &Path,
    ) -> Result<Option<Self>, ExportError> {
        let name = dataset.spec.name.as_str();
        let count = dataset.count.ok_or_else(|| ExportError::NoCount {
            name: name.to_owned(),
        })?;
        if count == 0 {
            return Ok(None);
        }
        let reader = Reader::open(&dataset.spec, layout, root)?;
        Ok(Some(Self {
            reader,
            name,
            count,
        }))
    }
}

fn slots_total(sources: &[Source<'_>]) -> u64 {
    sources.iter().map(|source| source.count).sum()
}

/// A row to be written: the source's number and the row's index in it.
#[derive(Clone, Copy)]
struct Slot {
    source: u32,
    /// A file has fewer than 2^32 rows.
    index: u32,
}

/// Every row to be written, in its place.
fn slots(sources: &[Source<'_>], seed: u64) -> Result<Vec<Slot>, ExportError> {
    let total = slots_total(sources);
    let mut slots = Vec::new();
    usize::try_from(total)
        .ok()
        .and_then(|total| slots.try_reserve_exact(total).ok())
        .ok_or(ExportError::TooManyRows { rows: total })?;
    for (number, source) in sources.iter().enumerate() {
        let slot = |index| Slot {
            source: number as u32,
            index: index as u32,
        };
        let rows = source.reader.len();
        for _ in 0..source.count / rows {
            slots.extend((0..rows).map(slot));
        }
        slots.extend(order(rows, seed, source.count % rows).into_iter().map(slot));
    }
    shuffle(&mut slots, seed);
    Ok(slots)
}

/// Fisher and Yates's shuffle, with XXH3-64(i as 8 little-endian bytes) for chance at step i.
fn shuffle<T>(items: &mut [T], seed: u64) {
    // Of its own, so that a row's place has nothing to do with its rank in the order that it was drawn in.
    let seed = xxh3_64_with_seed(b"shuffle", seed);
    for i in (1..items.len()).rev() {
        let chance = xxh3_64_with_seed(&(i as u64).to_le_bytes(), seed);
        // The high half of the product is uniform in 0..=i, to one part in 2^64 / i.
        let other = (u128::from(chance) * (i as u128 + 1)) >> 64;
        items.swap(i, other as usize);
    }
}

/// A file of rows in the making.
struct Draw<'a, 'o, 'p> {
    sources: &'a [Source<'a>],
    spares: Vec<Spares>,
    output: &'o mut Output<'p>,
    rows: u64,
    videos: u64,
    replaced: u64,
}

impl<'a, 'o, 'p> Draw<'a, 'o, 'p> {
    fn new(sources: &'a [Source<'a>], seed: u64, output: &'o mut Output<'p>) -> Self {
        Self {
            sources,
            spares: sources
                .iter()
                .map(|source| Spares::after(source.count, seed))
                .collect(),
            output,
            rows: 0,
            videos: 0,
            replaced: 0,
        }
    }

    /// Writes the rows of some slots.
    fn add(&mut self, slots: &[Slot]) -> Result<(), ExportError> {
        let reader = |slot: &Slot| &self.sources[slot.source as usize].reader;
        let lines = batch(slots, |slot| reader(slot).line(u64::from(slot.index)))?;
        for (slot, line) in slots.iter().zip(lines) {
            let line = match line {
                Some(line) => line,
                None => self.instead(*slot)?,
            };
            self.output.write(line.text.as_bytes())?;
            self.rows += 1;
            self.videos += u64::from(line.video);
        }
        Ok(())
    }

    fn instead(&mut self, slot: Slot) -> Result<Line, ExportError> {
        self.replaced += 1;
        let source = slot.source as usize;
        self.spares[source].instead(&self.sources[source].reader, u64::from(slot.index))
    }

    /// What has been written; only the path is yet to be told.
    fn into_drawn(self) -> Drawn {
        let unreadable = self
            .sources
            .iter()
            .zip(&self.spares)
            .filter(|(_, spares)| spares.unreadable() > 0)
            .map(|(source, spares)| (source.name.to_owned(), spares.unreadable()))
            .collect();
        Drawn {
            path: PathBuf::new(),
            rows: self.rows,
            videos: self.videos,
            replaced: self.replaced,
            unreadable,
        }
    }
}
