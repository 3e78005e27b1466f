//! The TOML file that a user writes, checked on reading.
//!
//! Every key but `output`, `model.checkpoint` and the domains has a default. An unknown key is an
//! error that names its line and the key that was probably meant. `[[import]]` takes datasets from LLaVA-NeXT's mixture
//! files; the config that a run writes down holds them as datasets of its own.

mod atlas;
mod batch;
mod cache;
mod datasets;
mod devices;
mod import;
mod media;
mod mixture_yaml;
mod problem;
mod protocol;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::blob::url_of;
use crate::media::Resampler;
use crate::mix::{
    Aggregation, Bootstrap, MixError, Parameters, Replicates, RestsOn, Scaling, Solver,
};
use crate::vlm::{Layer, MropeRule, TextScope};

pub use atlas::{
    ACQUISITIONS, Atlas, Benchmark, Bound, Clusters, Combine, Concepts, Domains, DomainsFrom, Goal,
    PLACEHOLDERS, Proxy, SURROGATES, Search, SpaceName, TaskRule, Tasks, placeholders,
};
pub use batch::BatchTokens;
pub use cache::Cache;
pub use datasets::{Dataset, Domain};
pub use devices::Devices;
pub(crate) use import::Names;
pub use import::{Import, ImportError, ImportedDomain, Patterns};
pub use media::{Media, SamplingName, Video};
pub use mixture_yaml::{Entry, MixtureYaml, MixtureYamlError};
pub use problem::ConfigError;
use problem::explain;
pub use protocol::{Protocol, TooLong};

/// Bytes of a config; honest ones have a few thousand.
const MAX_BYTES: u64 = 16 << 20;
/// The most of `extract.samples_per_dataset`.
const MAX_SAMPLES: u64 = 1 << 32;
/// The most of `mix.replicates`.
const MAX_REPLICATES: u32 = 1_000_000;
/// The most of `extract.workers`: each is a thread.
const MAX_WORKERS: usize = 1024;

/// A whole configuration. Paths are relative to the file until [`Config::read`] resolves them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The run's folder.
    pub output: PathBuf,
    /// Where shards are kept for other runs.
    #[serde(default)]
    pub cache: Cache,
    /// What computes.
    pub model: Model,
    /// What is computed.
    #[serde(default)]
    pub extract: Extract,
    /// How pictures are read.
    #[serde(default)]
    pub media: Media,
    /// How videos are read.
    #[serde(default)]
    pub video: Video,
    /// How weights come of it.
    #[serde(default)]
    pub mix: Mix,
    /// Cells, and the search over their mixtures; only `madmix atlas` looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atlas: Option<Atlas>,
    /// Whether the domains are those below or the cells of the atlas.
    #[serde(default, rename = "domains", skip_serializing_if = "Domains::is_plain")]
    pub domains_of: Domains,
    /// The domains, in the order in which they are shown.
    #[serde(rename = "domain", default)]
    pub domains: Vec<Domain>,
    /// Mixture files whose datasets are added to the domains; none in a config that was read, whose domains have them.
    #[serde(rename = "import", default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<Import>,
}

/// The section `[model]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// A folder, or a hub id `owner/name[@revision]`.
    pub checkpoint: String,
    /// `auto`, `cpu`, `cuda` or `cuda:N`, or a list of such.
    #[serde(default)]
    pub device: Devices,
    /// What the arithmetic is done in.
    #[serde(default)]
    pub dtype: Dtype,
    /// How pictures are resized.
    #[serde(default)]
    pub resampler: ResamplerName,
    /// Whether pictures are turned as their EXIF data says.
    #[serde(default)]
    pub exif: Exif,
    /// Qwen-VL: where text goes on behind a video.
    #[serde(default)]
    pub mrope: MropeRule,
}

/// Precision of the forward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// bfloat16 on CUDA, f32 on the CPU.
    #[default]
    Auto,
    /// 32-bit floating point.
    F32,
    /// bfloat16; needs CUDA.
    Bf16,
}

/// Whose integer arithmetic resizing follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResamplerName {
    /// torchvision, as transformers uses by default.
    #[default]
    Torchvision,
    /// Pillow, as LLaVA's training code uses.
    Pillow,
}

/// What becomes of EXIF rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exif {
    /// As the checkpoint's own code: applied for the Hugging Face layout, ignored for LLaVA-NeXT's.
    #[default]
    Auto,
    /// Applied.
    Apply,
    /// Ignored.
    Ignore,
}

/// The section `[extract]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extract {
    /// Samples taken of each dataset, or all it has; rounded up to whole shards of 64.
    pub samples_per_dataset: u64,
    /// Seed of the order in which samples are taken.
    pub seed: u64,
    /// Hidden states to average.
    pub layers: Vec<Layer>,
    /// Whether a sample's modalities go through the model together.
    pub protocol: Protocol,
    /// What counts as text.
    pub text_scope: TextScope,
    /// The share of a dataset's samples that may fail before the run stops.
    pub max_failure_rate: f64,
    /// Tokens that go through the model together; a longer sample goes alone.
    pub batch_tokens: BatchTokens,
    /// The most tokens of one sample; the checkpoint's context, at most 32,768, if not said.
    pub max_tokens: Option<usize>,
    /// What becomes of a sample with more.
    pub too_long: TooLong,
    /// Ends the run once every weight is known to this much, in both directions; not said, all samples are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_when: Option<f64>,
    /// Threads that decode pictures and tokenise ahead of the device; 0 for as many as there are cores.
    pub workers: usize,
}

/// The section `[mix]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// How weights are found: the name of one of [`mix::METHODS`](crate::mix::METHODS).
    pub method: String,
    /// The regularisation λ of MaD-Mix.
    pub lambda: f64,
    /// T of softmax(s / T).
    pub temperature: f64,
    /// What is done to the centroids first.
    pub scaling: Scaling,
    /// Domains that keep their human share; the others divide the rest.
    pub hold: Vec<String>,
    /// How often samples are drawn again to find the intervals of the weights; 0 for no intervals.
    pub replicates: u32,
    /// How datasets are averaged into domains.
    pub aggregation: Aggregation,
    /// Which of the extracted layers is used; the first one if not said.
    pub layer: Option<Layer>,
}

impl Default for Extract {
    fn default() -> Self {
        Self {
            samples_per_dataset: 512,
            seed: 0,
            layers: vec![Layer::Last],
            protocol: Protocol::default(),
            text_scope: TextScope::default(),
            max_failure_rate: 0.05,
            batch_tokens: BatchTokens::default(),
            max_tokens: None,
            too_long: TooLong::default(),
            stop_when: None,
            workers: 0,
        }
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            method: "mad-mix".into(),
            lambda: Parameters::default().lambda,
            temperature: Parameters::default().temperature,
            scaling: Scaling::default(),
            hold: Vec::new(),
            replicates: 2000,
            aggregation: Aggregation::default(),
            layer: None,
        }
    }
}

impl Mix {
    /// How weights come of centroids.
    ///
    /// # Errors
    /// When there is no such method, or a parameter is out of range.
    pub fn solver(&self) -> Result<Solver, MixError> {
        let parameters = Parameters {
            lambda: self.lambda,
            temperature: self.temperature,
            scaling: self.scaling,
        };
        Solver::new(&self.method, &parameters, &self.hold)
    }
}

impl Config {
    /// Reads a file, resolves its paths and checks what can be checked without opening anything else.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML, has an unknown key, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut text = String::new();
        fs_err::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
            .map_err(ConfigError::Read)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(ConfigError::Value {
                path: path.to_owned(),
                message: format!("it has more than {MAX_BYTES} bytes: is it a config?"),
            });
        }
        let mut config = Self::parse(&text, path)?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let base = absolute.parent().unwrap_or(Path::new("."));
        config.expand(base, path)?;
        config.resolve(base);
        Ok(config)
    }

    /// Puts the datasets of the mixture files into the domains, which can then be checked to the end.
    fn expand(&mut self, base: &Path, path: &Path) -> Result<(), ConfigError> {
        let imports = std::mem::take(&mut self.imports);
        if imports.is_empty() {
            return Ok(());
        }
        for import in &imports {
            import
                .add_to(&mut self.domains, base)
                .map_err(|problem| ConfigError::Import {
                    path: path.to_owned(),
                    import: import.path.clone(),
                    problem,
                })?;
        }
        self.check().map_err(|message| ConfigError::Value {
            path: path.to_owned(),
            message,
        })
    }

    /// Takes the text of a config and checks it; `path` is for messages. Its paths stay as they are, and so do its
    /// imports: what rests on them is only checked by [`Config::read`].
    ///
    /// # Errors
    /// When it is no TOML, has an unknown key, or a value is out of range.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::Toml {
            path: path.to_owned(),
            message: explain(&error, text),
        })?;
        for dataset in config
            .domains
            .iter_mut()
            .flat_map(|domain| &mut domain.datasets)
        {
            if dataset.name.is_empty()
                && let Some(stem) = dataset.path.file_stem()
            {
                dataset.name = stem.to_string_lossy().into_owned();
            }
        }
        config.check().map_err(|message| ConfigError::Value {
            path: path.to_owned(),
            message,
        })?;
        Ok(config)
    }

    fn resolve(&mut self, base: &Path) {
        let at = |path: &Path| match url_of(path) {
            Some(_) => path.to_owned(),
            None => normalised(&base.join(path)),
        };
        self.output = at(&self.output);
        self.cache.resolve(&self.output, at);
        if let Some(atlas) = &mut self.atlas {
            atlas.resolve(at);
        }
        // A checkpoint is a folder if there is one of that name, and else a hub id.
        let folder = at(Path::new(&self.model.checkpoint));
        if folder.exists() {
            self.model.checkpoint = folder.to_string_lossy().into_owned();
        }
        for dataset in self
            .domains
            .iter_mut()
            .flat_map(|domain| &mut domain.datasets)
        {
            dataset.path = at(&dataset.path);
            dataset.media_root = dataset.media_root.as_deref().map(at);
            if let Some(labels) = &mut dataset.labels {
                labels.path = at(&labels.path);
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let Extract {
            samples_per_dataset,
            layers,
            max_failure_rate,
            ..
        } = &self.extract;
        if self.model.checkpoint.trim().is_empty() {
            return Err(
                "model.checkpoint is empty: name your checkpoint, a folder or a hub id owner/name"
                    .into(),
            );
        }
        if *samples_per_dataset == 0 {
            return Err("extract.samples_per_dataset must be at least 1".into());
        }
        // No file has more rows.
        if *samples_per_dataset > MAX_SAMPLES {
            return Err(format!(
                "extract.samples_per_dataset must be at most {MAX_SAMPLES}, which is all of any dataset"
            ));
        }
        if self.extract.workers > MAX_WORKERS {
            return Err(format!("extract.workers must be at most {MAX_WORKERS}"));
        }
        if layers.is_empty() {
            return Err("extract.layers is empty: name at least one, such as \"last\"".into());
        }
        if layers.iter().collect::<BTreeSet<_>>().len() < layers.len() {
            return Err("extract.layers names a layer twice".into());
        }
        if !(0.0..=1.0).contains(max_failure_rate) {
            return Err(format!(
                "extract.max_failure_rate = {max_failure_rate} is no share between 0 and 1"
            ));
        }
        if self.extract.max_tokens == Some(0) {
            return Err("extract.max_tokens must be at least 1".into());
        }
        if let Some(stop_when) = self.extract.stop_when {
            self.check_stop(stop_when)?;
        }
        self.cache.check()?;
        self.media.check()?;
        self.video.check()?;
        self.model.device.check()?;
        if let Some(atlas) = &self.atlas {
            atlas.check()?;
        }
        self.imports.iter().try_for_each(Import::check)?;
        datasets::check(&self.domains, self.is_pending())?;
        self.check_mix()
    }

    /// Whether domains and datasets are yet to come out of mixture files.
    fn is_pending(&self) -> bool {
        !self.imports.is_empty()
    }

    /// The section `[mix]`, which may also come from the command line, after extraction.
    fn check_mix(&self) -> Result<(), String> {
        let mix = &self.mix;
        if mix.replicates > MAX_REPLICATES {
            return Err(format!("mix.replicates must be at most {MAX_REPLICATES}"));
        }
        let fewest = Replicates::FEWEST;
        if (1..fewest).contains(&mix.replicates) {
            return Err(format!(
                "mix.replicates = {} are too few for an interval: take at least {fewest}, or 0 for none",
                mix.replicates
            ));
        }
        let unknown = |name: &&String| !self.domains.iter().any(|domain| domain.name == **name);
        if let Some(name) = mix.hold.iter().find(unknown)
            && !self.is_pending()
            && self.domains_of.is_plain()
        {
            return Err(format!("mix.hold: there is no domain \"{name}\""));
        }
        if let Some(layer) = mix.layer
            && !self.extract.layers.contains(&layer)
        {
            return Err(format!("mix.layer = {layer} is not among extract.layers"));
        }
        if self.is_pending() || !self.domains_of.is_plain() {
            return Ok(());
        }
        self.check_shares()
    }

    /// Checks what rests on domains that were put in place of others.
    pub(crate) fn check_domains(&self) -> Result<(), String> {
        datasets::check(&self.domains, false)?;
        self.check_mix()
    }

    /// Checks what solving will ask for, which is better known before hours of extraction than after. A run that was
    /// extracted can still be solved in another way.
    ///
    /// # Errors
    /// When there is no such method, or it cannot work with what will be extracted.
    pub fn check_solvable(&self) -> Result<(), String> {
        let Mix { method, hold, .. } = &self.mix;
        let rests_on = self
            .mix
            .solver()
            .map_err(|error| error.to_string())?
            .rests_on();
        if rests_on == RestsOn::Fused && self.extract.protocol == Protocol::Separate {
            return Err(format!(
                "mix.method = \"{method}\" needs modalities that went through the model together: set extract.protocol = \
                 \"joint\", or take another method"
            ));
        }
        let without = |domain: &&Domain| domain.human.is_none();
        if let Some(domain) = self.domains.iter().find(without)
            && !hold.is_empty()
        {
            return Err(format!(
                "mix.hold needs `human` in every [[domain]], as a held share is a part of all of them, and \"{}\" has none",
                domain.name
            ));
        }
        if self.extract.stop_when.is_some() && rests_on == RestsOn::Nothing {
            return Err(format!(
                "extract.stop_when goes by intervals, which mix.method = \"{method}\" has not, as it looks at no sample: \
                 leave stop_when out, or extract with another method"
            ));
        }
        Ok(())
    }

    fn check_stop(&self, stop_when: f64) -> Result<(), String> {
        if !(stop_when > 0.0 && stop_when < 1.0) {
            return Err(format!(
                "extract.stop_when = {stop_when} must be above 0 and below 1: 0.005 is half a percentage point"
            ));
        }
        if self.mix.replicates == 0 {
            return Err(
                "extract.stop_when goes by intervals, which mix.replicates = 0 turns off".into(),
            );
        }
        if self.domains.len() > Bootstrap::MAX_DOMAINS {
            return Err(format!(
                "extract.stop_when goes by intervals, which there are for at most {} domains",
                Bootstrap::MAX_DOMAINS
            ));
        }
        Ok(())
    }

    /// What the method `human` needs, which is better known before hours of extraction than after.
    fn check_shares(&self) -> Result<(), String> {
        let without = |domain: &&Domain| domain.human.is_none();
        match self.domains.iter().find(without) {
            _ if self.mix.method != "human" => Ok(()),
            Some(domain) => Err(format!(
                "mix.method = \"human\" needs `human` in every [[domain]], and \"{}\" has none",
                domain.name
            )),
            None if self.domains.iter().all(|domain| domain.human == Some(0.0)) => {
                Err("mix.method = \"human\" needs a `human` above 0".into())
            }
            None => Ok(()),
        }
    }

    /// Takes other settings for the mixture, for the command line.
    ///
    /// # Errors
    /// When a value is out of range for this run.
    pub fn set_mix(&mut self, mix: Mix) -> Result<(), ConfigError> {
        self.mix = mix;
        self.check_mix().map_err(|message| ConfigError::Value {
            path: self.output.join("config.toml"),
            message,
        })
    }

    /// The layer that mixtures are computed from.
    pub fn mix_layer(&self) -> Layer {
        self.mix.layer.unwrap_or(self.extract.layers[0])
    }

    /// The configuration as TOML, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a configuration holds nothing that TOML lacks")
    }
}

impl From<ResamplerName> for Resampler {
    fn from(name: ResamplerName) -> Self {
        match name {
            ResamplerName::Torchvision => Self::Torchvision,
            ResamplerName::Pillow => Self::Pillow,
        }
    }
}

/// `a/b/../c` as `a/c`, without asking the file system.
pub(crate) fn normalised(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests;
