//! What a run would run on, as far as it is here: a plan may be made on a machine without the devices of the run.

use std::path::Path;

use anyhow::Result;
use candle_core::DType;

use crate::commands::ground::{Ground, in_config};
use crate::commands::session::{asked_dtype, described};
use crate::extract::survey::{Machine, Rate};
use crate::vlm::device::{self, Opened, cuda_ordinal};
use crate::vlm::{Budget, Footprint};

/// The share of a matrix product's rate that passes reach, about: attention, norms and activations are slower.
const SHARE_ON_CPU: f64 = 0.6;
/// The same on CUDA, where kernels are started one by one and wait for memory.
const SHARE_ON_CUDA: f64 = 0.4;

/// The devices of a run.
pub(super) struct Place {
    /// Those that are here: all or none.
    devices: Vec<Opened>,
    pub(super) machine: Machine,
    pub(super) dtype: DType,
    /// For people.
    pub(super) description: String,
}

impl Place {
    /// Opens the devices that a config names, if they are here.
    ///
    /// # Errors
    /// When a device is here that cannot compute in the precision that is asked for.
    pub(super) fn find(ground: &Ground, path: &Path) -> Result<Self> {
        let model = &ground.config.model;
        let names = model.device.names();
        let (devices, absent) = match device::open_all(names, None) {
            Ok(devices) => (devices, None),
            Err(error) if names.iter().any(|name| cuda_ordinal(name).is_some()) => {
                (Vec::new(), Some(error))
            }
            Err(error) => return Err(error.into()),
        };
        let asked = asked_dtype(&ground.config);
        let dtype = match devices.first() {
            Some(opened) => device::dtype(asked, &opened.device)
                .map_err(|error| in_config(path, error.to_string()))?,
            None => asked.unwrap_or(DType::BF16),
        };
        let cuda = devices.first().is_none_or(|opened| opened.device.is_cuda());
        let mut budget = budget(ground, &devices, dtype);
        budget.tokens = ground.config.extract.batch_tokens.within(budget);
        Ok(Self {
            machine: Machine {
                cuda,
                devices: names.len().max(1),
                budget,
                workers: ground.workers(),
            },
            dtype,
            description: match absent {
                None => described(&devices),
                Some(error) => format!("CUDA, no device here ({error})"),
            },
            devices,
        })
    }

    /// Whether the devices are here.
    pub(super) fn is_here(&self) -> bool {
        !self.devices.is_empty()
    }

    /// How fast they are, if they are here and sound: measured on the first.
    pub(super) fn rate(&self) -> Option<Rate> {
        let first = self.devices.first()?;
        let rate = device::product_rate(&first.device, self.dtype)
            .inspect_err(|error| tracing::debug!("no rate of {}: {error}", first.name))
            .ok()?;
        // Several devices "cpu" share one processor.
        let (share, devices) = if self.machine.cuda {
            (SHARE_ON_CUDA, self.machine.devices)
        } else {
            (SHARE_ON_CPU, 1)
        };
        Some(Rate {
            flops_per_second: rate * devices as f64,
            share,
            device: match self.machine.cuda {
                true => self.description.clone(),
                false => "this CPU".to_owned(),
            },
        })
    }
}

/// What goes through a model together on all devices; of devices that are not here, the most that any takes.
fn budget(ground: &Ground, devices: &[Opened], dtype: DType) -> Budget {
    let family = &ground.checkpoint.family;
    let weights = family.parameters() * dtype.size_in_bytes() as u64;
    let footprint = Footprint::of(family, dtype);
    let of = |opened: &Opened| {
        let free = device::memory(&opened.device).map(|memory| memory.free.saturating_sub(weights));
        Budget::within(footprint, free)
    };
    devices
        .iter()
        .map(of)
        .reduce(Budget::min)
        .unwrap_or(Budget::MOST)
}
