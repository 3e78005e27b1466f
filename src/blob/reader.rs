//! Reads a blob from anywhere in it.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use fs_err::File;
use fs_err::os::unix::fs::FileExt;

/// A folder, a pipe or a device where a file was expected.
#[derive(Debug, thiserror::Error)]
#[error("not a regular file")]
pub(super) struct NotAFile;

impl From<NotAFile> for io::Error {
    fn from(error: NotAFile) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// Whether an error of [`Blob::open`](super::Blob::open) says that something is there, but no regular file.
pub fn is_no_file(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<NotAFile>)
}

/// Something of known length that is read from any place.
pub(super) trait ReadAt: Send + Sync {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Fills the start of `buffer` from `offset`; says how much, which is nothing only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// An open [`Blob`](super::Blob). Not buffered.
#[derive(Clone)]
pub struct Reader {
    source: Arc<dyn ReadAt>,
    start: u64,
    len: u64,
    at: u64,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} of {} bytes)", self.at, self.len)
    }
}

impl Reader {
    pub(super) fn of_file(path: &Path) -> io::Result<Self> {
        // Asked first: to open a named pipe would wait for a writer.
        if !fs_err::metadata(path)?.is_file() {
            return Err(NotAFile.into());
        }
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self::whole(Arc::new(OpenFile { file, len })))
    }

    pub(super) fn of_bytes(bytes: Arc<[u8]>) -> Self {
        Self::whole(Arc::new(bytes))
    }

    pub(super) fn of_remote(object: Arc<dyn ReadAt>) -> Self {
        Self::whole(object)
    }

    fn whole(source: Arc<dyn ReadAt>) -> Self {
        let len = source.len();
        Self {
            source,
            start: 0,
            len,
            at: 0,
        }
    }

    /// Bytes from `start` on alone.
    pub(super) fn part(self, start: u64, bytes: u64) -> io::Result<Self> {
        if start.checked_add(bytes).is_none_or(|end| end > self.len) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive has become shorter",
            ));
        }
        Ok(Self {
            start: self.start + start,
            len: bytes,
            at: 0,
            ..self
        })
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// When they cannot be read, or there are fewer.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.len.saturating_sub(offset);
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        loop {
            match self
                .source
                .read_at(&mut buffer[..most], self.start + offset)
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

struct OpenFile {
    file: File,
    len: u64,
}

impl ReadAt for OpenFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

impl ReadAt for Arc<[u8]> {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
