//! The integer weights of one axis.

use std::ops::Range;

use super::{Filter, Resampler, Resampling};

impl Filter {
    /// Half its width, in pixels of the coarser grid.
    fn radius(self) -> f64 {
        match self {
            Self::Cubic => 2.0,
            Self::Triangle => 1.0,
        }
    }

    /// Its value so far from the middle.
    fn at(self, x: f64) -> f64 {
        match self {
            Self::Cubic => cubic(x),
            Self::Triangle => (1.0 - x.abs()).max(0.0),
        }
    }
}

/// For every output position: where its window of input positions starts, and their weights.
pub(super) struct Axis {
    /// First input position and length of each window.
    windows: Vec<(u32, u32)>,
    /// The windows' weights, `stride` places for each.
    weights: Vec<i32>,
    stride: usize,
    /// Bits of the weights after the point.
    precision: u32,
}

impl Axis {
    /// Weights to go from `input` to `output` positions, both at least 1, for those of the outputs that are `kept`.
    pub(super) fn new(input: u32, output: u32, kept: Range<usize>, resampling: Resampling) -> Self {
        let Resampling { resampler, filter } = resampling;
        let scale = f64::from(input) / f64::from(output);
        let stretch = scale.max(1.0);
        let support = filter.radius() * stretch;
        let stride = support.ceil() as usize * 2 + 1;
        // Fills the weights of one output and returns its window.
        let fill = |i: usize, slots: &mut [f64]| {
            let center = scale * (i as f64 + 0.5);
            let start = (center - support + 0.5).max(0.0) as u32;
            let end = ((center + support + 0.5) as u32).min(input);
            let len = (end - start) as usize;
            slots.fill(0.0);
            let mut total = 0.0;
            for (j, slot) in slots[..len].iter_mut().enumerate() {
                *slot = filter.at((f64::from(start) + j as f64 - center + 0.5) * (1.0 / stretch));
                total += *slot;
            }
            if total != 0.0 {
                for weight in slots {
                    *weight /= total;
                }
            }
            (start, end - start)
        };
        let precision = match resampler {
            // It depends on the largest weight of all outputs, also of those that are not kept.
            Resampler::Torchvision => {
                let mut slots = vec![0.0; stride];
                let largest = (0..output as usize).fold(0.0_f64, |largest, i| {
                    fill(i, &mut slots);
                    slots.iter().copied().fold(largest, f64::max)
                });
                int16_precision(largest)
            }
            Resampler::Pillow => 22,
        };
        let unit = f64::from(1_u32 << precision);
        let mut windows = Vec::with_capacity(kept.len());
        let mut weights = Vec::with_capacity(kept.len() * stride);
        let mut slots = vec![0.0; stride];
        for i in kept {
            windows.push(fill(i, &mut slots));
            // `round` goes half away from zero, as both references do.
            weights.extend(slots.iter().map(|weight| (weight * unit).round() as i32));
        }
        Self {
            windows,
            weights,
            stride,
            precision,
        }
    }

    /// Output positions.
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    /// What a sum starts from, so that [`Axis::levels`] rounds it.
    pub(super) fn half(&self) -> i32 {
        1 << (self.precision - 1)
    }

    /// Sums as levels.
    #[inline]
    pub(super) fn levels<const N: usize>(&self, sums: [i32; N]) -> [u8; N] {
        sums.map(|sum| (sum >> self.precision).clamp(0, 255) as u8)
    }

    /// Whether every weight fits in 16 bits.
    pub(super) fn is_short(&self) -> bool {
        self.precision <= 15
    }

    /// Start and weights of one output position.
    pub(super) fn window(&self, i: usize) -> (usize, &[i32]) {
        let (start, len) = self.windows[i];
        (
            start as usize,
            &self.weights[i * self.stride..][..len as usize],
        )
    }

    /// The input positions that any window covers.
    pub(super) fn used(&self) -> Range<usize> {
        let (first, _) = self.windows[0];
        let (last, len) = self.windows[self.windows.len() - 1];
        first as usize..(last + len) as usize
    }
}

/// The largest precision that leaves the largest weight in 16 bits.
fn int16_precision(largest: f64) -> u32 {
    let fits = |bits: u32| largest * f64::from(1_u32 << bits) + 0.5 < f64::from(1 << 15);
    (0..22).find(|bits| !fits(bits + 1)).unwrap_or(22)
}

/// Keys' cubic convolution kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
