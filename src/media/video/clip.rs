//! A clip, whatever it is stored as.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{ClipKind, Programs, VideoError, VideoLimits, ffmpeg, ffprobe, folder};
use crate::blob::Blob;
use crate::media::{Limits, Mark, MediaError, Orientation, Rgb, Size};

/// A clip that has been looked at, and that frames can be read from.
#[derive(Clone, Debug)]
pub struct Clip {
    /// What it is stored as.
    pub kind: ClipKind,
    /// The size of its frames, upright if they are turned.
    pub size: Size,
    /// How many frames it has, at least one.
    pub frames: u64,
    /// Frames a second on average; 0 when a file does not say.
    pub fps: f64,
    blob: Blob,
    source: Source,
    orientation: Orientation,
    picture: Limits,
    video: VideoLimits,
}

#[derive(Clone, Debug)]
enum Source {
    File { programs: Programs, stream: u32 },
    Folder { names: Vec<OsString> },
    Frames { frames: Arc<[Blob]> },
}

impl Clip {
    /// Looks at a video file, a folder of frames or a list of them without decoding pixels (but for the few codecs whose frames cannot
    /// be counted otherwise). `picture` holds for the bytes of a folder's frames, `video` for all else.
    ///
    /// A file is taken for what it holds, whatever its name. Frames are turned upright by the display matrix of the
    /// file, or the EXIF data of each frame in a folder, if `orientation` says so.
    ///
    /// # Errors
    /// Every fault of the clip; the text names it.
    pub fn probe(
        blob: &Blob,
        orientation: Orientation,
        picture: Limits,
        video: VideoLimits,
    ) -> Result<Self, MediaError> {
        Self::probe_with(Programs::default(), blob, orientation, picture, video)
    }

    /// [`Clip::probe`] with other programs than those on `PATH`.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn probe_with(
        programs: Programs,
        blob: &Blob,
        orientation: Orientation,
        picture: Limits,
        video: VideoLimits,
    ) -> Result<Self, MediaError> {
        let picture = Limits {
            max_pixels: video.max_pixels,
            ..picture
        };
        let mut clip = Self {
            kind: ClipKind::Folder,
            size: Size::default(),
            frames: 0,
            fps: video.folder_fps,
            blob: blob.clone(),
            source: Source::Folder { names: Vec::new() },
            orientation,
            picture,
            video,
        };
        clip.look(programs).map_err(|fault| fault.within(blob))?;
        Ok(clip)
    }

    /// The same clip with its bytes elsewhere: they are not looked at again, and have to be the same.
    #[must_use]
    pub fn at(mut self, blob: &Blob) -> Self {
        self.blob = blob.clone();
        if let (Source::Frames { frames }, Blob::Frames(found)) = (&mut self.source, blob) {
            *frames = Arc::clone(found);
        }
        self
    }

    fn look(&mut self, programs: Programs) -> Result<(), MediaError> {
        match &self.blob.clone() {
            Blob::Frames(frames) => self.look_at_frames(frames),
            Blob::Path(path) => {
                let data = fs_err::metadata(path).map_err(MediaError::File)?;
                if data.is_dir() {
                    self.look_at_folder(path)
                } else if data.is_file() {
                    self.look_at_file(programs)
                } else {
                    Err(MediaError::NotAFile)
                }
            }
            _ => self.look_at_file(programs),
        }
    }

    fn look_at_folder(&mut self, path: &Path) -> Result<(), MediaError> {
        let names = folder::frames(path, self.video.max_frames_in_file)?;
        self.size = folder::probe(path, &names[0], self.orientation, self.picture)?;
        self.frames = names.len() as u64;
        self.source = Source::Folder { names };
        Ok(())
    }

    fn look_at_frames(&mut self, frames: &Arc<[Blob]>) -> Result<(), MediaError> {
        let limit = self.video.max_frames_in_file;
        let first = frames.first().ok_or(VideoError::NoFrames)?;
        if frames.len() as u64 > limit {
            return Err(VideoError::TooManyFrames { limit }.into());
        }
        self.size = folder::probe_frame(first, "1", self.orientation, self.picture)?;
        self.frames = frames.len() as u64;
        self.source = Source::Frames {
            frames: Arc::clone(frames),
        };
        Ok(())
    }

    fn look_at_file(&mut self, programs: Programs) -> Result<(), MediaError> {
        let limit = self.video.max_bytes;
        // Opened also for the error's sake: what keeps ffprobe from reading would be told in its words, not in ours.
        let bytes = self.blob.open().map_err(MediaError::File)?.len();
        if bytes == 0 {
            return Err(MediaError::Empty);
        }
        if bytes > limit {
            return Err(MediaError::TooManyBytes { bytes, limit });
        }
        let local = self.blob.local().map_err(MediaError::File)?;
        let stream = ffprobe::probe(&programs, local.path(), &self.video)?;
        let limit = self.video.max_pixels;
        if stream.size.pixels() > limit {
            let size = stream.size;
            return Err(MediaError::TooManyPixels { size, limit });
        }
        let turned = stream.transposed && self.orientation == Orientation::Apply;
        self.kind = ClipKind::File;
        self.size = if turned {
            stream.size.transposed()
        } else {
            stream.size
        };
        (self.frames, self.fps) = (stream.frames, stream.fps);
        self.source = Source::File {
            programs,
            stream: stream.index,
        };
        Ok(())
    }

    /// What tells it from other clips: the mark of its file, or the number of its frames with the marks of the first and
    /// the last.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn mark(&self) -> io::Result<Mark> {
        let of = |first: Option<Blob>, last: Option<Blob>| match (first, last) {
            (Some(first), Some(last)) => Mark::of_frames(self.frames, &first, &last),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        match &self.source {
            Source::File { .. } => Mark::of(&self.blob),
            Source::Frames { frames } => of(frames.first().cloned(), frames.last().cloned()),
            Source::Folder { names } => {
                let folder = self.blob.path().unwrap_or(Path::new(""));
                let frame = |name: &OsString| Blob::Path(folder.join(name));
                of(names.first().map(frame), names.last().map(frame))
            }
        }
    }

    /// Decodes the frames with these numbers, which ascend and may repeat, and gives each to `take` in this order.
    /// Files are decoded in one pass while `take` is at work; two frames are in memory besides those that it keeps.
    ///
    /// # Errors
    /// Numbers beyond the clip or out of order, faults of the clip, and what `take` gives; the text names the clip.
    pub fn read(
        &self,
        indices: &[u64],
        take: &mut dyn FnMut(Rgb) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        self.read_distinct(indices, take)
            .map_err(|fault| fault.within(&self.blob))
    }

    fn read_distinct(
        &self,
        indices: &[u64],
        take: &mut dyn FnMut(Rgb) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        self.check(indices)?;
        let mut wanted = indices.to_vec();
        wanted.dedup();
        let mut rest = indices;
        let mut repeat = |picture: Rgb| {
            let same = rest.iter().take_while(|&index| index == &rest[0]).count();
            rest = &rest[same..];
            for _ in 1..same {
                take(picture.clone())?;
            }
            take(picture)
        };
        match &self.source {
            Source::File { programs, stream } => {
                let local = self.blob.local().map_err(MediaError::File)?;
                let reading = ffmpeg::Reading {
                    programs,
                    path: local.path(),
                    stream: *stream,
                    orientation: self.orientation,
                    size: self.size,
                    frames: self.frames,
                    limits: &self.video,
                };
                reading.frames(&wanted, &mut repeat)
            }
            Source::Folder { names } => wanted.iter().try_for_each(|&index| {
                let name = &names[index as usize];
                let folder = self.blob.path().unwrap_or(Path::new(""));
                let frame = Blob::Path(folder.join(name));
                repeat(self.load_frame(&frame, &name.to_string_lossy())?)
            }),
            Source::Frames { frames } => wanted.iter().try_for_each(|&index| {
                let number = (index + 1).to_string();
                let frame = frames.get(index as usize).ok_or(VideoError::NoFrames)?;
                repeat(self.load_frame(frame, &number)?)
            }),
        }
    }

    fn load_frame(&self, frame: &Blob, name: &str) -> Result<Rgb, MediaError> {
        folder::load(frame, name, (self.orientation, self.picture), self.size)
    }

    fn check(&self, indices: &[u64]) -> Result<(), VideoError> {
        let mut before = None;
        for &index in indices {
            if index >= self.frames || before.is_some_and(|before| before > index) {
                let frames = self.frames;
                return Err(VideoError::BadIndex {
                    index,
                    before,
                    frames,
                });
            }
            before = Some(index);
        }
        Ok(())
    }
}
