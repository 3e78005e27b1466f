//! What a video file holds, by `ffprobe`: one pass over its packets, without decoding.

use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use super::process::{End, run};
use super::words::reason;
use super::{FORMATS, Programs, VideoError, VideoLimits, input};
use crate::media::{MediaError, Size};

const PROGRAM: &str = "ffprobe";

/// A video stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Its number in the file.
    pub(super) index: u32,
    /// The size as stored.
    pub(super) size: Size,
    /// Whether turning it upright swaps width and height.
    pub(super) transposed: bool,
    /// Frames that will be decoded.
    pub(super) frames: u64,
    /// Frames a second on average; 0 when the file does not say.
    pub(super) fps: f64,
}

/// Looks at the first video stream. Frames are counted, because what containers say about their number and duration
/// is often wrong.
///
/// # Errors
/// No video, no frames, more than the limits allow, a file that ffprobe cannot read or takes too long over.
pub(super) fn probe(
    programs: &Programs,
    path: &Path,
    limits: &VideoLimits,
) -> Result<Stream, MediaError> {
    const ENTRIES: &str = "format=format_name:packet=flags:stream_side_data=rotation:stream=index,codec_name,width,\
                           height,field_order,avg_frame_rate,r_frame_rate";
    let mut command = Command::new(&programs.ffprobe);
    command.args(["-show_entries", ENTRIES]);
    let mut report = report(command, path, limits)?;
    let format = report.format;
    if format.is_empty() {
        let reason = "its output is not understood".into();
        let program = PROGRAM;
        return Err(VideoError::Undecodable { program, reason }.into());
    }
    if !format.split(',').any(|name| FORMATS.contains(&name)) {
        return Err(VideoError::NotAVideo { format }.into());
    }
    if report.codec.is_empty() {
        return Err(VideoError::NoVideoStream { format }.into());
    }
    if report.stream.size.pixels() == 0 {
        return Err(MediaError::NoPixels(report.stream.size));
    }
    let packets_lie = report.interlaced || ["vp8", "mpeg4"].contains(&report.codec.as_str());
    if report.stream.frames > 0 && packets_lie {
        report.stream.frames = decoded_frames(programs, path, limits)?;
    }
    match report.stream.frames {
        0 => Err(VideoError::NoFrames.into()),
        frames if frames > limits.max_frames_in_file => Err(VideoError::TooManyFrames {
            limit: limits.max_frames_in_file,
        }
        .into()),
        _ => Ok(report.stream),
    }
}

/// Counts by decoding, for the codecs whose packets are no frames: VP8 has packets that show nothing, MPEG-4 two
/// frames in one, and interlaced video may have a packet for each field.
fn decoded_frames(
    programs: &Programs,
    path: &Path,
    limits: &VideoLimits,
) -> Result<u64, MediaError> {
    let mut command = Command::new(&programs.ffprobe);
    command.args(["-threads", "1", "-count_frames"]);
    command.args(["-show_entries", "stream=nb_read_frames"]);
    Ok(report(command, path, limits)?.decoded)
}

/// The format in ffprobe's refusal of one that is not among [`FORMATS`]: `[hls @ 0x55d0] Format not on
/// whitelist '…'`.
fn refused(words: &str) -> Option<&str> {
    let (before, _) = words.split_once("] Format not on whitelist")?;
    let (_, context) = before.rsplit_once('[')?;
    context.split(' ').next()
}

/// What ffprobe says about a file.
#[derive(Debug, Default)]
struct Report {
    stream: Stream,
    format: String,
    codec: String,
    interlaced: bool,
    decoded: u64,
}

fn report(mut command: Command, path: &Path, limits: &VideoLimits) -> Result<Report, MediaError> {
    // One `key=value` a line, so that a million packets are read without being held.
    command.args(["-v", "error", "-select_streams", "V:0", "-of", "flat"]);
    command.args(input(path));
    let limit = limits.max_frames_in_file;
    let mut done = false;
    let parse = move |out: &mut std::io::BufReader<_>| {
        if std::mem::replace(&mut done, true) {
            return Ok(None);
        }
        let mut report = Report::default();
        let mut line = Vec::new();
        while next_line(out, &mut line) {
            report.add(&String::from_utf8_lossy(&line));
            if report.stream.frames > limit {
                return Err(VideoError::TooManyFrames { limit }.into());
            }
        }
        Ok(Some(report))
    };
    let mut found = Report::default();
    let end = run(command, PROGRAM, limits.timeout, parse, &mut |report| {
        found = report;
        Ok(ControlFlow::Continue(()))
    })?;
    match &end {
        End::Exited { status, words } if !status.success() => {
            let (program, reason) = (PROGRAM, reason(&end, path));
            Err(match refused(&String::from_utf8_lossy(words)) {
                Some(format) => VideoError::NotAVideo {
                    format: format.to_owned(),
                },
                None => VideoError::Undecodable { program, reason },
            }
            .into())
        }
        _ => Ok(found),
    }
}

/// A read error is the end, too: the exit status tells the rest.
fn next_line(out: &mut impl BufRead, line: &mut Vec<u8>) -> bool {
    line.clear();
    matches!(out.take(1 << 16).read_until(b'\n', line), Ok(1..))
}

impl Report {
    fn add(&mut self, line: &str) {
        let Some((key, value)) = line.trim_end().split_once('=') else {
            return;
        };
        let value = value.trim_matches('"');
        let (_, name) = key.rsplit_once('.').unwrap_or_default();
        if key.starts_with("packets.packet.") && name == "flags" {
            // Packets marked D are decoded but not shown: an edit list leaves them out.
            self.stream.frames += u64::from(!value.contains('D'));
            return;
        }
        if key == "format.format_name" {
            value.clone_into(&mut self.format);
            return;
        }
        let Some(key) = key.strip_prefix("streams.stream.0.") else {
            return;
        };
        let stream = &mut self.stream;
        match key {
            "index" => stream.index = value.parse().unwrap_or_default(),
            "codec_name" => value.clone_into(&mut self.codec),
            "width" => stream.size.width = value.parse().unwrap_or_default(),
            "height" => stream.size.height = value.parse().unwrap_or_default(),
            "field_order" => self.interlaced = ["tt", "bb", "tb", "bt"].contains(&value),
            "avg_frame_rate" => stream.fps = rate(value).unwrap_or(stream.fps),
            "r_frame_rate" if stream.fps == 0.0 => stream.fps = rate(value).unwrap_or_default(),
            "nb_read_frames" => self.decoded = value.parse().unwrap_or_default(),
            key if key.starts_with("side_data_list.") && name == "rotation" => {
                stream.transposed = value.parse().is_ok_and(is_quarter_turn);
            }
            _ => {}
        }
    }
}

/// ffmpeg swaps the sides at 90 and 270 degrees give or take one; at other angles it keeps them.
fn is_quarter_turn(degrees: f64) -> bool {
    (degrees.rem_euclid(180.0) - 90.0).abs() < 1.0
}

/// `30000/1001`; `None` for `0/0`.
fn rate(text: &str) -> Option<f64> {
    let (count, seconds) = text.split_once('/')?;
    let rate = count.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
