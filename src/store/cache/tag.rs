//! The mark of a cache's folder: <https://bford.info/cachedir/>. Backups skip a folder that has it, so it is never put
//! into a folder that holds anything else; and only a folder that has it is tidied.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::CacheError;
use crate::store::publish;
use crate::store::publish::is_temporary;
use crate::store::read_regular;

const NAME: &str = "CACHEDIR.TAG";
/// The first line is the specification's; the second says whose cache it is.
const HEAD: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# madmix shard cache";
/// Bytes; the mark of another program may be longer than ours.
const LONGEST: u64 = 1 << 16;
const TEXT: &str =
    ". Every file in it can be made again.\n# `madmix cache` lists, verifies and prunes it.\n";

/// Whether a folder is a cache of ours.
pub(super) fn is_ours(folder: &Path) -> io::Result<bool> {
    match read_regular(&folder.join(NAME), LONGEST) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        text => Ok(text?.is_some_and(|text| text.starts_with(HEAD.as_bytes()))),
    }
}

/// Makes an empty or missing folder a cache; one that is a cache already stays as it is.
pub(super) fn claim(folder: &Path) -> Result<(), CacheError> {
    if is_ours(folder)? {
        return Ok(());
    }
    if is_empty(folder)? {
        publish(&folder.join(NAME), format!("{HEAD}{TEXT}").as_bytes())?;
        return Ok(());
    }
    // Another process may have claimed it between the two looks.
    if is_ours(folder)? {
        return Ok(());
    }
    Err(CacheError::Foreign {
        folder: folder.to_owned(),
    })
}

/// Whether nothing is there, or nothing but what another process is about to publish.
fn is_empty(folder: &Path) -> io::Result<bool> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    for entry in entries {
        if !is_temporary(&entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}
