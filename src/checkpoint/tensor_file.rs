//! One safetensors file: the header read and checked on opening, tensors by positioned reads.
//!
//! Files are not mapped: a file that another process truncates is then an error and not a SIGBUS, and no more than
//! one tensor's chunk is in memory beside the tensors themselves.

use super::error::CheckpointError;
use super::fields::check_regular;
use fs_err::os::unix::fs::FileExt;
use safetensors::tensor::{Metadata, TensorInfo};
use std::path::{Path, PathBuf};

/// Bytes in front of the header, which give its length.
const LENGTH_BYTES: u64 = 8;
/// The format's own limit on headers.
const HEADER_LIMIT: u64 = 100_000_000;

/// An open safetensors file.
#[derive(Debug)]
pub(super) struct TensorFile {
    path: PathBuf,
    file: fs_err::File,
    header: Metadata,
    /// Where the tensors' bytes begin.
    data: u64,
}

impl TensorFile {
    /// Reads the header and compares it with the file's length.
    pub(super) fn open(path: PathBuf) -> Result<Self, CheckpointError> {
        let length = check_regular(&path)?.len();
        let file = fs_err::File::open(&path)?;
        let bad = |reason: String| CheckpointError::Header {
            path: path.clone(),
            reason,
        };
        let mut prefix = [0; LENGTH_BYTES as usize];
        if length < LENGTH_BYTES {
            return Err(bad(format!(
                "it has only {length} bytes; copy or download it again"
            )));
        }
        file.read_exact_at(&mut prefix, 0)?;
        if &prefix == b"version " {
            return Err(bad(
                "it is a Git LFS pointer; run `git lfs pull` in its folder".into(),
            ));
        }
        let header_length = u64::from_le_bytes(prefix);
        if header_length > HEADER_LIMIT {
            return Err(bad(format!(
                "its first 8 bytes promise a header of {header_length} bytes"
            )));
        }
        let data = LENGTH_BYTES + header_length;
        if length < data {
            return Err(bad(format!(
                "it is cut off inside its header: {data} bytes expected and {length} found; copy or download it again"
            )));
        }
        let mut header = vec![0; header_length as usize];
        file.read_exact_at(&mut header, LENGTH_BYTES)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| bad(format!("its header: {error}")))?;
        // What the header claims may be longer than any file.
        let expected = data.saturating_add(header.data_len() as u64);
        if length > expected {
            return Err(bad(format!(
                "{} bytes follow the last tensor ({length} for {expected})",
                length - expected
            )));
        }
        let this = Self {
            path,
            file,
            header,
            data,
        };
        match this.first_beyond(length) {
            Some((tensor, needed)) => Err(CheckpointError::Truncated {
                path: this.path,
                tensor,
                needed,
                actual: length,
            }),
            None => Ok(this),
        }
    }

    /// The first tensor that does not lie within `length` bytes, and the length that it needs.
    fn first_beyond(&self, length: u64) -> Option<(String, u64)> {
        let end = |name: &String| {
            let end = self.header.info(name)?.data_offsets.1 as u64;
            Some(self.data.saturating_add(end))
        };
        self.header.offset_keys().into_iter().find_map(|name| {
            let needed = end(&name)?;
            (needed > length).then_some((name, needed))
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Names in this file, in the order of their bytes.
    pub(super) fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    pub(super) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.header.info(name)
    }

    /// Fills `buffer` with the bytes of tensor `name` from `offset` on.
    pub(super) fn read(
        &self,
        name: &str,
        info: &TensorInfo,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), CheckpointError> {
        let at = self.data + (info.data_offsets.0 + offset) as u64;
        self.file.read_exact_at(buffer, at).map_err(|error| {
            if error.kind() != std::io::ErrorKind::UnexpectedEof {
                return error.into();
            }
            CheckpointError::Truncated {
                path: self.path.clone(),
                tensor: name.to_owned(),
                needed: self.data + info.data_offsets.1 as u64,
                actual: self.file.metadata().map_or(0, |metadata| metadata.len()),
            }
        })
    }
}
