//! The small model: its layers, its training and its losses.

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::{D, Device, Tensor, Var};
use candle_nn::{AdamW, Linear, Module, Optimizer, ParamsAdamW};

use super::data::{INPUT, ProxyData};
use super::text::SORTS;
use crate::atlas::chance::Chance;

/// Width of the trunk.
const HIDDEN: usize = 64;
/// Samples of a step.
const BATCH: u64 = 32;
/// Samples that are evaluated at a time.
const AT_ONCE: usize = 1024;
/// The rate at the start; it falls to nothing along half a cosine.
const LEARNING_RATE: f64 = 2e-3;
/// How quickly weights fade that nothing holds.
const WEIGHT_DECAY: f64 = 0.3;
/// The share of inputs and of the trunk that is left out at random in training. Cells are small and seen many times: a
/// model that learns them by heart does worse on what is held out the more it sees, and says little of a larger one.
const DROPOUT: f64 = 0.5;
/// How much of a target is what any answer might be.
const SMOOTHING: f32 = 0.1;

/// Why training did not come to its end.
pub(super) enum Stop {
    /// It was asked to stop.
    Asked,
    /// There is nothing to train on.
    Nothing,
    /// The arithmetic failed.
    Candle(candle_core::Error),
}

impl From<candle_core::Error> for Stop {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
}

/// Trains on `budget` samples drawn by the cells' `weights`. Gives the mean loss of every cell's held-out samples, in
/// nats a word; `None` for a cell that has none. The same bits for the same seed.
pub(super) fn train(
    data: &ProxyData,
    weights: &[f64],
    budget: u64,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Vec<Option<f64>>, Stop> {
    let mut draws = Draws::new(data, weights, seed).ok_or(Stop::Nothing)?;
    let model = Model::new(data, seed)?;
    let mut masks = Chance::of(seed, "proxy's masks", 0);
    let parameters = ParamsAdamW {
        lr: LEARNING_RATE,
        weight_decay: WEIGHT_DECAY,
        ..ParamsAdamW::default()
    };
    let mut optimizer = AdamW::new(model.variables.clone(), parameters)?;
    let steps = budget.div_ceil(BATCH).max(1);
    for step in 0..steps {
        if stop.load(Ordering::Relaxed) {
            return Err(Stop::Asked);
        }
        let done = step as f64 / steps as f64;
        let rate = LEARNING_RATE * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        optimizer.set_learning_rate(rate);
        let batch = draws.next(data);
        let losses = model.losses(data, &batch, Some(&mut masks))?;
        let loss = (Tensor::cat(&losses, 0)?.sum_all()? / batch.len() as f64)?;
        optimizer.backward_step(&loss)?;
    }
    model.evaluate(data)
}

/// A sample and the task by which it is answered.
type Drawn = (usize, u32);

/// Which samples come next.
struct Draws {
    /// The running sums of the shares of the cells that have samples to train on.
    shares: Vec<(f64, usize)>,
    /// Each cell's samples, in an order of chance, and how far it is gone through.
    orders: Vec<(Vec<u32>, usize)>,
    chance: Chance,
}

impl Draws {
    /// `None` if nothing can be drawn.
    fn new(data: &ProxyData, weights: &[f64], seed: u64) -> Option<Self> {
        let mut sum = 0.0;
        let mut shares = Vec::new();
        for (cell, (of_cell, &weight)) in data.cells.iter().zip(weights).enumerate() {
            if weight > 0.0 && !of_cell.train.is_empty() {
                sum += weight;
                shares.push((sum, cell));
            }
        }
        let order = |cell: &super::data::CellData| (cell.train.clone(), cell.train.len());
        (sum > 0.0).then(|| Self {
            shares,
            orders: data.cells.iter().map(order).collect(),
            chance: Chance::of(seed, "proxy's draws", 0),
        })
    }

    /// The samples of a step, sorted by task. Its places are spread evenly over the shares, so that a batch is as near to
    /// them as it can be; a cell's samples all come once before one comes again.
    fn next(&mut self, data: &ProxyData) -> Vec<Drawn> {
        let total = self.shares.last().map_or(0.0, |(sum, _)| *sum);
        let offset = self.chance.uniform();
        let mut batch = Vec::with_capacity(BATCH as usize);
        for place in 0..BATCH {
            let at = (place as f64 + offset) / BATCH as f64 * total;
            let found = self.shares.partition_point(|(sum, _)| *sum <= at);
            let cell = self.shares[found.min(self.shares.len() - 1)].1;
            let (order, gone) = &mut self.orders[cell];
            if *gone == order.len() {
                self.chance.shuffle(order);
                *gone = 0;
            }
            batch.push((data.cells[cell].task, order[*gone]));
            *gone += 1;
        }
        batch.sort_by_key(|(task, _)| *task);
        batch
    }
}

struct Model {
    trunk: [Linear; 2],
    /// One for each task.
    heads: Vec<Linear>,
    /// The logarithms of how often sorts of words are answered at all `[1, SORTS]`: what is known before anything is
    /// learnt, as a model that is trained further knows its language.
    prior: Tensor,
    variables: Vec<Var>,
}

impl Model {
    fn new(data: &ProxyData, seed: u64) -> Result<Self, Stop> {
        let mut variables = Vec::new();
        let mut linear = |name: &str, number, inputs: usize, outputs: usize, gain: f64| {
            // candle draws from a generator that cannot be seeded on the CPU.
            let mut chance = Chance::of(seed, name, number);
            let deviation = gain / (inputs as f64).sqrt();
            let draw = |_| (chance.normal() * deviation) as f32;
            let weights: Vec<f32> = (0..inputs * outputs).map(draw).collect();
            let weight = Var::from_vec(weights, (outputs, inputs), &Device::Cpu)?;
            let bias = Var::zeros(outputs, candle_core::DType::F32, &Device::Cpu)?;
            let layer = Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone()));
            variables.extend([weight, bias]);
            Ok::<_, Stop>(layer)
        };
        let gain = 2.0_f64.sqrt();
        let trunk = [
            linear("proxy's trunk", 0, INPUT, HIDDEN, gain)?,
            linear("proxy's trunk", 1, HIDDEN, HIDDEN, gain)?,
        ];
        // Small, so that it begins with what is known before.
        let heads =
            (0..data.tasks as u64).map(|task| linear("proxy's head", task, HIDDEN, SORTS, 0.1));
        let heads = heads.collect::<Result<_, _>>()?;
        let prior: Vec<f32> = data.prior.iter().map(|share| share.ln()).collect();
        Ok(Self {
            trunk,
            heads,
            prior: Tensor::from_vec(prior, (1, SORTS), &Device::Cpu)?,
            variables,
        })
    }

    /// The losses `[n]` of samples that are sorted by task, a tensor for each task among them. In training `masks` leave
    /// parts of the model out, and targets are smoothed.
    fn losses(
        &self,
        data: &ProxyData,
        samples: &[Drawn],
        mut masks: Option<&mut Chance>,
    ) -> Result<Vec<Tensor>, Stop> {
        let count = samples.len();
        let mut inputs = Vec::with_capacity(count * INPUT);
        let mut targets = vec![0.0_f32; count * SORTS];
        for ((_, sample), target) in samples.iter().zip(targets.chunks_exact_mut(SORTS)) {
            let at = *sample as usize;
            inputs.extend_from_slice(&data.inputs[at * INPUT..][..INPUT]);
            for &(sort, share) in &data.answers[at] {
                target[usize::from(sort)] = share;
            }
            if masks.is_some() {
                for (target, prior) in target.iter_mut().zip(&data.prior) {
                    *target += SMOOTHING * (prior - *target);
                }
            }
        }
        let mut hidden = Tensor::from_vec(inputs, (count, INPUT), &Device::Cpu)?;
        let targets = Tensor::from_vec(targets, (count, SORTS), &Device::Cpu)?;
        for layer in &self.trunk {
            hidden = layer
                .forward(&thinned(hidden, masks.as_deref_mut())?)?
                .relu()?;
        }
        hidden = thinned(hidden, masks)?;
        let mut losses = Vec::new();
        let mut begin = 0;
        for of_task in samples.chunk_by(|a, b| a.0 == b.0) {
            let len = of_task.len();
            let head = &self.heads[of_task[0].0];
            let logits = head.forward(&hidden.narrow(0, begin, len)?.contiguous()?)?;
            let logits = logits.broadcast_add(&self.prior)?;
            let chances = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
            let loss = (chances * targets.narrow(0, begin, len)?)?.sum(1)?.neg()?;
            losses.push(loss);
            begin += len;
        }
        Ok(losses)
    }

    fn evaluate(&self, data: &ProxyData) -> Result<Vec<Option<f64>>, Stop> {
        let mean = |cell: &super::data::CellData| {
            let mut sum = 0.0;
            for samples in cell.held_out.chunks(AT_ONCE) {
                let samples: Vec<Drawn> = samples.iter().map(|&at| (cell.task, at)).collect();
                for losses in self.losses(data, &samples, None)? {
                    sum += losses
                        .to_vec1::<f32>()?
                        .iter()
                        .copied()
                        .map(f64::from)
                        .sum::<f64>();
                }
            }
            let count = cell.held_out.len();
            Ok((count > 0).then(|| sum / count as f64))
        };
        data.cells.iter().map(mean).collect()
    }
}

/// Leaves values out at random, and makes the others larger by as much.
fn thinned(values: Tensor, masks: Option<&mut Chance>) -> Result<Tensor, Stop> {
    let Some(chance) = masks else {
        return Ok(values);
    };
    let kept = (1.0 - DROPOUT).recip() as f32;
    let mut draw = |_| {
        if chance.uniform() < DROPOUT {
            0.0
        } else {
            kept
        }
    };
    let mask: Vec<f32> = (0..values.elem_count()).map(&mut draw).collect();
    let mask = Tensor::from_vec(mask, values.shape(), &Device::Cpu)?;
    Ok((values * mask)?)
}
