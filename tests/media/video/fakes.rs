//! Programs that misbehave.

use std::path::Path;
use std::time::{Duration, Instant};

use madmix::media::{Rgb, Size, VideoError};

use super::stage::{FRAME, Stage, THREE};
use super::{read, read_all};

#[test]
fn good_programs_give_a_clip() {
    let stage = Stage::new(THREE, &format!("{FRAME}; {FRAME}; {FRAME}"));
    let clip = stage.probe().unwrap();
    assert_eq!((clip.frames, clip.size), (3, Size::new(2, 1)));
    assert!((clip.fps - 30_000.0 / 1001.0).abs() < 1e-12);
    let frame = Rgb {
        width: 2,
        height: 1,
        data: b"abcdef".into(),
    };
    assert_eq!(read_all(&clip).unwrap(), vec![frame; 3]);
}

#[test]
fn missing_programs_say_how_to_get_them() {
    let mut stage = Stage::new(THREE, FRAME);
    stage.programs.ffmpeg = "no-such-program".into();
    let (text, kind) = stage.read_fault();
    assert_eq!(kind, "no-ffmpeg");
    assert!(text.starts_with("ffmpeg cannot be started"), "{text}");
    stage.programs.ffprobe = stage.studio.path("none").into();
    let (text, kind) = stage.probe_fault();
    assert_eq!(kind, "no-ffmpeg");
    for part in [
        "ffprobe cannot be started",
        "on PATH",
        "apt-get install ffmpeg",
        "folder of frames",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_hang_ends_within_the_limit() {
    // `sleep` is a child of the shell and keeps its pipes open when the shell is killed.
    let cases = [
        Stage::new("sleep 15", FRAME),
        Stage::new(&format!("{THREE}exec >&- 2>&-; sleep 15"), FRAME),
        Stage::new(THREE, &format!("{FRAME}; sleep 15")),
        Stage::new(THREE, "trap '' TERM INT; sleep 15"),
    ];
    for mut stage in cases {
        stage.limits.timeout = Duration::from_millis(700);
        let start = Instant::now();
        let fault = stage.probe().and_then(|clip| read_all(&clip)).unwrap_err();
        let (text, kind) = stage.checked(&fault);
        assert_eq!(kind, "timeout", "{text}");
        assert!(text.contains("gave nothing for 0.7 s"), "{text}");
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn the_limit_is_on_the_wait_for_a_frame_not_on_the_clip() {
    let slowly = format!("sleep 2; {FRAME}; sleep 2; {FRAME}; sleep 2; {FRAME}");
    let mut stage = Stage::new(THREE, &slowly);
    stage.limits.timeout = Duration::from_secs(4);
    let mut seen = 0;
    let slow = stage.probe().unwrap().read(&[0, 1, 2], &mut |_| {
        seen += 1;
        // Nor on what is done with the frames.
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    });
    slow.unwrap();
    assert_eq!(seen, 3);
}

#[test]
fn garbage_is_a_fault() {
    for garbage in ["echo '{\"streams\": ['", "head -c 300000 /dev/zero", "true"] {
        let (text, kind) = Stage::new(garbage, FRAME).probe_fault();
        assert_eq!(
            text,
            "ffprobe cannot read it as a video: its output is not understood"
        );
        assert_eq!(kind, "corrupt");
    }
    let wide = "printf 'P6\\n2 1\\n65535\\nabcdef'";
    for garbage in ["head -c 300000 /dev/zero", wide, "echo; echo; echo"] {
        let (text, kind) = Stage::new(THREE, garbage).read_fault();
        assert_eq!(
            text,
            "ffmpeg cannot read it as a video: its output is not understood"
        );
        assert_eq!(kind, "corrupt");
    }
    let (text, _) = Stage::new(THREE, "printf 'P6\\n2'").read_fault();
    assert!(text.ends_with("at most 0 can be decoded"), "{text}");
}

#[test]
fn streams_without_frames_are_faults() {
    let without = |left_out: &str| {
        let kept = THREE.lines().filter(|line| !line.contains(left_out));
        Stage::new(&kept.collect::<Vec<_>>().join("\n"), FRAME).probe_fault()
    };
    let (text, kind) = without("packet.");
    assert!(
        text.starts_with("has no frames") && kind == "empty",
        "{text}"
    );
    let (text, kind) = without("streams.");
    assert_eq!(
        (text.as_str(), kind),
        (
            "has no video stream, by its content \"mov,mp4\"",
            "no-video"
        )
    );
    assert_eq!(without("width").0, "0x1 holds no pixels");
}

#[test]
fn a_file_that_lies_about_its_length_is_told() {
    let (text, kind) = Stage::new(THREE, &format!("{FRAME}; echo partial file >&2")).read_fault();
    assert_eq!(
        text,
        "lies about its length: 3 frames by its packets, at most 1 can be decoded: partial file"
    );
    assert_eq!(kind, "truncated");
    // A frame that is cut off does not count.
    let half = "printf 'P6\\n2 1\\n255\\nabc'";
    let (text, _) = Stage::new(THREE, &format!("{FRAME}; {FRAME}; {half}")).read_fault();
    assert!(text.ends_with("at most 2 can be decoded"), "{text}");
    let one = Stage::new(THREE, FRAME);
    let fault = read(&one.probe().unwrap(), &[0, 2]).unwrap_err();
    assert!(
        fault.problem().ends_with("at most 2 can be decoded"),
        "{fault}"
    );
}

#[test]
fn the_programs_words_are_passed_on_without_places() {
    // The last argument of ffprobe is the input.
    let complain =
        "for last; do :; done; echo \"[mov @ 0x55aa] $last: moov atom not found\" >&2; exit 3";
    let (text, kind) = Stage::new(complain, FRAME).probe_fault();
    assert_eq!(
        text,
        "ffprobe cannot read it as a video: [mov] the file: moov atom not found"
    );
    assert_eq!(kind, "corrupt");
    let (text, _) = Stage::new("exit 3", FRAME).probe_fault();
    assert_eq!(text, "ffprobe cannot read it as a video: exit code 3");
    let (text, _) = Stage::new(THREE, &format!("{FRAME}; kill -9 $$")).read_fault();
    assert_eq!(
        text,
        "ffmpeg cannot read it as a video: ended by signal 9; run again with --retry-failed"
    );
    let shout =
        "yes 'a long complaint about this file' | head -n 100000 >&2; echo the end >&2; exit 1";
    let (text, _) = Stage::new(THREE, shout).read_fault();
    assert!(text.len() < 400 && text.ends_with("; the end"), "{text}");
}

#[test]
fn frames_of_another_size_are_refused() {
    let (text, kind) = Stage::new(THREE, "printf 'P6\\n1 2\\n255\\nabcdef'").read_fault();
    assert!(
        text.contains("is 1x2, but the clip is 2x1") && kind == "frame-size",
        "{text}"
    );
}

#[test]
fn older_programs_are_asked_in_their_own_words() {
    let old = format!(
        "case \"$*\" in *-fps_mode*) echo \"Unrecognized option 'fps_mode'.\" >&2; exit 1;; esac; {FRAME}; {FRAME}; {FRAME}"
    );
    assert_eq!(
        read_all(&Stage::new(THREE, &old).probe().unwrap())
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn counting_stops_at_the_limit() {
    let endless = "while true; do echo 'packets.packet.0.flags=\"K_\"'; done";
    let mut stage = Stage::new(endless, FRAME);
    stage.limits.max_frames_in_file = 1000;
    assert_eq!(
        stage.probe_fault(),
        ("has more frames than the limit of 1000".into(), "too-large")
    );
}

#[test]
fn a_program_is_gone_when_its_frames_are_no_longer_wanted() {
    let stage = Stage::new(
        THREE,
        "echo $$ > \"$0.pid\"; while true; do printf 'P6\\n2 1\\n255\\nabcdef'; done",
    );
    let clip = stage.probe().unwrap();
    let id = || fs_err::read_to_string(stage.studio.path("ffmpeg.pid")).unwrap();
    let fault = clip.read(&[0, 1], &mut |_| Err(VideoError::NoFrames.into()));
    assert_eq!(fault.unwrap_err().kind(), "empty");
    let gone = |id: String| !Path::new("/proc").join(id.trim()).exists();
    assert!(gone(id()), "the program lives on after an error");
    assert_eq!(read_all(&clip).unwrap().len(), 3);
    assert!(gone(id()), "the program lives on after the last frame");
    let panicked = std::panic::catch_unwind(|| clip.read(&[0], &mut |_| panic!("as a test")));
    assert!(
        panicked.is_err() && gone(id()),
        "the program lives on after a panic"
    );
}
