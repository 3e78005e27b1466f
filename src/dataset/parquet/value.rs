//! A cell of a column as the value that a row of JSON would have.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, StructArray};
use arrow_schema::DataType;
use serde_json::{Map, Number, Value};

use crate::dataset::{MAX_ROW_BYTES, MAX_ROW_VALUES, SampleProblem};

/// What may still be read of a row.
pub(super) struct Budget {
    bytes: u64,
    values: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: MAX_ROW_BYTES,
            values: MAX_ROW_VALUES,
        }
    }
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), SampleProblem> {
        self.values = self
            .values
            .checked_sub(1)
            .ok_or(SampleProblem::TooManyValues {
                limit: MAX_ROW_VALUES,
            })?;
        self.bytes =
            self.bytes
                .checked_sub(bytes as u64)
                .ok_or_else(|| SampleProblem::TooLong {
                    bytes: MAX_ROW_BYTES - self.bytes + bytes as u64,
                    limit: MAX_ROW_BYTES,
                })?;
        Ok(())
    }
}

/// The cell at `at`. Fields of structs that are null are left out, as `datasets` fills in all that any row has. `key` is
/// for messages.
pub(super) fn value(
    key: &str,
    cells: &dyn Array,
    at: usize,
    budget: &mut Budget,
) -> Result<Value, SampleProblem> {
    budget.spend(0)?;
    if cells.is_null(at) {
        return Ok(Value::Null);
    }
    macro_rules! integer {
        ($kind:ty) => {
            Value::from(cells.as_primitive::<$kind>().value(at))
        };
    }
    let float = |float: f64| Number::from_f64(float).map_or(Value::Null, Value::Number);
    Ok(match cells.data_type() {
        DataType::Boolean => Value::Bool(cells.as_boolean().value(at)),
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => integer!(UInt64Type),
        DataType::Float32 => float(cells.as_primitive::<Float32Type>().value(at).into()),
        DataType::Float64 => float(cells.as_primitive::<Float64Type>().value(at)),
        DataType::Binary | DataType::FixedSizeBinary(_) => {
            let text = bytes(cells, at).unwrap_or_default();
            budget.spend(text.len())?;
            Value::String(utf8(key, text)?.to_owned())
        }
        DataType::List(_) => {
            let items = cells.as_list::<i32>().value(at);
            let item = |i| value(key, &items, i, budget);
            Value::Array((0..items.len()).map(item).collect::<Result<_, _>>()?)
        }
        DataType::Struct(_) => Value::Object(object(key, cells.as_struct(), at, budget)?),
        _ => Value::Null,
    })
}

fn object(
    key: &str,
    cells: &StructArray,
    at: usize,
    budget: &mut Budget,
) -> Result<Map<String, Value>, SampleProblem> {
    let mut object = Map::new();
    for (field, cells) in cells.fields().iter().zip(cells.columns()) {
        if !cells.is_null(at) {
            budget.spend(field.name().len())?;
            object.insert(field.name().clone(), value(key, cells, at, budget)?);
        }
    }
    Ok(object)
}

/// The bytes at `at`, of cells of bytes that are not null there.
pub(super) fn bytes(cells: &dyn Array, at: usize) -> Option<&[u8]> {
    if cells.is_null(at) {
        return None;
    }
    match cells.data_type() {
        DataType::Binary => Some(cells.as_binary::<i32>().value(at)),
        DataType::FixedSizeBinary(_) => Some(cells.as_fixed_size_binary().value(at)),
        _ => None,
    }
}

/// The text that bytes are.
pub(super) fn utf8<'a>(key: &str, bytes: &'a [u8]) -> Result<&'a str, SampleProblem> {
    std::str::from_utf8(bytes).map_err(|error| SampleProblem::NotUtf8 {
        key: key.to_owned(),
        after: error.valid_up_to(),
    })
}
