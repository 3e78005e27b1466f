//! What tells one file of pixels from another without decoding it.
//!
//! A dataset's fingerprint covers what its rows say, not the pictures that they name. Whoever keeps vectors beyond the
//! run that made them has to know whether the pictures are still the same. A digest depends on content alone: on no
//! path, time or owner.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use blake3::Hasher;

use super::video::frame_names;
use crate::blob::{Blob, Reader, is_no_file};

/// BLAKE3.
pub type Digest = [u8; 32];

/// Of a large clip, and of the frames of a folder, at most so many are read, spread evenly from the first to the last.
const PLACES: u64 = 64;
/// Bytes that are read in each place of a clip's file.
const PLACE_BYTES: u64 = 64 << 10;
/// Bytes that are read at each end of a frame in a folder.
const END_BYTES: u64 = 32 << 10;

/// The digest of a picture: of every byte. That nothing is there, or no file, is content like any other.
///
/// # Errors
/// When there is something that cannot be read here. It may be readable on another machine, so no digest would do.
pub fn picture_digest(blob: &Blob) -> io::Result<Digest> {
    blob_digest(blob, |hash, file, _| hash.update_reader(file).map(drop))
}

/// The digest of a clip, which is too large to read all of it: at most 4 MiB are.
///
/// Of a file these are its length and 64 blocks of 64 KiB, evenly spaced (all of a file of up to 4 MiB); of a folder
/// the names and lengths of its frames, and the first and last 32 KiB of 64 of them, evenly spaced. So a clip that was
/// encoded again, cut, or downloaded with holes has another digest.
///
/// # Errors
/// As [`picture_digest`].
pub fn clip_digest(blob: &Blob) -> io::Result<Digest> {
    match blob {
        Blob::Path(path) if fs_err::metadata(path).is_ok_and(|data| data.is_dir()) => {
            folder_digest(path)
        }
        Blob::Frames(frames) => frames_digest(frames),
        _ => blob_digest(blob, |hash, file, length| {
            add_parts(hash, file, length, PLACES, PLACE_BYTES)
        }),
    }
}

fn blob_digest(
    blob: &Blob,
    add: impl Fn(&mut Hasher, Reader, u64) -> io::Result<()>,
) -> io::Result<Digest> {
    let mut hash = Hasher::new();
    match blob.open() {
        Ok(file) => {
            let length = file.len();
            hash.update(b"file").update(&length.to_le_bytes());
            add(&mut hash, file, length)?;
        }
        Err(error) => match error.kind() {
            _ if is_no_file(&error) => drop(hash.update(b"no file")),
            ErrorKind::NotFound | ErrorKind::NotADirectory => drop(hash.update(b"nothing")),
            _ => return Err(error),
        },
    }
    Ok(hash.finalize().into())
}

/// As [`folder_digest`], of frames that have no names.
fn frames_digest(frames: &[Blob]) -> io::Result<Digest> {
    let mut hash = Hasher::new();
    hash.update(b"frames");
    hash.update(&(frames.len() as u64).to_le_bytes());
    let places = PLACES.min(frames.len() as u64);
    for place in 0..places {
        let frame = &frames[spread(place, places, frames.len() as u64 - 1) as usize];
        hash.update(&ends_digest(frame)?);
    }
    Ok(hash.finalize().into())
}

fn ends_digest(frame: &Blob) -> io::Result<Digest> {
    blob_digest(frame, |hash, file, length| {
        add_parts(hash, file, length, 2, END_BYTES)
    })
}

fn folder_digest(folder: &Path) -> io::Result<Digest> {
    let mut names = frame_names(folder)?;
    names.sort();
    let mut hash = Hasher::new();
    hash.update(b"folder");
    for name in &names {
        let length = match length(&folder.join(name))? {
            Found::File(length) => length,
            Found::NoFile | Found::Nothing => u64::MAX,
        };
        let name = name.as_encoded_bytes();
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name).update(&length.to_le_bytes());
    }
    let places = PLACES.min(names.len() as u64);
    for place in 0..places {
        let name = &names[spread(place, places, names.len() as u64 - 1) as usize];
        hash.update(&ends_digest(&Blob::Path(folder.join(name)))?);
    }
    Ok(hash.finalize().into())
}

/// What a path leads to.
enum Found {
    /// A regular file of so many bytes.
    File(u64),
    /// A folder, a pipe or a device, which must not be opened: a pipe would wait for a writer.
    NoFile,
    Nothing,
}

fn length(path: &Path) -> io::Result<Found> {
    match fs_err::metadata(path) {
        Ok(data) if data.is_file() => Ok(Found::File(data.len())),
        Ok(_) => Ok(Found::NoFile),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Found::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// Adds `count` blocks of `bytes`, the first and the last of the file among them; all of a file that is no longer.
fn add_parts(
    hash: &mut Hasher,
    mut file: Reader,
    length: u64,
    count: u64,
    bytes: u64,
) -> io::Result<()> {
    if length <= count * bytes {
        return hash.update_reader(file).map(drop);
    }
    for part in 0..count {
        file.seek(SeekFrom::Start(spread(part, count, length - bytes)))?;
        hash.update_reader(Read::by_ref(&mut file).take(bytes))?;
    }
    Ok(())
}

/// The place of `i` of `count` that are spread evenly from 0 to `last`, both included.
fn spread(i: u64, count: u64, last: u64) -> u64 {
    let steps = u128::from(count.max(2) - 1);
    (u128::from(i) * u128::from(last) / steps) as u64
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LARGE: usize = 10 << 20;

    #[test]
    fn places_are_spread_from_end_to_end() {
        let spread_over = |count, last| {
            (0..count)
                .map(|i| spread(i, count, last))
                .collect::<Vec<_>>()
        };
        assert_eq!(spread_over(4, 9), [0, 3, 6, 9]);
        assert_eq!(spread_over(1, 0), [0]);
        assert_eq!(spread_over(2, u64::MAX), [0, u64::MAX]);
    }

    #[test]
    fn every_byte_of_a_picture_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let mut bytes = vec![7_u8; LARGE];
        fs_err::write(&path, &bytes).unwrap();
        let first = picture_digest(&Blob::at(&path)).unwrap();
        for at in [0, LARGE / 2 + 40_000, LARGE - 1] {
            bytes[at] ^= 1;
            fs_err::write(&path, &bytes).unwrap();
            assert_ne!(
                picture_digest(&Blob::at(&path)).unwrap(),
                first,
                "byte {at}"
            );
            bytes[at] ^= 1;
        }
        let other = folder.path().join("elsewhere.jpg");
        fs_err::write(&other, &bytes).unwrap();
        assert_eq!(picture_digest(&Blob::at(&other)).unwrap(), first);
    }

    #[test]
    fn ends_holes_and_length_of_a_clip_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mp4");
        let bytes: Vec<u8> = (0..LARGE as u64)
            .map(|i| ((i * i) >> 7) as u8 | 1)
            .collect();
        let digest = |bytes: &[u8]| {
            fs_err::write(&path, bytes).unwrap();
            clip_digest(&Blob::at(&path)).unwrap()
        };
        let whole = digest(&bytes);
        let hole = |from: usize, length: usize| {
            let mut bytes = bytes.clone();
            bytes[from..from + length].fill(0);
            bytes
        };
        for (from, length) in [
            (0, 1),
            (LARGE - 40, 40),
            (5 << 20, 1 << 20),
            (123_457, 200 << 10),
        ] {
            assert_ne!(digest(&hole(from, length)), whole, "{from}");
        }
        assert_ne!(digest(&bytes[..LARGE - 1]), whole);
        assert_eq!(digest(&bytes), whole);
        let small = &bytes[..4 << 20];
        let mut changed = small.to_vec();
        changed[2_000_003] ^= 1;
        assert_ne!(digest(small), digest(&changed), "a small one is read whole");
    }

    #[test]
    fn frames_of_a_folder_count_and_other_files_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let frame = |i: usize| folder.path().join(format!("{i:03}.png"));
        for i in 0..100 {
            fs_err::write(frame(i), [i as u8; 10]).unwrap();
        }
        let digest = || clip_digest(&Blob::at(folder.path())).unwrap();
        let first = digest();
        fs_err::write(folder.path().join("notes.txt"), "x").unwrap();
        fs_err::write(folder.path().join(".hidden.png"), "x").unwrap();
        assert_eq!(digest(), first);
        for i in [0, 99] {
            fs_err::write(frame(i), [77; 10]).unwrap();
            assert_ne!(digest(), first, "frame {i} of the same length");
            fs_err::write(frame(i), [i as u8; 10]).unwrap();
        }
        assert_eq!(digest(), first);
        fs_err::write(frame(41), [41; 11]).unwrap();
        assert_ne!(digest(), first, "another length");
        fs_err::write(frame(41), [41; 10]).unwrap();
        fs_err::rename(frame(99), frame(100)).unwrap();
        assert_ne!(digest(), first, "another name");
    }

    #[test]
    fn what_is_no_file_is_content_and_what_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let nothing = picture_digest(&Blob::at(&path("none.png"))).unwrap();
        assert_eq!(
            picture_digest(&Blob::at(&path("none/deeper.png"))).unwrap(),
            nothing
        );
        fs_err::write(path("empty.png"), "").unwrap();
        let empty = picture_digest(&Blob::at(&path("empty.png"))).unwrap();
        let not_a_file = picture_digest(&Blob::at(folder.path())).unwrap();
        assert!(nothing != empty && empty != not_a_file && not_a_file != nothing);
        symlink(path("loop.png"), path("loop.png")).unwrap();
        assert!(picture_digest(&Blob::at(&path("loop.png"))).is_err());
        assert!(clip_digest(&Blob::at(&path("loop.png"))).is_err());
    }
}
