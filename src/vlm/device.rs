//! Choosing the device and the precision.

use candle_core::{DType, Device};

use super::VlmError;

/// A device that was opened, and what to tell about the choice.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where tensors live.
    pub device: Device,
    /// For people: which device, and why not another.
    pub description: String,
}

/// The names that mean something.
const EXPECTED: &str = "expected \"auto\", \"cpu\", \"cuda\" or \"cuda:N\"";

/// The ordinal of `cuda` or `cuda:N`.
fn cuda_ordinal(name: &str) -> Option<usize> {
    match name.strip_prefix("cuda")? {
        "" => Some(0),
        rest => rest.strip_prefix(':')?.parse().ok(),
    }
}

/// Whether a device may be called so, whatever this machine has.
///
/// # Errors
/// Says which names there are.
pub fn check_name(name: &str) -> Result<(), String> {
    if matches!(name, "auto" | "cpu") || cuda_ordinal(name).is_some() {
        return Ok(());
    }
    Err(format!("device = \"{name}\": {EXPECTED}"))
}

/// Opens `auto`, `cpu`, `cuda` or `cuda:N`. `auto` takes the first CUDA device if there is one.
///
/// # Errors
/// When the name is none of these, or a CUDA device was asked for and cannot be had.
pub fn open(name: &str) -> Result<Opened, VlmError> {
    let failed = |reason: String| VlmError::Device {
        name: name.to_owned(),
        reason,
    };
    let cpu = |why: String| Opened {
        device: Device::Cpu,
        description: format!("the CPU{why}"),
    };
    let on_cuda = |ordinal: usize, device: Device| Opened {
        device,
        description: format!("CUDA device {ordinal}"),
    };
    match name {
        "cpu" => Ok(cpu(String::new())),
        "auto" => Ok(match open_cuda(0) {
            Ok(device) => on_cuda(0, device),
            Err(reason) => cpu(format!(" ({reason})")),
        }),
        _ => {
            let ordinal = cuda_ordinal(name).ok_or_else(|| failed(EXPECTED.into()))?;
            Ok(on_cuda(ordinal, open_cuda(ordinal).map_err(failed)?))
        }
    }
}

#[cfg(feature = "cuda")]
fn open_cuda(ordinal: usize) -> Result<Device, String> {
    use std::panic;
    // Without a driver the bindings panic rather than fail; what they print then helps nobody.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let opened = panic::catch_unwind(|| Device::new_cuda_with_stream(ordinal));
    panic::set_hook(hook);
    opened
        .map_err(|_| "the CUDA driver or one of its libraries was not found".to_owned())?
        .map_err(|error| error.to_string())
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> Result<Device, String> {
    Err("this binary was built without CUDA; build it with `--features cuda,flash-attn`".into())
}

/// The precision to compute in; `None` for the device's own choice.
///
/// # Errors
/// When the device cannot compute in it.
pub fn dtype(asked: Option<DType>, device: &Device) -> Result<DType, VlmError> {
    match asked {
        None if device.is_cuda() => Ok(DType::BF16),
        None | Some(DType::F32) => Ok(DType::F32),
        Some(dtype) if device.is_cuda() => Ok(dtype),
        Some(dtype) => Err(VlmError::Device {
            name: "cpu".into(),
            reason: format!(
                "the CPU computes in f32 only, dtype = \"{}\" needs CUDA",
                dtype.as_str()
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_nothing_are_refused() {
        for name in ["gpu", "cuda:", "cuda:x", "cuda0", ""] {
            let error = open(name).unwrap_err().to_string();
            assert!(error.contains("expected \"auto\""), "{error}");
        }
        assert!(open("auto").is_ok());
    }

    #[test]
    fn half_precision_needs_cuda() {
        assert_eq!(dtype(None, &Device::Cpu).unwrap(), DType::F32);
        let error = dtype(Some(DType::BF16), &Device::Cpu)
            .unwrap_err()
            .to_string();
        assert!(error.contains("bf16"), "{error}");
    }
}
