//! Real ffmpeg: every frame comes, once, in display order, with the levels that were encoded.

use madmix::media::{ClipKind, Rgb, Size};

use super::{Studio, decoded, frames, has_encoder, has_ffmpeg, probe, read, read_all, said};

const LOSSLESS: [(&str, &str, &str); 6] = [
    ("ffv1", "-c:v ffv1 -pix_fmt bgr0", "a.mkv"),
    ("ffv1", "-c:v ffv1 -pix_fmt bgr0", "b.avi"),
    ("png", "-c:v png", "c.mov"),
    ("libx264rgb", "-c:v libx264rgb -qp 0 -g 9 -bf 0", "d.mp4"),
    (
        "libx264rgb",
        "-c:v libx264rgb -qp 0 -g 20 -bf 3 -b_strategy 0",
        "e.mp4",
    ),
    (
        "libvpx-vp9",
        "-c:v libvpx-vp9 -lossless 1 -pix_fmt gbrp -auto-alt-ref 1 -lag-in-frames 12",
        "f.webm",
    ),
];

#[test]
fn lossless_frames_come_back() {
    if !has_ffmpeg("lossless_frames_come_back") {
        return;
    }
    let (studio, source) = (Studio::new(), frames(31));
    let picks = [
        &[0][..],
        &[30],
        &[4, 5, 6],
        &[0, 10, 20, 30],
        &[1, 1, 1, 7, 8, 29, 30, 30],
    ];
    for (encoder, codec, name) in LOSSLESS {
        if !has_encoder(encoder) {
            continue;
        }
        let clip = probe(&studio.film(31, codec, name)).unwrap();
        assert_eq!((clip.kind, clip.frames), (ClipKind::File, 31), "{name}");
        assert_eq!(clip.size, Size::new(48, 32));
        assert!((clip.fps - 10.0).abs() < 1e-3, "{name} {}", clip.fps);
        assert!(read_all(&clip).unwrap() == source, "{name}");
        for picked in picks {
            let expected: Vec<Rgb> = picked.iter().map(|&k| source[k as usize].clone()).collect();
            assert!(
                read(&clip, picked).unwrap() == expected,
                "{name} {picked:?}"
            );
        }
    }
}

#[test]
fn more_frames_than_an_expression_holds_come_back() {
    if !has_ffmpeg("more_frames_than_an_expression_holds_come_back") {
        return;
    }
    let (studio, source) = (Studio::new(), frames(3100));
    let clip = probe(&studio.film(3100, "-c:v ffv1 -pix_fmt bgr0", "long.mkv")).unwrap();
    // Steps of 2, 3, 2, 3: hardly a run in them.
    let picked: Vec<u64> = (10..3000).filter(|k| matches!(k % 5, 0 | 2)).collect();
    for picked in [&picked[..], &picked[..700]] {
        let mut wanted = picked.iter();
        let mut wrong = 0;
        let all = clip.read(picked, &mut |found| {
            wrong += usize::from(found != source[*wanted.next().unwrap() as usize]);
            Ok(())
        });
        all.unwrap();
        assert_eq!((wrong, wanted.next()), (0, None));
    }
}

#[test]
fn frames_with_b_frames_come_in_display_order() {
    if !has_ffmpeg("frames_with_b_frames_come_in_display_order") || !has_encoder("libx264") {
        return;
    }
    let (studio, source) = (Studio::new(), frames(31));
    let codec = "-c:v libx264 -pix_fmt yuv444p -crf 4 -g 20 -bf 3 -b_strategy 0";
    let path = studio.film(31, codec, "b.mp4");
    let types = said(&path, "-show_entries frame=pict_type");
    assert!(types.matches('B').count() > 3, "{types}");
    // The same stream without a container, so without time stamps.
    assert!(studio.ffmpeg("-i b.mp4 -c copy -f h264 bare.h264"));
    let far = |a: &Rgb, b: &Rgb| -> u64 {
        let pairs = a.data.iter().zip(&b.data);
        pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    for path in [path, studio.path("bare.h264")] {
        for (k, found) in read_all(&probe(&path).unwrap()).unwrap().iter().enumerate() {
            let nearest = (0..31).min_by_key(|&other| far(found, &source[other]));
            assert_eq!(nearest, Some(k), "{}", path.display());
        }
    }
}

#[test]
fn uneven_time_stamps_lose_no_frame() {
    if !has_ffmpeg("uneven_time_stamps_lose_no_frame") {
        return;
    }
    let studio = Studio::new();
    // Gaps of many seconds, and of next to nothing.
    for stamps in ["N*N*0.3/TB", "N*0.001/TB", "floor(N/4)*2/TB"] {
        let codec = format!("-vf setpts={stamps} -vsync passthrough -c:v ffv1 -pix_fmt bgr0");
        let clip = probe(&studio.film(24, &codec, "uneven.mkv")).unwrap();
        assert!(read_all(&clip).unwrap() == frames(24), "{stamps}");
    }
}

#[test]
fn packets_that_are_no_frames_are_not_counted() {
    if !has_ffmpeg("packets_that_are_no_frames_are_not_counted") {
        return;
    }
    let studio = Studio::new();
    let film = |encoder: &str, codec: &str, name: &str, count: usize| {
        if has_encoder(encoder) {
            let path = studio.film(count, &format!("-c:v {encoder} {codec}"), name);
            let clip = probe(&path).unwrap();
            assert_eq!(clip.frames, decoded(&path), "{name}");
            assert_eq!(clip.frames, count as u64, "{name}");
            assert_eq!(read_all(&clip).unwrap().len(), count, "{name}");
        }
    };
    film(
        "libvpx",
        "-auto-alt-ref 1 -lag-in-frames 16 -b:v 200k",
        "hidden.webm",
        60,
    );
    film("mpeg4", "-bf 2", "b.avi", 25);
    film(
        "libx264",
        "-x264opts tff=1 -pix_fmt yuv420p",
        "fields.mp4",
        25,
    );
    film("mjpeg", "-pix_fmt yuvj420p", "m.avi", 25);
    film(
        "libaom-av1",
        "-cpu-used 8 -lag-in-frames 19 -strict experimental",
        "av1.mkv",
        30,
    );
    film("gif", "-pix_fmt rgb8", "g.gif", 12);
}
