//! Measuring samples without a model: how many tokens there are, and which samples cannot be used.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::prepare::Preparer;
use super::progress::Tally;
use super::work::ShardWork;
use crate::dataset::MediaKind;
use crate::store::Failure;

/// What a dataset's shards hold.
#[derive(Clone, Debug, Default)]
pub struct DatasetPlan {
    /// Samples and tokens.
    pub tally: Tally,
    /// Positions of pictures among the tokens.
    pub picture_tokens: u64,
    /// Positions of videos among the tokens.
    pub video_tokens: u64,
    /// The longest sample, in tokens.
    pub longest: u64,
    /// Samples that cannot be used, as far as can be told without decoding pictures.
    pub failures: Vec<Failure>,
}

/// Measures shards, several at a time; `advance` hears of each sample. The result is by dataset name, or
/// `None` once `stop` is set.
pub fn plan(
    work: &[ShardWork],
    preparer: &Preparer,
    stop: &AtomicBool,
    advance: &(dyn Fn() + Sync),
) -> Option<BTreeMap<String, DatasetPlan>> {
    let samples: Vec<(&ShardWork, u64)> = work
        .iter()
        .flat_map(|shard| shard.samples().iter().map(move |&i| (shard, i)))
        .collect();
    let measured: Vec<_> = samples
        .par_iter()
        .map(|(shard, index)| {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let measured = preparer.measure(shard.dataset.dataset.as_ref(), *index);
            advance();
            Some(measured.map(|sample| {
                [
                    sample.tokens(),
                    sample.tokens_of(MediaKind::Image),
                    sample.tokens_of(MediaKind::Video),
                ]
                .map(|count| count as u64)
            }))
        })
        .collect::<Option<_>>()?;
    let mut plans: BTreeMap<String, DatasetPlan> = BTreeMap::new();
    for ((shard, _), measured) in samples.iter().zip(measured) {
        let plan = plans.entry(shard.dataset.name.clone()).or_default();
        plan.tally.samples += 1;
        match measured {
            Ok([tokens, pictures, videos]) => {
                plan.tally.tokens += tokens;
                plan.picture_tokens += pictures;
                plan.video_tokens += videos;
                plan.longest = plan.longest.max(tokens);
            }
            Err(failure) => {
                plan.tally.failures += 1;
                plan.failures.push(failure);
            }
        }
    }
    Some(plans)
}
