//! Bicubic and bilinear resampling with antialiasing, equal to the bit to torchvision's and to Pillow's.
//!
//! Both work on 8-bit levels in two passes, one an axis, with Keys' cubic (a = -0.5) or a triangle stretched by the scale when the
//! picture shrinks, and both round to 8 bits between the passes. A resampler that keeps floats in between is off on
//! 17 % of the levels, which moves pooled states a hundred times more than float32 noise does. No crate has these
//! levels. Reference: `upsample_avx_bilinear_bicubic_uint8` of `PyTorch`, `Resample.c` of Pillow 13.

mod weights;

use std::borrow::Cow;

use rayon::prelude::*;

use super::{Rgb, Size};
use weights::Axis;

/// Whose levels a resize has to give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resampler {
    /// `torchvision.transforms.v2.functional.resize` of uint8 with antialias: 16-bit weights, rows first. What
    /// transformers uses when torchvision is installed.
    #[default]
    Torchvision,
    /// `PIL.Image.resize` of Pillow 13: 22-bit weights, the cheaper axis first. What LLaVA's training code uses.
    /// (Pillow 12 and older always go along the rows first.)
    Pillow,
}

/// The curve that neighbouring levels are weighted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Keys' cubic: what vision-language models are trained with.
    #[default]
    Cubic,
    /// A triangle, which is called bilinear.
    Triangle,
}

/// A filter, and whose arithmetic it is computed with. A resampler alone means the cubic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resampling {
    /// Whose arithmetic.
    pub resampler: Resampler,
    /// Which filter.
    pub filter: Filter,
}

impl From<Resampler> for Resampling {
    fn from(resampler: Resampler) -> Self {
        Self {
            resampler,
            filter: Filter::Cubic,
        }
    }
}

impl Resampler {
    /// Whether the columns are resampled before the rows.
    fn columns_first(self, from: Size, to: Size) -> bool {
        let lost = |from: u32, to: u32| i64::from(from) - i64::from(to);
        let (rows, columns) = (lost(from.height, to.height), lost(from.width, to.width));
        self == Self::Pillow && rows > 0 && rows > 2 * columns
    }
}

/// Resamples a picture to a size. One that has the size already is returned as it is; an axis that has its length
/// already is left alone.
pub fn resize(picture: &Rgb, to: Size, resampling: impl Into<Resampling>) -> Cow<'_, Rgb> {
    if picture.size() == to {
        return Cow::Borrowed(picture);
    }
    Cow::Owned(resize_part(picture, to, (0, 0), to, resampling.into()))
}

/// The part of [`resize`]'s result that begins `left` and `top` pixels inside and has size `part`, without the rest: a
/// strip that is enlarged to its short side would not fit into memory.
pub(super) fn resize_part(
    picture: &Rgb,
    to: Size,
    (left, top): (u32, u32),
    part: Size,
    resampling: Resampling,
) -> Rgb {
    let from = picture.size();
    if from.pixels() == 0 || part.pixels() == 0 {
        return Rgb::filled(part, [0; 3]);
    }
    let kept = |first: u32, count: u32| first as usize..(first + count) as usize;
    let columns = (from.height != to.height)
        .then(|| Axis::new(from.height, to.height, kept(top, part.height), resampling));
    let rows = (from.width != to.width)
        .then(|| Axis::new(from.width, to.width, kept(left, part.width), resampling));
    match (rows, columns) {
        (Some(rows), None) => along_rows(picture, &rows, top, part.height),
        (None, Some(columns)) => {
            let used = columns.used();
            let size = Size::new(part.width, used.len() as u32);
            let narrow = cut(picture, left, used.start as u32, size);
            along_columns(&narrow, &columns, used.start)
        }
        (Some(rows), Some(columns)) if resampling.resampler.columns_first(from, to) => {
            let low = along_columns(picture, &columns, 0);
            along_rows(&low, &rows, 0, part.height)
        }
        (Some(rows), Some(columns)) => {
            let used = columns.used();
            let narrow = along_rows(picture, &rows, used.start as u32, used.len() as u32);
            along_columns(&narrow, &columns, used.start)
        }
        (None, None) => cut(picture, left, top, part).into_owned(),
    }
}

/// A picture in the middle of a square of one colour, which is not made: that of a long strip would not fit into memory.
pub(super) struct Padded<'a> {
    pub(super) picture: &'a Rgb,
    pub(super) side: u32,
    /// Columns of the colour before the picture.
    pub(super) left: u32,
    /// Rows of the colour above it.
    pub(super) top: u32,
    pub(super) fill: [u8; 3],
}

impl Padded<'_> {
    /// Row `y` of the square, put into `row`.
    fn copy_row(&self, y: u32, row: &mut [u8]) {
        for pixel in row.chunks_exact_mut(3) {
            pixel.copy_from_slice(&self.fill);
        }
        let stride = self.picture.stride();
        if let Some(y) = y.checked_sub(self.top)
            && y < self.picture.height
        {
            let from = &self.picture.data[y as usize * stride..][..stride];
            row[self.left as usize * 3..][..stride].copy_from_slice(from);
        }
    }
}

/// [`resize`]s the square to `to` pixels a side. Both sides lose as much, so that rows come first.
pub(super) fn resize_padded(square: &Padded<'_>, to: u32, resampler: Resampler) -> Rgb {
    let side = square.side;
    let mut narrow = Rgb::filled(Size::new(to, side), [0; 3]);
    let all = 0..to as usize;
    let axis = (side != to).then(|| Axis::new(side, to, all, resampler.into()));
    let stride = narrow.stride();
    narrow
        .data
        .par_chunks_exact_mut(stride)
        .enumerate()
        .for_each_init(
            || vec![0; side as usize * 3],
            |row, (y, out)| {
                square.copy_row(y as u32, row);
                match &axis {
                    Some(axis) => along_row(row, axis, out),
                    None => out.copy_from_slice(row),
                }
            },
        );
    match &axis {
        Some(axis) => along_columns(&narrow, axis, 0),
        None => narrow,
    }
}

/// A part of a picture; the picture itself where that is all of it.
fn cut(picture: &Rgb, left: u32, top: u32, size: Size) -> Cow<'_, Rgb> {
    if picture.size() == size {
        return Cow::Borrowed(picture);
    }
    let mut part = Rgb::filled(size, [0; 3]);
    let (stride, len) = (picture.stride(), part.stride());
    let rows = picture.data.chunks_exact(stride).skip(top as usize);
    for (to, from) in part.data.chunks_exact_mut(len).zip(rows) {
        to.copy_from_slice(&from[left as usize * 3..][..len]);
    }
    Cow::Owned(part)
}

/// Resamples each of `count` rows, from row `first` on.
fn along_rows(picture: &Rgb, axis: &Axis, first: u32, count: u32) -> Rgb {
    let mut out = Rgb::filled(Size::new(axis.len() as u32, count), [0; 3]);
    let (stride, width) = (picture.stride(), out.stride());
    let input = &picture.data[first as usize * stride..][..count as usize * stride];
    out.data
        .par_chunks_exact_mut(width)
        .zip(input.par_chunks_exact(stride))
        .for_each(|(out, row)| along_row(row, axis, out));
    out
}

/// Resamples one row.
fn along_row(row: &[u8], axis: &Axis, out: &mut [u8]) {
    for (i, pixel) in out.chunks_exact_mut(3).enumerate() {
        let (start, weights) = axis.window(i);
        let mut sum = [axis.half(); 3];
        let taken = row[start * 3..][..weights.len() * 3].chunks_exact(3);
        for (levels, &weight) in taken.zip(weights) {
            sum[0] += i32::from(levels[0]) * weight;
            sum[1] += i32::from(levels[1]) * weight;
            sum[2] += i32::from(levels[2]) * weight;
        }
        pixel.copy_from_slice(&axis.levels(sum));
    }
}

/// Resamples each column of a picture whose first row is row `offset` of the axis.
fn along_columns(picture: &Rgb, axis: &Axis, offset: usize) -> Rgb {
    let mut out = Rgb::filled(Size::new(picture.width, axis.len() as u32), [0; 3]);
    let stride = picture.stride();
    out.data
        .par_chunks_exact_mut(stride)
        .enumerate()
        .for_each(|(y, out)| {
            let (start, weights) = axis.window(y);
            let rows = &picture.data[(start - offset) * stride..][..weights.len() * stride];
            if axis.is_short() {
                // Products of 16-bit numbers take half the instructions.
                let weights: Vec<i16> = weights.iter().map(|&weight| weight as i16).collect();
                weighted_row(axis, rows, &weights, out);
            } else {
                weighted_row(axis, rows, weights, out);
            }
        });
    out
}

/// Levels that [`weighted_row`] sums at once, so that the sums stay in registers.
const BLOCK: usize = 16;

/// The weighted sum of rows that follow each other in `rows`.
fn weighted_row<W: Copy + Into<i32>>(axis: &Axis, rows: &[u8], weights: &[W], out: &mut [u8]) {
    let stride = out.len();
    let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
    let rest_at = blocks.len() * BLOCK;
    for (i, block) in blocks.iter_mut().enumerate() {
        let mut sums = [axis.half(); BLOCK];
        for (row, &weight) in weights.iter().enumerate() {
            let levels = &rows[row * stride + i * BLOCK..][..BLOCK];
            let weight = weight.into();
            for (sum, &level) in sums.iter_mut().zip(levels) {
                *sum += i32::from(level) * weight;
            }
        }
        *block = axis.levels(sums);
    }
    for (i, level) in rest.iter_mut().enumerate() {
        let mut sum = axis.half();
        for (row, &weight) in weights.iter().enumerate() {
            sum += i32::from(rows[row * stride + rest_at + i]) * weight.into();
        }
        [*level] = axis.levels([sum]);
    }
}
