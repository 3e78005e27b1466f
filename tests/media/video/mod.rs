//! Clips: the choice of frames against the reference implementations, and decoding against known pixels.

#![expect(clippy::unwrap_used, reason = "also the helpers of tests may panic")]

mod broken;
mod containers;
mod decoding;
mod fakes;
mod folders;
mod sampling;
mod stage;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use madmix::blob::Blob;
use madmix::media::{Clip, Limits, MediaError, Orientation, Rgb, VideoLimits};

/// Frame `k` of every clip that is made here.
fn frame(k: usize, (width, height): (u32, u32)) -> Rgb {
    let mut frame = super::picture((width, height));
    for (at, level) in frame.data.iter_mut().enumerate() {
        *level = level.wrapping_add((k * (11 + at % 3)) as u8);
    }
    frame
}

const SIZE: (u32, u32) = (48, 32);

fn frames(count: usize) -> Vec<Rgb> {
    (0..count).map(|k| frame(k, SIZE)).collect()
}

fn probe(path: &Path) -> Result<Clip, MediaError> {
    Clip::probe(
        &Blob::at(path),
        Orientation::Apply,
        Limits::default(),
        VideoLimits::default(),
    )
}

fn read(clip: &Clip, indices: &[u64]) -> Result<Vec<Rgb>, MediaError> {
    let mut found = Vec::new();
    clip.read(indices, &mut |picture| {
        found.push(picture);
        Ok(())
    })?;
    Ok(found)
}

fn read_all(clip: &Clip) -> Result<Vec<Rgb>, MediaError> {
    read(clip, &(0..clip.frames).collect::<Vec<_>>())
}

/// Whether ffmpeg is here. Without it a test of real decoding has nothing to say.
#[expect(
    clippy::print_stderr,
    reason = "a test that tests nothing has to say so"
)]
fn has_ffmpeg(test: &str) -> bool {
    let here = ["ffmpeg", "ffprobe"].iter().all(|program| {
        let mut version = Command::new(program);
        version
            .arg("-version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    });
    if !here {
        // Where it has been installed for the tests, none of them may be skipped.
        assert!(
            std::env::var_os("MADMIX_TEST_FFMPEG").is_none(),
            "{test}: ffmpeg is not on PATH"
        );
        eprintln!("{test} is skipped: ffmpeg is not on PATH");
    }
    here
}

fn has_encoder(name: &str) -> bool {
    let list = Command::new("ffmpeg")
        .args(["-v", "error", "-encoders"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&list.stdout)
        .lines()
        .any(|line| line.split_whitespace().nth(1) == Some(name))
}

/// What ffprobe says about the video stream, values alone.
fn said(path: &Path, ask: &str) -> String {
    let mut command = Command::new("ffprobe");
    command.args("-v error -select_streams V:0 -of default=nw=1:nk=1".split(' '));
    let said = command.args(ask.split(' ')).arg(path).output().unwrap();
    String::from_utf8(said.stdout).unwrap()
}

/// Frames that ffprobe counts by decoding.
fn decoded(path: &Path) -> u64 {
    let count = said(path, "-count_frames -show_entries stream=nb_read_frames");
    count.trim().parse().unwrap()
}

/// A folder to make clips in.
struct Studio(tempfile::TempDir);

impl Studio {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs ffmpeg in the folder.
    fn ffmpeg(&self, args: &str) -> bool {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-nostdin", "-v", "error", "-y"])
            .args(args.split_whitespace());
        command
            .current_dir(self.0.path())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    /// Encodes the first `count` frames, at ten a second.
    fn film(&self, count: usize, codec: &str, name: &str) -> PathBuf {
        let levels: Vec<u8> = frames(count)
            .into_iter()
            .flat_map(|frame| frame.data)
            .collect();
        fs_err::write(self.path("levels"), levels).unwrap();
        let (width, height) = SIZE;
        let input = format!("-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r 10 -i levels");
        assert!(
            self.ffmpeg(&format!("{input} {codec} file:{name}")),
            "{codec} {name}"
        );
        self.path(name)
    }
}
