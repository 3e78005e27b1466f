//! How sure the weights are: the samples drawn again, thousands of times, and the weights that each drawing gives.
//!
//! A replicate draws every dataset's samples anew, each a Poisson number of times, takes the means as a run does, and
//! solves. A sample is drawn with all its modalities, so what they have in common stays together. `tests/mix/coverage.rs`
//! holds the intervals to simulated truths.

mod draws;
mod noise;
mod sums;

use std::collections::BTreeMap;
use std::ops::Range;

use nalgebra::DMatrix;
use rayon::prelude::*;

use self::draws::Draws;
use self::noise::without_noise;
use self::sums::{Chunk, ViewName};
use super::centroids::dataset_weight;
use super::{
    Aggregation, Centroids, Domain, DomainMeans, MixError, Replicates, RestsOn, Solver, View,
    centroids,
};
use crate::modality::Modality;
use crate::store::Shard;

/// Bytes of sums that are held at once; replicates beyond them have a pass over the shards of their own.
const MAX_BYTES: usize = 1 << 30;
/// With more domains the noise stays in the kernel: taking it out costs k³ for every replicate.
const MAX_WITHOUT_NOISE: usize = 256;

/// What is to be drawn again, and how weights come of it.
pub struct Bootstrap<'a> {
    /// The domains with their datasets' means, from the same samples.
    pub domains: &'a [DomainMeans],
    /// The layer that they are of.
    pub layer: &'a str,
    /// How datasets become domains.
    pub aggregation: Aggregation,
    /// How weights come of domains.
    pub solver: &'a Solver,
    /// Seeds the drawing.
    pub seed: u64,
    /// How often everything is drawn.
    pub replicates: u32,
}

/// What all replicates have in common.
struct Common {
    domains: Vec<Domain>,
    /// Per view that is needed, E |ĉᵢ − cᵢ|² of each domain `[k]`.
    noise: Vec<(ViewName, Vec<f64>)>,
}

impl Bootstrap<'_> {
    /// With more domains there are no intervals: every replicate has to be solved.
    pub const MAX_DOMAINS: usize = 1000;

    /// The weights of all replicates; `None` for a method that knows of no samples, for more than
    /// [`Bootstrap::MAX_DOMAINS`] domains, and if no replicate could be solved.
    ///
    /// `each_shard` is asked for the shards of a dataset, by its number among those of all domains, and gives them one by
    /// one; the same in every call. It is asked more than once where memory for all replicates at once would be too much.
    ///
    /// # Errors
    /// When shards cannot be had, or do not fit the means.
    pub fn run<E: From<MixError>>(
        &self,
        each_shard: impl Fn(usize, &mut dyn FnMut(&Shard) -> Result<(), MixError>) -> Result<(), E>,
    ) -> Result<Option<Replicates>, E> {
        if self.solver.rests_on() == RestsOn::Nothing
            || self.replicates == 0
            || self.domains.len() > Self::MAX_DOMAINS
        {
            return Ok(None);
        }
        let centroids = centroids(self.domains, self.aggregation)?;
        let common = self.common(&centroids);
        let mut weights = Vec::new();
        for pass in self.ranges(&centroids) {
            let domains = self.sums(pass, &each_shard)?;
            let chunks = domains.first().map_or(0, Vec::len);
            let solved: Vec<(u32, Vec<f64>)> = (0..chunks)
                .into_par_iter()
                .flat_map_iter(|chunk| {
                    let of: Vec<&Chunk> = domains.iter().map(|domain| &domain[chunk]).collect();
                    self.solve(&common, &of)
                })
                .collect();
            weights.extend(solved);
        }
        Ok(Replicates::new(weights))
    }

    fn fused(&self) -> bool {
        self.solver.rests_on() == RestsOn::Fused
    }

    fn common(&self, centroids: &Centroids) -> Common {
        let names = Modality::ALL.map(ViewName::Modality).into_iter();
        let names = names.chain(self.fused().then_some(ViewName::Fused));
        let noise = |view: ViewName| {
            let of = |domain: &DomainMeans| self.noise(domain, view);
            (view, self.domains.iter().map(of).collect())
        };
        Common {
            domains: centroids.domains().to_vec(),
            noise: names.map(noise).collect(),
        }
    }

    /// E |ĉ − c|² of a domain: its datasets are independent, and their mean has a share of each one's noise.
    fn noise(&self, domain: &DomainMeans, view: ViewName) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for dataset in &domain.datasets {
            let (present, noise) = match view {
                ViewName::Modality(modality) => {
                    (dataset.samples_with(modality) > 0, dataset.noise(modality))
                }
                ViewName::Fused => (dataset.fused().is_some(), dataset.fused_noise()),
            };
            if present {
                let weight = dataset_weight(self.aggregation, dataset);
                sum += weight * weight * noise;
                total += weight;
            }
        }
        if total > 0.0 {
            sum / (total * total)
        } else {
            0.0
        }
    }

    /// How often [`Bootstrap::run`] asks for the shards.
    ///
    /// # Errors
    /// When the means do not fit each other.
    pub fn passes(&self) -> Result<usize, MixError> {
        let centroids = centroids(self.domains, self.aggregation)?;
        Ok(self.ranges(&centroids).len())
    }

    /// The replicates of each pass.
    fn ranges(&self, centroids: &Centroids) -> Vec<Range<u32>> {
        let fused = centroids.fused().filter(|_| self.fused());
        let columns: usize = centroids
            .modalities()
            .values()
            .chain(fused)
            .map(|view| view.matrix.ncols())
            .sum();
        let each = columns * self.domains.len() * size_of::<f64>();
        let at_once = (MAX_BYTES / each.max(1)).clamp(1, self.replicates.max(1) as usize);
        (0..self.replicates)
            .step_by(at_once)
            .map(|start| start..self.replicates.min(start + at_once as u32))
            .collect()
    }

    /// Per domain, the sums of its datasets' means.
    fn sums<E: From<MixError>>(
        &self,
        pass: Range<u32>,
        each_shard: &impl Fn(usize, &mut dyn FnMut(&Shard) -> Result<(), MixError>) -> Result<(), E>,
    ) -> Result<Vec<Vec<Chunk>>, E> {
        let mut number = 0;
        let mut domains = Vec::new();
        for domain in self.domains {
            let mut sums = sums::empty(pass.clone());
            for dataset in &domain.datasets {
                let draws = Draws::new(dataset.name(), self.seed);
                let mut of_dataset = sums::empty(pass.clone());
                each_shard(number, &mut |shard| {
                    sums::add_shard(&mut of_dataset, shard, self.layer, self.fused(), draws)
                })?;
                let weight = dataset_weight(self.aggregation, dataset);
                sums::add_dataset(&mut sums, of_dataset, weight);
                number += 1;
            }
            domains.push(sums);
        }
        Ok(domains)
    }

    /// The weights of the replicates of a chunk, without those that left a domain without any sample.
    fn solve(&self, common: &Common, domains: &[&Chunk]) -> Vec<(u32, Vec<f64>)> {
        let numbers = domains
            .first()
            .map_or(0..0, |chunk| chunk.replicates.clone());
        numbers
            .enumerate()
            .filter_map(|(replicate, number)| {
                let centroids = common.centroids(domains, replicate)?;
                Some((number, self.solver.solve(&centroids).ok()?.weights))
            })
            .collect()
    }
}

impl Common {
    /// The centroids of one replicate of a chunk.
    fn centroids(&self, domains: &[&Chunk], replicate: usize) -> Option<Centroids> {
        let mut modalities = BTreeMap::new();
        let mut fused = None;
        for (name, noise) in &self.noise {
            let view = view(domains, *name, replicate, noise);
            match (name, view) {
                (ViewName::Modality(modality), Some(view)) => {
                    modalities.insert(*modality, view);
                }
                (ViewName::Fused, view) => fused = view,
                (ViewName::Modality(_), None) => {}
            }
        }
        Centroids::new(self.domains.clone(), modalities, fused).ok()
    }
}

/// A view of all domains in one replicate, if any domain has it there.
fn view(domains: &[&Chunk], name: ViewName, replicate: usize, noise: &[f64]) -> Option<View> {
    let parts: Vec<_> = domains
        .iter()
        .map(|chunk| {
            let part = chunk.views.get(&name)?;
            (part.totals[replicate] > 0.0).then_some(part)
        })
        .collect();
    let d = parts.iter().flatten().next()?.sums.nrows();
    let mut matrix = DMatrix::zeros(domains.len(), d);
    for (mut row, part) in matrix.row_iter_mut().zip(&parts) {
        if let Some(part) = part {
            let mean = part.sums.column(replicate) / part.totals[replicate];
            row.tr_copy_from(&mean);
        }
    }
    let present = parts.iter().map(Option::is_some).collect();
    Some(if domains.len() > MAX_WITHOUT_NOISE {
        View { matrix, present }
    } else {
        without_noise(&matrix, present, noise)
    })
}
