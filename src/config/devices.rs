//! Which devices a run computes on: the name of one, or a list.

use std::slice;

use serde::{Deserialize, Serialize};

use crate::vlm::device;

/// The value of `model.device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "model.device is neither a name such as \"cuda:0\" nor a list of names such as \
                 [\"cuda:0\", \"cuda:1\"]"
)]
pub enum Devices {
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    One(String),
    /// All of `cuda:N`, or all `cpu`.
    Several(Vec<String>),
}

impl Default for Devices {
    fn default() -> Self {
        Self::One("auto".into())
    }
}

impl Devices {
    /// The names as written, at least one.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => slice::from_ref(name),
            Self::Several(names) => names,
        }
    }

    /// Whether devices may be called so, whatever this machine has.
    pub(super) fn check(&self) -> Result<(), String> {
        let names = self.names();
        names.iter().try_for_each(|name| device::check_name(name))?;
        let Self::Several(names) = self else {
            return Ok(());
        };
        if names.is_empty() {
            return Err("model.device is an empty list: name at least one device".into());
        }
        if names.iter().any(|name| name == "auto") {
            return Err(
                "model.device has \"auto\" in a list: name each device, or write device = \"auto\""
                    .into(),
            );
        }
        let ordinals: Vec<Option<usize>> = names
            .iter()
            .map(|name| device::cuda_ordinal(name))
            .collect();
        for (i, ordinal) in ordinals.iter().enumerate() {
            if ordinal.is_some() != ordinals[0].is_some() {
                return Err(format!(
                    "model.device has both \"{}\" and \"{}\": the CPU computes in f32 and CUDA in \
                     bf16 by default, and a run's vectors have to be of one kind; list devices of \
                     one kind",
                    names[0], names[i]
                ));
            }
            if ordinal.is_some() && ordinals[..i].contains(ordinal) {
                return Err(format!(
                    "model.device names CUDA device {} twice",
                    ordinal.unwrap_or_default()
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Section {
        device: Devices,
    }

    fn parsed(value: &str) -> Result<Devices, String> {
        toml::from_str(&format!("device = {value}"))
            .map(|section: Section| section.device)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_name_or_a_list_reads_and_writes_back() {
        for value in ["\"cuda:3\"", "[\"cuda:0\", \"cuda:1\"]", "[\"cpu\"]"] {
            let device = parsed(value).unwrap();
            device.check().unwrap();
            let text = toml::to_string(&Section { device }).unwrap();
            assert_eq!(text.trim(), format!("device = {value}"));
        }
        assert_eq!(
            parsed("[\"cpu\", \"cpu\"]").unwrap().names(),
            ["cpu", "cpu"]
        );
    }

    #[test]
    fn another_type_is_told_by_the_key() {
        for value in ["3", "[0, 1]", "{ a = 1 }", "[\"cpu\", 1]"] {
            let error = parsed(value).unwrap_err();
            assert!(error.starts_with("model.device is neither"), "{error}");
        }
    }

    #[test]
    fn lists_that_make_no_sense() {
        for (value, expected) in [
            ("[]", "model.device is an empty list"),
            ("[\"auto\"]", "\"auto\" in a list"),
            ("[\"cuda:1\", \"auto\"]", "\"auto\" in a list"),
            (
                "[\"cuda:1\", \"cuda:0\", \"cuda:1\"]",
                "CUDA device 1 twice",
            ),
            ("[\"cuda\", \"cuda:0\"]", "CUDA device 0 twice"),
            ("[\"cuda:0\", \"cpu\"]", "both \"cuda:0\" and \"cpu\""),
            ("[\"cuda:0\", \"gpu\"]", "device = \"gpu\": expected"),
        ] {
            let error = parsed(value).unwrap().check().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
