//! The model on the devices of a run, and how much goes through it together.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use indicatif::HumanCount;
use rayon::prelude::*;

use super::session::Session;
use crate::config::BatchTokens;
use crate::extract::Placed;
use crate::vlm::{self, Budget, device::Opened, profile::Profile};

/// Loads the model onto all devices at once.
pub(super) fn load(session: &Session, profile: Option<&Arc<Profile>>) -> Result<Vec<Placed>> {
    let started = Instant::now();
    let rule = session.config.model.mrope;
    let onto = |opened: &Opened| {
        let model = vlm::load(&session.checkpoint, session.dtype, &opened.device, rule)
            .with_context(|| format!("loading the model onto {}", opened.name))?;
        Ok(Placed {
            name: opened.name.clone(),
            device: opened.device.clone(),
            model: match profile {
                Some(profile) => profile.watch(model, &opened.device),
                None => model,
            },
        })
    };
    let models = session.devices.par_iter().map(onto).collect();
    tracing::info!(
        "loading took {:.2} s, {:.2} s of it for the fingerprint",
        (started.elapsed() + session.opening).as_secs_f64(),
        session.opening.as_secs_f64()
    );
    models
}

/// Lets as much go through the models together as all their devices have room for; gives the tokens of a batch.
pub(super) fn budget(batch_tokens: BatchTokens, models: &mut [Placed]) -> Result<usize> {
    let of = |placed: &Placed| {
        let sharing = models.iter().filter(|other| other.name == placed.name);
        Budget::of(placed.model.footprint(), &placed.device, sharing.count())
            .with_context(|| format!("asking {} for its memory", placed.name))
    };
    let budgets: Vec<Budget> = models.iter().map(of).collect::<Result<_>>()?;
    let Some(budget) = budgets.into_iter().reduce(Budget::min) else {
        return Ok(0);
    };
    let tokens = batch_tokens.within(budget);
    let patches = budget.patches.map_or_else(String::new, |patches| {
        for placed in models {
            placed.model.set_patches(patches);
        }
        format!(
            ", of at most {} patches in the vision tower",
            HumanCount(patches as u64)
        )
    });
    tracing::info!(
        "batches of at most {} tokens{patches}",
        HumanCount(tokens as u64)
    );
    Ok(tokens)
}
