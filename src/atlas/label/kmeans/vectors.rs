//! Vectors side by side in memory.

/// Vectors of one width, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Vectors<'a> {
    /// The vectors that `values` holds.
    ///
    /// # Panics
    /// When `values` are no whole number of vectors.
    pub fn new(values: &'a [f32], width: usize) -> Self {
        assert!(width > 0 || values.is_empty(), "vectors without numbers");
        assert!(
            width == 0 || values.len().is_multiple_of(width),
            "{} values are no vectors of {width}",
            values.len()
        );
        Self { values, width }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Numbers of each.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One of them.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn get(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.width..][..self.width]
    }

    /// All numbers.
    pub(super) fn values(&self) -> &'a [f32] {
        self.values
    }

    /// A copy of some of them.
    pub(super) fn gather(&self, indices: impl ExactSizeIterator<Item = usize>) -> Vec<f32> {
        let mut values = Vec::with_capacity(indices.len() * self.width);
        for index in indices {
            values.extend_from_slice(self.get(index));
        }
        values
    }
}

/// Makes a vector a unit vector; zero and `false` where it has no direction.
pub(super) fn to_unit(vector: &mut [f32]) -> bool {
    let square: f64 = vector.iter().map(|x| f64::from(*x).powi(2)).sum();
    let norm = square.sqrt();
    if norm > 0.0 && norm.is_finite() {
        for x in vector {
            *x = (f64::from(*x) / norm) as f32;
        }
        true
    } else {
        vector.fill(0.0);
        false
    }
}
