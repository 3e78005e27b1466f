//! The checkpoint's fingerprint: a hash of the content that decides what comes out of the model.
//!
//! Files count by name and content, so a copy elsewhere has the same fingerprint. Sharding, which changes no result,
//! does change it. What training leaves beside the model (optimizer, trainer state, logs) is not in it.

use super::error::CheckpointError;
use super::options::{OnProgress, Progress, Step};
use fs_err::os::unix::fs::FileExt;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes hashed as one unit of parallel work. Part of the fingerprint's definition.
const PIECE: u64 = 64 << 20;
/// Bytes read at a time.
const BUFFER: usize = 1 << 20;
/// Says what is hashed and in which form; another form takes another number.
const CONTEXT: &str = "madmix checkpoint fingerprint 1";

/// One thing hashed under a name.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A file.
    File(PathBuf),
    /// A text taken from a file, such as a chat template.
    Text(String),
}

/// The fingerprint of all `parts`, in hexadecimal.
pub(super) fn fingerprint(
    mut parts: Vec<(String, Content)>,
    progress: &OnProgress,
) -> Result<String, CheckpointError> {
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    for (name, content) in &parts {
        let (length, hash) = match content {
            Content::File(path) => hash_file(path, name, progress)?,
            Content::Text(text) => (text.len() as u64, blake3::hash(text.as_bytes())),
        };
        hasher
            .update(&(name.len() as u64).to_le_bytes())
            .update(name.as_bytes());
        hasher.update(&length.to_le_bytes()).update(hash.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Length and hash of a file: the hash of its pieces' hashes, which are made in parallel.
fn hash_file(
    path: &PathBuf,
    name: &str,
    progress: &OnProgress,
) -> Result<(u64, blake3::Hash), CheckpointError> {
    let file = fs_err::File::open(path)?;
    let total = file.metadata()?.len();
    let done = AtomicU64::new(0);
    let piece = |number: u64| -> Result<blake3::Hash, std::io::Error> {
        let (start, end) = (number * PIECE, ((number + 1) * PIECE).min(total));
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; BUFFER.min((end - start) as usize)];
        for at in (start..end).step_by(BUFFER) {
            let length = buffer.len().min((end - at) as usize);
            file.read_exact_at(&mut buffer[..length], at)?;
            hasher.update(&buffer[..length]);
        }
        let done = done.fetch_add(end - start, Ordering::Relaxed) + (end - start);
        progress(Progress {
            step: Step::Hash,
            file: name,
            done,
            total,
        });
        Ok(hasher.finalize())
    };
    let pieces: Vec<blake3::Hash> = (0..total.div_ceil(PIECE))
        .into_par_iter()
        .map(piece)
        .collect::<Result<_, _>>()?;
    let mut hasher = blake3::Hasher::new();
    for piece in &pieces {
        hasher.update(piece.as_bytes());
    }
    Ok((total, hasher.finalize()))
}
