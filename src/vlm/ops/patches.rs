//! From pictures in 8-bit levels to normalised patches, in the order of a convolution's weight.
//!
//! A convolution whose stride is its size is a linear layer over the pixels of a patch. Levels travel to the device as
//! they are, a quarter of the bytes of f32, and are cut and normalised there; the CPU form reads them where they lie.

use candle_core::{DType, Device, Result, Tensor, bail};
use rayon::prelude::*;

use super::Linear;
use crate::vlm::device::transfer::upload;
use crate::vlm::kernels::{self, Levels};
use crate::vlm::profile::section;

/// For each channel, the value that each of the 256 levels becomes: `(level − 255·mean) / (255·std)`.
#[derive(Clone, Debug)]
struct Normalise([[f32; 256]; 3]);

impl Normalise {
    /// With mean and standard deviation of levels scaled to 0…1.
    fn new([mean, std]: [[f32; 3]; 2]) -> Self {
        Self(std::array::from_fn(|c| {
            let (mean, std) = (mean[c] * 255.0, std[c] * 255.0);
            std::array::from_fn(|level| (level as f32 - mean) / std)
        }))
    }
}

/// How pictures are cut and normalised.
#[derive(Clone, Debug)]
pub(crate) struct Patches {
    side: usize,
    depth: usize,
    /// Values of a patch, with zeros behind them where that makes rows of whole 16 bytes.
    width: usize,
    tables: Vec<Normalise>,
    /// The same, `[tables, 3, 256]`, where kernels read them.
    device_tables: Option<Tensor>,
    dtype: DType,
    device: Device,
}

/// Where a patch begins at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corner {
    /// The picture or frame, `[height, width, 3]`.
    pub(crate) picture: u32,
    /// The patch's first level there.
    pub(crate) first: u32,
    /// Levels from the beginning of a row of the picture to that of the next.
    pub(crate) stride: u32,
    /// Which of the normalisations it takes.
    pub(crate) table: u32,
}

impl Corner {
    /// A patch of zeros.
    pub(crate) const BLANK: Self = Self {
        picture: 0,
        first: 0,
        stride: 0,
        table: u32::MAX,
    };
}

impl Patches {
    /// Patches of `side` pixels and `depth` frames; each of the normalisations is mean and standard deviation of levels
    /// scaled to 0…1.
    ///
    /// # Errors
    /// When the upload fails.
    pub(crate) fn new(
        [side, depth]: [usize; 2],
        normalisations: &[[[f32; 3]; 2]],
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let tables: Vec<_> = normalisations.iter().copied().map(Normalise::new).collect();
        let used = 3 * depth * side * side;
        let on_card = kernels::run_on(device);
        let device_tables = on_card
            .then(|| {
                let values: Vec<f32> = tables
                    .iter()
                    .flat_map(|t| t.0.as_flattened())
                    .copied()
                    .collect();
                upload(values, (tables.len(), 3, 256), device)
            })
            .transpose()?;
        Ok(Self {
            side,
            depth,
            width: if on_card {
                used.next_multiple_of(8)
            } else {
                used
            },
            tables,
            device_tables,
            dtype,
            device: device.clone(),
        })
    }

    /// Frames of a patch.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The layer over these patches, from a convolution's weight `[d, 3, …]`.
    ///
    /// # Errors
    /// When the weight is of other patches.
    pub(crate) fn embedding(&self, weight: &Tensor, bias: Option<Tensor>) -> Result<Linear> {
        let d = weight.dim(0)?;
        let used = 3 * self.depth * self.side * self.side;
        let weight = weight.reshape((d, used))?;
        if self.width == used {
            return Linear::new(&weight, bias);
        }
        let zeros = Tensor::zeros((d, self.width - used), weight.dtype(), weight.device())?;
        Linear::new(&Tensor::cat(&[weight, zeros], 1)?, bias)
    }

    /// Normalised patches `[n, 3 · depth · side²]`, each channel, time, row and column, of pictures `[height, width,
    /// 3]`; there are `depth` corners for each patch.
    ///
    /// # Errors
    /// When a patch reaches beyond its picture, or a device operation fails.
    pub(crate) fn cut(&self, pictures: &[&[u8]], corners: &[Corner]) -> Result<Tensor> {
        for corner in corners {
            self.check(pictures, corner)?;
        }
        if !corners.len().is_multiple_of(self.depth) {
            bail!(
                "{} corners for patches of {} frames",
                corners.len(),
                self.depth
            );
        }
        section("patches", || match &self.device_tables {
            Some(tables) if kernels::run_on(&self.device) && self.has_kernel() => {
                self.cut_on_card(pictures, corners, tables)
            }
            _ => self.cut_on_host(pictures, corners),
        })
    }

    fn has_kernel(&self) -> bool {
        matches!(self.dtype, DType::BF16 | DType::F32)
    }

    fn cut_on_card(
        &self,
        pictures: &[&[u8]],
        corners: &[Corner],
        tables: &Tensor,
    ) -> Result<Tensor> {
        let levels = pictures.concat();
        if u32::try_from(levels.len()).is_err() {
            bail!(
                "{} bytes of pixels are more than go through the tower together",
                levels.len()
            );
        }
        let starts: Vec<u32> = pictures
            .iter()
            .scan(0, |end, picture| {
                let start = *end;
                *end += picture.len() as u32;
                Some(start)
            })
            .collect();
        let corners: Vec<u32> = corners
            .iter()
            .flat_map(|corner| {
                let start = starts.get(corner.picture as usize).copied().unwrap_or(0);
                [start + corner.first, corner.stride, corner.table, 0]
            })
            .collect();
        let (count, rows) = (levels.len(), corners.len() / 4 / self.depth);
        let from = Levels {
            values: &upload(levels, count, &self.device)?,
            corners: &upload(corners, (rows, self.depth, 4), &self.device)?,
            tables,
            side: self.side,
        };
        kernels::cut_patches(from, self.width, self.dtype)
    }

    fn cut_on_host(&self, pictures: &[&[u8]], corners: &[Corner]) -> Result<Tensor> {
        let (side, plane) = (self.side, self.side.pow(2));
        let rows = corners.len() / self.depth;
        let mut values = vec![0.0; rows * self.width];
        values
            .par_chunks_mut(self.width)
            .zip(corners.par_chunks(self.depth))
            .for_each(|(out, corners)| {
                for (time, corner) in corners.iter().enumerate() {
                    if *corner == Corner::BLANK {
                        continue;
                    }
                    let levels = &pictures[corner.picture as usize][corner.first as usize..];
                    let Normalise(table) = &self.tables[corner.table as usize];
                    for row in 0..side {
                        let line = &levels[row * corner.stride as usize..][..side * 3];
                        for (column, pixel) in line.chunks_exact(3).enumerate() {
                            for (c, level) in pixel.iter().enumerate() {
                                let at = (c * self.depth + time) * plane + row * side + column;
                                out[at] = table[c][*level as usize];
                            }
                        }
                    }
                }
            });
        upload(values, (rows, self.width), &self.device)?.to_dtype(self.dtype)
    }

    fn check(&self, pictures: &[&[u8]], corner: &Corner) -> Result<()> {
        if *corner == Corner::BLANK {
            return Ok(());
        }
        let levels = pictures
            .get(corner.picture as usize)
            .map_or(0, |levels| levels.len());
        let rows = (self.side - 1) * corner.stride as usize;
        let end = corner.first as usize + rows + self.side * 3;
        if end > levels || corner.table as usize >= self.tables.len() {
            bail!("{corner:?} is of no picture: it has {levels} levels");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kernels::emulation;
    use super::*;

    /// Two pictures of 7×6 pixels; a patch of each, one that has both as its times, and a blank one.
    fn pictures() -> [Vec<u8>; 2] {
        [
            (0..126).map(|i| (i * 37 % 256) as u8).collect(),
            (0..126).map(|i| (i * 91 % 256) as u8).collect(),
        ]
    }

    const NORMALISATIONS: [[[f32; 3]; 2]; 2] = [
        [[0.48, 0.45, 0.4], [0.26, 0.27, 0.28]],
        [[0.5, 0.5, 0.5], [0.5, 0.25, 0.1]],
    ];

    fn corner(picture: u32, row: u32, column: u32) -> Corner {
        Corner {
            picture,
            first: (row * 7 + column) * 3,
            stride: 21,
            table: picture,
        }
    }

    fn corners() -> Vec<Corner> {
        vec![
            corner(0, 0, 0),
            corner(0, 3, 4),
            corner(0, 2, 1),
            corner(1, 0, 3),
            Corner::BLANK,
            Corner::BLANK,
            corner(1, 3, 4),
            corner(1, 3, 4),
        ]
    }

    #[test]
    fn every_value_is_where_a_convolution_has_it() -> Result<()> {
        let pictures = pictures();
        let pictures: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
        let patches = Patches::new([3, 2], &NORMALISATIONS, DType::F32, &Device::Cpu)?;
        let cut = patches.cut(&pictures, &corners())?;
        assert_eq!(cut.dims(), [4, 54]);
        let cut = cut.to_vec2::<f32>()?;
        for (patch, corners) in corners().chunks(2).enumerate() {
            for (at, &found) in cut[patch].iter().enumerate() {
                let (c, time, y, x) = (at / 18, at / 9 % 2, at / 3 % 3, at % 3);
                let corner = corners[time];
                let want = if corner == Corner::BLANK {
                    0.0
                } else {
                    let level = corner.first as usize + y * 21 + x * 3 + c;
                    let level = pictures[corner.picture as usize][level];
                    let [mean, std] = NORMALISATIONS[corner.table as usize];
                    (f32::from(level) - mean[c] * 255.0) / (std[c] * 255.0)
                };
                assert_eq!(found.to_bits(), want.to_bits(), "{patch}: {at}");
            }
        }
        for outside in [corner(0, 4, 0), corner(0, 3, 5), corner(2, 0, 0)] {
            assert!(patches.cut(&pictures, &[outside; 2]).is_err());
        }
        assert!(patches.cut(&pictures, &[corner(0, 0, 0)]).is_err());
        Ok(())
    }

    #[test]
    fn the_kernel_gives_the_same_values_padded() -> Result<()> {
        let pictures = pictures();
        let pictures: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
        let device = Device::Cpu;
        emulation::with(|| {
            for (side, dtype) in [(3, DType::F32), (3, DType::BF16), (2, DType::BF16)] {
                let patches = Patches::new([side, 2], &NORMALISATIONS, dtype, &device)?;
                let cut = patches.cut(&pictures, &corners())?;
                let want = patches.cut_on_host(&pictures, &corners())?;
                assert!(cut.dim(1)?.is_multiple_of(8));
                let bits = |x: &Tensor| x.to_dtype(DType::F32)?.to_vec2::<f32>();
                assert_eq!(bits(&cut)?, bits(&want)?);
            }
            // Rows of no whole 16 bytes go one by one.
            let mut patches = Patches::new([3, 2], &NORMALISATIONS, DType::BF16, &device)?;
            patches.width = 55;
            let cut = patches.cut(&pictures, &corners())?.to_dtype(DType::F32)?;
            let want = patches
                .cut_on_host(&pictures, &corners())?
                .to_dtype(DType::F32)?;
            assert_eq!(cut.to_vec2::<f32>()?, want.to_vec2::<f32>()?);
            Ok(())
        })
    }

    #[test]
    fn a_padded_weight_gives_the_same_products() -> Result<()> {
        let pictures = pictures();
        let pictures: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
        let weight = crate::vlm::testing::values(&[5, 3, 2, 3, 3], 4)?;
        let embed = || {
            let patches = Patches::new([3, 2], &NORMALISATIONS, DType::F32, &Device::Cpu)?;
            let layer = patches.embedding(&weight, None)?;
            layer.forward(&patches.cut(&pictures, &corners())?)
        };
        let want = embed()?;
        emulation::with(|| {
            assert!(crate::vlm::testing::worst(&embed()?, &want)? < 1e-6);
            Ok(())
        })
    }
}
