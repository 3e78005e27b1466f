//! Shell scripts in the place of ffprobe and ffmpeg.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use madmix::blob::Blob;
use madmix::media::video::Programs;
use madmix::media::{Clip, Limits, MediaError, Orientation, VideoLimits};

use super::{Studio, read_all};

/// Two programs and a file for them.
pub(super) struct Stage {
    pub(super) studio: Studio,
    pub(super) programs: Programs,
    pub(super) limits: VideoLimits,
}

/// What ffprobe says of a clip of three frames.
pub(super) const THREE: &str = r#"
for k in 0 1 2; do echo "packets.packet.$k.flags=\"K_\""; done
echo 'packets.packet.3.flags="_D"'
echo 'streams.stream.0.index=1'
echo 'streams.stream.0.codec_name="h264"'
echo 'streams.stream.0.width=2'
echo 'streams.stream.0.height=1'
echo 'streams.stream.0.avg_frame_rate="30000/1001"'
echo 'format.format_name="mov,mp4"'
"#;

/// A frame of 2 x 1, its levels `abcdef`.
pub(super) const FRAME: &str = r"printf 'P6\n2 1\n255\nabcdef'";

impl Stage {
    pub(super) fn new(ffprobe: &str, ffmpeg: &str) -> Self {
        let studio = Studio::new();
        fs_err::write(studio.path("clip.mp4"), "not empty").unwrap();
        let programs = Programs {
            ffprobe: script(&studio.path("ffprobe"), ffprobe),
            ffmpeg: script(&studio.path("ffmpeg"), ffmpeg),
        };
        let limits = VideoLimits {
            timeout: Duration::from_secs(20),
            ..VideoLimits::default()
        };
        Self {
            studio,
            programs,
            limits,
        }
    }

    pub(super) fn probe(&self) -> Result<Clip, MediaError> {
        let path = self.studio.path("clip.mp4");
        let programs = self.programs.clone();
        Clip::probe_with(
            programs,
            &Blob::at(&path),
            Orientation::Apply,
            Limits::default(),
            self.limits,
        )
    }

    pub(super) fn probe_fault(&self) -> (String, &'static str) {
        self.checked(&self.probe().unwrap_err())
    }

    pub(super) fn read_fault(&self) -> (String, &'static str) {
        self.checked(&read_all(&self.probe().unwrap()).unwrap_err())
    }

    /// The whole text names the file, the problem no place on this machine.
    pub(super) fn checked(&self, fault: &MediaError) -> (String, &'static str) {
        let folder = self.studio.0.path().display().to_string();
        assert!(fault.to_string().contains(&folder), "{fault}");
        assert!(!fault.problem().contains(&folder), "{fault}");
        (fault.problem(), fault.kind())
    }
}

/// Another process writes it: a file that this one holds open for writing, also in a child about to start, cannot be
/// executed.
fn script(path: &Path, body: &str) -> OsString {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
        .arg(path)
        .stdin(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let text = format!("#!/bin/sh\n{body}\n");
    shell
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(shell.wait().unwrap().success());
    path.as_os_str().to_owned()
}
