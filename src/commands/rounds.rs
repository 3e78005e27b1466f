//! `extract.stop_when`: no more extraction than the answer needs.
//!
//! A round is one more shard of every dataset. After a round the samples so far are drawn again, and the run ends when
//! every weight is known well enough. Whether it does depends on the shards of the rounds alone, so it ends at the same
//! round however many ranks made them; and since the order of the samples is prefix-stable, a run that has ended so can be
//! taken further.

use std::iter;
use std::ops::Range;

use anyhow::Result;

use super::aggregate::Run;
use crate::mix::{self, Replicates};
use crate::store::Manifest;

/// The rounds of a run, and how many of them were looked at.
pub(super) struct Rounds {
    /// How well every weight is to be known; `None` for all that there is.
    stop_when: Option<f64>,
    /// The rounds that the longest dataset has.
    all: u32,
    /// How many rounds are to be complete before the next look.
    next_look: u32,
    /// How many were found to be enough.
    enough: Option<u32>,
}

impl Rounds {
    pub(super) fn new(manifest: &Manifest, stop_when: Option<f64>) -> Self {
        let shards = manifest.datasets.iter().map(|dataset| dataset.shards);
        Self {
            stop_when,
            all: shards.max().unwrap_or(0),
            next_look: 1,
            enough: None,
        }
    }

    /// How many rounds were found to be enough, if a run may end before the last.
    pub(super) fn enough(&self) -> Option<u32> {
        self.enough
    }

    /// The parts in which the work is done.
    pub(super) fn parts(&self) -> Vec<Range<u32>> {
        if self.stop_when.is_none() {
            return iter::once(0..self.all).collect();
        }
        let mut parts = Vec::new();
        let mut start = 0;
        while start < self.all {
            let end = after(start).min(self.all);
            parts.push(start..end);
            start = end;
        }
        parts
    }

    /// Looks at the rounds that are complete by now, one look after the other, until the weights are known well enough.
    /// Those from `end` on are left for later: this process has not been through them, and may be to make some again.
    pub(super) fn look(&mut self, run: &Run<'_>, end: u32) -> Result<()> {
        let Some(stop_when) = self.stop_when else {
            return Ok(());
        };
        while self.enough.is_none() && self.next_look <= end && self.next_look < self.all {
            let rounds = self.next_look;
            let manifest = Manifest {
                enough: Some(rounds),
                ..run.manifest.clone()
            };
            let Some(reach) = reach(&Run {
                manifest: &manifest,
                ..*run
            })?
            else {
                return Ok(());
            };
            self.next_look = after(rounds);
            let points = 100.0 * reach;
            if reach <= stop_when {
                tracing::info!(
                    "after {rounds} of at most {} rounds every weight is known to ± {points:.3} percentage points: that \
                     is enough",
                    self.all
                );
                self.enough = Some(rounds);
            } else if reach.is_infinite() {
                tracing::info!(
                    "after {rounds} of at most {} rounds the samples do not say how well weights are known",
                    self.all
                );
            } else {
                tracing::info!(
                    "after {rounds} of at most {} rounds a weight is known to ± {points:.3} percentage points at worst; \
                     ± {:.3} are wanted",
                    self.all,
                    100.0 * stop_when
                );
            }
        }
        Ok(())
    }
}

/// The round of the look that follows one after `rounds`: the next, and later, when a further round tells little and a
/// look costs more, an eighth more.
fn after(rounds: u32) -> u32 {
    rounds + (rounds / 8).max(1)
}

/// How far the worst known weight may be off; `None` if shards are missing. Weights that cannot be found yet may be off
/// without limit.
fn reach(run: &Run<'_>) -> Result<Option<f64>> {
    // Where other ranks are not so far yet, that is seen without reading what they have made.
    if run.absent() > 0 {
        return Ok(None);
    }
    let Some(domains) = run.means()? else {
        return Ok(None);
    };
    let mix = &run.config.mix;
    let weights = mix::centroids(&domains, mix.aggregation)
        .and_then(|centroids| Ok(mix.solver()?.solve(&centroids)?.weights));
    let weights = match weights {
        Ok(weights) => weights,
        Err(error) => {
            tracing::info!("no weights can be found yet: {error}");
            return Ok(Some(f64::INFINITY));
        }
    };
    let replicates = run
        .replicates(&domains, run.config.extract.seed)?
        .filter(|replicates| replicates.weights().len() >= Replicates::FEWEST as usize);
    Ok(Some(replicates.map_or(f64::INFINITY, |replicates| {
        replicates.reach(&weights)
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_and_parts_end_where_looks_are() {
        let mut rounds = Rounds {
            stop_when: Some(0.01),
            all: 30,
            next_look: 1,
            enough: None,
        };
        let ends: Vec<u32> = rounds.parts().iter().map(|part| part.end).collect();
        assert_eq!(
            ends,
            [
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 27, 30
            ]
        );
        rounds.stop_when = None;
        assert_eq!(rounds.parts().len(), 1);
        assert_eq!(rounds.parts()[0], 0..30);
    }
}
