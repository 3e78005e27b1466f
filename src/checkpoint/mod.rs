//! From a folder or a hub id to everything a model needs, checked before any forward pass.
//!
//! ```text
//! spec ─▶ folder or hub ─▶ config.json ─▶ family ─▶ tokenizer, template, weights ─▶ check ─▶ Checkpoint
//! ```
//!
//! Small files come first and the weights last, so that an unsupported checkpoint is refused before gigabytes are
//! fetched. Weights are read tensor by tensor, when a model asks for them.

mod cards;
mod check;
mod error;
pub mod families;
mod fields;
mod fingerprint;
mod folder;
mod hub;
mod locate;
mod names;
mod options;
mod pickle;
mod prompt_files;
mod tensor_file;
mod weights;

pub use cards::{Card, UnknownCard};
pub use error::CheckpointError;
pub use families::embedding::{self, EmbeddingCheckpoint};
pub use families::{
    Activation, Family, Fit, LanguageConfig, Layout, Pixels, Tower, llava, qwen_vl,
};
pub use options::{OnProgress, OpenOptions, Progress, Step};
pub use weights::Weights;

use families::{Model, Opening};
use fields::{CONFIG_LIMIT, JsonFile};
use fingerprint::Content;
use locate::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An opened checkpoint: its config is understood, and its weights are all there with the right shapes.
#[derive(Debug)]
pub struct Checkpoint {
    /// The folder; for a hub repository its snapshot in the cache.
    pub root: PathBuf,
    /// The folder's name, or `owner/name` on the hub.
    pub name: String,
    /// What it is, with its config.
    pub family: Family,
    /// Who wrote it.
    pub layout: Layout,
    /// `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// The chat template (Jinja), where the checkpoint has one.
    pub chat_template: Option<String>,
    /// The tokenizer's special tokens by the names that templates know them under, such as `eos_token`.
    pub special_tokens: BTreeMap<String, String>,
    /// The tensors under canonical names.
    pub weights: Weights,
    /// What belongs to the fingerprint beside the weights.
    inputs: Vec<(String, Content)>,
}

impl Checkpoint {
    /// Opens `spec`: a folder, absolute or relative to `base` (the folder of the file that names it), or a hub id
    /// `owner/name[@revision]`.
    ///
    /// # Errors
    /// Nothing is found, the family or a setting of it is not supported, or the weights are incomplete or do not fit
    /// the config; see [`CheckpointError`].
    pub fn open(spec: &str, base: &Path, options: &OpenOptions) -> Result<Self, CheckpointError> {
        let source = Source::find(spec, base, options)?;
        if source.has("adapter_config.json") {
            return Err(adapter(&source, options));
        }
        if !source.has("config.json") {
            return Err(CheckpointError::NoConfig {
                place: source.place(),
                hint: source.nested_checkpoints(),
            });
        }
        let config = JsonFile::read(source.path("config.json", options)?, CONFIG_LIMIT)?;
        let kind = families::kind(&config)?;
        let tokenizer = prompt_files::tokenizer(&source, options)?;
        let chat_template = prompt_files::chat_template(&source, options)?;
        let special_tokens = prompt_files::special_tokens(&source, options)?;
        let Model {
            family,
            weights,
            expected,
            mut inputs,
        } = (kind.read)(&Opening {
            source: &source,
            config: &config,
            base,
            options,
        })?;
        check::check(&weights, &expected)?;
        if !weights.unmapped().is_empty() {
            let names = weights.unmapped();
            tracing::warn!(
                "{}: {} tensors are of no known part, such as `{}`",
                source.place(),
                names.len(),
                names[0]
            );
        }
        inputs.push(("config.json".into(), Content::File(config.path)));
        inputs.push(("tokenizer.json".into(), Content::File(tokenizer.clone())));
        if let Some(template) = &chat_template {
            inputs.push(("chat template".into(), Content::Text(template.clone())));
            let tokens = format!("{special_tokens:?}");
            inputs.push(("special tokens".into(), Content::Text(tokens)));
        }
        Ok(Self {
            root: source.root,
            name: source.name,
            family,
            layout: kind.layout,
            tokenizer,
            chat_template,
            special_tokens,
            weights,
            inputs,
        })
    }

    /// A hash of everything that decides what comes out of the model: config, preprocessor, tokenizer, template and
    /// weights, by content. The same files elsewhere have the same fingerprint.
    ///
    /// Reads all weights once (seconds for 15 GB from memory); keep the result.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn fingerprint(&self, progress: &OnProgress) -> Result<String, CheckpointError> {
        let mut parts = self.inputs.clone();
        let weights = self.weights.paths();
        parts.extend(weights.map(|path| (self.name_of(path), Content::File(path.to_owned()))));
        fingerprint::fingerprint(parts, progress)
    }

    /// A file's name without the folder; a vision tower that lies elsewhere is told apart.
    fn name_of(&self, path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.parent() == Some(&self.root) {
            name.into_owned()
        } else {
            format!("vision tower/{name}")
        }
    }
}

fn adapter(source: &Source, options: &OpenOptions) -> CheckpointError {
    let base = || -> Result<String, CheckpointError> {
        let json = JsonFile::read(source.path("adapter_config.json", options)?, CONFIG_LIMIT)?;
        Ok(json
            .fields()
            .str("base_model_name_or_path")?
            .unwrap_or("an unnamed base")
            .to_owned())
    };
    match base() {
        Ok(base) => CheckpointError::Adapter {
            place: source.place(),
            base,
        },
        Err(error) => error,
    }
}
