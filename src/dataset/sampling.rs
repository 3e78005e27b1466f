//! Which part of a dataset's rows is used: the `sampling_strategy` of LLaVA-NeXT's mixture files.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Dataset, Fault, Sample, SampleError, SampleProblem, order};

/// Seeds the choice of `random:N`, which is then the same in every run: it decides what the dataset is, not which of its
/// samples a run takes.
const SEED: u64 = 0;

/// A part of the rows, as LLaVA-NeXT's `llava/train/train.py` takes it, but for `random`, which is seeded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SamplingStrategy {
    /// All rows.
    All,
    /// `first:N`: so many from the start.
    First(Amount),
    /// `end:N`: so many from the end.
    End(Amount),
    /// `random:N`: so many, drawn without replacement.
    Random(Amount),
}

/// How much of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A number of rows; of fewer all.
    Rows(u64),
    /// Whole percent of the rows, rounded up.
    Percent(u32),
}

impl Amount {
    fn of(self, len: u64) -> u64 {
        match self {
            Self::Rows(rows) => rows.min(len),
            Self::Percent(percent) => {
                let rows = (u128::from(percent) * u128::from(len)).div_ceil(100);
                rows.min(u128::from(len)) as u64
            }
        }
    }
}

impl FromStr for SamplingStrategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let wrong = || {
            format!(
                "\"{text}\" is no `sampling_strategy`: take \"all\", or \"first:N\", \"end:N\" or \"random:N\" \
                 with N a number of rows, or whole percent as in \"random:10%\""
            )
        };
        let (how, amount) = text.split_once(':').ok_or_else(wrong)?;
        let amount = amount.trim();
        let amount = match amount.strip_suffix('%') {
            None => amount
                .parse()
                .ok()
                .filter(|rows| *rows > 0)
                .map(Amount::Rows),
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|percent| (1..=100).contains(percent))
                .map(Amount::Percent),
        };
        let amount = amount.ok_or_else(wrong)?;
        match how.trim() {
            "first" => Ok(Self::First(amount)),
            "end" => Ok(Self::End(amount)),
            "random" => Ok(Self::Random(amount)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for SamplingStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (how, amount) = match self {
            Self::All => return f.write_str("all"),
            Self::First(amount) => ("first", amount),
            Self::End(amount) => ("end", amount),
            Self::Random(amount) => ("random", amount),
        };
        match amount {
            Amount::Rows(rows) => write!(f, "{how}:{rows}"),
            Amount::Percent(percent) => write!(f, "{how}:{percent}%"),
        }
    }
}

impl TryFrom<String> for SamplingStrategy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<SamplingStrategy> for String {
    fn from(strategy: SamplingStrategy) -> Self {
        strategy.to_string()
    }
}

/// The part of a dataset that a strategy takes.
pub(super) fn sampled(
    all: Box<dyn Dataset>,
    strategy: Option<SamplingStrategy>,
) -> Box<dyn Dataset> {
    let len = all.len();
    let rows = match strategy {
        None | Some(SamplingStrategy::All) => return all,
        Some(SamplingStrategy::First(amount)) => Chosen::from(0, amount.of(len)),
        Some(SamplingStrategy::End(amount)) => Chosen::from(len - amount.of(len), amount.of(len)),
        Some(SamplingStrategy::Random(amount)) => {
            let mut rows = order(len, SEED, amount.of(len));
            rows.sort_unstable();
            Chosen::These(rows.into())
        }
    };
    let text = format!(
        "{}\n{}",
        all.fingerprint(),
        strategy.unwrap_or(SamplingStrategy::All)
    );
    let fingerprint = blake3::hash(text.as_bytes()).to_hex().to_string();
    part(all.into(), rows, fingerprint)
}

/// These rows of a dataset, by their place in it; what they are called is the caller's.
pub(super) fn these(
    all: Arc<dyn Dataset>,
    rows: Arc<[u64]>,
    fingerprint: String,
) -> Box<dyn Dataset> {
    part(all, Chosen::These(rows), fingerprint)
}

fn part(all: Arc<dyn Dataset>, rows: Chosen, fingerprint: String) -> Box<dyn Dataset> {
    let len = all.len();
    let mut faults = all.faults().to_vec();
    for fault in &mut faults {
        fault.scale(rows.len(), len);
    }
    Box::new(Sampled {
        all,
        rows,
        fingerprint,
        faults,
    })
}

struct Sampled {
    all: Arc<dyn Dataset>,
    rows: Chosen,
    fingerprint: String,
    faults: Vec<Fault>,
}

enum Chosen {
    Range { start: u64, len: u64 },
    These(Arc<[u64]>),
}

impl Chosen {
    fn from(start: u64, len: u64) -> Self {
        Self::Range { start, len }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Range { len, .. } => *len,
            Self::These(rows) => rows.len() as u64,
        }
    }

    fn get(&self, index: u64) -> Option<u64> {
        match self {
            Self::Range { start, len } => (index < *len).then(|| start + index),
            Self::These(rows) => rows.get(usize::try_from(index).ok()?).copied(),
        }
    }
}

impl Dataset for Sampled {
    fn len(&self) -> u64 {
        self.rows.len()
    }

    fn read(&self, index: u64) -> Result<Sample, SampleError> {
        match self.rows.get(index) {
            Some(row) => self.all.read(row),
            None => Err(SampleError::new(
                index,
                index.to_string(),
                SampleProblem::OutOfRange { len: self.len() },
            )),
        }
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn format(&self) -> &str {
        self.all.format()
    }

    fn files(&self) -> usize {
        self.all.files()
    }

    fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_read_back_as_written() {
        for text in [
            "all",
            "first:10",
            "end:3",
            "random:1",
            "random:10%",
            "first:100%",
        ] {
            assert_eq!(text.parse::<SamplingStrategy>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "some",
            "first",
            "first:",
            "first:0",
            "first:-1",
            "random:12.5%",
            "end:0%",
            "end:101%",
        ] {
            let error = text.parse::<SamplingStrategy>().unwrap_err();
            assert!(error.contains("random:10%"), "{error}");
        }
    }

    #[test]
    fn percents_are_rounded_up_as_llava_next_does() {
        assert_eq!(Amount::Percent(10).of(11), 2);
        assert_eq!(Amount::Percent(100).of(7), 7);
        assert_eq!(Amount::Percent(1).of(0), 0);
        assert_eq!(Amount::Rows(9).of(4), 4);
    }
}
