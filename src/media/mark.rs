//! What tells nearly all pictures and clips apart without reading all of them.

use std::io::{self, Read};

use xxhash_rust::xxh3::Xxh3;

use crate::blob::{Blob, Reader};

/// Bytes that are read at each end.
const END_BYTES: u64 = 4 << 10;
const CHUNK_BYTES: usize = 256 << 10;

/// The length of a file, and XXH3-128 of its first and last 4 KiB. Files of one content have one mark; of two contents
/// nearly always two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The length in bytes.
    pub bytes: u64,
    /// The hash.
    pub ends: u128,
}

impl Mark {
    /// The mark of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(blob: &Blob) -> io::Result<Self> {
        Self::of_reader(&blob.open()?)
    }

    /// The mark of an open file.
    pub(super) fn of_reader(file: &Reader) -> io::Result<Self> {
        let bytes = file.len();
        let mut ends = [0; 2 * END_BYTES as usize];
        let first = bytes.min(END_BYTES);
        let last = (bytes - first).min(END_BYTES);
        let (head, tail) = ends[..(first + last) as usize].split_at_mut(first as usize);
        file.read_exact_at(head, 0)?;
        file.read_exact_at(tail, bytes - last)?;
        let mut hash = Xxh3::new();
        hash.update(&ends[..(first + last) as usize]);
        Ok(Self {
            bytes,
            ends: hash.digest128(),
        })
    }

    /// The mark of a list of frames: how many there are, and the marks of the first and the last.
    pub(super) fn of_frames(frames: u64, first: &Blob, last: &Blob) -> io::Result<Self> {
        let mut hash = Xxh3::new();
        hash.update(b"frames");
        for mark in [Self::of(first)?, Self::of(last)?] {
            hash.update(&mark.bytes.to_le_bytes());
            hash.update(&mark.ends.to_le_bytes());
        }
        Ok(Self {
            bytes: frames,
            ends: hash.digest128(),
        })
    }

    /// Whether there are no bytes but those at the ends, so that a file of the same mark is the same.
    pub fn is_whole(self) -> bool {
        self.bytes <= 2 * END_BYTES
    }

    /// XXH3-64 of all bytes: whether files of one mark are the same.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn content(blob: &Blob) -> io::Result<u64> {
        let mut file = blob.open()?;
        let mut hash = Xxh3::new();
        let mut chunk = vec![0; CHUNK_BYTES.min(file.len() as usize).max(1)];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(hash.digest()),
                read => hash.update(&chunk[..read]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(bytes: &[u8]) -> Blob {
        Blob::Held(bytes.into())
    }

    #[test]
    fn a_mark_is_of_the_ends_and_the_length() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|i| (i * i >> 5) as u8).collect();
        let mark = Mark::of(&held(&bytes)).unwrap();
        assert!(!mark.is_whole());
        let changed = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            held(&bytes)
        };
        for at in [0, 4095, 20_000 - 4096, 19_999] {
            assert_ne!(Mark::of(&changed(at)).unwrap(), mark, "{at}");
        }
        for at in [4096, 20_000 - 4097] {
            assert_eq!(Mark::of(&changed(at)).unwrap(), mark, "{at}");
            let [one, other] = [held(&bytes), changed(at)].map(|b| Mark::content(&b).unwrap());
            assert_ne!(one, other, "{at}");
        }
        assert_ne!(Mark::of(&held(&bytes[..19_999])).unwrap(), mark);
    }

    #[test]
    fn every_byte_of_a_small_file_counts() {
        for length in [0, 1, 4096, 4097, 8192] {
            let bytes = vec![7_u8; length];
            let mark = Mark::of(&held(&bytes)).unwrap();
            assert!(mark.is_whole());
            for at in [0, length / 2, length.saturating_sub(1)] {
                let mut other = bytes.clone();
                let Some(byte) = other.get_mut(at) else {
                    continue;
                };
                *byte = 8;
                assert_ne!(Mark::of(&held(&other)).unwrap(), mark, "{at} of {length}");
            }
        }
        assert!(!Mark::of(&held(&[0; 8193])).unwrap().is_whole());
    }

    #[test]
    fn frames_are_told_by_their_number_and_ends() {
        let [a, b] = [held(b"a"), held(b"b")];
        let of = |count, first, last| Mark::of_frames(count, first, last).unwrap();
        let mark = of(3, &a, &b);
        assert_eq!(mark, of(3, &a, &b));
        for other in [of(4, &a, &b), of(3, &a, &a), of(3, &b, &a)] {
            assert_ne!(mark, other);
        }
    }
}
