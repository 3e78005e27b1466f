//! A sample whose size is known.

use super::source::Source;
use crate::blob::Blob;
use crate::config::Protocol;
use crate::dataset::{Media, MediaKind};
use crate::prompt::Prompt;
use crate::vlm::Shape;

/// The most bytes of media that came with a row and are kept until the sample is loaded: 128 samples of a device may
/// wait, those of the shard that is loaded and of the next one.
const MAX_HELD_BYTES: usize = 1 << 20;

/// A sample whose tokens are known and whose pixels are not yet read.
pub struct Measured {
    /// The row in the dataset's file.
    pub row: u64,
    /// Its place in the dataset, to read it once more.
    pub(super) index: u64,
    /// Whether its media were too many bytes to be kept, and are gone.
    pub(super) is_bare: bool,
    pub(super) id: String,
    pub(super) prompt: Prompt,
    /// In the order of the prompt's placeholders, or of the sample's where the prompt has none.
    pub(super) media: Vec<Seen>,
}

/// A picture or clip of a sample, with what its size says.
pub(super) struct Seen {
    pub(super) media: Media,
    pub(super) source: Source,
    pub(super) shape: Shape,
}

impl Measured {
    /// Lets go of media that came with the row, if they are many bytes.
    pub(super) fn drop_held(&mut self) {
        let held = |seen: &Seen| seen.media.blob.held_bytes();
        if self.media.iter().map(held).sum::<usize>() <= MAX_HELD_BYTES {
            return;
        }
        self.is_bare = true;
        for seen in &mut self.media {
            let nothing = Blob::Held([].into());
            seen.source.move_to(&nothing);
            seen.media.blob = nothing;
        }
    }

    /// Positions that the sample takes in the language model, in all its passes.
    pub fn tokens(&self) -> usize {
        self.prompt.text_len() + self.counts().iter().sum::<usize>()
    }

    /// Positions of each picture and clip.
    pub(super) fn counts(&self) -> Vec<usize> {
        self.media.iter().map(|seen| seen.shape.tokens()).collect()
    }

    /// Positions of all pictures, or of all videos.
    pub fn tokens_of(&self, kind: MediaKind) -> usize {
        let seen = self.media.iter().filter(|seen| seen.media.kind == kind);
        seen.map(|seen| seen.shape.tokens()).sum()
    }

    /// Positions of each of its passes, of which some may have none.
    pub(super) fn passes(&self, protocol: Protocol) -> impl Iterator<Item = usize> {
        let passes = match protocol {
            Protocol::Joint => [self.tokens(), 0, 0],
            Protocol::Separate => [
                self.prompt.text_len(),
                self.tokens_of(MediaKind::Image),
                self.tokens_of(MediaKind::Video),
            ],
        };
        passes.into_iter()
    }

    /// Positions of the longest of its passes.
    pub(super) fn longest_pass(&self, protocol: Protocol) -> usize {
        self.passes(protocol).max().unwrap_or(0)
    }
}

/// The media of a sample in the order of a prompt's placeholders: a template may put all pictures first, but leaves
/// those of one kind in order. There are as many of each kind as the prompter has checked.
pub(super) fn in_order(media: Vec<Media>, kinds: &[MediaKind]) -> Vec<Media> {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::checkpoint::{Checkpoint, OpenOptions};
    use crate::config::TooLong;
    use crate::dataset::{self, Dataset, DatasetSpec};
    use crate::extract::{Options, Preparer};
    use crate::media::{Limits, Orientation, Sampling, VideoLimits};
    use crate::vlm::{Input, ProcessorOptions};

    struct Project {
        folder: tempfile::TempDir,
        preparer: Preparer,
    }

    impl Project {
        fn new(protocol: Protocol) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let open = OpenOptions::new(folder.path());
            let checkpoint = Checkpoint::open("models/tiny-llava-onevision", root, &open).unwrap();
            let options = Options {
                processor: ProcessorOptions::default(),
                orientation: Orientation::Apply,
                limits: Limits::default(),
                sampling: Sampling::LlavaNext,
                max_frames: Some(2),
                video: VideoLimits::default(),
                spans: false,
                protocol,
                max_tokens: None,
                too_long: TooLong::Fail,
            };
            let preparer = Preparer::new(&checkpoint, options).unwrap();
            Self { folder, preparer }
        }

        /// A picture of so many rows, and what a row says for it: its path, or its bytes.
        fn picture(&self, name: &str, height: u32) -> [String; 2] {
            let level = |x: u32, y: u32| image::Rgb([x as u8, y as u8, (x * y) as u8]);
            let path = self.folder.path().join(name);
            let picture = image::RgbImage::from_fn(512, height, level);
            picture.save(&path).unwrap();
            let bytes = BASE64_STANDARD.encode(fs_err::read(path).unwrap());
            [name.to_owned(), format!("data:image/bmp;base64,{bytes}")]
        }

        fn dataset(&self, images: [&str; 2], frames: &str) -> Box<dyn Dataset> {
            let [first, second] = images;
            let row = format!(
                r#"{{"messages": [{{"role": "user", "content": "<image><video><image>?"}}], "images": ["{first}", "{second}"], "videos": [["{frames}", "{frames}", "{frames}"]]}}"#
            );
            let path = self.folder.path().join("rows.json");
            fs_err::write(&path, row).unwrap();
            let spec = DatasetSpec {
                path,
                ..DatasetSpec::default()
            };
            dataset::open(&spec).unwrap()
        }

        fn measured(&self, dataset: &dyn Dataset) -> Measured {
            let measured = self.preparer.measure(dataset, 0);
            measured.unwrap_or_else(|failure| panic!("{}", failure.reason))
        }
    }

    fn held(measured: &Measured) -> usize {
        let media = measured.media.iter();
        media.map(|seen| seen.media.blob.held_bytes()).sum()
    }

    fn same(a: &[Input], b: &[Input]) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert_eq!(a.tokens, b.tokens);
            assert_eq!(a.visuals.len(), b.visuals.len());
            for (a, b) in a.visuals.iter().zip(&b.visuals) {
                assert!(a.tiles == b.tiles && a.tiles.count > 0);
            }
        }
    }

    #[test]
    fn few_bytes_are_kept_and_many_are_read_again_to_the_same_end() {
        for protocol in [Protocol::Joint, Protocol::Separate] {
            let project = Project::new(protocol);
            let small = project.picture("small.bmp", 4);
            let large = project.picture("large.bmp", 700);
            let frame = project.picture("frame.bmp", 30);
            let dataset = project.dataset([&small[0], &large[0]], &frame[0]);
            let expected = project.measured(dataset.as_ref());
            assert!(!expected.is_bare);
            let expected = project.preparer.load(&expected, dataset.as_ref()).unwrap();

            let dataset = project.dataset([&small[1], &large[0]], &frame[1]);
            let measured = project.measured(dataset.as_ref());
            assert!(!measured.is_bare && held(&measured) > 100_000);
            // Not from the dataset: there is none any more.
            let other = project.dataset([&small[0], &small[0]], &frame[0]);
            same(
                &project.preparer.load(&measured, other.as_ref()).unwrap(),
                &expected,
            );

            let dataset = project.dataset([&small[1], &large[1]], &frame[1]);
            let measured = project.measured(dataset.as_ref());
            assert!(measured.is_bare);
            assert_eq!(held(&measured), 0);
            same(
                &project.preparer.load(&measured, dataset.as_ref()).unwrap(),
                &expected,
            );
        }
    }

    #[test]
    fn a_row_that_has_changed_is_a_failure() {
        let project = Project::new(Protocol::Joint);
        let large = project.picture("large.bmp", 700);
        let frame = project.picture("frame.bmp", 30);
        let dataset = project.dataset([&large[1], &large[0]], &frame[0]);
        let measured = project.measured(dataset.as_ref());
        let row = r#"{"messages": [{"role": "user", "content": "?"}]}"#;
        let path = project.folder.path().join("other.json");
        fs_err::write(&path, row).unwrap();
        let spec = DatasetSpec {
            path,
            ..DatasetSpec::default()
        };
        let other = dataset::open(&spec).unwrap();
        let failure = project.preparer.load(&measured, other.as_ref());
        assert_eq!(
            failure.unwrap_err().reason,
            "the row has changed since the run began"
        );
        fs_err::write(project.folder.path().join("rows.json"), "").unwrap();
        let failure = project.preparer.load(&measured, dataset.as_ref());
        assert!(failure.unwrap_err().reason.contains("has it changed"));
    }
}
