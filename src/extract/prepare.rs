//! From a row of a dataset to what the model takes: first its size, then its pixels.

use super::options::Options;
use super::source::Source;
use crate::checkpoint::Checkpoint;
use crate::config::{Protocol, TooLong};
use crate::dataset::{Dataset, Media, MediaKind, Sample};
use crate::media::{FrameRounding, MediaError, Tiles};
use crate::prompt::{Prompt, PromptError, Prompter, Tokens};
use crate::store::Failure;
use crate::vlm::{self, Extent, Input, Processor, Shape, Visual};

/// The most times that a sample is halved to fit.
const HALVINGS: u32 = 16;

/// Prepares samples for one checkpoint; shared by all worker threads.
pub struct Preparer {
    prompter: Prompter,
    processor: Box<dyn Processor>,
    rounding: FrameRounding,
    max_tokens: usize,
    options: Options,
}

/// A sample whose tokens are known and whose pixels are not yet read.
pub struct Measured {
    /// The row in the dataset's file.
    pub row: u64,
    id: String,
    prompt: Prompt,
    /// In the order of the prompt's placeholders, or of the sample's where the prompt has none.
    media: Vec<Seen>,
    protocol: Protocol,
}

/// A picture or clip of a sample, with what its size says.
struct Seen {
    media: Media,
    source: Source,
    shape: Shape,
}

impl Preparer {
    /// A preparer for one checkpoint.
    ///
    /// # Errors
    /// When the checkpoint's tokenizer or template is unusable.
    pub fn new(checkpoint: &Checkpoint, options: Options) -> Result<Self, PromptError> {
        let context = checkpoint.family.language().max_position_embeddings;
        let processor = vlm::processor(checkpoint, &options.processor);
        Ok(Self {
            prompter: Prompter::new(checkpoint)?,
            rounding: processor.frame_rounding(),
            processor,
            max_tokens: options.max_tokens.unwrap_or(context).min(context),
            options,
        })
    }

    /// Reads a sample and tokenises it; of its pictures only the headers are read, and of its clips only what says
    /// how long they are.
    ///
    /// # Errors
    /// Whatever makes the sample unusable, as the failure to be recorded.
    pub fn measure(&self, dataset: &dyn Dataset, index: u64) -> Result<Measured, Failure> {
        let sample = dataset.read(index).map_err(|error| Failure {
            row: error.row,
            id: error.id,
            reason: error.problem.to_string(),
        })?;
        let (row, id) = (sample.row, sample.id.clone());
        self.measured(sample)
            .map_err(|reason| Failure { id, reason, row })
    }

    fn measured(&self, sample: Sample) -> Result<Measured, String> {
        let prompt = self.prompt(&sample).map_err(|error| error.to_string())?;
        let media = match self.options.protocol {
            Protocol::Joint => in_order(sample.media, prompt.media()),
            Protocol::Separate => sample.media,
        };
        let sources = media
            .iter()
            .map(|media| {
                Source::look(media, &self.options, self.rounding)
                    .map_err(|error| reason(media, &error))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut measured = Measured {
            row: sample.row,
            id: sample.id,
            prompt,
            media: self.seen(media, sources)?,
            protocol: self.options.protocol,
        };
        if measured.tokens() == 0 {
            return Err("it has no tokens".into());
        }
        self.fit(&mut measured)?;
        Ok(measured)
    }

    fn prompt(&self, sample: &Sample) -> Result<Prompt, PromptError> {
        let kinds: Vec<MediaKind> = sample.media.iter().map(|media| media.kind).collect();
        match self.options.protocol {
            Protocol::Joint => {
                let spans = self.options.spans;
                self.prompter.encode(&sample.turns, &kinds, spans)
            }
            Protocol::Separate => {
                self.prompter.check(&kinds)?;
                self.prompter.encode_text(&sample.turns, self.options.spans)
            }
        }
    }

    /// Puts media together with the shapes that their sizes give.
    fn seen(&self, media: Vec<Media>, sources: Vec<Source>) -> Result<Vec<Seen>, String> {
        let shapes = self.shapes(sources.iter(), 0)?;
        let parts = media.into_iter().zip(sources).zip(shapes);
        let seen = parts.map(|((media, source), shape)| Seen {
            media,
            source,
            shape,
        });
        Ok(seen.collect())
    }

    fn shapes<'a>(
        &self,
        sources: impl Iterator<Item = &'a Source>,
        halvings: u32,
    ) -> Result<Vec<Shape>, String> {
        let extents: Vec<Extent> = sources.map(|source| source.extent(halvings)).collect();
        self.processor
            .shapes(&extents, halvings)
            .map_err(|error| error.to_string())
    }

    /// Holds a sample against the limit on tokens, and shrinks it where that is asked for.
    fn fit(&self, measured: &mut Measured) -> Result<(), String> {
        let tokens = measured.longest_pass();
        if tokens <= self.max_tokens {
            return Ok(());
        }
        let whose = match self.options.max_tokens {
            Some(most) if most == self.max_tokens => "extract.max_tokens",
            _ => "the checkpoint's context",
        };
        let too_long = format!(
            "it has {tokens} tokens, more than {whose} of {}",
            self.max_tokens
        );
        if self.options.too_long == TooLong::Fail {
            return Err(too_long);
        }
        for halvings in 1..=HALVINGS {
            let sources = measured.media.iter().map(|seen| &seen.source);
            let shapes = self.shapes(sources, halvings)?;
            for (seen, shape) in measured.media.iter_mut().zip(shapes) {
                seen.shape = shape;
            }
            if measured.longest_pass() <= self.max_tokens {
                for seen in &mut measured.media {
                    seen.source.halve(halvings);
                }
                return Ok(());
            }
        }
        Err(format!(
            "{too_long}, and still {} with its pictures as small as they get",
            measured.longest_pass()
        ))
    }

    /// Decodes and resizes what a sample shows; gives the inputs of its passes, of which there is one for each modality
    /// where these are passed alone.
    ///
    /// # Errors
    /// Whatever makes a picture or clip unusable, as the failure to be recorded.
    pub fn load(&self, measured: &Measured) -> Result<Vec<Input>, Failure> {
        let mut visuals = Vec::with_capacity(measured.media.len());
        for seen in &measured.media {
            visuals.push(self.render(seen).map_err(|error| Failure {
                row: measured.row,
                id: measured.id.clone(),
                reason: reason(&seen.media, &error),
            })?);
        }
        if measured.protocol == Protocol::Joint {
            return Ok(vec![Input {
                tokens: measured.prompt.expand(&measured.counts()),
                visuals,
            }]);
        }
        let mut inputs = Vec::new();
        if measured.prompt.text_len() > 0 {
            inputs.push(Input {
                tokens: measured.prompt.expand(&[]),
                visuals: Vec::new(),
            });
        }
        let mut alone = |kind: MediaKind, visuals: Vec<Visual>| {
            let count = visuals.iter().map(|visual| visual.shape.tokens()).sum();
            if count > 0 {
                let tokens: Tokens = self.prompter.bare(kind, count);
                inputs.push(Input { tokens, visuals });
            }
        };
        let (pictures, clips): (Vec<_>, Vec<_>) = visuals
            .into_iter()
            .zip(&measured.media)
            .partition(|(_, seen)| seen.media.kind == MediaKind::Image);
        let visuals = |part: Vec<(Visual, _)>| part.into_iter().map(|(visual, _)| visual).collect();
        alone(MediaKind::Image, visuals(pictures));
        alone(MediaKind::Video, visuals(clips));
        Ok(inputs)
    }

    fn render(&self, seen: &Seen) -> Result<Visual, MediaError> {
        let mut tiles = Tiles::none();
        seen.source.read(&seen.media, &self.options, &mut |frame| {
            self.processor.render(&frame, &seen.shape, &mut tiles)
        })?;
        Ok(Visual {
            tiles,
            shape: seen.shape.clone(),
        })
    }
}

/// The media of a sample in the order of a prompt's placeholders: a template may put all pictures first, but leaves
/// those of one kind in order. There are as many of each kind as the prompter has checked.
fn in_order(media: Vec<Media>, kinds: &[MediaKind]) -> Vec<Media> {
    let (pictures, clips): (Vec<_>, Vec<_>) = media
        .into_iter()
        .partition(|media| media.kind == MediaKind::Image);
    let (mut pictures, mut clips) = (pictures.into_iter(), clips.into_iter());
    let next = |kind: &MediaKind| match kind {
        MediaKind::Image => pictures.next(),
        MediaKind::Video => clips.next(),
    };
    kinds.iter().filter_map(next).collect()
}

/// Why a picture or clip cannot be used. It goes into a shard, whose bytes must not depend on where the data lies.
fn reason(media: &Media, error: &MediaError) -> String {
    format!("{}: {}", media.name, error.problem())
}

impl Measured {
    /// Positions that the sample takes in the language model, in all its passes.
    pub fn tokens(&self) -> usize {
        self.prompt.text_len() + self.counts().iter().sum::<usize>()
    }

    /// Positions of each picture and clip.
    fn counts(&self) -> Vec<usize> {
        self.media.iter().map(|seen| seen.shape.tokens()).collect()
    }

    /// Positions of all pictures, or of all videos.
    pub fn tokens_of(&self, kind: MediaKind) -> usize {
        let seen = self.media.iter().filter(|seen| seen.media.kind == kind);
        seen.map(|seen| seen.shape.tokens()).sum()
    }

    /// Positions of the longest of its passes.
    fn longest_pass(&self) -> usize {
        match self.protocol {
            Protocol::Joint => self.tokens(),
            Protocol::Separate => [MediaKind::Image, MediaKind::Video]
                .map(|kind| self.tokens_of(kind))
                .into_iter()
                .chain([self.prompt.text_len()])
                .max()
                .unwrap_or(0),
        }
    }
}
