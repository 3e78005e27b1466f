//! The header in front of every page, as far as it says how large the page is.
//!
//! The parquet crate reads headers too, but takes what they claim on trust and reserves as much memory. A page is handed
//! to it only once its sizes are known to be possible.

use parquet::errors::ParquetError;

/// The largest page, in bytes when it is unpacked. Writers that do not split pictures among pages make pages of a whole
/// row group: a thousand pictures of a megabyte each.
const MAX_PAGE_BYTES: i64 = 1 << 30;

/// The longest header: it may quote the page's smallest and largest value.
const MAX_HEADER_BYTES: usize = 16 << 20;

/// Headers rarely take more.
const FIRST_TRY_BYTES: usize = 256;

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Dictionary,
    Other,
}

/// A page's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// How long the header itself is.
    pub(super) header_bytes: usize,
    /// How many bytes follow it.
    pub(super) packed_bytes: usize,
    /// How many they are when unpacked.
    pub(super) unpacked_bytes: usize,
    /// Values, with those that are null.
    pub(super) values: usize,
    /// Rows, where the header says.
    pub(super) rows: Option<usize>,
}

impl Header {
    pub(super) fn is_dictionary(&self) -> bool {
        self.kind == Kind::Dictionary
    }

    /// How much to read for a header at first, and then, of the `last` that were too few.
    pub(super) fn next_try(last: Option<usize>) -> Option<usize> {
        match last {
            None => Some(FIRST_TRY_BYTES),
            Some(last) => (last < MAX_HEADER_BYTES).then(|| last.saturating_mul(16)),
        }
    }

    /// Reads the header that `bytes` start with; nothing when it goes on beyond them.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, ParquetError> {
        let mut input = Compact { bytes, at: 0 };
        match fields(&mut input) {
            Ok(fields) => Self::checked(fields, input.at).map(Some),
            Err(Stop::More) => Ok(None),
            Err(Stop::Bad(reason)) => Err(bad(reason)),
        }
    }

    fn checked(fields: Fields, header_bytes: usize) -> Result<Self, ParquetError> {
        let missing = || bad("it leaves out what every header has");
        let size = |bytes: Option<i64>| match bytes.ok_or_else(missing)? {
            bytes @ 0..=MAX_PAGE_BYTES => Ok(bytes as usize),
            bytes => Err(bad(&format!(
                "the page claims {bytes} bytes, more than the {MAX_PAGE_BYTES} that one may have"
            ))),
        };
        let kind = match fields.kind.ok_or_else(missing)? {
            0 | 3 => Kind::Data,
            2 => Kind::Dictionary,
            _ => Kind::Other,
        };
        let count = |count: Option<i64>| match (kind, count) {
            (Kind::Other, None) => Ok(0),
            (_, count) => usize::try_from(count.ok_or_else(missing)?)
                .map_err(|_| bad("it claims fewer than no values")),
        };
        let header = Self {
            kind,
            header_bytes,
            packed_bytes: size(fields.packed)?,
            unpacked_bytes: size(fields.unpacked)?,
            values: count(fields.values)?,
            rows: fields.rows.map(|rows| count(Some(rows))).transpose()?,
        };
        // Each takes a byte at least, and room is made for all of them at once.
        if kind == Kind::Dictionary && header.values > header.unpacked_bytes {
            return Err(bad("a dictionary with more values than bytes"));
        }
        Ok(header)
    }
}

fn bad(reason: &str) -> ParquetError {
    ParquetError::General(format!("a page's header is damaged: {reason}"))
}

#[derive(Default)]
struct Fields {
    kind: Option<i64>,
    unpacked: Option<i64>,
    packed: Option<i64>,
    values: Option<i64>,
    rows: Option<i64>,
}

/// `PageHeader` of parquet.thrift.
fn fields(input: &mut Compact<'_>) -> Result<Fields, Stop> {
    let mut found = Fields::default();
    let mut last = 0;
    while let Some((id, kind)) = input.field(&mut last)? {
        match (id, kind) {
            (1, INT) => found.kind = Some(input.int()?),
            (2, INT) => found.unpacked = Some(input.int()?),
            (3, INT) => found.packed = Some(input.int()?),
            // Of data, of a dictionary, and of data in the second version, which has its rows in field 3.
            (5 | 7 | 8, STRUCT) => {
                let mut last = 0;
                while let Some((inner, kind)) = input.field(&mut last)? {
                    match (inner, kind) {
                        (1, INT) => found.values = Some(input.int()?),
                        (3, INT) if id == 8 => found.rows = Some(input.int()?),
                        _ => input.skip(kind, 0)?,
                    }
                }
            }
            _ => input.skip(kind, 0)?,
        }
    }
    Ok(found)
}

const INT: u8 = 5;
const STRUCT: u8 = 12;
const MAX_DEPTH: usize = 8;

/// Why reading stops.
enum Stop {
    /// At the end of the bytes.
    More,
    Bad(&'static str),
}

/// Thrift's compact protocol.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Compact<'_> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = self.bytes.get(self.at).ok_or(Stop::More)?;
        self.at += 1;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Stop::Bad("a number without an end"))
    }

    fn int(&mut self) -> Result<i64, Stop> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// The next field of a struct: its number and its type.
    fn field(&mut self, last: &mut i64) -> Result<Option<(i64, u8)>, Stop> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *last = match byte >> 4 {
            0 => self.int()?,
            step => last.wrapping_add(i64::from(step)),
        };
        Ok(Some((*last, byte & 0xf)))
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Stop> {
        let left = (self.bytes.len() - self.at) as u64;
        if bytes > left {
            return Err(Stop::More);
        }
        self.at += bytes as usize;
        Ok(())
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Bad("structs in structs without an end"));
        }
        match kind {
            1 | 2 => Ok(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let bytes = self.varint()?;
                self.pass(bytes)
            }
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            // Headers have no lists or maps.
            _ => Err(Stop::Bad("a field of a type that no header has")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data page of 1,000 values, 300 bytes unpacked, 200 packed, with a checksum and statistics of two strings.
    const DATA: &[u8] =
        b"\x15\x00\x15\xd8\x04\x15\x90\x03\x15\x02\x1c\x15\xd0\x0f\x15\x00\x15\x06\x15\x06\
        \x1c\x28\x03abc\x18\x02de\x16\x00\x00\x00\x00rest";

    #[test]
    fn sizes_and_counts() {
        let header = Header::parse(DATA).unwrap().unwrap();
        let expected = Header {
            kind: Kind::Data,
            header_bytes: DATA.len() - 4,
            packed_bytes: 200,
            unpacked_bytes: 300,
            values: 1000,
            rows: None,
        };
        assert_eq!(header, expected);
        for cut in 0..DATA.len() - 4 {
            assert_eq!(Header::parse(&DATA[..cut]).unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn claims_beyond_reason_are_refused() {
        let refused = |bytes: &[u8]| Header::parse(bytes).unwrap_err().to_string();
        // 2³¹ - 1 bytes.
        let huge = refused(b"\x15\x00\x15\xfe\xff\xff\xff\x0f\x15\x02\x2c\x15\x02\x00\x00");
        assert!(huge.contains("claims 2147483647 bytes"), "{huge}");
        let negative = refused(b"\x15\x00\x15\x02\x15\x01\x2c\x15\x02\x00\x00");
        assert!(negative.contains("claims -1 bytes"), "{negative}");
        let dictionary = refused(b"\x15\x04\x15\x08\x15\x08\x4c\x15\x80\x04\x00\x00");
        assert!(
            dictionary.contains("more values than bytes"),
            "{dictionary}"
        );
        for damaged in [&b"\0"[..], b"\x15\x00\0", b"\x19", &[0x8c; 40], &[0xff; 40]] {
            refused(damaged);
        }
    }
}
