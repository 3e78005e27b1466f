//! What an extraction tells about itself while it runs.

/// Work that was done, or is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Samples, the failed ones included.
    pub samples: u64,
    /// Positions of the language model.
    pub tokens: u64,
    /// Samples that could not be used.
    pub failures: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.samples += other.samples;
        self.tokens += other.tokens;
        self.failures += other.failures;
    }
}

impl std::ops::SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.samples -= other.samples;
        self.tokens -= other.tokens;
        self.failures -= other.failures;
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        let mut total = Self::default();
        tallies.for_each(|tally| total += tally);
        total
    }
}

/// Hears of work as it is done.
pub trait Progress: Sync {
    /// A batch has gone through the model.
    fn advance(&self, done: &Tally);

    /// A shard of what was planned need not be made any more.
    fn skipped(&self, left_out: &Tally);
}
