//! Devices: choosing them and the precision, how full they are, and values on their way to them.

#[cfg(any(feature = "cuda", test))]
mod capability;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(feature = "cuda", test))]
mod libraries;
mod memory;
mod rate;
#[cfg(any(feature = "cuda", test))]
mod reason;
pub(crate) mod transfer;

use candle_core::{DType, Device};

use super::VlmError;

pub use memory::{Memory, memory, peak, with_memory};
pub use rate::product_rate;

/// A device that was opened, and what to tell about the choice.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where tensors live.
    pub device: Device,
    /// `cpu` or `cuda:N`.
    pub name: String,
    /// For people: which device, and why not another.
    pub description: String,
}

/// The names that mean something.
const EXPECTED: &str = "expected \"auto\", \"cpu\", \"cuda\" or \"cuda:N\"";

/// The ordinal of `cuda` or `cuda:N`; `None` for other names.
pub fn cuda_ordinal(name: &str) -> Option<usize> {
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

/// Opens the devices of one process: `auto`, `cpu`, `cuda` or `cuda:N`, or several of the last two.
///
/// Where several ranks share this machine, `local_rank` is this one's number among them. `auto` and `cuda` then take
/// the CUDA device of that number, and a list gives each rank one of its devices; both begin anew where there are more
/// ranks than devices. Without ranks, `auto` and `cuda` take the first device, and a list all it names.
///
/// # Errors
/// When a name is none of these, or a CUDA device was asked for and cannot be had.
pub fn open_all(names: &[String], local_rank: Option<usize>) -> Result<Vec<Opened>, VlmError> {
    let choices = choose(names, local_rank, visible_cuda_devices);
    choices.into_iter().map(Choice::open).collect()
}

/// A device to open.
#[derive(Debug, PartialEq, Eq)]
struct Choice<'a> {
    /// As written in the config.
    name: &'a str,
    /// `None`: not for this machine to say, as for `cpu`.
    ordinal: Option<usize>,
    /// What is to be said about the choice.
    remark: &'static str,
}

/// Which devices to open; `visible` tells how many CUDA devices there are, and is asked only where that matters.
fn choose(
    names: &[String],
    local_rank: Option<usize>,
    visible: impl FnOnce() -> usize,
) -> Vec<Choice<'_>> {
    let named = |name| Choice {
        name,
        ordinal: cuda_ordinal(name),
        remark: "",
    };
    match (names, local_rank) {
        ([name], Some(rank)) if matches!(name.as_str(), "auto" | "cuda") => vec![Choice {
            name,
            // Without a device, opening the first one says why.
            ordinal: Some(rank.checked_rem(visible()).unwrap_or(0)),
            remark: "",
        }],
        ([name], None) if name == "auto" => vec![Choice {
            name,
            ordinal: Some(0),
            remark: "",
        }],
        ([name], Some(rank)) if rank > 0 && cuda_ordinal(name).is_some() => vec![Choice {
            remark: ", which the config names for all ranks of this machine; device = \"cuda\" \
                     gives each its own",
            ..named(name)
        }],
        (names, Some(rank)) if !names.is_empty() => vec![named(&names[rank % names.len()])],
        (names, _) => names.iter().map(|name| named(name)).collect(),
    }
}

impl Choice<'_> {
    fn open(self) -> Result<Opened, VlmError> {
        let failed = |reason: String| VlmError::Device {
            name: self.name.to_owned(),
            reason,
        };
        let cpu = |why: String| Opened {
            device: Device::Cpu,
            name: "cpu".into(),
            description: format!("the CPU{why}"),
        };
        match (self.name, self.ordinal) {
            ("cpu", _) => Ok(cpu(String::new())),
            (name, Some(ordinal)) => match open_cuda(ordinal) {
                Ok((device, card)) => Ok(Opened {
                    device,
                    name: format!("cuda:{ordinal}"),
                    description: format!("CUDA device {ordinal} ({card}){}", self.remark),
                }),
                Err(reason) if name == "auto" => Ok(cpu(format!(" ({reason})"))),
                Err(reason) => Err(failed(reason)),
            },
            (_, None) => Err(failed(EXPECTED.into())),
        }
    }
}

/// A device, and what people call the card.
#[cfg(feature = "cuda")]
fn open_cuda(ordinal: usize) -> Result<(Device, String), String> {
    cuda::open(ordinal).map_err(|reason| reason.to_string())
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> Result<(Device, String), String> {
    Err("this binary was built without CUDA; build it with `--features cuda,flash-attn`".into())
}

/// How many CUDA devices this process can see; 0 where CUDA cannot be asked.
fn visible_cuda_devices() -> usize {
    #[cfg(feature = "cuda")]
    return cuda::visible();
    #[cfg(not(feature = "cuda"))]
    0
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

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        for name in ["gpu", "cuda:", "cuda:x", "cuda0", ""] {
            assert!(check_name(name).is_err());
            let error = open_all(&names(&[name]), None).unwrap_err().to_string();
            assert!(error.contains("expected \"auto\""), "{error}");
        }
        assert_eq!(open_all(&names(&["auto"]), None).unwrap().len(), 1);
        let opened = open_all(&names(&["cpu", "cpu"]), None).unwrap();
        assert!(opened.iter().all(|opened| opened.name == "cpu"));
        assert_eq!(opened.len(), 2);
    }

    /// The ordinals of the devices that a rank takes.
    #[track_caller]
    fn taken(devices: &[&str], rank: Option<usize>, visible: usize) -> Vec<Option<usize>> {
        let names = names(devices);
        let choices = choose(&names, rank, || visible);
        choices.iter().map(|choice| choice.ordinal).collect()
    }

    #[test]
    fn a_rank_takes_the_device_of_its_number() {
        for name in ["auto", "cuda"] {
            assert_eq!(taken(&[name], None, 4), [Some(0)]);
            assert_eq!(taken(&[name], Some(0), 4), [Some(0)]);
            assert_eq!(taken(&[name], Some(3), 4), [Some(3)]);
            assert_eq!(taken(&[name], Some(9), 4), [Some(1)]);
            // One device per task, as batch systems give it.
            assert_eq!(taken(&[name], Some(3), 1), [Some(0)]);
            assert_eq!(taken(&[name], Some(3), 0), [Some(0)], "to say why");
        }
        assert_eq!(taken(&["cpu"], Some(3), 4), [None]);
    }

    #[test]
    fn a_device_that_is_named_is_kept() {
        assert_eq!(taken(&["cuda:2"], Some(3), 4), [Some(2)]);
        let devices = names(&["cuda:2"]);
        let remark = |rank| choose(&devices, rank, || 4)[0].remark;
        assert!(remark(Some(1)).contains("for all ranks"));
        assert_eq!([remark(None), remark(Some(0))], ["", ""]);
    }

    #[test]
    fn a_list_is_for_one_process_or_one_each() {
        let list = ["cuda:1", "cuda:3", "cuda:2"];
        assert_eq!(taken(&list, None, 4), [Some(1), Some(3), Some(2)]);
        assert_eq!(taken(&list, Some(0), 4), [Some(1)]);
        assert_eq!(taken(&list, Some(4), 4), [Some(3)]);
        assert_eq!(taken(&["cpu", "cpu"], None, 0), [None, None]);
        assert_eq!(taken(&["cpu", "cpu"], Some(5), 0), [None]);
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
