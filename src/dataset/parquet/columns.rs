//! Which columns of a file mean what, and which of them have to be read for it.
//!
//! Columns go by the keys that a row of JSON would have. `image` and the like hold pictures (a struct of `bytes` and
//! `path`, as Hugging Face `datasets` writes them, or bytes alone, or lists of either) or paths (strings).

use std::sync::Arc;

use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::errors::Result;
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use super::error::ParquetProblem;
use crate::dataset::MediaKind;
use crate::dataset::filter::Sieve;
use crate::dataset::row::{self, Dialect};

/// What a picture's struct holds.
pub(super) const BYTES: &str = "bytes";
pub(super) const PATH: &str = "path";

/// The columns of media, by the kind that they show.
pub(super) const MEDIA: [(MediaKind, [&str; 2]); 2] = [
    (MediaKind::Image, ["image", "images"]),
    (MediaKind::Video, ["video", "videos"]),
];

/// The column whose parts may show media.
pub(super) const MESSAGES: &str = Dialect::Messages.key();

pub(super) const DATA_SOURCE: &str = "data_source";

/// Some of the columns of a file: what decoding them takes.
pub(super) struct View {
    /// Their numbers in the file.
    pub(super) columns: Vec<usize>,
    pub(super) levels: FieldLevels,
    /// Of all columns.
    pub(super) schema: Arc<SchemaDescriptor>,
    /// A footer without row groups, which is as much as decoding asks of it.
    pub(super) footer: ParquetMetaData,
    /// Columns of media that hold paths.
    written: Vec<String>,
    /// Whether there are pictures' bytes among them.
    pub(super) heavy: bool,
}

/// The columns of a file.
pub(super) struct Columns {
    /// As they are.
    own: Arc<SchemaDescriptor>,
    /// The same without what says that bytes are text: one text that is not UTF-8 would take a whole page of rows with
    /// it.
    plain: Arc<SchemaDescriptor>,
}

impl Columns {
    pub(super) fn new(own: Arc<SchemaDescriptor>) -> std::result::Result<Self, ParquetProblem> {
        let plain =
            plain(own.root_schema()).map_err(|error| ParquetProblem::Footer(error.to_string()))?;
        let plain = Arc::new(SchemaDescriptor::new(Arc::new(plain)));
        Ok(Self { own, plain })
    }

    /// The columns that make a row.
    pub(super) fn of_rows(&self) -> std::result::Result<View, ParquetProblem> {
        let roots = self.own.root_schema().get_fields();
        if !roots.iter().any(|root| row::is_turns(root.name())) {
            let wanted: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.key()).collect();
            let columns: Vec<_> = roots.iter().map(|root| root.name()).collect();
            return Err(ParquetProblem::NoTurns {
                wanted: format!("`{}`", wanted.join("` or `")),
                columns: format!("`{}`", columns.join("`, `")),
            });
        }
        self.view(|root, column| {
            if is_media(root) {
                self.shape(root) != Shape::Struct || matches!(column.name(), BYTES | PATH)
            } else if row::is_sound(root) {
                // Its path is enough to tell that it is there.
                column.name() != BYTES || !self.has_path(root)
            } else {
                row::is_turns(root) || row::is_beside_turns(root)
            }
        })
    }

    /// The columns that a filter asks for. Messages are read for the media among their parts. Other pictures are told by
    /// their paths, unless `all` is to be read; without paths beside them their bytes are read.
    pub(super) fn of_filter(
        &self,
        sieve: &Sieve<'_>,
        all: bool,
    ) -> std::result::Result<View, ParquetProblem> {
        self.view(|root, column| {
            if !is_media(root) {
                return root == DATA_SOURCE || root == MESSAGES && sieve.wants_media();
            }
            sieve.wants_media()
                && match self.shape(root) {
                    Shape::Struct if all || !self.has_path(root) => {
                        matches!(column.name(), BYTES | PATH)
                    }
                    Shape::Struct => column.name() == PATH,
                    _ => true,
                }
        })
    }

    /// The numbers of the columns of bytes that have paths beside them.
    pub(super) fn beside_paths(&self) -> Vec<usize> {
        let beside = |&i: &usize| {
            let root = self.own.get_column_root(i).name();
            is_media(root) && self.own.column(i).name() == BYTES && self.has_path(root)
        };
        (0..self.own.num_columns()).filter(beside).collect()
    }

    fn view(
        &self,
        wanted: impl Fn(&str, &ColumnDescriptor) -> bool,
    ) -> std::result::Result<View, ParquetProblem> {
        let columns: Vec<usize> = (0..self.own.num_columns())
            .filter(|&i| {
                let column = self.own.column(i);
                // The old type of times is of no use to any key.
                column.physical_type() != Physical::INT96
                    && wanted(self.own.get_column_root(i).name(), &column)
            })
            .collect();
        let mask = ProjectionMask::leaves(&self.plain, columns.iter().copied());
        let levels = parquet_to_arrow_field_levels(&self.plain, mask, None)
            .map_err(|error| ParquetProblem::Footer(error.to_string()))?;
        let holds = |shape: Shape| {
            let names = MEDIA.iter().flat_map(|(_, names)| names);
            names.filter(move |name| self.shape(name) == shape)
        };
        let heavy = columns.iter().any(|&i| {
            let root = self.own.get_column_root(i).name();
            let column = self.own.column(i);
            is_media(root)
                && match self.shape(root) {
                    Shape::Struct => column.name() == BYTES,
                    shape => shape == Shape::Bytes,
                }
        });
        Ok(View {
            columns,
            levels,
            schema: Arc::clone(&self.plain),
            footer: ParquetMetaData::new(
                FileMetaData::new(1, 0, None, None, Arc::clone(&self.plain), None),
                Vec::new(),
            ),
            written: holds(Shape::Paths).map(|name| (*name).to_owned()).collect(),
            heavy,
        })
    }

    fn has_path(&self, root: &str) -> bool {
        self.shape(root) == Shape::Struct && self.leaves(root).any(|column| column.name() == PATH)
    }

    fn leaves<'a>(&'a self, root: &'a str) -> impl Iterator<Item = &'a ColumnDescriptor> + 'a {
        let columns = self.own.columns().iter().map(AsRef::as_ref);
        columns.filter(move |column| column.path().parts().first().is_some_and(|it| it == root))
    }

    fn shape(&self, root: &str) -> Shape {
        let mut leaves = self.leaves(root);
        if leaves
            .any(|column| column.path().parts().len() > 1 && matches!(column.name(), BYTES | PATH))
        {
            return Shape::Struct;
        }
        let mut leaves = self.leaves(root);
        match (leaves.next(), leaves.next()) {
            (Some(only), None) if is_bytes(only.physical_type()) => {
                if is_text(only) {
                    Shape::Paths
                } else {
                    Shape::Bytes
                }
            }
            _ => Shape::Else,
        }
    }
}

impl View {
    /// Whether it shows a column, by its name.
    pub(super) fn has(&self, root: &str) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|&column| self.schema.get_column_root(column).name() == root)
    }

    /// Whether a column of media holds paths.
    pub(super) fn is_written(&self, column: &str) -> bool {
        self.written.iter().any(|written| written == column)
    }
}

/// How a column of media is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `bytes` and `path`.
    Struct,
    Bytes,
    Paths,
    /// Nothing that media are.
    Else,
}

pub(super) fn is_media(root: &str) -> bool {
    MEDIA.iter().any(|(_, names)| names.contains(&root))
}

fn is_bytes(physical: Physical) -> bool {
    matches!(
        physical,
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY
    )
}

fn is_text(column: &ColumnDescriptor) -> bool {
    matches!(
        column.logical_type_ref(),
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)
    ) || matches!(
        column.converted_type(),
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
    )
}

/// A type without annotations, but for those of lists and of integers.
fn plain(own: &Type) -> Result<Type> {
    let info = own.get_basic_info();
    match own {
        Type::PrimitiveType {
            physical_type,
            type_length,
            ..
        } => {
            let builder = Type::primitive_type_builder(info.name(), *physical_type)
                .with_repetition(info.repetition())
                .with_length(*type_length);
            match info.logical_type_ref() {
                Some(integer @ LogicalType::Integer(_)) => {
                    builder.with_logical_type(Some(integer.clone()))
                }
                _ if is_integer(info.converted_type()) => {
                    builder.with_converted_type(info.converted_type())
                }
                _ => builder,
            }
            .build()
        }
        Type::GroupType { fields, .. } => {
            let fields = fields
                .iter()
                .map(|field| plain(field).map(Arc::new))
                .collect::<Result<_>>()?;
            let mut builder = Type::group_type_builder(info.name()).with_fields(fields);
            if info.has_repetition() {
                builder = builder.with_repetition(info.repetition());
            }
            if matches!(info.logical_type_ref(), Some(LogicalType::List))
                || info.converted_type() == ConvertedType::LIST
            {
                builder = builder
                    .with_converted_type(ConvertedType::LIST)
                    .with_logical_type(Some(LogicalType::List));
            }
            builder.build()
        }
    }
}

fn is_integer(converted: ConvertedType) -> bool {
    matches!(
        converted,
        ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::INT_64
            | ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64
    )
}
