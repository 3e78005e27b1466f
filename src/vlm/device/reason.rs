//! Why a CUDA device cannot be used, in words that say what to do about it. Nothing here needs CUDA.

use std::fmt::{self, Display, Formatter};

use super::capability::{Capability, Target};
use super::libraries::{Missing, Sought};

/// Why there is no CUDA device.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("no CUDA driver was found: libcuda.so.1, which is part of it, was sought {0}")]
    NoDriver(Sought),
    #[error("{0}")]
    NoLibraries(Missing),
    #[error(
        "the CUDA driver takes CUDA up to {driver} and this binary was built with CUDA {toolkit}: \
         install a newer driver, or build with an older toolkit"
    )]
    DriverTooOld { driver: Version, toolkit: Version },
    #[error("the CUDA driver finds no device{0}")]
    NoDevice(Visible),
    #[error("there is no CUDA device {ordinal}, only {}{visible}", found.join(", "))]
    NoSuchDevice {
        ordinal: usize,
        /// Such as `cuda:0 (NVIDIA H100 80GB HBM3)`.
        found: Vec<String>,
        visible: Visible,
    },
    #[error(
        "{card} has compute capability {capability} and this binary was built for {built}: build it \
         with CUDA_COMPUTE_CAP={}, as `scripts/cuda-toolkit --cap {} DIR` sets it",
        capability.number(), capability.number()
    )]
    NotBuiltFor {
        card: String,
        capability: Capability,
        built: Target,
    },
    /// The text of an error of the driver or of a library.
    #[error("{text}{advice}", text = .0, advice = advice(.0))]
    Failed(String),
}

/// A version of CUDA in the driver's way of counting: 12080 is 12.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub u32);

impl Display for Version {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// The value of `CUDA_VISIBLE_DEVICES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visible(pub Option<String>);

impl Display for Visible {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => Ok(()),
            Some(value) => write!(f, "; CUDA_VISIBLE_DEVICES is \"{value}\""),
        }
    }
}

/// What the names of errors mean where they come while a device is opened, and what helps.
const ADVICE: [(&str, &str); 14] = [
    (
        "CUDA_ERROR_OUT_OF_MEMORY",
        "the card's memory is so full that not even a context fits; nvidia-smi shows by whom",
    ),
    (
        "CUBLAS_STATUS_ALLOC_FAILED",
        "the card's memory is too full for cuBLAS; nvidia-smi shows by whom",
    ),
    (
        "CUBLAS_STATUS_NOT_INITIALIZED",
        "cuBLAS found too little memory, or belongs to a CUDA that the driver is too old for",
    ),
    (
        "CUDA_ERROR_DEVICE_UNAVAILABLE",
        "another process has the card to itself (its compute mode is exclusive)",
    ),
    (
        "CUDA_ERROR_STUB_LIBRARY",
        "the libcuda that was found is a toolkit's stub: take the folder `stubs` off LD_LIBRARY_PATH",
    ),
    (
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        "the driver's library and its kernel module differ in version, as after an update: restart the machine",
    ),
    (
        "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
        "the libcuda that was found is of the cuda-compat package, which this card does not take: \
         take its folder off LD_LIBRARY_PATH",
    ),
    (
        "CUDA_ERROR_SYSTEM_NOT_READY",
        "machines with NVSwitch need nvidia-fabricmanager to be running",
    ),
    (
        "CUDA_ERROR_OPERATING_SYSTEM",
        "may this user read and write /dev/nvidia*?",
    ),
    (
        "CUDA_ERROR_UNKNOWN",
        "does nvidia-smi work, and is there /dev/nvidia-uvm? In a container, were the GPUs passed in?",
    ),
    (
        "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        "the driver is older than the toolkit that this binary was built with: install a newer one",
    ),
    (
        "CUDA_ERROR_NO_BINARY_FOR_GPU",
        "this binary was built for another compute capability: build it with `scripts/cuda-toolkit --cap`",
    ),
    (
        "CUDA_ERROR_INVALID_PTX",
        "this binary was built for another compute capability: build it with `scripts/cuda-toolkit --cap`",
    ),
    (
        "CUDA_ERROR_ECC_UNCORRECTABLE",
        "the card's memory is faulty: it needs a reset, or replacing",
    ),
];

/// What helps against an error, as the end of a sentence; empty where nothing is known.
fn advice(error: &str) -> String {
    let known = ADVICE.iter().find(|(name, _)| error.contains(name));
    known.map_or_else(String::new, |(_, advice)| format!(": {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::device::libraries::{DRIVER, OTHERS};

    #[test]
    fn libraries_that_are_not_there() {
        let sought = Sought {
            library_path: Some("/opt/lib".into()),
            refused: None,
        };
        let text = Unusable::NoDriver(sought.clone()).to_string();
        assert!(text.starts_with("no CUDA driver was found"), "{text}");
        for part in [DRIVER, "LD_LIBRARY_PATH (/opt/lib)"] {
            assert!(text.contains(part), "{text}");
        }
        let missing = Missing {
            libraries: OTHERS.to_vec(),
            cuda_major: 13,
            sought,
            elsewhere: Vec::new(),
        };
        let text = Unusable::NoLibraries(missing).to_string();
        assert!(text.contains("libcublas.so.13"), "{text}");
    }

    #[test]
    fn errors_of_the_driver_say_what_helps() {
        let text = |error: &str| Unusable::Failed(error.to_owned()).to_string();
        assert_eq!(
            text("DriverError(CUDA_ERROR_STUB_LIBRARY, \"CUDA driver is a stub library\")"),
            "DriverError(CUDA_ERROR_STUB_LIBRARY, \"CUDA driver is a stub library\"): the libcuda that was found \
             is a toolkit's stub: take the folder `stubs` off LD_LIBRARY_PATH"
        );
        assert!(text("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"\")").contains("nvidia-smi"));
        assert_eq!(text("CUDA_ERROR_ASSERT"), "CUDA_ERROR_ASSERT");
    }

    #[test]
    fn versions_are_those_of_the_toolkit() {
        assert_eq!(Version(13000).to_string(), "13.0");
        assert_eq!(Version(12080).to_string(), "12.8");
        assert!(Version(12090) < Version(13000));
        let error = Unusable::DriverTooOld {
            driver: Version(12040),
            toolkit: Version(13000),
        };
        assert!(
            error
                .to_string()
                .contains("CUDA up to 12.4 and this binary was built with CUDA 13.0"),
            "{error}"
        );
    }

    #[test]
    fn devices_that_are_not_there() {
        let hidden = Visible(Some(String::new()));
        assert_eq!(
            Unusable::NoDevice(hidden).to_string(),
            "the CUDA driver finds no device; CUDA_VISIBLE_DEVICES is \"\""
        );
        let error = Unusable::NoSuchDevice {
            ordinal: 5,
            found: vec!["cuda:0 (one)".into(), "cuda:1 (another)".into()],
            visible: Visible(None),
        };
        assert_eq!(
            error.to_string(),
            "there is no CUDA device 5, only cuda:0 (one), cuda:1 (another)"
        );
    }

    #[test]
    fn a_card_that_the_binary_was_not_built_for() {
        let error = Unusable::NotBuiltFor {
            card: "cuda:0 (NVIDIA A100)".into(),
            capability: Capability(8, 0),
            built: Target::of_ptx(".version 9.0\n.target sm_90a\n").unwrap(),
        };
        assert_eq!(
            error.to_string(),
            "cuda:0 (NVIDIA A100) has compute capability 8.0 and this binary was built for 9.0 alone: build it \
             with CUDA_COMPUTE_CAP=80, as `scripts/cuda-toolkit --cap 80 DIR` sets it"
        );
    }
}
