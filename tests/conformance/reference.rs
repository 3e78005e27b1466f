//! What the reference made of the same samples: `cases.json`, `pooled.safetensors`, `last_hidden.safetensors`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;

/// A folder of fixtures; written by `scripts/fixtures`.
#[derive(Deserialize)]
pub(crate) struct Reference {
    /// Entries of `hidden_states`: the language model's layers and one.
    pub(crate) hidden_states: usize,
    /// The id that stands at the positions of pictures in `input_ids`.
    #[serde(alias = "placeholder_id")]
    pub(crate) image_token_id: u32,
    pub(crate) cases: Vec<Case>,
}

/// One sample.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The sample as a row of a LLaVA JSON file.
    pub(crate) row: Value,
    pub(crate) pictures: Vec<PictureOf>,
    /// Positions of `image` and of `text.all`, `text.content` and `text.answer`.
    pub(crate) tokens: HashMap<String, u32>,
    pub(crate) input_ids: Vec<u32>,
}

/// One picture of a sample.
#[derive(Deserialize)]
pub(crate) struct PictureOf {
    pub(crate) file: String,
    pub(crate) tiles: usize,
    pub(crate) tokens: usize,
    /// By resampler the SHA-256 of the levels `[tiles, 3, side, side]`.
    pub(crate) levels: HashMap<String, String>,
}

/// f32 tensors by name: their width and their rows one after the other.
pub(crate) type Vectors = HashMap<String, (usize, Vec<f32>)>;

/// The folder of one family's fixtures.
pub(crate) fn folder(fixtures: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(fixtures)
}

impl Reference {
    pub(crate) fn read(fixtures: &str) -> Self {
        let bytes = fs_err::read(folder(fixtures).join("cases.json")).unwrap();
        let read: Self = serde_json::from_slice(&bytes).unwrap();
        assert!(!read.cases.is_empty(), "{fixtures} has no cases");
        read
    }
}

/// Reads a file of f32 tensors of one or two dimensions.
pub(crate) fn vectors(fixtures: &str, file: &str) -> Vectors {
    let bytes = fs_err::read(folder(fixtures).join(file)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let width = *view.shape().last().unwrap();
        (name, (width, crate::checkpoints::f32_values(&view)))
    };
    tensors.tensors().into_iter().map(read).collect()
}
