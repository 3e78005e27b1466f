//! Pictures and videos in columns.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;

use super::columns::{BYTES, PATH};
use super::value::{bytes, utf8};
use crate::blob::Blob;
use crate::dataset::media_root::MediaRoot;
use crate::dataset::named::Named;
use crate::dataset::{MediaKind, SampleProblem};

/// Something shown, as its cell has it.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    /// Its bytes, if they are in the file.
    pub(super) bytes: Option<&'a [u8]>,
    /// What it is called, empty where it has no name.
    pub(super) path: &'a str,
}

/// What a cell of a column of media shows, in its order: a cell may be one of them, or a list. Hands over each.
pub(super) fn shown(
    key: &str,
    cells: &dyn Array,
    at: usize,
    each: &mut dyn FnMut(Shown<'_>) -> Result<(), SampleProblem>,
) -> Result<(), SampleProblem> {
    if cells.is_null(at) {
        return Ok(());
    }
    match cells.data_type() {
        DataType::List(_) => {
            let items = cells.as_list::<i32>().value(at);
            (0..items.len()).try_for_each(|i| shown(key, &items, i, each))
        }
        DataType::Struct(_) => {
            let fields = cells.as_struct();
            let field = |name| bytes(fields.column_by_name(name)?, at);
            let path = utf8(key, field(PATH).unwrap_or_default())?;
            each(Shown {
                bytes: field(BYTES),
                path,
            })
        }
        _ => each(Shown {
            bytes: bytes(cells, at),
            path: "",
        }),
    }
}

/// How many values of a cell's fields are null because there is no struct for them.
pub(super) fn absent(cells: &dyn Array, at: usize) -> u64 {
    if cells.is_null(at) {
        return 1;
    }
    match cells.data_type() {
        DataType::List(_) => {
            let items = cells.as_list::<i32>().value(at);
            let absent = (0..items.len()).map(|i| absent(&items, i)).sum();
            if items.is_empty() { 1 } else { absent }
        }
        _ => 0,
    }
}

impl Shown<'_> {
    /// With its bytes, or below the media root; nothing if it has neither bytes nor a path.
    pub(super) fn named(
        self,
        kind: MediaKind,
        row: u64,
        number: usize,
        root: &MediaRoot,
    ) -> Result<Option<Named>, SampleProblem> {
        let blob = match (self.bytes, self.path) {
            (Some(bytes), _) => Blob::Held(bytes.into()),
            (None, "") => return Ok(None),
            (None, path) => return root.resolve(path).map(Some),
        };
        let what = match kind {
            MediaKind::Image => "picture",
            MediaKind::Video => "video",
        };
        let name = match self.path {
            "" => format!("row {row}, {what} {number}"),
            path => path.to_owned(),
        };
        Ok(Some(Named { name, blob }))
    }
}
