//! Seeded chance, the same on every machine.

/// A stream of random numbers: `SplitMix64` (Steele, Lea and Flood 2014), whose whole state is a counter.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for each `part` of what a seed decides, whatever else is drawn.
    pub fn of(seed: u64, part: &str, number: u64) -> Self {
        let seed = xxhash_rust::xxh3::xxh3_64_with_seed(part.as_bytes(), seed);
        Self(xxhash_rust::xxh3::xxh3_64_with_seed(
            &number.to_le_bytes(),
            seed,
        ))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform among 0..n, to one part in 2^64 / n.
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "a choice among none");
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Standard normal, by the polar method.
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }

    /// Gamma with the given shape and scale 1 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = self.uniform().powf(1.0 / shape);
            return boost * self.gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = (9.0 * d).sqrt().recip();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }

    /// Dirichlet: shares that sum to 1, around `mean` (which does), the closer the larger `strength` is.
    pub fn dirichlet(&mut self, mean: &[f64], strength: f64) -> Vec<f64> {
        let mut shares: Vec<f64> = mean
            .iter()
            .map(|mean| {
                // Shapes too small give 0 everywhere.
                let shape = mean * strength;
                if shape > 0.0 { self.gamma(shape) } else { 0.0 }
            })
            .collect();
        let sum: f64 = shares.iter().sum();
        if sum > 0.0 && sum.is_finite() {
            for share in &mut shares {
                *share /= sum;
            }
            shares
        } else {
            mean.to_vec()
        }
    }

    /// Fisher and Yates's shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        (mean, variance)
    }

    #[test]
    fn golden() {
        // From the reference implementation in C, for the seed 1234567.
        let mut chance = Chance::new(1_234_567);
        assert_eq!(chance.bits(), 6_457_827_717_110_365_317);
        assert_eq!(chance.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut chance = Chance::of(7, "test", 0);
        let mut draw = |f: &mut dyn FnMut(&mut Chance) -> f64| {
            let values: Vec<f64> = (0..200_000).map(|_| f(&mut chance)).collect();
            moments(&values)
        };
        let near = |(mean, variance): (f64, f64), m: f64, v: f64| {
            assert!(
                (mean - m).abs() < 0.03 && (variance - v).abs() < 0.05 * v.max(0.4),
                "{mean} {variance}"
            );
        };
        near(draw(&mut Chance::uniform), 0.5, 1.0 / 12.0);
        near(draw(&mut Chance::normal), 0.0, 1.0);
        near(draw(&mut |c| c.gamma(0.3)), 0.3, 0.3);
        near(draw(&mut |c| c.gamma(2.5)), 2.5, 2.5);
        near(
            draw(&mut |c| c.dirichlet(&[0.2, 0.8], 4.0)[0]),
            0.2,
            0.2 * 0.8 / 5.0,
        );
    }

    #[test]
    fn no_share_is_lost_where_shapes_are_tiny() {
        let mut chance = Chance::new(1);
        for _ in 0..100 {
            let shares = chance.dirichlet(&[0.5, 0.5, 0.0], 1e-3);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12 && shares[2] == 0.0);
        }
    }
}
