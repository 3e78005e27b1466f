//! What a run will take: memory by what it holds at once, time by the floating-point operations of its passes.

use candle_core::DType;
use serde::Serialize;

use crate::checkpoint::Family;
use crate::extract::pipeline::FOR_WORKER;
use crate::store::SHARD_ROWS;
use crate::vlm::{Budget, Footprint};

/// What is held of each row that a filter keeps.
const ROW_BYTES: u64 = 16;
/// What is held of each chosen sample: its place in the order, what finds it, and its part of a shard.
const SAMPLE_BYTES: u64 = 28;
/// What is held while a checkpoint is loaded.
const LOADING_BYTES: u64 = 64 << 20;
/// A decoded pixel, with its part of the file.
const PIXEL_BYTES: u64 = 4;
/// Batches whose pixels wait: one that waits for the device, one that is being started, two that are being loaded.
const BATCHES: u64 = 4;
/// Patches that go through a tower together on the CPU, about.
const PATCHES_ON_CPU: u64 = 8 * 729;

/// What a run has to do for the samples that it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Samples that can be used.
    pub samples: u64,
    /// Positions in the language model.
    pub tokens: u64,
    /// Positions of the longest sample.
    pub longest: u64,
    /// Floating-point operations of the language model.
    pub language: u128,
    /// Floating-point operations of the vision tower.
    pub tower: u128,
    /// Bytes of pixels that go into the tower.
    pub pixel_bytes: u64,
    /// Pixels of the largest picture, or of two frames.
    pub largest: u64,
}

/// What a run would run on.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Whether its devices are CUDA's, with memory of their own.
    pub cuda: bool,
    /// How many there are.
    pub devices: usize,
    /// What goes through a model together.
    pub budget: Budget,
    /// Threads that prepare samples.
    pub workers: usize,
}

/// How fast a device computes.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    /// Floating-point operations a second of a matrix product, of all devices.
    pub flops_per_second: f64,
    /// The share of it that passes are assumed to reach.
    pub share: f64,
    /// What it was measured on.
    pub device: String,
}

/// What a run will take.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// Memory in bytes.
    pub memory: Memory,
    /// Time of the passes.
    pub time: Time,
}

/// What is held at once, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Of the host, without the program and its libraries. On the CPU, what a device holds is in it.
    pub host: u64,
    /// Of each device.
    pub device: DeviceMemory,
}

/// What a device holds at once, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceMemory {
    /// The model.
    pub weights: u64,
    /// What a batch takes while it is passed, at most.
    pub activations: u64,
}

/// How long the passes take.
#[derive(Clone, Debug, Serialize)]
pub struct Time {
    /// Floating-point operations of the language model.
    pub language_flops: f64,
    /// Floating-point operations of the vision tower.
    pub tower_flops: f64,
    /// How fast that goes; none without a device.
    pub rate: Option<Rate>,
    /// Seconds, at that rate.
    pub seconds: Option<f64>,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.samples += other.samples;
        self.tokens += other.tokens;
        self.longest = self.longest.max(other.longest);
        self.language += other.language;
        self.tower += other.tower;
        self.pixel_bytes += other.pixel_bytes;
        self.largest = self.largest.max(other.largest);
    }
}

/// The forecast for `rows` rows of which `samples` are chosen, whose passes end in `layers` hidden states.
pub fn forecast(
    (family, dtype): (&Family, DType),
    layers: usize,
    [rows, samples]: [u64; 2],
    work: &Work,
    machine: &Machine,
    rate: Option<Rate>,
) -> Forecast {
    let (language, tower) = (work.language as f64, work.tower as f64);
    let seconds = |rate: &Rate| (language + tower) / (rate.flops_per_second * rate.share);
    Forecast {
        memory: memory((family, dtype), layers, [rows, samples], work, machine),
        time: Time {
            language_flops: language,
            tower_flops: tower,
            seconds: rate.as_ref().map(seconds),
            rate,
        },
    }
}

fn memory(
    (family, dtype): (&Family, DType),
    layers: usize,
    [rows, samples]: [u64; 2],
    work: &Work,
    machine: &Machine,
) -> Memory {
    let value = dtype.size_in_bytes() as u64;
    let width = family.language().hidden_size as u64;
    let footprint = Footprint::of(family, dtype);
    let batch = (machine.budget.tokens as u64)
        .max(work.longest)
        .min(work.tokens);
    let patches = machine
        .budget
        .patches
        .map_or(PATCHES_ON_CPU, |patches| patches as u64);
    let tower = if work.tower == 0 {
        0
    } else {
        patches * footprint.patch
    };
    let device = DeviceMemory {
        weights: family.parameters() * value,
        // Either of the two is at work; the vectors of the pictures wait for the language model.
        activations: (batch * footprint.token).max(tower) + batch * width * value,
    };
    let (devices, workers) = (machine.devices as u64, machine.workers as u64);
    let ahead = if machine.cuda {
        FOR_WORKER as u64 * workers
    } else {
        0
    };
    let loading = (2 * batch).max(workers * work.longest).max(ahead);
    let waiting = ((BATCHES - 2) * batch + loading).min(work.tokens);
    let pixels = u128::from(waiting) * u128::from(work.pixel_bytes);
    let pixels = (pixels / u128::from(work.tokens.max(1))) as u64;
    let vectors = 3 * SHARD_ROWS as u64 * 3 * layers as u64 * width * 4;
    let own = rows * ROW_BYTES
        + samples * SAMPLE_BYTES
        + devices * (pixels + vectors + LOADING_BYTES)
        + workers * work.largest * PIXEL_BYTES;
    let models = if machine.cuda {
        0
    } else {
        devices * (device.weights + device.activations)
    };
    Memory {
        host: own + models,
        device,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::checkpoint::{Checkpoint, OpenOptions};

    fn family() -> Family {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions::new(folder.path());
        let tiny = Checkpoint::open("models/tiny-llava-onevision", root, &options).unwrap();
        tiny.family
    }

    fn of(cuda: bool, work: &Work, rate: Option<Rate>) -> Forecast {
        let budget = Budget {
            tokens: 8192,
            patches: None,
        };
        let machine = Machine {
            cuda,
            devices: 2,
            budget,
            workers: 4,
        };
        forecast(
            (&family(), DType::F32),
            1,
            [1_000_000, 512],
            work,
            &machine,
            rate,
        )
    }

    #[test]
    fn memory_is_the_hosts_or_the_devices() {
        let work = Work {
            samples: 512,
            tokens: 1_000_000,
            longest: 3000,
            language: 3 << 40,
            tower: 1 << 40,
            pixel_bytes: 600_000_000,
            largest: 1 << 20,
        };
        let [cpu, cuda] = [false, true].map(|cuda| of(cuda, &work, None).memory);
        assert_eq!(cpu.device, cuda.device);
        let models = 2 * (cpu.device.weights + cpu.device.activations);
        // 600 bytes a token: 4 batches of 8192 on the CPU, and 12,288 tokens a worker instead of two of them on CUDA.
        let more = 2 * 600 * (4 * 12_288 - 2 * 8192);
        assert_eq!(cpu.host, cuda.host + models - more);
        assert_eq!(cpu.device.weights, 4 * 322_624);
        let idle = of(false, &Work::default(), None).memory;
        assert_eq!(idle.device.activations, 0);
    }

    #[test]
    fn time_is_work_by_rate() {
        let work = Work {
            language: 6_000_000_000_000,
            tower: 2_000_000_000_000,
            ..Work::default()
        };
        assert_eq!(of(false, &work, None).time.seconds, None);
        let rate = Rate {
            flops_per_second: 4e12,
            share: 0.5,
            device: "the CPU".into(),
        };
        let seconds = of(false, &work, Some(rate)).time.seconds.unwrap();
        assert!((seconds - 4.0).abs() < 1e-9);
    }
}
