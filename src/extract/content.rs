//! What a shard's samples hold, in one digest, so that vectors of other pictures are told from those of these.

use blake3::Hasher;
use rayon::prelude::*;

use super::work::ShardWork;
use crate::dataset::{MediaKind, Sample, SampleProblem};
use crate::media::{Digest, clip_digest, picture_digest, video};
use crate::store::Failure;

/// Hexadecimal digits of a digest.
const DIGITS: usize = 32;

impl ShardWork {
    /// A digest of what the shard's samples hold: the rows as they are read now, and the content of their pictures and
    /// clips. The same on every machine and wherever the data lies. Reads all pictures, and up to 4 MiB of each clip,
    /// several at a time.
    ///
    /// The rows are in the dataset's fingerprint already. They are in here as well so that a file that is written to
    /// while a run reads it does no harm to the next run.
    ///
    /// `None` when something is there that this machine cannot read: then nothing is known.
    pub fn content(&self) -> Option<String> {
        let dataset = self.dataset.dataset.as_ref();
        let digests: Vec<Digest> = self
            .samples()
            .par_iter()
            .map(|&index| match dataset.read(index) {
                Ok(sample) => sample_digest(&sample),
                Err(error) if matches!(error.problem, SampleProblem::Io(_)) => None,
                Err(error) => {
                    let mut hash = Hasher::new();
                    hash.update(b"no sample");
                    part(&mut hash, error.to_string().as_bytes());
                    Some(hash.finalize().into())
                }
            })
            .collect::<Option<_>>()?;
        let hash = blake3::hash(digests.as_flattened()).to_hex();
        Some(hash[..DIGITS].to_owned())
    }
}

/// Whether a failure is a fact about the data on every machine. One that asks for another try may be due to this one, and
/// so may a clip that its programs do not understand.
pub fn is_lasting(failure: &Failure) -> bool {
    ![video::RETRY, video::UNDECODABLE]
        .iter()
        .any(|words| failure.reason.contains(words))
}

fn sample_digest(sample: &Sample) -> Option<Digest> {
    let mut hash = Hasher::new();
    hash.update(b"sample").update(&sample.row.to_le_bytes());
    part(&mut hash, sample.id.as_bytes());
    hash.update(&(sample.turns.len() as u64).to_le_bytes());
    for turn in &sample.turns {
        part(&mut hash, turn.role.as_str().as_bytes());
        part(&mut hash, turn.text.as_bytes());
    }
    for media in &sample.media {
        let digest = match media.kind {
            MediaKind::Image => picture_digest(&media.blob),
            MediaKind::Video => clip_digest(&media.blob),
        };
        let digest = digest
            .inspect_err(|error| tracing::debug!("{error}"))
            .ok()?;
        part(&mut hash, media.kind.placeholder().as_bytes());
        part(&mut hash, media.name.as_bytes());
        hash.update(&digest);
    }
    Some(hash.finalize().into())
}

/// Adds bytes with their length, so that no two lists of parts run into the same bytes.
fn part(hash: &mut Hasher, bytes: &[u8]) {
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::VideoError;

    #[test]
    fn only_what_may_not_come_again_is_not_lasting() {
        let lasting = |fault: VideoError| {
            is_lasting(&Failure {
                id: String::new(),
                reason: format!("a.mp4: {fault}"),
                row: 0,
            })
        };
        let (program, seconds) = ("ffmpeg", 120.0);
        assert!(!lasting(VideoError::Timeout { program, seconds }));
        assert!(lasting(VideoError::NoFrames));
    }
}
