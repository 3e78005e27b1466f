//! CLIP and SigLIP as whole checkpoints: pictures and words in one space. Reference: `CLIPModel` and `SiglipModel` of
//! transformers (SigLIP 2 of a fixed resolution is a `SiglipModel`).
//!
//! They are no language models and have no chat template, so they are opened apart from the families of
//! [`Checkpoint`](super::super::Checkpoint).

mod tensors;
mod text;

use super::super::check;
use super::super::error::CheckpointError;
use super::super::fields::{CONFIG_LIMIT, Fields, JsonFile};
use super::super::fingerprint::{Content, fingerprint};
use super::super::locate::Source;
use super::super::options::{OnProgress, OpenOptions};
use super::super::prompt_files;
use super::super::weights::Weights;
use super::preprocess::{self, Fit, Pixels};
use super::vit::{self, Activation, Tower};
use super::{Opening, description};
use crate::media::Filter;
use candle_transformers::models::siglip::VisionConfig;
use std::path::{Path, PathBuf};

pub use tensors::{TEXT, VISION};
pub use text::{TextConfig, Tokenizer};

/// Everything that decides what comes out of an embedding model.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose model it is.
    pub tower: Tower,
    /// The vision side.
    pub vision: VisionConfig,
    /// The activation inside its MLPs.
    pub activation: Activation,
    /// The text side; `None` where the checkpoint has no tokenizer.json, so that no text can be read.
    pub text: Option<TextConfig>,
    /// Width of the common space.
    pub width: usize,
    /// Size and normalisation of a picture.
    pub pixels: Pixels,
    /// How a picture becomes a square.
    pub fit: Fit,
    /// The filter that it is resized by: `SigLIP` 2 takes the triangle.
    pub filter: Filter,
}

/// An opened CLIP or SigLIP checkpoint: its config is understood, and its weights are all there with the right shapes.
#[derive(Debug)]
pub struct EmbeddingCheckpoint {
    /// The folder's name, or `owner/name` on the hub.
    pub name: String,
    /// What it is.
    pub config: Config,
    /// What reads text, where the checkpoint has it.
    pub tokenizer: Option<Tokenizer>,
    /// The tensors under the names of transformers.
    pub weights: Weights,
    /// What belongs to the fingerprint beside the weights.
    inputs: Vec<(String, Content)>,
}

impl EmbeddingCheckpoint {
    /// Opens `spec`: a folder, absolute or relative to `base`, or a hub id `owner/name[@revision]`.
    ///
    /// # Errors
    /// Nothing is found, it is neither CLIP nor SigLIP, or its settings or weights cannot be used; see
    /// [`CheckpointError`].
    pub fn open(spec: &str, base: &Path, options: &OpenOptions) -> Result<Self, CheckpointError> {
        let source = Source::find(spec, base, options)?;
        if !source.has("config.json") {
            return Err(CheckpointError::NoConfig {
                place: source.place(),
                hint: source.nested_checkpoints(),
            });
        }
        let json = JsonFile::read(source.path("config.json", options)?, CONFIG_LIMIT)?;
        let fields = json.fields();
        let tower = tower(&json)?;
        let opening = Opening {
            source: &source,
            config: &json,
            base,
            options,
        };
        let files = preprocess::Files::open(&opening)?;
        let tokenizer = source
            .has("tokenizer.json")
            .then(|| tokenizer(&source, options))
            .transpose()?;
        let config = read(&fields, &files.image(&fields)?, tower, tokenizer.is_some())?;
        let weights = Weights::open(&source, tensors::RULES, options)?;
        check::check(&weights, &tensors::expected(&config))?;
        let mut inputs: Vec<_> = files.into_inputs().collect();
        inputs.push(("config.json".into(), Content::File(json.path)));
        if let Some(Tokenizer { file, pad }) = &tokenizer {
            inputs.push(("tokenizer.json".into(), Content::File(file.clone())));
            inputs.push(("pad token".into(), Content::Text(format!("{pad:?}"))));
        }
        Ok(Self {
            name: source.name,
            config,
            tokenizer,
            weights,
            inputs,
        })
    }

    /// A hash of everything that decides what comes out of the model, by content; reads all weights once.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn fingerprint(&self, progress: &OnProgress) -> Result<String, CheckpointError> {
        let name = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let weights = self.weights.paths();
        let weights = weights.map(|path| (name(path), Content::File(path.to_owned())));
        fingerprint(
            self.inputs.iter().cloned().chain(weights).collect(),
            progress,
        )
    }
}

/// Which of the two a `config.json` is of.
fn tower(json: &JsonFile) -> Result<Tower, CheckpointError> {
    let fields = json.fields();
    match fields.str("model_type")? {
        Some("clip") => Ok(Tower::Clip),
        Some("siglip") => Ok(Tower::Siglip),
        _ => Err(CheckpointError::UnknownFamily {
            path: json.path.clone(),
            found: description(&fields),
            supported: "for embeddings model_type clip (CLIPModel) and model_type siglip (SiglipModel, also SigLIP 2 of a \
                        fixed resolution); without atlas.concepts.checkpoint the vision tower of model.checkpoint is taken"
                .into(),
        }),
    }
}

fn tokenizer(source: &Source, options: &OpenOptions) -> Result<Tokenizer, CheckpointError> {
    let file: PathBuf = prompt_files::tokenizer(source, options)?;
    let mut special = prompt_files::special_tokens(source, options)?;
    Ok(Tokenizer {
        file,
        pad: special.remove("pad_token"),
    })
}

fn read(
    fields: &Fields<'_>,
    processor: &Fields<'_>,
    tower: Tower,
    has_tokenizer: bool,
) -> Result<Config, CheckpointError> {
    let section = fields.section_or_empty("vision_config")?;
    let vision = vit::read_any_activation(&section, tower, &tower.plain())?;
    section.must_be("vision_use_head", true)?;
    let (pixels, fit, filter) = preprocess::read_filtered(processor, tower, vision.image_size)?;
    let width = match tower {
        Tower::Clip => fields.size("projection_dim", 512)?,
        Tower::Siglip => vision.hidden_size,
    };
    let text = has_tokenizer
        .then(|| text::read(&fields.section_or_empty("text_config")?, tower, width))
        .transpose()?;
    Ok(Config {
        tower,
        activation: Activation::read(&section, tower)?,
        vision,
        text,
        width,
        pixels,
        fit,
        filter,
    })
}
