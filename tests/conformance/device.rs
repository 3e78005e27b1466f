//! Where the library's models run, and how close they have to come there.
//!
//! `MADMIX_TEST_DEVICE` is `cpu` (the same as unset) or `cuda`, `cuda:N`. On CUDA the vectors are compared twice, in f32
//! and in bf16; what is bound to the bit, and what needs no model, stays on the CPU. A device that cannot be had fails
//! every comparison with the reason. `cpu-bf16` runs the forms of CUDA that have no kernel of their own, in bf16 on the
//! CPU: without a card that tells whether the bounds on bf16 can be met, and takes many minutes.

use std::sync::OnceLock;

use candle_core::{DType, Device};
use madmix::vlm::device::{cuda_ordinal, open_all};

use crate::agreement::Bound;

const VARIABLE: &str = "MADMIX_TEST_DEVICE";

/// Other kernels, which add in another order.
const CUDA_F32: f64 = 1e-4;

/// transformers itself, in bf16 on the CPU with these tiny checkpoints, has medians of up to 1.6e-2 and single vectors
/// up to 3.5e-2 from its own in f32 (`scripts/bench_bf16.py`), so no single one can be held to less.
const BF16: Bound = Bound {
    each: 5e-2,
    median: Some(2e-2),
};

/// candle's plain forms round a product, its bias and its residual one after the other, more often than transformers and
/// than our kernels: pictures of Qwen2-VL then have a median of 2.1e-2 behind the last layer, where transformers has 1.4e-2.
const BF16_WITHOUT_KERNELS: Bound = Bound {
    median: Some(2.5e-2),
    ..BF16
};

/// A device and a precision.
#[derive(Clone, Debug)]
pub(crate) struct On {
    pub(crate) device: Device,
    pub(crate) dtype: DType,
    /// For messages.
    pub(crate) name: String,
}

impl On {
    pub(crate) fn cpu() -> Self {
        Self {
            device: Device::Cpu,
            dtype: DType::F32,
            name: "cpu f32".to_owned(),
        }
    }

    /// How close vectors have to come that are within `on_cpu` there.
    pub(crate) fn bound(&self, on_cpu: f64) -> Bound {
        match (&self.device, self.dtype) {
            (Device::Cpu, DType::F32) => Bound::each(on_cpu),
            (_, DType::F32) => Bound::each(on_cpu.max(CUDA_F32)),
            (Device::Cpu, _) => BF16_WITHOUT_KERNELS,
            _ => BF16,
        }
    }

    pub(crate) fn is_f32(&self) -> bool {
        self.dtype == DType::F32
    }
}

/// Where vectors are compared.
///
/// # Panics
/// With the reason where a device that was asked for cannot be had.
pub(crate) fn compared() -> &'static [On] {
    static COMPARED: OnceLock<Result<Vec<On>, String>> = OnceLock::new();
    let asked = || std::env::var(VARIABLE).unwrap_or_else(|_| "cpu".to_owned());
    let found = COMPARED.get_or_init(|| open(&asked()));
    found
        .as_deref()
        .unwrap_or_else(|reason| panic!("{VARIABLE}={}: {reason}", asked()))
}

fn open(name: &str) -> Result<Vec<On>, String> {
    if name == "cpu" {
        return Ok(vec![On::cpu()]);
    }
    if name == "cpu-bf16" {
        return Ok(vec![On {
            dtype: DType::BF16,
            name: name.to_owned(),
            ..On::cpu()
        }]);
    }
    if cuda_ordinal(name).is_none() {
        return Err("it is \"cpu\", \"cpu-bf16\", \"cuda\" or \"cuda:N\"".to_owned());
    }
    let opened = open_all(&[name.to_owned()], None).map_err(|error| error.to_string())?;
    let on = |dtype: DType| On {
        device: opened[0].device.clone(),
        dtype,
        name: format!("{} {}", opened[0].name, dtype.as_str()),
    };
    Ok(vec![on(DType::F32), on(DType::BF16)])
}

#[test]
fn only_devices_that_exist_are_taken() {
    assert_eq!(open("cpu").unwrap()[0].bound(1e-5), Bound::each(1e-5));
    for name in ["", "gpu", "cuda:", "auto"] {
        assert!(open(name).unwrap_err().contains("it is \"cpu\""), "{name}");
    }
    // More than any machine has.
    let reason = open("cuda:4096").unwrap_err();
    assert!(reason.contains("device = \"cuda:4096\": "), "{reason}");
}
