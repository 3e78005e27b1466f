//! What a device did over a run.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use indicatif::HumanCount;

/// Bytes of a GiB.
const GIB: f64 = (1_u64 << 30) as f64;

/// What a device did over a run. Written out, it is one line of a fixed form, which programs may read:
///
/// `cuda:0: 41,984 samples, 118,244,352 tokens in 9 min 12.0 s (76.1 samples/s, 214,211 tokens/s); waited 3.1 s for
/// samples (0.6 %); peak memory 21.3 of 79.1 GiB`
///
/// The minutes are there from one minute on, the memory on devices that have their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// What people call the device.
    pub device: String,
    /// Samples that went through the model.
    pub samples: u64,
    /// Positions that went through the language model.
    pub tokens: u64,
    /// From the first sample that was asked for to the last shard that was published.
    pub elapsed: Duration,
    /// How long the device had nothing to do because no samples were ready.
    pub waited: Duration,
    /// The most memory in use, and how much there is, in bytes; `None` on the CPU.
    pub memory: Option<(u64, u64)>,
}

impl Usage {
    /// A device that did nothing yet.
    pub fn new(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            samples: 0,
            tokens: 0,
            elapsed: Duration::ZERO,
            waited: Duration::ZERO,
            memory: None,
        }
    }
}

impl AddAssign<&Self> for Usage {
    /// Adds what the same device did after this.
    fn add_assign(&mut self, other: &Self) {
        self.samples += other.samples;
        self.tokens += other.tokens;
        self.elapsed += other.elapsed;
        self.waited += other.waited;
        // Of the process so far.
        self.memory = other.memory.or(self.memory);
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let waited = self.waited.as_secs_f64();
        let each_second = |count: u64| count as f64 / seconds.max(1e-9);
        write!(
            f,
            "{}: {} samples, {} tokens in {} ({:.1} samples/s, {} tokens/s); waited {waited:.1} s for samples ({:.1} %)",
            self.device,
            HumanCount(self.samples),
            HumanCount(self.tokens),
            minutes(seconds),
            each_second(self.samples),
            HumanCount(each_second(self.tokens).round() as u64),
            100.0 * waited / seconds.max(1e-9)
        )?;
        if let Some((peak, total)) = self.memory {
            let (peak, total) = (peak as f64 / GIB, total as f64 / GIB);
            write!(f, "; peak memory {peak:.1} of {total:.1} GiB")?;
        }
        Ok(())
    }
}

/// As `9 min 12.0 s`, or `12.0 s` below a minute.
fn minutes(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round() as u64;
    let (minutes, rest) = (tenths / 600, tenths % 600);
    let seconds = format!("{}.{} s", rest / 10, rest % 10);
    match minutes {
        0 => seconds,
        minutes => format!("{minutes} min {seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage() -> Usage {
        Usage {
            samples: 41_984,
            tokens: 118_244_352,
            elapsed: Duration::from_secs(552),
            waited: Duration::from_millis(3100),
            memory: Some((22_870_000_000, 84_930_000_000)),
            ..Usage::new("cuda:0")
        }
    }

    #[test]
    fn the_line_that_programs_read() {
        assert_eq!(
            usage().to_string(),
            "cuda:0: 41,984 samples, 118,244,352 tokens in 9 min 12.0 s (76.1 samples/s, 214,211 tokens/s); waited \
             3.1 s for samples (0.6 %); peak memory 21.3 of 79.1 GiB"
        );
        let short = Usage {
            samples: 7,
            tokens: 999,
            elapsed: Duration::from_millis(2040),
            waited: Duration::from_millis(510),
            ..Usage::new("cpu")
        };
        assert_eq!(
            short.to_string(),
            "cpu: 7 samples, 999 tokens in 2.0 s (3.4 samples/s, 490 tokens/s); waited 0.5 s for samples (25.0 %)"
        );
        assert_eq!(
            Usage::new("cpu").to_string(),
            "cpu: 0 samples, 0 tokens in 0.0 s (0.0 samples/s, 0 tokens/s); waited 0.0 s for samples (0.0 %)"
        );
    }

    #[test]
    fn numbers_are_grouped_and_minutes_are_whole() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(|count| HumanCount(count).to_string()),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [59.94, 59.96, 3600.0].map(minutes),
            ["59.9 s", "1 min 0.0 s", "60 min 0.0 s"]
        );
    }

    #[test]
    fn rounds_of_a_run_add_up() {
        let mut sum = usage();
        let again = Usage {
            memory: Some((30, 40)),
            ..usage()
        };
        sum += &again;
        assert_eq!((sum.samples, sum.tokens), (83_968, 236_488_704));
        assert_eq!(
            (sum.elapsed.as_secs(), sum.waited.as_millis()),
            (1104, 6200)
        );
        assert_eq!(sum.memory, Some((30, 40)));
    }
}
