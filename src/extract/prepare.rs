//! From a row of a dataset to what the model takes: first its size, then its pixels.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use super::measured::{Measured, Seen, in_order};
use super::options::Options;
use super::source::Source;
use crate::blob::Blob;
use crate::checkpoint::Checkpoint;
use crate::config::{Protocol, TooLong};
use crate::dataset::{Dataset, Media, MediaKind, Sample};
use crate::media::{self, Clip, ClipKind, FrameRounding, MediaError, Rgb, Size, Tiles, VideoError};
use crate::prompt::{Prompt, PromptError, Prompter, Tokens};
use crate::store::Failure;
use crate::vlm::{self, Extent, Input, Processor, Shape, Visual};

/// The most tokens of a sample where the config says nothing: some checkpoints have a context of 128,000, which would
/// take the memory of any device.
const MAX_TOKENS: usize = 32_768;

/// Bytes of text for each token that a sample may have; words of any language have some four.
const BYTES_PER_TOKEN: usize = 32;

/// The most times that a sample is halved to fit.
const HALVINGS: u32 = 16;

/// The most tokens of a sample's pictures where no text is read and so no context limits them: their pixels are some
/// 200 MB at most.
const MAX_PICTURE_TOKENS: usize = 1 << 18;

/// Prepares samples for one checkpoint; shared by all worker threads.
pub struct Preparer {
    /// What reads text; `None` where only pictures and clips are looked at.
    prompter: Option<Prompter>,
    processor: Box<dyn Processor>,
    rounding: FrameRounding,
    max_tokens: usize,
    options: Options,
    /// Video files that were looked at: a sample is measured for the plan and again for its shard.
    clips: Mutex<HashMap<Blob, Clip>>,
    machine_fault: OnceLock<String>,
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
            prompter: Some(Prompter::new(checkpoint)?),
            rounding: processor.frame_rounding(),
            processor,
            max_tokens: options.max_tokens.unwrap_or(MAX_TOKENS).min(context),
            options,
            clips: Mutex::default(),
            machine_fault: OnceLock::new(),
        })
    }

    /// A preparer for a model that sees pictures and clips and reads no text. Those of each kind are an input of their
    /// own, as of modalities that are passed alone; `options` about text mean nothing. A sample without any is a failure.
    pub fn of_pictures(processor: Box<dyn Processor>, mut options: Options) -> Self {
        options.protocol = Protocol::Separate;
        Self {
            prompter: None,
            rounding: processor.frame_rounding(),
            processor,
            max_tokens: options.max_tokens.unwrap_or(MAX_PICTURE_TOKENS),
            options,
            clips: Mutex::default(),
            machine_fault: OnceLock::new(),
        }
    }

    /// How samples are prepared.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// What is wrong with this machine rather than with a sample, if anything was found: a program that is not there.
    pub fn machine_fault(&self) -> Option<&str> {
        self.machine_fault.get().map(String::as_str)
    }

    /// Reads a sample and tokenises it; of its pictures only the headers are read, and of its clips only what says
    /// how long they are.
    ///
    /// # Errors
    /// Whatever makes the sample unusable, as the failure to be recorded.
    pub fn measure(&self, dataset: &dyn Dataset, index: u64) -> Result<Measured, Failure> {
        let sample = dataset
            .read(index)
            .map_err(|error| Failure::new(error.row, &error.id, &error.reason()))?;
        self.measure_sample(sample, index)
    }

    /// As [`Self::measure`], of a sample that is read already, at `index`.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_sample(&self, sample: Sample, index: u64) -> Result<Measured, Failure> {
        let (row, id) = (sample.row, sample.id.clone());
        let mut size = |media: &Media| {
            media::probe_file(&media.blob, self.options.orientation, self.options.limits)
        };
        self.measured(sample, index, &mut size)
            .map_err(|reason| Failure::new(row, &id, &reason))
    }

    /// As [`Self::measure`], of a sample that is read already, at `index`; `size` looks at its pictures.
    pub(super) fn measured(
        &self,
        sample: Sample,
        index: u64,
        size: &mut dyn FnMut(&Media) -> Result<Size, MediaError>,
    ) -> Result<Measured, String> {
        self.check_extent(&sample)?;
        if self.prompter.is_none() && sample.media.is_empty() {
            return Err("it has neither pictures nor clips".into());
        }
        let prompt = self.prompt(&sample).map_err(|error| error.to_string())?;
        let media = self.in_order(sample.media, &prompt);
        let sources = media
            .iter()
            .map(|media| {
                self.look(media, size)
                    .map_err(|error| self.reason(media, &error))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut measured = Measured {
            row: sample.row,
            index,
            is_bare: false,
            id: sample.id,
            prompt,
            media: self.seen(media, sources)?,
        };
        if measured.tokens() == 0 {
            return Err("it has no tokens".into());
        }
        self.fit(&mut measured)?;
        measured.drop_held();
        Ok(measured)
    }

    /// A picture as it is, or the first frame of a clip, to be shown.
    ///
    /// # Errors
    /// Whatever makes it unusable.
    pub fn picture(&self, media: &Media) -> Result<Rgb, MediaError> {
        let Options {
            orientation,
            limits,
            ..
        } = self.options;
        if media.kind == MediaKind::Image {
            return media::load(&media.blob, orientation, limits);
        }
        let mut first = None;
        Source::probe(media, &self.options)?.read(&[0], &mut |frame| {
            first.get_or_insert(frame);
            Ok(())
        })?;
        first.ok_or_else(|| VideoError::NoFrames.into())
    }

    /// The media of a sample in the order of its passes.
    fn in_order(&self, media: Vec<Media>, prompt: &Prompt) -> Vec<Media> {
        match self.options.protocol {
            Protocol::Joint => in_order(media, prompt.media()),
            Protocol::Separate => media,
        }
    }

    /// Refuses a sample that has far too many tokens before its text is tokenised, which takes two hundred times the
    /// text's memory, and before each of its media is looked at.
    fn check_extent(&self, sample: &Sample) -> Result<(), String> {
        let bytes: usize = sample.turns.iter().map(|turn| turn.text.len()).sum();
        let of_kind = |kind| {
            sample
                .media
                .iter()
                .filter(|media| media.kind == kind)
                .count()
        };
        let of_text = |most: usize| {
            if self.prompter.is_some() {
                most
            } else {
                usize::MAX
            }
        };
        for (count, what, most) in [
            (
                bytes,
                "bytes of text",
                of_text(self.max_tokens.saturating_mul(BYTES_PER_TOKEN)),
            ),
            (sample.turns.len(), "turns", of_text(self.max_tokens)),
            (of_kind(MediaKind::Image), "pictures", self.max_tokens),
            (of_kind(MediaKind::Video), "clips", self.max_tokens),
        ] {
            if count > most {
                return Err(format!(
                    "it has {count} {what}, far more than {} of {} tokens has room for",
                    self.whose_limit(),
                    self.max_tokens
                ));
            }
        }
        Ok(())
    }

    fn look(
        &self,
        media: &Media,
        size: &mut dyn FnMut(&Media) -> Result<Size, MediaError>,
    ) -> Result<Source, MediaError> {
        if media.kind == MediaKind::Image {
            return size(media).map(Source::Picture);
        }
        let known = |blob: &Blob| self.clips.lock().ok()?.get(blob).cloned();
        if let Some(clip) = known(&media.blob) {
            return Source::clip(clip, &self.options, self.rounding);
        }
        let clip = Source::probe(media, &self.options)?;
        // The names of a folder's frames would fill the memory, and so would bytes.
        if clip.kind == ClipKind::File
            && !matches!(media.blob, Blob::Held(_))
            && let Ok(mut clips) = self.clips.lock()
        {
            clips.insert(media.blob.clone(), clip.clone());
        }
        Source::clip(clip, &self.options, self.rounding)
    }

    fn prompt(&self, sample: &Sample) -> Result<Prompt, PromptError> {
        let Some(prompter) = &self.prompter else {
            return Ok(Prompt::default());
        };
        let kinds: Vec<MediaKind> = sample.media.iter().map(|media| media.kind).collect();
        let spans = self.options.spans;
        match self.options.protocol {
            Protocol::Joint => prompter.encode(&sample.turns, &kinds, spans),
            Protocol::Separate => {
                prompter.check(&kinds)?;
                prompter.encode_text(&sample.turns, spans)
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
        let extents: Vec<(Extent, u32)> = sources.map(|source| source.extent(halvings)).collect();
        self.processor
            .shapes(&extents)
            .map_err(|error| error.to_string())
    }

    /// What sets the limit on tokens.
    fn whose_limit(&self) -> &'static str {
        if self.prompter.is_none() {
            "the limit on pictures"
        } else if self.options.max_tokens.unwrap_or(MAX_TOKENS) == self.max_tokens {
            "extract.max_tokens"
        } else {
            "the checkpoint's context"
        }
    }

    /// Holds a sample against the limit on tokens, and shrinks it where that is asked for.
    fn fit(&self, measured: &mut Measured) -> Result<(), String> {
        let protocol = self.options.protocol;
        let tokens = measured.longest_pass(protocol);
        if tokens <= self.max_tokens {
            return Ok(());
        }
        let too_long = format!(
            "it has {tokens} tokens, more than {} of {}",
            self.whose_limit(),
            self.max_tokens
        );
        if measured.media.is_empty() {
            return Err(too_long);
        }
        if self.options.too_long == TooLong::Fail {
            return Err(format!(
                "{too_long}; extract.too_long = \"shrink\" would make its pictures smaller and its clips shorter"
            ));
        }
        for halvings in 1..=HALVINGS {
            let sources = measured.media.iter().map(|seen| &seen.source);
            let shapes = self.shapes(sources, halvings)?;
            for (seen, shape) in measured.media.iter_mut().zip(shapes) {
                seen.shape = shape;
            }
            if measured.longest_pass(protocol) <= self.max_tokens {
                for seen in &mut measured.media {
                    seen.source.halve(halvings);
                }
                return Ok(());
            }
        }
        Err(format!(
            "{too_long}, and still {} with its pictures as small and its clips as short as they get",
            measured.longest_pass(protocol)
        ))
    }

    /// Decodes and resizes what a sample shows; gives the inputs of its passes, of which there is one for each modality
    /// where these are passed alone. `dataset` is that of [`measure`](Self::measure): media that came with the row are
    /// read from it again where they were too many bytes to be kept.
    ///
    /// # Errors
    /// Whatever makes a picture or clip unusable, as the failure to be recorded.
    pub fn load(&self, measured: &Measured, dataset: &dyn Dataset) -> Result<Vec<Input>, Failure> {
        let failure = |reason: &str| Failure::new(measured.row, &measured.id, reason);
        let again = if measured.is_bare {
            let again = self.media_again(measured, dataset);
            Some(again.map_err(|reason| failure(&reason))?)
        } else {
            None
        };
        let mut visuals = Vec::with_capacity(measured.media.len());
        for (i, seen) in measured.media.iter().enumerate() {
            let media = again.as_ref().map_or(&seen.media, |again| &again[i]);
            let visual = self.render(seen, media);
            visuals.push(visual.map_err(|error| failure(&self.reason(media, &error)))?);
        }
        if self.options.protocol == Protocol::Joint {
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
        let kinds = measured.media.iter().map(|seen| seen.media.kind);
        let mut visuals: Vec<(MediaKind, Visual)> = kinds.zip(visuals).collect();
        for kind in [MediaKind::Image, MediaKind::Video] {
            let count = measured.tokens_of(kind);
            if count > 0 {
                let alone = visuals.extract_if(.., |(found, _)| *found == kind);
                inputs.push(Input {
                    visuals: alone.map(|(_, visual)| visual).collect(),
                    tokens: match &self.prompter {
                        Some(prompter) => prompter.bare(kind, count),
                        None => Tokens::visual(kind, 0, count),
                    },
                });
            }
        }
        Ok(inputs)
    }

    fn media_again(
        &self,
        measured: &Measured,
        dataset: &dyn Dataset,
    ) -> Result<Vec<Media>, String> {
        let sample = dataset
            .read(measured.index)
            .map_err(|error| error.reason())?;
        let media = self.in_order(sample.media, &measured.prompt);
        if media.len() == measured.media.len() {
            Ok(media)
        } else {
            Err("the row has changed since the run began".into())
        }
    }

    /// Why a picture or clip cannot be used. It goes into a shard, whose bytes must not depend on where the data lies.
    fn reason(&self, media: &Media, error: &MediaError) -> String {
        if error.is_of_machine() {
            // It ends the run and goes into no shard, so that it may name what it likes.
            let fault = || format!("{}: {error}", media.name);
            self.machine_fault.get_or_init(fault);
        }
        format!("{}: {}", media.name, error.problem())
    }

    fn render(&self, seen: &Seen, media: &Media) -> Result<Visual, MediaError> {
        let mut tiles = Tiles::none();
        seen.source.read(media, &self.options, &mut |frame| {
            self.processor.render(&frame, &seen.shape, &mut tiles)
        })?;
        Ok(Visual {
            tiles,
            shape: seen.shape.clone(),
        })
    }
}
