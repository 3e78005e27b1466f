//! Reading files that somebody else may have put there.

use std::io;
use std::path::Path;

/// All of a file; `None` where the name is not that of a regular file of at most `limit` bytes: a pipe would be waited
/// for, and a device read for ever.
pub(crate) fn read_regular(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let metadata = fs_err::metadata(path)?;
    if !metadata.is_file() || metadata.len() > limit {
        return Ok(None);
    }
    fs_err::read(path).map(Some)
}
