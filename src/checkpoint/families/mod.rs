//! The checkpoint families. A new one is one file (or folder) here, a variant of [`Family`] and a line in `KINDS`.

pub mod embedding;
mod language;
pub mod llava;
mod preprocess;
pub mod qwen_vl;
mod vit;

pub use language::LanguageConfig;
pub use preprocess::{Fit, Pixels};
pub use vit::{Activation, Tower};

use super::check::Expected;
use super::error::CheckpointError;
use super::fields::{CONFIG_LIMIT, Fields, JsonFile};
use super::fingerprint::Content;
use super::locate::Source;
use super::options::OpenOptions;
use super::weights::Weights;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// What a checkpoint is, with its config.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Family {
    /// A CLIP or SigLIP tower, a two-layer projector and a language model of the Llama kind.
    Llava(llava::Config),
    /// Qwen2-VL or Qwen2.5-VL.
    QwenVl(qwen_vl::Config),
}

impl Family {
    /// The language model.
    pub fn language(&self) -> &LanguageConfig {
        match self {
            Self::Llava(config) => &config.language,
            Self::QwenVl(config) => &config.language,
        }
    }

    /// Numbers in the tensors that a model loads.
    pub fn parameters(&self) -> u64 {
        let tensors = match self {
            Self::Llava(config) => llava::expected_tensors(config),
            Self::QwenVl(config) => qwen_vl::expected_tensors(config),
        };
        let numbers = |(_, shape): &(String, Vec<usize>)| shape.iter().product::<usize>() as u64;
        tensors.iter().map(numbers).sum()
    }

    /// The vocabulary's placeholder of a picture, where it has one.
    pub fn image_token(&self) -> Option<u32> {
        match self {
            Self::Llava(config) => config.image_token,
            Self::QwenVl(config) => Some(config.image_token),
        }
    }

    /// The vocabulary's placeholder of a video, where it has one.
    pub fn video_token(&self) -> Option<u32> {
        match self {
            Self::Llava(config) => config.video.as_ref().and_then(|video| video.token),
            Self::QwenVl(config) => Some(config.video_token),
        }
    }

    /// Whether the family knows videos.
    pub fn has_video(&self) -> bool {
        match self {
            Self::Llava(config) => config.video.is_some(),
            Self::QwenVl(_) => true,
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Llava(config) => config.generation.name(),
            Self::QwenVl(config) => config.generation.name(),
        })
    }
}

/// Who wrote the folder. Prompts and rounding differ between the two, weights do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Hugging Face transformers.
    HuggingFace,
    /// The training code of LLaVA-NeXT, which LLaVA-OneVision is trained with.
    LlavaNext,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::HuggingFace => "transformers",
            Self::LlavaNext => "LLaVA-NeXT's training",
        })
    }
}

/// One kind of `config.json`, and how to read what belongs to it.
pub(super) struct Kind {
    /// `model_type` or `architectures`.
    key: &'static str,
    /// The value of that key that tells this kind.
    value: &'static str,
    pub(super) layout: Layout,
    pub(super) read: fn(&Opening<'_>) -> Result<Model, CheckpointError>,
}

const KINDS: &[Kind] = &[
    llava::TRAINING,
    llava::ONE_VISION,
    llava::NEXT,
    llava::V1_5,
    qwen_vl::V2,
    qwen_vl::V2_5,
];

/// What a family's reader works with.
pub(super) struct Opening<'a> {
    pub(super) source: &'a Source,
    pub(super) config: &'a JsonFile,
    /// The folder that relative paths in the user's config start from.
    pub(super) base: &'a Path,
    pub(super) options: &'a OpenOptions,
}

/// What a family's reader gives back.
pub(super) struct Model {
    pub(super) family: Family,
    pub(super) weights: Weights,
    pub(super) expected: Expected,
    /// What else decides the result beside `config.json` and the weights, by name, for the fingerprint.
    pub(super) inputs: Vec<(String, Content)>,
}

impl Opening<'_> {
    /// A JSON file of the checkpoint, where it is there.
    fn json(&self, file: &str) -> Result<Option<JsonFile>, CheckpointError> {
        let path = self.source.optional(file, self.options)?;
        path.map(|path| JsonFile::read(path, CONFIG_LIMIT))
            .transpose()
    }
}

/// Whether a `model_type` or architecture is read in a layout.
#[cfg(test)]
pub(super) fn is_supported(family: &str, layout: Layout) -> bool {
    KINDS
        .iter()
        .any(|kind| kind.value == family && kind.layout == layout)
}

/// The kind of a `config.json`.
pub(super) fn kind(config: &JsonFile) -> Result<&'static Kind, CheckpointError> {
    let fields = config.fields();
    let found = |kind: &&Kind| match fields.get(kind.key) {
        Some(Value::String(name)) => name == kind.value,
        Some(Value::Array(names)) => names.iter().any(|name| name == kind.value),
        _ => false,
    };
    KINDS
        .iter()
        .find(found)
        .ok_or_else(|| CheckpointError::UnknownFamily {
            path: config.path.clone(),
            found: description(&fields),
            supported: KINDS
                .iter()
                .map(|kind| format!("{} {}", kind.key, kind.value))
                .collect::<Vec<_>>()
                .join(", "),
        })
}

fn description(fields: &Fields<'_>) -> String {
    let show = |key| Some(format!("{key} {}", fields.get(key)?));
    let parts: Vec<String> = ["model_type", "architectures"]
        .into_iter()
        .filter_map(show)
        .collect();
    if parts.is_empty() {
        "a config without model_type and architectures".into()
    } else {
        parts.join(", ")
    }
}
