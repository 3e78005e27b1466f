//! The host's side of the Qwen-VL models: how large a picture or frame is made, and making it so.

use super::Grid;
use crate::checkpoint::qwen_vl::{Config, Pixels};
use crate::media::{FrameRounding, MediaError, Resampler, Rgb, Size, Tiles, VideoError, resize};
use crate::vlm::{self, Extent, PixelBounds, ProcessorOptions};

/// The longest side may be this many times the shortest.
const MAX_RATIO: u32 = 200;

/// Resizes pictures and frames as one checkpoint asks for it.
pub struct Processor {
    /// Side of a token in pixels.
    factor: u32,
    /// Frames of a slice.
    depth: usize,
    /// Whether positions depend on the seconds between slices.
    counts_seconds: bool,
    pictures: Bounds,
    frames: Bounds,
    resampler: Resampler,
}

/// Bounds of the pixels of a resized picture.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    min: u64,
    max: u64,
}

impl Bounds {
    fn new(pixels: &Pixels, chosen: PixelBounds) -> Self {
        Self {
            min: chosen.min_pixels.unwrap_or(pixels.min_pixels).max(1),
            max: chosen.max_pixels.unwrap_or(pixels.max_pixels).max(1),
        }
        .consistent(chosen)
    }

    /// A bound that the config sets moves the checkpoint's other one along.
    fn consistent(self, chosen: PixelBounds) -> Self {
        match chosen.max_pixels {
            Some(_) => Self {
                min: self.min.min(self.max),
                ..self
            },
            None => Self {
                max: self.max.max(self.min),
                ..self
            },
        }
    }

    /// The most pixels halved so many times, but neither below the fewest nor below four tokens.
    fn halved(self, halvings: u32, factor: u32) -> Self {
        let least = self.min.max(4 * u64::from(factor).pow(2));
        let halved = self.max.checked_shr(halvings).unwrap_or(0);
        Self {
            max: halved.max(least).min(self.max),
            ..self
        }
    }
}

impl Processor {
    /// A processor for one checkpoint.
    pub fn new(config: &Config, options: &ProcessorOptions) -> Self {
        Self {
            factor: config.vision.factor() as u32,
            depth: config.vision.temporal_patch_size,
            counts_seconds: config.tokens_per_second.is_some(),
            pictures: Bounds::new(&config.image, options.pictures),
            frames: Bounds::new(&config.video, options.frames),
            resampler: options.resampler,
        }
    }

    fn grid(&self, extent: &Extent, halvings: u32) -> Result<Grid, MediaError> {
        let (original, frames, fps, bounds) = match *extent {
            Extent::Picture(size) => (size, 1, None, self.pictures),
            Extent::Clip { size, frames, fps } => (size, frames, Some(fps), self.frames),
        };
        if self.counts_seconds && fps.is_some_and(|fps| !(fps > 0.0 && fps.is_finite())) {
            return Err(VideoError::NoFrameRate.into());
        }
        let resized = smart_resize(original, self.factor, bounds.halved(halvings, self.factor))?;
        Ok(Grid {
            original,
            resized,
            frames,
            slices: frames.div_ceil(self.depth),
            rows: (resized.height / self.factor) as usize,
            columns: (resized.width / self.factor) as usize,
            seconds_per_slice: fps.map(|fps| self.depth as f64 / fps),
        })
    }
}

impl vlm::Processor for Processor {
    fn shapes(&self, media: &[(Extent, u32)]) -> Result<Vec<vlm::Shape>, MediaError> {
        media
            .iter()
            .map(|(extent, halvings)| self.grid(extent, *halvings).map(vlm::Shape::QwenVl))
            .collect()
    }

    fn render(&self, frame: &Rgb, shape: &vlm::Shape, tiles: &mut Tiles) -> Result<(), MediaError> {
        let grid = shape.qwen_vl();
        if frame.size() != grid.original {
            let (planned, found) = (grid.original, frame.size());
            return Err(MediaError::SizeChanged { planned, found });
        }
        let resized = resize(frame, grid.resized, self.resampler);
        tiles.append(Tiles::single(resized.into_owned()));
        Ok(())
    }

    fn frame_rounding(&self) -> FrameRounding {
        FrameRounding::Qwen
    }
}

/// The size nearest to the picture's whose sides are multiples of `factor` and whose pixels are within the bounds.
///
/// Reference: `smart_resize` of transformers; its arithmetic is in doubles, and halves are rounded to even.
fn smart_resize(size: Size, factor: u32, bounds: Bounds) -> Result<Size, MediaError> {
    let (short, long) = (size.width.min(size.height), size.width.max(size.height));
    if short == 0 {
        return Err(MediaError::NoPixels(size));
    }
    if u64::from(long) > u64::from(MAX_RATIO) * u64::from(short) {
        let limit = MAX_RATIO;
        return Err(MediaError::TooNarrow { size, limit });
    }
    let each = |side: &dyn Fn(f64) -> f64| {
        let side = |length: u32| (side(f64::from(length)) as u32).saturating_mul(factor);
        Size::new(side(size.width), side(size.height))
    };
    let tokens = f64::from(factor);
    let nearest = each(&|length| (length / tokens).round_ties_even());
    Ok(if nearest.pixels() > bounds.max {
        let shrink = (size.pixels() as f64 / bounds.max as f64).sqrt();
        each(&|length| (length / shrink / tokens).floor().max(1.0))
    } else if nearest.pixels() < bounds.min {
        let grow = (bounds.min as f64 / size.pixels() as f64).sqrt();
        each(&|length| (length * grow / tokens).ceil())
    } else {
        nearest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Height and width, as transformers has them.
    fn resized(height: u32, width: u32, min: u64, max: u64) -> (u32, u32) {
        let size = Size::new(width, height);
        let resized = smart_resize(size, 28, Bounds { min, max }).unwrap();
        (resized.height, resized.width)
    }

    #[test]
    fn sides_are_rounded_to_tokens_with_halves_to_even() {
        let sides = |height, width| resized(height, width, 3136, 12_845_056);
        assert_eq!(sides(177, 233), (168, 224));
        assert_eq!(sides(427, 640), (420, 644));
        // 1.5, 2.5 and 3.5 tokens.
        assert_eq!(sides(42, 70), (56, 56));
        assert_eq!(sides(98, 98), (112, 112));
        assert_eq!(sides(100, 900), (112, 896));
    }

    #[test]
    fn too_few_pixels_are_rounded_up_and_too_many_down() {
        assert_eq!(resized(20, 20, 3136, 12_845_056), (56, 56));
        assert_eq!(resized(47, 423, 3136, 12_845_056), (56, 420));
        assert_eq!(resized(2, 398, 3136, 12_845_056), (28, 812));
        assert_eq!(resized(8000, 6000, 3136, 12_845_056), (4116, 3080));
        assert_eq!(resized(90, 120, 3136, 12_544), (84, 112));
        assert_eq!(resized(1, 200, 1, 3136), (28, 28));
        // A side of no token at all.
        assert_eq!(resized(10, 1500, 1, 12_845_056), (28, 28));
    }

    #[test]
    fn a_strip_longer_than_200_times_its_width_is_refused() {
        let bounds = Bounds { min: 1, max: 9999 };
        assert!(smart_resize(Size::new(200, 1), 28, bounds).is_ok());
        let error = smart_resize(Size::new(3, 601), 28, bounds).unwrap_err();
        assert!(error.to_string().contains("3x601"), "{error}");
        assert_eq!(error.kind(), "unsupported");
        let error = smart_resize(Size::new(0, 5), 28, bounds).unwrap_err();
        assert!(matches!(error, MediaError::NoPixels(_)));
    }

    #[test]
    fn halvings_end_at_four_tokens_or_the_fewest_pixels() {
        let bounds = Bounds {
            min: 3136,
            max: 12_544,
        };
        assert_eq!(bounds.halved(0, 28).max, 12_544);
        assert_eq!(bounds.halved(1, 28).max, 6272);
        assert_eq!(bounds.halved(99, 28).max, 3136);
        let more = Bounds {
            min: 8000,
            max: 12_544,
        };
        assert_eq!(more.halved(1, 28).max, 8000);
        let less = Bounds { min: 1, max: 1000 };
        assert_eq!(less.halved(3, 28).max, 1000);
    }

    #[test]
    fn a_bound_of_the_config_moves_the_checkpoints_other_one_along() {
        let own = Bounds { min: 100, max: 200 };
        let with = |min, max| {
            let chosen = PixelBounds {
                min_pixels: min,
                max_pixels: max,
            };
            let bounds = Bounds {
                min: min.unwrap_or(own.min),
                max: max.unwrap_or(own.max),
            };
            let bounds = bounds.consistent(chosen);
            (bounds.min, bounds.max)
        };
        assert_eq!(with(None, None), (100, 200));
        assert_eq!(with(Some(300), None), (300, 300));
        assert_eq!(with(None, Some(50)), (50, 50));
        assert_eq!(with(Some(150), Some(160)), (150, 160));
    }

    #[test]
    fn clips_get_smaller_by_halvings_and_need_a_rate_where_seconds_count() {
        let bounds = Bounds {
            min: 3136,
            max: 100_352,
        };
        let mut processor = Processor {
            factor: 28,
            depth: 2,
            counts_seconds: true,
            pictures: bounds,
            frames: bounds,
            resampler: Resampler::default(),
        };
        let clip = |fps| Extent::Clip {
            size: Size::new(640, 360),
            frames: 5,
            fps,
        };
        let whole = processor.grid(&clip(2.0), 0).unwrap();
        assert_eq!((whole.slices, whole.seconds_per_slice), (3, Some(1.0)));
        assert!(processor.grid(&clip(2.0), 1).unwrap().tokens() < whole.tokens());
        for unknown in [0.0, f64::NAN] {
            let error = processor.grid(&clip(unknown), 0).unwrap_err();
            assert_eq!(error.kind(), "no-frame-rate");
        }
        processor.counts_seconds = false;
        assert_eq!(
            processor.grid(&clip(0.0), 0).unwrap().tokens(),
            whole.tokens()
        );
    }
}
