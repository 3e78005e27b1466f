//! From 8-bit levels to the numbers that a tower takes.

/// For each channel, the value that each of the 256 levels becomes: `(level − 255·mean) / (255·std)`.
pub(super) struct Normalise([[f32; 256]; 3]);

impl Normalise {
    /// With mean and standard deviation of levels scaled to 0…1.
    pub(super) fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        Self(std::array::from_fn(|c| {
            let (mean, std) = (mean[c] * 255.0, std[c] * 255.0);
            std::array::from_fn(|level| (level as f32 - mean) / std)
        }))
    }

    /// The values of one channel, by level.
    pub(super) fn channel(&self, channel: usize) -> &[f32; 256] {
        &self.0[channel]
    }
}
