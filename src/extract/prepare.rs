//! From a row of a dataset to what the model takes: first its size, then its pixels.

use crate::checkpoint::Checkpoint;
use crate::dataset::{Dataset, Media, MediaKind};
use crate::media::{self, Limits, MediaError, Orientation, Tiles};
use crate::prompt::{Prompt, PromptError, Prompter};
use crate::store::Failure;
use crate::vlm::{self, Extent, Input, Processor, ProcessorOptions, Shape, Visual};

/// Prepares samples for one checkpoint; shared by all worker threads.
pub struct Preparer {
    prompter: Prompter,
    processor: Box<dyn Processor>,
    orientation: Orientation,
    limits: Limits,
    spans: bool,
    context: usize,
}

/// A sample whose tokens are known and whose pixels are not yet read.
pub struct Measured {
    /// The row in the dataset's file.
    pub row: u64,
    id: String,
    prompt: Prompt,
    media: Vec<(Media, Shape)>,
}

impl Preparer {
    /// A preparer; `options` says how pictures and frames become pixels, `spans` whether the words of turns are told
    /// from the template around them.
    ///
    /// # Errors
    /// When the checkpoint's tokenizer or template is unusable.
    pub fn new(
        checkpoint: &Checkpoint,
        options: &ProcessorOptions,
        orientation: Orientation,
        limits: Limits,
        spans: bool,
    ) -> Result<Self, PromptError> {
        Ok(Self {
            prompter: Prompter::new(checkpoint)?,
            processor: vlm::processor(checkpoint, options),
            orientation,
            limits,
            spans,
            context: checkpoint.family.language().max_position_embeddings,
        })
    }

    /// Reads a sample and tokenises it; of its pictures only the headers are read.
    ///
    /// # Errors
    /// Whatever makes the sample unusable, as the failure to be recorded.
    pub fn measure(&self, dataset: &dyn Dataset, index: u64) -> Result<Measured, Failure> {
        let sample = dataset.read(index).map_err(|error| Failure {
            row: error.row,
            id: error.row.to_string(),
            reason: error.problem.to_string(),
        })?;
        let failure = |reason: String| Failure {
            row: sample.row,
            id: sample.id.clone(),
            reason,
        };
        if sample
            .media
            .iter()
            .any(|media| media.kind == MediaKind::Video)
        {
            return Err(failure(
                "it holds a video, which this version does not read".into(),
            ));
        }
        let kinds: Vec<MediaKind> = sample.media.iter().map(|media| media.kind).collect();
        let prompt = self
            .prompter
            .encode(&sample.turns, &kinds, self.spans)
            .map_err(|error| failure(error.to_string()))?;
        let extents = sample
            .media
            .iter()
            .map(|picture| {
                media::probe_file(&picture.path, self.orientation, self.limits)
                    .map(Extent::Picture)
                    .map_err(|error| failure(reason(picture, &error)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let shapes = self
            .processor
            .shapes(&extents, 0)
            .map_err(|error| failure(error.to_string()))?;
        let media: Vec<_> = sample.media.iter().cloned().zip(shapes).collect();
        let measured = Measured {
            row: sample.row,
            id: sample.id.clone(),
            prompt,
            media,
        };
        match measured.tokens() {
            0 => Err(failure("it has no tokens".into())),
            tokens if tokens > self.context => Err(failure(format!(
                "it has {tokens} tokens, more than the checkpoint's context of {}",
                self.context
            ))),
            _ => Ok(measured),
        }
    }

    /// Decodes and resizes the pictures of a sample.
    ///
    /// # Errors
    /// Whatever makes a picture unusable, as the failure to be recorded.
    pub fn load(&self, measured: &Measured) -> Result<Input, Failure> {
        let mut visuals = Vec::with_capacity(measured.media.len());
        for (picture, shape) in &measured.media {
            let mut tiles = Tiles::none();
            media::load(&picture.path, self.orientation, self.limits)
                .and_then(|pixels| self.processor.render(&pixels, shape, &mut tiles))
                .map_err(|error| Failure {
                    row: measured.row,
                    id: measured.id.clone(),
                    reason: reason(picture, &error),
                })?;
            visuals.push(Visual {
                tiles,
                shape: shape.clone(),
            });
        }
        Ok(Input {
            tokens: measured.prompt.expand(&measured.counts()),
            visuals,
        })
    }
}

/// Why a picture cannot be used. It goes into a shard, whose bytes must not depend on where the data lies.
fn reason(picture: &Media, error: &MediaError) -> String {
    format!("{}: {}", picture.name, error.problem())
}

impl Measured {
    /// Positions that the sample takes in the language model.
    pub fn tokens(&self) -> usize {
        self.prompt.text_len() + self.picture_tokens()
    }

    /// Positions of each picture.
    fn counts(&self) -> Vec<usize> {
        self.media.iter().map(|(_, shape)| shape.tokens()).collect()
    }

    /// Positions of all pictures together.
    pub fn picture_tokens(&self) -> usize {
        self.counts().iter().sum()
    }
}
