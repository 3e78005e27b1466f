//! Real ffmpeg: what a container says about its frames, and names of files.

use madmix::blob::Blob;
use madmix::media::{Clip, Limits, Orientation, Rgb, Size, VideoLimits};

use super::{Studio, decoded, frames, has_encoder, has_ffmpeg, probe, read, read_all, said};

#[test]
fn an_edit_list_is_followed() {
    if !has_ffmpeg("an_edit_list_is_followed") || !has_encoder("libx264rgb") {
        return;
    }
    let studio = Studio::new();
    studio.film(
        31,
        "-c:v libx264rgb -qp 0 -g 10 -bf 2 -b_strategy 0",
        "whole.mp4",
    );
    // Copied from the middle of a group of pictures: the frames up to there are in the file, but not shown.
    assert!(studio.ffmpeg("-ss 1.3 -i whole.mp4 -c copy -t 1.2 cut.mp4"));
    let path = studio.path("cut.mp4");
    let clip = probe(&path).unwrap();
    assert!(
        clip.frames < 21 && clip.frames == decoded(&path),
        "{}",
        clip.frames
    );
    let (found, source) = (read_all(&clip).unwrap(), frames(31));
    let first = source.iter().position(|frame| *frame == found[0]).unwrap();
    assert!(first > 10, "{first}");
    assert!(found == source[first..first + found.len()]);
}

#[test]
fn rotation_is_applied_or_not() {
    if !has_ffmpeg("rotation_is_applied_or_not") || !has_encoder("libx264rgb") {
        return;
    }
    let studio = Studio::new();
    studio.film(5, "-c:v libx264rgb -qp 0", "plain.mp4");
    let any = (Limits::default(), VideoLimits::default());
    for degrees in [90, 180, 270] {
        // By the input option of later versions, or the tag of earlier ones, which differ about left and right.
        let [option, tag] = [
            format!("-display_rotation {degrees} -i plain.mp4 -c copy turned.mp4"),
            format!("-i plain.mp4 -c copy -metadata:s:v:0 rotate={degrees} turned.mp4"),
        ];
        assert!(studio.ffmpeg(&option) || studio.ffmpeg(&tag));
        let to_the_left = said(
            &studio.path("turned.mp4"),
            "-show_entries stream_side_data=rotation",
        );
        let to_the_left: i32 = to_the_left.trim().parse().unwrap();
        let degrees = (-to_the_left).rem_euclid(360);
        assert_ne!(degrees, 0);
        let clip = |orientation| {
            Clip::probe(
                &Blob::at(&studio.path("turned.mp4")),
                orientation,
                any.0,
                any.1,
            )
            .unwrap()
        };
        let stored = clip(Orientation::Ignore);
        assert_eq!(stored.size, Size::new(48, 32));
        assert!(read_all(&stored).unwrap() == frames(5));
        let upright = clip(Orientation::Apply);
        let expected: Vec<Rgb> = frames(5)
            .into_iter()
            .map(|frame| turned(frame, degrees))
            .collect();
        assert_eq!(upright.size, expected[0].size());
        assert!(
            read(&upright, &[1, 3]).unwrap() == [expected[1].clone(), expected[3].clone()],
            "{degrees}"
        );
    }
}

fn turned(frame: Rgb, degrees: i32) -> Rgb {
    let image = image::RgbImage::from_raw(frame.width, frame.height, frame.data).unwrap();
    let image = match degrees {
        90 => image::imageops::rotate90(&image),
        180 => image::imageops::rotate180(&image),
        _ => image::imageops::rotate270(&image),
    };
    Rgb {
        width: image.width(),
        height: image.height(),
        data: image.into_raw(),
    }
}

#[test]
fn awkward_names_work() {
    if !has_ffmpeg("awkward_names_work") {
        return;
    }
    let studio = Studio::new();
    let plain = studio.film(3, "-c:v ffv1 -pix_fmt bgr0", "plain.mkv");
    for name in [
        "a clip.mkv",
        "http:clip.mkv",
        "-i.mkv",
        "ü'\"\\$.mkv",
        "%03d.mkv",
        "no ending",
    ] {
        fs_err::copy(&plain, studio.path(name)).unwrap();
        assert!(
            read_all(&probe(&studio.path(name)).unwrap()).unwrap() == frames(3),
            "{name}"
        );
    }
}
