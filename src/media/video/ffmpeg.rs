//! Frames of a video file, by `ffmpeg`: one decoding pass, of which only the frames asked for are converted.

use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use super::process::{End, run};
use super::select::Select;
use super::words::reason;
use super::{Programs, VideoError, VideoLimits, input};
use crate::media::{MediaError, Orientation, Rgb, Size};

const PROGRAM: &str = "ffmpeg";

/// What to read.
pub(super) struct Reading<'a> {
    pub(super) programs: &'a Programs,
    pub(super) path: &'a Path,
    /// The stream's number in the file.
    pub(super) stream: u32,
    pub(super) orientation: Orientation,
    /// The size that every frame has to have, upright.
    pub(super) size: Size,
    /// Frames in the stream, for the texts of errors.
    pub(super) frames: u64,
    pub(super) limits: &'a VideoLimits,
}

impl Reading<'_> {
    /// Gives the frames with the strictly ascending numbers `wanted`.
    ///
    /// # Errors
    /// Frames that do not come or are of another size, a time limit, and what `take` gives.
    pub(super) fn frames(
        &self,
        wanted: &[u64],
        take: &mut dyn FnMut(Rgb) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let (Some(&first), Some(&last)) = (wanted.first(), wanted.last()) else {
            return Ok(());
        };
        let (select, exact) = Select::new(wanted);
        let mut coming: Box<dyn Iterator<Item = u64>> = if exact {
            Box::new(wanted.iter().copied())
        } else {
            Box::new(first..=last)
        };
        let mut left = wanted;
        let mut came = false;
        let mut keep = |picture: Rgb| {
            came = true;
            if coming.next() == left.first().copied() {
                left = &left[1..];
                take(picture)?;
            }
            Ok(if left.is_empty() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        };
        let count = if exact {
            wanted.len() as u64
        } else {
            last - first + 1
        };
        let mut end = self.run(&select, count, "-fps_mode", &mut keep)?;
        if self.has_no_fps_mode(&end) {
            end = self.run(&select, count, "-vsync", &mut keep)?;
        }
        match (&end, left.first()) {
            (End::Stopped, _) | (_, None) => Ok(()),
            (_, Some(&missing)) => Err(self.shortfall(&end, came, missing).into()),
        }
    }

    fn run(
        &self,
        select: &Select,
        count: u64,
        sync: &str,
        keep: &mut dyn FnMut(Rgb) -> Result<ControlFlow<()>, MediaError>,
    ) -> Result<End, MediaError> {
        let mut command = Command::new(&self.programs.ffmpeg);
        command.args(["-nostdin", "-v", "error", "-threads", "1"]);
        if self.orientation == Orientation::Ignore {
            command.arg("-noautorotate");
        }
        command.args(input(self.path));
        command.args(["-map", &format!("0:{}", self.stream)]);
        if let Select::Expression(expression) = select {
            command.args(["-vf", &format!("select='{expression}'")]);
        }
        // Every frame once, whatever its time stamp. PPM says the size of each frame; levels are those of rawvideo.
        command.args([sync, "passthrough", "-frames:v", &count.to_string()]);
        command.args(["-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "-"]);
        let size = self.size;
        let parse = move |out: &mut std::io::BufReader<_>| frame(out, size);
        run(command, PROGRAM, self.limits.timeout, parse, keep)
    }

    /// ffmpeg before 5.1 knows the option by another name, which later ones are to drop.
    fn has_no_fps_mode(&self, end: &End) -> bool {
        let refused = matches!(end, End::Exited { status, .. } if !status.success());
        refused && reason(end, self.path).contains("Unrecognized option 'fps_mode'")
    }

    fn shortfall(&self, end: &End, came: bool, missing: u64) -> VideoError {
        let failed = matches!(end, End::Exited { status, .. } if !status.success());
        let reason = reason(end, self.path);
        if failed || (!came && !reason.is_empty()) {
            let program = PROGRAM;
            return VideoError::Undecodable { program, reason };
        }
        VideoError::FewerFrames {
            frames: self.frames,
            decoded: missing,
            reason: if reason.is_empty() {
                reason
            } else {
                format!(": {reason}")
            },
        }
    }
}

/// The next frame; `None` at the end, also at one in the middle of a frame: the exit status tells the rest.
fn frame(out: &mut impl BufRead, expected: Size) -> Result<Option<Rgb>, MediaError> {
    let garbage = || {
        let (program, reason) = (PROGRAM, "its output is not understood".into());
        VideoError::Undecodable { program, reason }
    };
    let mut header = [String::new(), String::new(), String::new()];
    for line in &mut header {
        const LONGEST: u64 = 64;
        let mut bytes = Vec::new();
        let read = out.take(LONGEST).read_until(b'\n', &mut bytes);
        match bytes.strip_suffix(b"\n") {
            Some(bytes) => *line = String::from_utf8_lossy(bytes).into_owned(),
            None if read.is_ok_and(|len| len as u64 == LONGEST) => return Err(garbage().into()),
            None => return Ok(None),
        }
    }
    let [magic, sides, depth] = header;
    let side = |text: &str| text.parse::<u32>().ok();
    let size = sides
        .split_once(' ')
        .and_then(|(width, height)| Some(Size::new(side(width)?, side(height)?)));
    let (Some(found), "P6", "255") = (size, magic.as_str(), depth.as_str()) else {
        return Err(garbage().into());
    };
    if found != expected {
        let frame = "a frame".into();
        return Err(VideoError::FrameSize {
            frame,
            expected,
            found,
        }
        .into());
    }
    let len = expected.rgb_len();
    let mut data = Vec::with_capacity(len);
    let read = out.take(len as u64).read_to_end(&mut data);
    Ok((read.is_ok() && data.len() == len).then_some(Rgb {
        width: found.width,
        height: found.height,
        data,
    }))
}
