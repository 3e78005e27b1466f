//! Thrift's compact protocol, for what has to be known before the parquet crate may see it.

pub(super) const INT: u8 = 5;
pub(super) const STRUCT: u8 = 12;
const LIST: u8 = 9;

/// Structs and lists in each other; footers need ten.
const MAX_DEPTH: usize = 32;

/// Why reading stops.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At the end of the bytes.
    More,
    /// At what Thrift does not write.
    Bad(&'static str),
}

/// How deep the columns of a footer lie in each other. The parquet crate calls itself for each level, and a footer of a
/// megabyte has room for more levels than any stack.
pub(super) fn schema_depth(footer: &[u8]) -> Result<usize, Stop> {
    const SCHEMA: i64 = 2;
    let mut input = Compact::new(footer);
    let (mut last, mut deepest) = (0, 0);
    while let Some((id, kind)) = input.field(&mut last)? {
        if (id, kind) != (SCHEMA, LIST) {
            input.skip(kind, 0)?;
            continue;
        }
        let (count, kind) = input.list()?;
        // The columns that are still to come of each group that is open.
        let mut open: Vec<u64> = Vec::new();
        for _ in 0..count {
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            let children = if kind == STRUCT {
                input.children()?
            } else {
                input.skip(kind, 0)?;
                0
            };
            if children > 0 {
                open.push(children);
            }
            deepest = deepest.max(open.len());
        }
    }
    Ok(deepest)
}

/// What is read, and how far.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

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

    /// A whole number.
    pub(super) fn int(&mut self) -> Result<i64, Stop> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// The next field of a struct: its number and its type; nothing at the struct's end.
    pub(super) fn field(&mut self, last: &mut i64) -> Result<Option<(i64, u8)>, Stop> {
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

    /// How many elements a list has, and of what type.
    fn list(&mut self) -> Result<(u64, u8), Stop> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            few => few.into(),
        };
        Ok((count, byte & 0xf))
    }

    /// How many columns lie in the one that comes next.
    fn children(&mut self) -> Result<u64, Stop> {
        const CHILDREN: i64 = 5;
        let (mut last, mut children) = (0, 0);
        while let Some((id, kind)) = self.field(&mut last)? {
            if (id, kind) == (CHILDREN, INT) {
                children = u64::try_from(self.int()?).unwrap_or_default();
            } else {
                self.skip(kind, 0)?;
            }
        }
        Ok(children)
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Stop> {
        let left = (self.bytes.len() - self.at) as u64;
        if bytes > left {
            return Err(Stop::More);
        }
        self.at += bytes as usize;
        Ok(())
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Stop> {
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
            LIST | 10 => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    // As a field a truth value lies in the type; in a list it takes a byte.
                    match kind {
                        1 | 2 => self.pass(1)?,
                        _ => self.skip(kind, depth + 1)?,
                    }
                }
                Ok(())
            }
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(Stop::Bad("a field of a type that is not used")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer with a version and so many groups in each other, and a column in the last.
    fn nested(groups: usize) -> Vec<u8> {
        let mut footer = vec![0x15, 4, 0x19, 0xfc];
        let mut count = groups + 1;
        while count >= 0x80 {
            footer.push(count as u8 | 0x80);
            count >>= 7;
        }
        footer.push(count as u8);
        // A name (field 4) and one child (field 5).
        footer.extend_from_slice(&b"\x48\x01g\x15\x02\0".repeat(groups));
        footer.extend_from_slice(b"\x15\x0c\x38\x01c\0");
        // And rows, as field 3.
        footer.extend_from_slice(b"\x16\x14\0");
        footer
    }

    #[test]
    fn columns_in_columns_are_counted() {
        for groups in [0, 1, 2, 20, 100_000] {
            assert_eq!(schema_depth(&nested(groups)), Ok(groups));
        }
        // A root with two columns is one deep.
        let flat = b"\x29\x3c\x48\x01r\x15\x04\0\x48\x01a\0\x48\x01b\0\0";
        assert_eq!(schema_depth(flat), Ok(1));
    }

    #[test]
    fn damage_is_an_error() {
        let whole = nested(2);
        for cut in 0..whole.len() {
            assert_eq!(schema_depth(&whole[..cut]), Err(Stop::More), "{cut}");
        }
        assert!(matches!(schema_depth(&[0x19; 40]), Err(Stop::Bad(_))));
        assert!(matches!(schema_depth(&[0xff; 40]), Err(Stop::Bad(_))));
    }
}
