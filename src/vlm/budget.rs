//! How much goes through a model together, from the memory that its device has left.
//!
//! On a GPU, larger batches are better used up to where all of its cores have work. How far that is possible hangs on
//! the memory, so there the budgets follow from what is free once the weights are loaded: of the language model's
//! positions ([`Budget::tokens`]), and of the patches that go through the vision tower at a time ([`Budget::patches`]).
//! The two are never at work at the same time, so each may have the same half of what is free. The other half is for
//! what the [`Footprint`] leaves out: the vectors of the pictures, which a batch holds until the language model takes
//! them; what libraries take for themselves; and memory that is free but lies in pieces.
//!
//! A batch that still does not fit is cut in two (the back-off of `extract`), so a budget needs no margin for odd
//! samples.
//!
//! # The same bytes
//! A sum of floating-point numbers hangs on how it is split, and that hangs on the size of the matrices. So a budget is
//! rounded down to a power of two, and bounded: cards of one model, on which nearly the same memory is free, choose the
//! same one and make the same bytes. Other budgets give vectors that are the same up to rounding, in f32 about 1e-6
//! relative, in bf16 about 1e-2 for single values and far less for means.

use candle_core::{DType, Device};

use super::device;
use crate::checkpoint::{Family, LanguageConfig, llava, qwen_vl};

/// Tokens on the CPU. Larger batches are no faster there.
const ON_CPU: usize = 8192;
/// Fewer tokens leave a GPU idle between kernels, and would still be too many where these do not fit.
const FEWEST_TOKENS: u64 = 1 << 10;
/// More are no faster, and take longer to prepare than a shard has room for. With the widest MLP that is published,
/// 2 · 29,568, a tensor stays below the 2³¹ values that some kernels can count.
const MOST_TOKENS: u64 = 1 << 15;
/// As many as five tiles of SigLIP.
const FEWEST_PATCHES: u64 = 1 << 12;
/// As many as 89 tiles of SigLIP: the pictures of a full batch of the LLaVA line.
const MOST_PATCHES: u64 = 1 << 16;

/// Bytes of activations that are alive at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Of a position of the language model.
    pub token: u64,
    /// Of a patch in the vision tower.
    pub patch: u64,
}

/// The widths of a transformer that its activations hang on.
#[derive(Clone, Copy, Debug)]
struct Widths {
    /// Of the hidden states.
    pub hidden: usize,
    /// Inside the MLP.
    pub inner: usize,
    /// Of a position's queries, keys and values together.
    pub qkv: usize,
    /// Whether the MLP has a gate, and so two inner vectors instead of one.
    pub gated: bool,
}

impl Widths {
    fn of_language(config: &LanguageConfig) -> Self {
        let heads = config.num_attention_heads + 2 * config.num_key_value_heads;
        Self {
            hidden: config.hidden_size,
            inner: config.intermediate_size,
            qkv: heads * config.head_dim,
            gated: true,
        }
    }

    /// A tower whose queries, keys and values are as wide as its hidden states.
    fn of_tower(hidden: usize, inner: usize, gated: bool) -> Self {
        Self {
            hidden,
            inner,
            qkv: 3 * hidden,
            gated,
        }
    }

    /// Values of one position that are alive at once: the residual and its norm, as they went into the block and as
    /// they are behind attention, with in attention the queries, keys and values, a copy of them in the order that the
    /// kernel takes, and what was attended to; in the MLP the inner vectors before the activation and the one after it.
    fn alive(self) -> usize {
        let attention = 2 * self.qkv + self.hidden;
        let mlp = (2 + usize::from(self.gated)) * self.inner;
        4 * self.hidden + attention.max(mlp)
    }
}

impl Footprint {
    /// Of the model of a family, in a precision.
    pub fn of(family: &Family, dtype: DType) -> Self {
        match family {
            Family::Llava(config) => Self::of_llava(config, dtype),
            Family::QwenVl(config) => Self::of_qwen_vl(config, dtype),
        }
    }

    pub(super) fn of_llava(config: &llava::Config, dtype: DType) -> Self {
        let vision = &config.vision;
        let tower = Widths::of_tower(vision.hidden_size, vision.intermediate_size, false);
        Self::new(Widths::of_language(&config.language), tower, dtype)
    }

    pub(super) fn of_qwen_vl(config: &qwen_vl::Config, dtype: DType) -> Self {
        let vision = &config.vision;
        let gated = config.generation == qwen_vl::Generation::V2_5;
        let tower = Widths::of_tower(vision.hidden_size, vision.intermediate_size, gated);
        Self::new(Widths::of_language(&config.language), tower, dtype)
    }

    /// Of a tower alone, whose patches are all its positions.
    pub(super) fn of_tower(hidden: usize, inner: usize, gated: bool, dtype: DType) -> Self {
        let tower = Widths::of_tower(hidden, inner, gated);
        Self::new(tower, tower, dtype)
    }

    fn new(language: Widths, tower: Widths, dtype: DType) -> Self {
        let bytes = |widths: Widths| (widths.alive() * dtype.size_in_bytes()) as u64;
        Self {
            token: bytes(language),
            patch: bytes(tower),
        }
    }
}

/// How much goes through a model together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Positions of the language model.
    pub tokens: usize,
    /// Patches of the vision tower; `None`: as many as it takes by itself.
    pub patches: Option<usize>,
}

impl Budget {
    /// The budget of each of `models` models whose weights are on the device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(footprint: Footprint, device: &Device, models: usize) -> candle_core::Result<Self> {
        // What loading has freed is free once it is done.
        device.synchronize()?;
        let free = device::memory(device).map(|memory| memory.free / models.max(1) as u64);
        Ok(Self::within(footprint, free))
    }

    /// The most that any CUDA device is given.
    pub const MOST: Self = Self {
        tokens: MOST_TOKENS as usize,
        patches: Some(MOST_PATCHES as usize),
    };

    /// The budget where so many bytes are free; `None` for the CPU.
    pub fn within(footprint: Footprint, free: Option<u64>) -> Self {
        let Some(free) = free else {
            return Self {
                tokens: ON_CPU,
                patches: None,
            };
        };
        let fitting = |bytes: u64, fewest: u64, most: u64| {
            let count = (free / 2 / bytes.max(1)).clamp(fewest, most);
            1 << count.ilog2()
        };
        Self {
            tokens: fitting(footprint.token, FEWEST_TOKENS, MOST_TOKENS),
            patches: Some(fitting(footprint.patch, FEWEST_PATCHES, MOST_PATCHES)),
        }
    }

    /// What two devices both have room for: a shard is the same whichever of them makes it.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.min(other.tokens),
            patches: self.patches.into_iter().chain(other.patches).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// LLaVA-OneVision 0.5B in bf16.
    fn half_billion() -> Footprint {
        let language = Widths {
            hidden: 896,
            inner: 4864,
            qkv: 18 * 64,
            gated: true,
        };
        Footprint::new(language, Widths::of_tower(1152, 4304, false), DType::BF16)
    }

    #[test]
    fn a_footprint_is_that_of_the_widest_moment() {
        // 2 · (4 · 896 + 3 · 4864); attention's 2 · 1152 + 896 is less.
        assert_eq!(half_billion().token, 36_352);
        // 2 · (4 · 1152 + 2 · 4304), against 7 · 1152 in attention.
        assert_eq!(half_billion().patch, 26_432);
        let narrow = Widths::of_tower(1000, 1000, false);
        assert_eq!(narrow.alive(), 4000 + 7000);
    }

    #[test]
    fn the_cpu_has_the_budget_that_it_always_had() {
        let budget = Budget::within(half_billion(), None);
        assert_eq!((budget.tokens, budget.patches), (8192, None));
        assert_eq!(Budget::of(half_billion(), &Device::Cpu, 2).unwrap(), budget);
    }

    #[test]
    fn budgets_are_powers_of_two_within_half_of_what_is_free() {
        let footprint = half_billion();
        for free in [GIB / 4, GIB, 2 * GIB, 5 * GIB, 22 * GIB, 78 * GIB] {
            let Budget { tokens, patches } = Budget::within(footprint, Some(free));
            let patches = patches.unwrap();
            assert!(tokens.is_power_of_two() && patches.is_power_of_two());
            let (tokens, patches) = (tokens as u64, patches as u64);
            assert!(tokens * footprint.token <= free / 2);
            assert!(patches * footprint.patch <= free / 2);
            // Twice as many would be too many, or too much.
            assert!(tokens == MOST_TOKENS || 2 * tokens * footprint.token > free / 2);
            assert!(patches == MOST_PATCHES || 2 * patches * footprint.patch > free / 2);
        }
        assert_eq!(Budget::within(footprint, Some(78 * GIB)).tokens, 32_768);
        assert_eq!(Budget::within(footprint, Some(GIB)).tokens, 8192);
        let full = Budget::within(footprint, Some(0));
        assert_eq!((full.tokens, full.patches), (1024, Some(4096)));
    }

    #[test]
    fn a_card_with_a_little_less_free_takes_the_same() {
        let footprint = half_billion();
        let of = |free| Budget::within(footprint, Some(free));
        assert_eq!(of(78 * GIB), of(77 * GIB));
        assert_eq!(of(22 * GIB), of(22 * GIB - GIB / 3));
    }

    #[test]
    fn several_devices_take_what_all_have_room_for() {
        let of = |tokens, patches| Budget { tokens, patches };
        let (large, small) = (of(32_768, Some(8192)), of(4096, Some(65_536)));
        assert_eq!(large.min(small), of(4096, Some(8192)));
        assert_eq!(of(8192, None).min(of(8192, None)), of(8192, None));
    }
}
