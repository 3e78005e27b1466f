//! A picture or a clip of a sample: looked at first, read later.

use super::options::Options;
use crate::blob::Blob;
use crate::dataset::Media;
use crate::media::{self, Clip, FrameRounding, MediaError, Rgb, Size, VideoError};
use crate::vlm::Extent;

/// What a picture or a clip turned out to be, without its pixels.
pub(super) enum Source {
    Picture(Size),
    Clip {
        clip: Clip,
        /// The frames to take, ascending.
        indices: Vec<u64>,
    },
}

impl Source {
    /// Looks at a clip.
    pub(super) fn probe(media: &Media, options: &Options) -> Result<Clip, MediaError> {
        Clip::probe(
            &media.blob,
            options.orientation,
            options.limits,
            options.video,
        )
    }

    /// Chooses the frames of a clip.
    pub(super) fn clip(
        clip: Clip,
        options: &Options,
        rounding: FrameRounding,
    ) -> Result<Self, MediaError> {
        let sampling = options.sampling;
        let mut indices = match sampling.indices(clip.frames, clip.fps, clip.kind, rounding) {
            // A short clip is no fault of the data: it is taken whole, where the references fail.
            Err(MediaError::Video(VideoError::TooShort { .. })) => (0..clip.frames).collect(),
            indices => indices?,
        };
        if let Some(most) = options.max_frames {
            indices = thinned(&indices, most as usize);
        }
        Ok(Self::Clip { clip, indices })
    }

    /// What decides about its tokens when these are to be halved so many times: a clip's frames are, until one is left,
    /// and what is left of the halvings is for the size of pictures and frames.
    pub(super) fn extent(&self, halvings: u32) -> (Extent, u32) {
        match self {
            Self::Picture(size) => (Extent::Picture(*size), halvings),
            Self::Clip { clip, indices } => {
                let frames = halved(indices.len(), halvings);
                let extent = Extent::Clip {
                    size: clip.size,
                    frames,
                    fps: frames as f64 / clip.frames as f64 * clip.fps,
                };
                let of_frames = indices.len().max(1).ilog2();
                (extent, halvings.saturating_sub(of_frames))
            }
        }
    }

    /// Thins a clip's frames for good.
    pub(super) fn halve(&mut self, halvings: u32) {
        if let Self::Clip { indices, .. } = self {
            *indices = thinned(indices, halved(indices.len(), halvings));
        }
    }

    /// Says where its bytes lie from now on.
    pub(super) fn move_to(&mut self, blob: &Blob) {
        if let Self::Clip { clip, .. } = self {
            *clip = clip.clone().at(blob);
        }
    }

    /// Decodes the picture, or the clip frame by frame.
    pub(super) fn read(
        &self,
        media: &Media,
        options: &Options,
        take: &mut dyn FnMut(Rgb) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        match self {
            Self::Picture(_) => take(media::load(
                &media.blob,
                options.orientation,
                options.limits,
            )?),
            Self::Clip { clip, indices } => match media.blob {
                Blob::Path(_) => clip.read(indices, take),
                // Bytes that came with the row may have come again since.
                _ => clip.clone().at(&media.blob).read(indices, take),
            },
        }
    }
}

/// Half of `frames`, so many times, but never none.
fn halved(frames: usize, halvings: u32) -> usize {
    frames.checked_shr(halvings).unwrap_or(0).max(1)
}

/// At most `most` of the frames, spread evenly from the first on.
fn thinned(indices: &[u64], most: usize) -> Vec<u64> {
    let kept = indices.len().min(most);
    (0..kept)
        .map(|k| indices[k * indices.len() / kept])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_spreads_what_is_kept() {
        let all: Vec<u64> = (0..10).collect();
        assert_eq!(thinned(&all, 20), all);
        assert_eq!(thinned(&all, 5), [0, 2, 4, 6, 8]);
        assert_eq!(thinned(&all, 3), [0, 3, 6]);
        assert_eq!(thinned(&all, 1), [0]);
        assert!(thinned(&[], 3).is_empty());
    }

    #[test]
    fn halving_never_takes_the_last_frame() {
        assert_eq!([0, 1, 2, 9].map(|n| halved(9, n)), [9, 4, 2, 1]);
        assert_eq!(halved(9, 64), 1);
    }
}
