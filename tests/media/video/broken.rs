//! Real ffmpeg: files that are broken, or no videos.

use madmix::blob::Blob;
use madmix::media::{Clip, Limits, MediaError, Orientation, VideoLimits};

use super::{Studio, frames, has_encoder, has_ffmpeg, probe, read, read_all};
use crate::fixture;

#[test]
fn what_is_no_video_is_a_fault() {
    if !has_ffmpeg("what_is_no_video_is_a_fault") {
        return;
    }
    let studio = Studio::new();
    let text = "No video at all, but some lines of text.\n".repeat(50);
    for name in ["text.txt", "text.mp4", "text"] {
        fs_err::write(studio.path(name), &text).unwrap();
        let fault = probe(&studio.path(name)).unwrap_err();
        assert!(
            ["corrupt", "unknown-format"].contains(&fault.kind()),
            "{fault}"
        );
    }
    for name in [
        "png_rgb.png",
        "jpeg_large.jpg",
        "webp_lossless.webp",
        "tiff_raw.tif",
    ] {
        let fault = probe(&fixture(name)).unwrap_err();
        assert_eq!(fault.kind(), "unknown-format", "{fault}");
        assert!(fault.problem().starts_with("not a video file"), "{fault}");
        fs_err::copy(fixture(name), studio.path("clip.mp4")).unwrap();
        assert_eq!(
            probe(&studio.path("clip.mp4")).unwrap_err().kind(),
            "unknown-format",
            "{name}"
        );
    }
    assert_eq!(probe(&fixture("gif_animated.gif")).unwrap().frames, 2);
}

#[test]
fn sound_is_no_video_with_or_without_a_cover() {
    if !has_ffmpeg("sound_is_no_video_with_or_without_a_cover") {
        return;
    }
    let studio = Studio::new();
    assert!(studio.ffmpeg("-f lavfi -i sine=duration=1 sound.wav"));
    assert_eq!(
        probe(&studio.path("sound.wav")).unwrap_err().kind(),
        "no-video"
    );
    fs_err::copy(fixture("png_rgb.png"), studio.path("cover.png")).unwrap();
    let cover = "-i sound.wav -i cover.png -map 0 -map 1 -c:v copy -disposition:v:0 attached_pic";
    assert!(studio.ffmpeg(&format!("{cover} cover.m4a")));
    assert_eq!(
        probe(&studio.path("cover.m4a")).unwrap_err().kind(),
        "no-video"
    );
    if has_encoder("libx264rgb") {
        studio.film(4, "-c:v libx264rgb -qp 0", "film.mp4");
        let both = "-i cover.png -i film.mp4 -map 0 -map 1 -c copy -disposition:v:0 attached_pic";
        assert!(studio.ffmpeg(&format!("{both} both.mp4")));
        assert!(read_all(&probe(&studio.path("both.mp4")).unwrap()).unwrap() == frames(4));
    }
}

#[test]
fn what_is_left_of_a_clip_counts() {
    if !has_ffmpeg("what_is_left_of_a_clip_counts") {
        return;
    }
    let studio = Studio::new();
    let whole = studio.film(
        31,
        "-c:v ffv1 -pix_fmt bgr0 -slices 4 -slicecrc 1",
        "whole.mkv",
    );
    let bytes = fs_err::read(whole).unwrap();
    let path = studio.path("cut.mkv");
    let mut fewer = 0;
    for part in 1..8 {
        fs_err::write(&path, &bytes[..bytes.len() * part / 8]).unwrap();
        let found = probe(&path).and_then(|clip| Ok((clip.frames, read_all(&clip)?)));
        match found {
            Ok((count, found)) => {
                assert!(count < 31 && found.len() as u64 == count);
                // The last packet may be cut in two.
                let sound = found.len() - 1;
                assert!(found[..sound] == frames(sound));
                fewer += 1;
            }
            Err(fault) => assert!(
                ["corrupt", "truncated", "empty"].contains(&fault.kind()),
                "{fault}"
            ),
        }
    }
    assert!(fewer > 0);
}

#[test]
fn an_mp4_that_is_cut_off() {
    if !has_ffmpeg("an_mp4_that_is_cut_off") || !has_encoder("libx264rgb") {
        return;
    }
    let studio = Studio::new();
    let cut = |options: &str| {
        let codec = format!("-c:v libx264rgb -qp 0 -g 5 {options}");
        let bytes = fs_err::read(studio.film(31, &codec, "whole.mp4")).unwrap();
        let path = studio.path("cut.mp4");
        fs_err::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        path
    };
    // The index is at the end.
    let fault = probe(&cut("")).unwrap_err();
    assert!(fault.problem().contains("moov atom not found"), "{fault}");
    assert!(
        !fault.problem().contains(" @ 0x") && fault.kind() == "corrupt",
        "{fault}"
    );
    // The index is at the beginning, and promises 31 frames.
    let clip = probe(&cut("-movflags +faststart")).unwrap();
    assert!((5..31).contains(&clip.frames), "{}", clip.frames);
    match read_all(&clip) {
        Ok(found) => assert_eq!(found.len() as u64, clip.frames),
        Err(fault) => assert_eq!(fault.kind(), "truncated", "{fault}"),
    }
    assert!(read(&clip, &[0, 4]).unwrap() == [frames(1)[0].clone(), frames(5)[4].clone()]);
}

#[test]
fn a_file_that_shrinks_after_the_look_is_told() {
    if !has_ffmpeg("a_file_that_shrinks_after_the_look_is_told") {
        return;
    }
    let studio = Studio::new();
    let path = studio.film(31, "-c:v ffv1 -pix_fmt bgr0", "clip.mkv");
    let clip = probe(&path).unwrap();
    studio.film(12, "-c:v ffv1 -pix_fmt bgr0", "clip.mkv");
    let fault = read(&clip, &[3, 11, 20, 30]).unwrap_err();
    assert!(
        fault.problem().starts_with(
            "lies about its length: 31 frames by its packets, at most 20 can be decoded"
        ),
        "{fault}"
    );
    fs_err::write(&path, "nothing of a video any more").unwrap();
    let fault = read(&clip, &[3]).unwrap_err();
    assert!(matches!(fault, MediaError::In { .. }));
    assert!(
        fault
            .problem()
            .starts_with("ffmpeg cannot read it as a video: "),
        "{fault}"
    );
    fs_err::remove_file(&path).unwrap();
    assert!(
        read(&clip, &[3])
            .unwrap_err()
            .problem()
            .contains("No such file")
    );
}

#[test]
fn limits_hold_for_files() {
    if !has_ffmpeg("limits_hold_for_files") {
        return;
    }
    let studio = Studio::new();
    let path = studio.film(5, "-c:v ffv1 -pix_fmt bgr0", "clip.mkv");
    let fault = |limits: VideoLimits| {
        let found = Clip::probe(
            &Blob::at(&path),
            Orientation::Apply,
            Limits::default(),
            limits,
        );
        let fault = found.unwrap_err();
        (fault.problem(), fault.kind())
    };
    let any = VideoLimits::default();
    let (text, kind) = fault(VideoLimits {
        max_bytes: 100,
        ..any
    });
    assert!(
        text.ends_with("bytes are over the limit of 100") && kind == "too-large",
        "{text}"
    );
    let (text, kind) = fault(VideoLimits {
        max_pixels: 1000,
        ..any
    });
    assert_eq!(
        (text.as_str(), kind),
        ("48x32 is 1536 pixels, over the limit of 1000", "too-large")
    );
    let (text, kind) = fault(VideoLimits {
        max_frames_in_file: 4,
        ..any
    });
    assert_eq!(
        (text.as_str(), kind),
        ("has more frames than the limit of 4", "too-large")
    );
    assert_eq!(
        probe(&studio.path("none.mp4")).unwrap_err().kind(),
        "unreadable"
    );
    fs_err::write(studio.path("empty.mp4"), "").unwrap();
    assert_eq!(
        probe(&studio.path("empty.mp4")).unwrap_err().kind(),
        "empty"
    );
}
