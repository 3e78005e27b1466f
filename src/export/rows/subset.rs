//! The rows that a dataset's filter keeps, as a file of their own.

use std::path::PathBuf;

use super::Layout;
use super::reader::{BATCH, Reader, batch};
use crate::export::{ExportError, Folder, PlannedDataset};
use crate::store::folder_name;

/// What [`subset()`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// The file.
    pub path: PathBuf,
    /// How many rows it has. A dataset's size counts the unreadable ones, too, so a trainer that is told how many rows
    /// a file has must be told this.
    pub rows: u64,
    /// How many rows were left out because they cannot be used.
    pub unreadable: u64,
}

/// Writes the rows of a dataset that its filter keeps to `rows/NAME.jsonl`, in their order.
///
/// # Errors
/// When the dataset cannot be opened or read, none of its rows can be used, or the file cannot be written.
pub fn subset(
    dataset: &PlannedDataset,
    layout: Layout,
    folder: &mut Folder,
) -> Result<Subset, ExportError> {
    let reader = Reader::open(&dataset.spec, layout, folder.root())?;
    let name = format!("rows/{}.jsonl", folder_name(&dataset.spec.name));
    let all = reader.len();
    let (path, rows) = folder.write_with(&name, |output, progress| {
        let (mut done, mut written) = (0, 0);
        while done < all {
            let end = all.min(done + BATCH as u64);
            let indices: Vec<u64> = (done..end).collect();
            for line in batch(&indices, |&index| reader.line(index))?
                .into_iter()
                .flatten()
            {
                output.write(line.text.as_bytes())?;
                written += 1;
            }
            done = end;
            progress(done, all);
        }
        if written == 0 {
            return Err(reader.nothing_readable());
        }
        Ok(written)
    })?;
    Ok(Subset {
        path,
        rows,
        unreadable: all - rows,
    })
}
