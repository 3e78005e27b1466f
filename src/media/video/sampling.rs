//! Which frames of a clip a checkpoint's training took.

use super::{ClipKind, VideoError};
use crate::media::MediaError;

/// How frames are chosen from a clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// All of them: the default of transformers' processors.
    Every,
    /// So many, at places `k * total / n`: `num_frames` of transformers.
    NumFrames(u32),
    /// So many a second of the clip, spread in the same way: `fps` of transformers.
    Fps(f64),
    /// What LLaVA-NeXT's training code does (`llava/train/train.py`): of a file one frame a second, or 32 spread
    /// evenly if that gives more; of a folder 10 spread evenly, repeated where it has fewer. [`FrameRounding`] plays
    /// no part.
    LlavaNext,
}

/// How the number of frames is rounded before they are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameRounding {
    /// Not at all (transformers' `default_sample_indices_fn`).
    #[default]
    Plain,
    /// To pairs (transformers' `Qwen2VLVideoProcessor`): [`Sampling::NumFrames`] to the nearest even number, halves to
    /// a multiple of four; [`Sampling::Fps`] down to an even number, after clamping to 4 … 768.
    Qwen,
}

impl FrameRounding {
    const QWEN_MIN_FRAMES: f64 = 4.0;
    const QWEN_MAX_FRAMES: u64 = 768;
}

const LLAVA_NEXT_FRAMES: u64 = 32;
const LLAVA_NEXT_FOLDER_FRAMES: u64 = 10;

impl Sampling {
    /// What Qwen-VL is trained on: two frames a second (`FPS` of qwen-vl-utils).
    pub const QWEN_VL: Self = Self::Fps(2.0);

    /// The frames to take of a clip with `total` frames at `fps` frames a second, ascending.
    ///
    /// # Errors
    /// A clip without frames, more frames asked for than there are, no frame rate where one is needed, a rate that is
    /// not above zero.
    pub fn indices(
        &self,
        total: u64,
        fps: f64,
        kind: ClipKind,
        rounding: FrameRounding,
    ) -> Result<Vec<u64>, MediaError> {
        if total == 0 {
            return Err(VideoError::NoFrames.into());
        }
        match *self {
            Self::Every => Ok((0..total).collect()),
            Self::NumFrames(n) => {
                let count = match rounding {
                    FrameRounding::Plain => u64::from(n),
                    FrameRounding::Qwen => (f64::from(n) / 2.0).round_ties_even() as u64 * 2,
                };
                if count == 0 {
                    let what = format!("{n} frames with {rounding:?} rounding: that leaves none");
                    return Err(VideoError::BadSampling { what }.into());
                }
                spread(total, count)
            }
            Self::Fps(wanted) => {
                if !(wanted.is_finite() && wanted > 0.0) {
                    let what = format!("{wanted} frames a second; the rate has to be above zero");
                    return Err(VideoError::BadSampling { what }.into());
                }
                // In the reference's order of operations: another order rounds differently.
                let exact = total as f64 / rate(fps)? * wanted;
                let count = match rounding {
                    FrameRounding::Plain => (exact as u64).max(1),
                    FrameRounding::Qwen => qwen_count(total, exact)?,
                };
                spread(total, count)
            }
            Self::LlavaNext => match kind {
                ClipKind::Folder => Ok(linspace(total, LLAVA_NEXT_FOLDER_FRAMES)),
                ClipKind::File => {
                    let step = (rate(fps)?.round_ties_even() as u64).max(1);
                    if total.div_ceil(step) > LLAVA_NEXT_FRAMES {
                        Ok(linspace(total, LLAVA_NEXT_FRAMES))
                    } else {
                        Ok((0..total).step_by(step as usize).collect())
                    }
                }
            },
        }
    }
}

fn rate(fps: f64) -> Result<f64, VideoError> {
    if fps.is_finite() && fps > 0.0 {
        Ok(fps)
    } else {
        Err(VideoError::NoFrameRate)
    }
}

fn qwen_count(total: u64, exact: f64) -> Result<u64, VideoError> {
    let most = FrameRounding::QWEN_MAX_FRAMES.min(total) / 2 * 2;
    if most == 0 {
        return Err(VideoError::TooShort {
            frames: total,
            asked: 2,
        });
    }
    let clamped = exact.max(FrameRounding::QWEN_MIN_FRAMES).min(most as f64);
    Ok(clamped as u64 / 2 * 2)
}

fn spread(total: u64, count: u64) -> Result<Vec<u64>, MediaError> {
    if count > total {
        return Err(VideoError::TooShort {
            frames: total,
            asked: count,
        }
        .into());
    }
    let at = |k: u64| (u128::from(k) * u128::from(total) / u128::from(count)) as u64;
    Ok((0..count).map(at).collect())
}

/// `np.linspace(0, total - 1, count, dtype=int)`, for two or more.
fn linspace(total: u64, count: u64) -> Vec<u64> {
    let last = total - 1;
    let step = last as f64 / (count - 1) as f64;
    (0..count - 1)
        .map(|k| (k as f64 * step) as u64)
        .chain([last])
        .collect()
}
