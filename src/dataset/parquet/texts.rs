//! Whether the lengths of a page's texts stay within the page.
//!
//! The parquet crate believes them where it passes over values, and then asks for memory beyond all there is, which ends
//! the program.

use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

/// Checks a page of plain texts or bytes; of others there is nothing to check.
pub(super) fn check(page: &Page, column: &ColumnDescriptor) -> Result<()> {
    if column.physical_type() != Type::BYTE_ARRAY {
        return Ok(());
    }
    let values = match page {
        Page::DataPage {
            buf,
            encoding: Encoding::PLAIN,
            def_level_encoding,
            rep_level_encoding,
            ..
        } => {
            let mut rest = &buf[..];
            for (most, encoding) in [
                (column.max_rep_level(), rep_level_encoding),
                (column.max_def_level(), def_level_encoding),
            ] {
                match encoding {
                    _ if most == 0 => {}
                    Encoding::RLE => rest = after(rest)?,
                    // Nothing has written levels otherwise for a decade.
                    other => return Err(unread(*other)),
                }
            }
            rest
        }
        Page::DataPageV2 {
            buf,
            encoding: Encoding::PLAIN,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => {
            let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
            let levels = usize::try_from(levels).ok();
            levels.and_then(|at| buf.get(at..)).ok_or_else(beyond)?
        }
        _ => return Ok(()),
    };
    let mut rest = values;
    while !rest.is_empty() {
        rest = after(rest)?;
    }
    Ok(())
}

/// What follows four bytes of length and as many bytes.
fn after(bytes: &[u8]) -> Result<&[u8]> {
    let (length, rest) = bytes.split_first_chunk().ok_or_else(beyond)?;
    rest.get(u32::from_le_bytes(*length) as usize..)
        .ok_or_else(beyond)
}

fn unread(encoding: Encoding) -> ParquetError {
    ParquetError::General(format!(
        "levels in the encoding {encoding}; write the file again"
    ))
}

fn beyond() -> ParquetError {
    ParquetError::General("a text that is longer than its page".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_lead_from_text_to_text() {
        assert_eq!(after(b"\x02\0\0\0abrest").unwrap(), b"rest");
        assert_eq!(after(b"\0\0\0\0").unwrap(), b"");
        for cut in [&b"\x02\0\0"[..], b"\x02\0\0\0a", b"\xff\xff\xff\xffa"] {
            assert!(after(cut).is_err(), "{cut:?}");
        }
    }
}
