//! Bytes that lie somewhere: in a file, in a part of one, in memory, or in a bucket.
//!
//! Annotation files, archives and pictures may lie in all of these places, and whoever reads them should not have to ask
//! which. A [`Blob`] only says where; nothing is open until [`Blob::open`], so that a dataset of a hundred thousand
//! archive members holds no file descriptor. A path that is written as a URL (`s3://bucket/key`) is one: [`Blob::at`]
//! and [`url_of`] tell.

mod reader;
mod remote;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;

use reader::NotAFile;
pub use reader::{Reader, is_no_file};

/// Where some bytes lie.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Blob {
    /// A file on this machine; of a clip also a folder of frames.
    Path(PathBuf),
    /// An object behind a URL.
    Url(String),
    /// Bytes of something larger: a member of an archive that is not compressed.
    Part {
        /// What they are a part of.
        of: Arc<Blob>,
        /// Where they start in it.
        start: u64,
        /// How many there are.
        bytes: u64,
    },
    /// Bytes that came with the row.
    Held(Arc<[u8]>),
    /// The frames of a clip, one by one, in their order.
    Frames(Arc<[Blob]>),
}

/// A file that a program can open, as long as this is kept.
#[derive(Debug)]
pub enum Local {
    /// The file itself.
    Own(PathBuf),
    /// A copy, which goes when this is dropped.
    Copy(TempPath),
}

impl Local {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Copy(path) => path,
        }
    }
}

impl Blob {
    /// What a path names that may be a URL.
    pub fn at(path: &Path) -> Self {
        match url_of(path) {
            Some(url) => Self::Url(url.to_owned()),
            None => Self::Path(path.to_owned()),
        }
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// When there is none, or it cannot be read; [`is_no_file`] tells a folder, a pipe or a device.
    pub fn open(&self) -> io::Result<Reader> {
        match self {
            Self::Path(path) => Reader::of_file(path),
            Self::Url(url) => Ok(Reader::of_remote(remote::open(url)?)),
            Self::Part { of, start, bytes } => of.open()?.part(*start, *bytes),
            Self::Held(bytes) => Ok(Reader::of_bytes(Arc::clone(bytes))),
            Self::Frames(_) => Err(NotAFile.into()),
        }
    }

    /// All of its bytes, of which there may be at most `limit`.
    ///
    /// # Errors
    /// As [`Blob::open`]; [`io::ErrorKind::FileTooLarge`] when there are more.
    pub fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let reader = self.open()?;
        let mut bytes = Vec::new();
        reader
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("more than {limit} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// A file of these bytes for programs that can only read files: itself, or a copy in the folder for temporary files.
    ///
    /// # Errors
    /// As [`Blob::open`], and when the copy cannot be written.
    pub fn local(&self) -> io::Result<Local> {
        if let Self::Path(path) = self {
            return Ok(Local::Own(path.clone()));
        }
        let mut copy = tempfile::NamedTempFile::new()?;
        io::copy(&mut self.open()?, &mut copy)?;
        Ok(Local::Copy(copy.into_temp_path()))
    }

    /// Bytes that it holds in memory, in its frames too.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Held(bytes) => bytes.len(),
            Self::Frames(frames) => frames.iter().map(Self::held_bytes).sum(),
            Self::Path(_) | Self::Url(_) | Self::Part { .. } => 0,
        }
    }

    /// The path on this machine, of what lies in the file system by itself.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }
}

/// The URL, if a path is written as one.
pub fn url_of(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once("://")?;
    let letter = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(letter))
        .then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;

    fn part(of: Blob, start: u64, bytes: u64) -> Blob {
        let of = Arc::new(of);
        Blob::Part { of, start, bytes }
    }

    #[test]
    fn urls_are_told_from_paths() {
        for url in ["s3://b/k", "gs://b", "https://h/p?q", "az://c/k"] {
            assert_eq!(url_of(Path::new(url)), Some(url));
        }
        for path in ["/a/b", "a/b", "c:/d", "a//b", "1s3://b", "a b://c", "://x"] {
            assert_eq!(url_of(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn parts_of_parts_of_files_and_of_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs_err::write(&path, b"0123456789").unwrap();
        for whole in [
            Blob::Path(path),
            Blob::Held(b"0123456789".as_slice().into()),
        ] {
            let inner = part(part(whole.clone(), 2, 6), 1, 4);
            assert_eq!(inner.read(4).unwrap(), b"3456");
            assert_eq!(
                inner.read(3).unwrap_err().kind(),
                io::ErrorKind::FileTooLarge
            );
            let mut reader = inner.open().unwrap();
            assert_eq!(reader.len(), 4);
            reader.seek(SeekFrom::End(-1)).unwrap();
            let mut rest = String::new();
            reader.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "6");
            let kept = fs_err::read(inner.local().unwrap().path()).unwrap();
            assert_eq!(kept, b"3456");
            let beyond = part(whole, 8, 4).open().unwrap_err();
            assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn what_is_held_is_counted() {
        let held = Blob::Held(b"abc".as_slice().into());
        assert_eq!(held.held_bytes(), 3);
        assert_eq!(part(held.clone(), 1, 1).held_bytes(), 0);
        let path = Blob::Path("x".into());
        assert_eq!(
            Blob::Frames([held.clone(), path, held].into()).held_bytes(),
            6
        );
    }

    #[test]
    fn a_copy_goes_with_its_owner() {
        let local = Blob::Held(b"x".as_slice().into()).local().unwrap();
        let path = local.path().to_owned();
        assert!(path.exists());
        drop(local);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        for blob in [
            Blob::Path(folder.path().to_owned()),
            Blob::Frames([].into()),
        ] {
            assert!(is_no_file(&blob.open().unwrap_err()));
        }
        let missing = Blob::Path(folder.path().join("no")).open().unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
