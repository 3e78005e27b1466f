//! How much is drawn of each dataset, in words that several trainers share.

use super::{ExportError, Plan, PlannedDataset, PlannedDomain, quote};

/// How often a trainer's file names a dataset that it takes several passes over.
const MAX_LISTED: u64 = 1000;

/// How many samples are to be drawn of a dataset.
pub(super) struct Amount<'a> {
    pub(super) domain: &'a PlannedDomain,
    pub(super) dataset: &'a PlannedDataset,
    /// A whole number when there is a budget.
    pub(super) samples: f64,
}

impl Plan {
    /// What is drawn of the used datasets. Without a budget it is as much as the shares allow while no row is drawn twice.
    pub(super) fn amounts(&self) -> Vec<Amount<'_>> {
        let one_pass = self
            .used()
            .map(|(_, dataset)| dataset.size as f64 / dataset.weight)
            .fold(f64::INFINITY, f64::min);
        self.used()
            .map(|(domain, dataset)| Amount {
                domain,
                dataset,
                samples: match dataset.count {
                    Some(count) => count as f64,
                    None => (one_pass * dataset.weight).min(dataset.size as f64),
                },
            })
            .collect()
    }

    /// The lines of [`Plan::provenance_lines`] as comments.
    pub(super) fn comments(&self) -> String {
        let line = |line: &String| format!("# {line}\n");
        self.provenance_lines().iter().map(line).collect()
    }
}

impl Amount<'_> {
    /// Whole passes over the dataset, and the samples of a last one that is not whole.
    pub(super) fn passes(&self) -> (u64, u64) {
        let samples = self.samples.round() as u64;
        (samples / self.dataset.size, samples % self.dataset.size)
    }

    /// Whole passes and a rest, as [`Amount::passes`], for a trainer that has to be told of every pass.
    ///
    /// # Errors
    /// When that would be too often to be written down.
    pub(super) fn listed_passes(&self, trainer: &'static str) -> Result<(u64, u64), ExportError> {
        let (passes, rest) = self.passes();
        if passes > MAX_LISTED {
            return Err(ExportError::Trainer {
                trainer,
                problem: format!(
                    "dataset {} would be listed {passes} times, and more than {MAX_LISTED} is not sensible; give a \
                     smaller budget, cap its domain with --max-epochs, or take `--to jsonl`",
                    self.dataset.spec.name
                ),
            });
        }
        Ok((passes, rest))
    }

    /// The dataset with its share, for a comment.
    pub(super) fn described(&self) -> String {
        let share = format!(
            "{} ({}): {:.4} %",
            self.dataset.spec.name,
            self.domain.name,
            100.0 * self.dataset.weight
        );
        let text = match (self.dataset.count, self.dataset.epochs()) {
            (Some(count), Some(epochs)) => {
                format!("{share}, {count} samples, {epochs:.3} epochs")
            }
            _ => share,
        };
        quote::comment(&text)
    }
}

/// How long to train, for trainers that are exact with a budget and else draw by shares until a dataset is used up.
pub(super) fn how_long(plan: &Plan) -> &'static str {
    match plan.budget {
        Some(_) => {
            "Train without streaming and for one epoch: the counts say how often rows are seen.\n"
        }
        None => {
            "An epoch ends with the first dataset that is used up; a budget (--budget) sets exact counts instead.\n"
        }
    }
}

/// What percentages come to when they can only be whole.
pub(super) struct Rounded {
    /// How many times the whole dataset is drawn.
    pub(super) passes: u64,
    /// How many percent more.
    pub(super) percent: u64,
    /// How many samples that is.
    pub(super) samples: u64,
}

impl Rounded {
    /// The nearest to an amount that passes and whole percentages can say, and not nothing. `of` tells how many rows the
    /// trainer makes of so many percent of so many rows.
    pub(super) fn of(amount: &Amount<'_>, of: impl Fn(u64, u64) -> u64) -> Self {
        let size = amount.dataset.size;
        let passes = (amount.samples / size as f64).floor() as u64;
        let rounded = |percent: u64| Self {
            passes: passes + percent / 100,
            percent: percent % 100,
            samples: passes * size
                + if percent == 100 {
                    size
                } else {
                    of(percent, size)
                },
        };
        let off = |rounded: &Self| (rounded.samples as f64 - amount.samples).abs();
        (0..=100)
            .map(rounded)
            .filter(|rounded| rounded.samples > 0)
            .min_by(|a, b| off(a).total_cmp(&off(b)))
            .unwrap_or_else(|| rounded(100))
    }

    /// What rounding did to a share, for a comment; `total` is of all datasets.
    pub(super) fn described(&self, total: u64) -> String {
        let share = 100.0 * self.samples as f64 / total as f64;
        format!(
            "rounded to {} samples of {total}: {share:.4} %",
            self.samples
        )
    }
}

/// Names that a trainer can take, from the datasets' own: characters that it gives a meaning of its own become `_`, and
/// names that are then alike get a number.
pub(super) fn keys(amounts: &[Amount<'_>], meaning: impl Fn(char) -> bool) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for amount in amounts {
        let name = &amount.dataset.spec.name;
        let replaced = |c: char| if meaning(c) || c.is_control() { '_' } else { c };
        let key: String = name.trim().chars().map(replaced).collect();
        let numbered = (2..).map(|n| format!("{key}_{n}"));
        let unique = std::iter::once(key.clone())
            .chain(numbered)
            .find(|key| !keys.contains(key));
        keys.push(unique.unwrap_or(key));
    }
    keys
}
