//! Folders of frames, without any program.

use std::path::Path;

use madmix::blob::Blob;
use madmix::media::{
    Clip, ClipKind, FrameRounding, Limits, Orientation, Rgb, Sampling, Size, VideoError,
    VideoLimits,
};

use super::{Studio, frame, frames, probe, read, read_all};
use crate::fixture;

fn save(picture: Rgb, path: &Path) {
    let image = image::RgbImage::from_raw(picture.width, picture.height, picture.data).unwrap();
    image.save(path).unwrap();
}

/// A folder with these files, frame k being the k-th of them.
fn folder(names: &[&str]) -> Studio {
    let studio = Studio::new();
    for (k, name) in names.iter().enumerate() {
        save(frame(k, super::SIZE), &studio.path(name));
    }
    studio
}

fn problem(studio: &Studio) -> (String, &'static str) {
    let fault = probe(studio.0.path()).unwrap_err();
    let path = studio.0.path().display().to_string();
    assert!(fault.to_string().contains(&path), "{fault}");
    assert!(!fault.problem().contains(&path), "{fault}");
    (fault.problem(), fault.kind())
}

#[test]
fn frames_come_in_the_order_of_their_numbers() {
    let studio = folder(&["v2_f8.png", "v2_f9.PNG", "v2_f10.bmp", "v2_f11.tiff"]);
    fs_err::write(studio.path("notes.txt"), "12").unwrap();
    fs_err::write(studio.path(".13.png"), "hidden").unwrap();
    fs_err::create_dir_all(studio.path("20.png")).unwrap();
    let clip = probe(studio.0.path()).unwrap();
    assert_eq!((clip.kind, clip.frames), (ClipKind::Folder, 4));
    assert_eq!(clip.size, Size::new(48, 32));
    assert!((clip.fps - 2.0).abs() < f64::EPSILON);
    assert_eq!(read_all(&clip).unwrap(), frames(4));
}

#[test]
fn indices_may_repeat_and_have_to_ascend() {
    let studio = folder(&["0.png", "1.png", "2.png"]);
    let clip = probe(studio.0.path()).unwrap();
    let chosen = Sampling::LlavaNext.indices(3, clip.fps, clip.kind, FrameRounding::Plain);
    let chosen = chosen.unwrap();
    assert_eq!(chosen, [0, 0, 0, 0, 0, 1, 1, 1, 1, 2]);
    let all = frames(3);
    let expected: Vec<Rgb> = chosen.iter().map(|&k| all[k as usize].clone()).collect();
    assert_eq!(read(&clip, &chosen).unwrap(), expected);
    assert!(read(&clip, &[]).unwrap().is_empty());
    for (bad, text) in [
        (&[1, 0][..], "frame 0 was asked for after Some(1)"),
        (&[3], "frame 3 was asked for after None, of 3 frames"),
    ] {
        let fault = read(&clip, bad).unwrap_err();
        assert!(fault.problem().starts_with(text), "{fault}");
    }
}

#[test]
fn a_link_to_frames_is_followed() {
    let studio = folder(&["0.png", "1.png"]);
    let link = Studio::new();
    std::os::unix::fs::symlink(studio.path("0.png"), link.path("7.png")).unwrap();
    std::os::unix::fs::symlink(studio.path("gone.png"), link.path("8.png")).unwrap();
    let clip = probe(link.0.path()).unwrap();
    assert_eq!(read(&clip, &[0]).unwrap(), frames(1));
    let fault = read(&clip, &[1]).unwrap_err();
    assert_eq!(fault.problem(), "frame 8.png: there is no such file");
    assert_eq!(fault.kind(), "unreadable");
}

#[test]
fn folders_that_are_no_clip_are_faults() {
    let (text, kind) = problem(&Studio::new());
    assert!(
        text.starts_with("has no frames") && kind == "empty",
        "{text}"
    );
    let (text, kind) = problem(&folder(&["1.png", "2.png", "4.png"]));
    assert!(
        text.starts_with("frame number 3 is missing after 2.png"),
        "{text}"
    );
    assert_eq!(kind, "frame-order");
    let (text, _) = problem(&folder(&["0.png", "10.png", "30.png"]));
    assert!(
        text.starts_with("frame number 20 is missing after 10.png"),
        "{text}"
    );
    let (text, kind) = problem(&folder(&["1.png", "01.png"]));
    assert_eq!(
        (text.as_str(), kind),
        ("frames 01.png and 1.png both have number 1", "frame-order")
    );
    let (text, kind) = problem(&folder(&["1.png", "thumb.png"]));
    assert!(
        text.contains("thumb.png has no number") && kind == "frame-order",
        "{text}"
    );
}

#[test]
fn the_odd_frame_is_named() {
    let studio = folder(&["0.png", "1.png"]);
    save(frame(2, (32, 48)), &studio.path("2.png"));
    let png = fs_err::read(studio.path("1.png")).unwrap();
    fs_err::write(studio.path("3.png"), &png[..png.len() / 2]).unwrap();
    let clip = probe(studio.0.path()).unwrap();
    assert_eq!(read(&clip, &[0, 1]).unwrap(), frames(2));
    let fault = read(&clip, &[0, 2]).unwrap_err();
    assert!(
        fault
            .problem()
            .starts_with("frame 2.png is 32x48, but the clip is 48x32"),
        "{fault}"
    );
    assert_eq!(fault.kind(), "frame-size");
    let fault = read(&clip, &[3]).unwrap_err();
    assert!(fault.problem().starts_with("frame 3.png: "), "{fault}");
    assert_eq!(fault.kind(), "truncated");
    let path = studio.0.path().display().to_string();
    assert!(fault.to_string().contains(&path) && !fault.problem().contains(&path));
}

#[test]
fn frames_are_turned_by_their_exif_data() {
    let studio = Studio::new();
    fs_err::copy(fixture("jpeg_exif_6.jpg"), studio.path("frame.jpg")).unwrap();
    let any = (Limits::default(), VideoLimits::default());
    let clip =
        |orientation| Clip::probe(&Blob::at(studio.0.path()), orientation, any.0, any.1).unwrap();
    let (turned, stored) = (clip(Orientation::Apply), clip(Orientation::Ignore));
    assert_eq!(turned.size, stored.size.transposed());
    assert_ne!(turned.size, stored.size);
    for clip in [turned, stored] {
        assert_eq!(read(&clip, &[0]).unwrap()[0].size(), clip.size);
    }
}

#[test]
fn limits_hold_for_folders() {
    let studio = folder(&["0.png", "1.png"]);
    let probe = |picture, video| {
        Clip::probe(
            &Blob::at(studio.0.path()),
            Orientation::Apply,
            picture,
            video,
        )
    };
    let (picture, video) = (Limits::default(), VideoLimits::default());
    let few = VideoLimits {
        max_frames_in_file: 1,
        ..video
    };
    let fault = probe(picture, few).unwrap_err();
    assert_eq!(fault.problem(), "has more frames than the limit of 1");
    let small = VideoLimits {
        max_pixels: 48 * 32 - 1,
        ..video
    };
    assert_eq!(probe(picture, small).unwrap_err().kind(), "too-large");
    let light = Limits {
        max_bytes: 99,
        ..picture
    };
    assert_eq!(probe(light, video).unwrap_err().kind(), "too-large");
    let slow = VideoLimits {
        folder_fps: 0.5,
        ..video
    };
    assert!((probe(picture, slow).unwrap().fps - 0.5).abs() < f64::EPSILON);
}

#[test]
fn what_take_refuses_ends_the_reading() {
    let studio = folder(&["0.png", "1.png", "2.png"]);
    let clip = probe(studio.0.path()).unwrap();
    let mut seen = 0;
    let fault = clip.read(&[0, 1, 2], &mut |_| {
        seen += 1;
        if seen == 2 {
            Err(VideoError::NoFrames.into())
        } else {
            Ok(())
        }
    });
    assert_eq!((seen, fault.unwrap_err().kind()), (2, "empty"));
}

/// The clip of a list of frames.
fn listed(frames: impl IntoIterator<Item = Blob>) -> Result<Clip, madmix::media::MediaError> {
    let blob = Blob::Frames(frames.into_iter().collect());
    let (picture, video) = (Limits::default(), VideoLimits::default());
    Clip::probe(&blob, Orientation::Apply, picture, video)
}

#[test]
fn a_list_of_frames_equals_their_folder() {
    let names = ["8.png", "9.png", "10.bmp", "11.tiff"];
    let studio = folder(&names);
    let of_folder = probe(studio.0.path()).unwrap();
    let paths = || names.iter().map(|name| Blob::Path(studio.path(name)));
    let held = || {
        names
            .iter()
            .map(|name| fs_err::read(studio.path(name)).unwrap())
    };
    for clip in [
        listed(paths()).unwrap(),
        listed(held().map(|bytes| Blob::Held(bytes.into()))).unwrap(),
    ] {
        assert_eq!((clip.kind, clip.frames), (ClipKind::Folder, 4));
        assert_eq!((clip.size, clip.fps), (of_folder.size, of_folder.fps));
        assert_eq!(read_all(&clip).unwrap(), read_all(&of_folder).unwrap());
        assert_eq!(
            read(&clip, &[1, 1, 3]).unwrap(),
            read(&of_folder, &[1, 1, 3]).unwrap()
        );
    }
    // The order is that of the list, whatever the names.
    let mut backwards = read_all(&listed(paths().rev()).unwrap()).unwrap();
    backwards.reverse();
    assert_eq!(backwards, frames(4));
    // Bytes may come again.
    let again = listed(held().map(|bytes| Blob::Held(bytes.into()))).unwrap();
    let gone = again.clone().at(&Blob::Frames([].into()));
    assert_eq!(read(&gone, &[0]).unwrap_err().kind(), "empty");
    let back = gone.at(&Blob::Frames(paths().collect()));
    assert_eq!(read_all(&back).unwrap(), frames(4));
}

#[test]
fn the_fault_of_a_listed_frame_names_its_number() {
    let studio = folder(&["0.png", "1.png"]);
    save(frame(2, (32, 48)), &studio.path("2.png"));
    let path = |name: &str| Blob::Path(studio.path(name));
    let cut = fs_err::read(studio.path("1.png")).unwrap();
    let cut = Blob::Held(cut[..cut.len() / 2].into());
    let clip = listed([path("0.png"), path("2.png"), path("no.png"), cut]).unwrap();
    for (index, says, kind) in [
        (1, "frame 2 is 32x48, but the clip is 48x32", "frame-size"),
        (2, "frame 3: there is no such file", "unreadable"),
        (3, "frame 4: ", "truncated"),
    ] {
        let fault = read(&clip, &[0, index]).unwrap_err();
        assert!(fault.problem().starts_with(says), "{fault}");
        assert_eq!(fault.kind(), kind);
        let folder = studio.0.path().display().to_string();
        assert!(!fault.problem().contains(&folder), "{}", fault.problem());
    }
    let fault = listed([path("no.png"), path("0.png")]).unwrap_err();
    assert_eq!(fault.problem(), "frame 1: there is no such file");
    assert_eq!(listed([]).unwrap_err().kind(), "empty");
    let nested = Blob::Frames([path("0.png")].into());
    assert!(listed([nested]).is_err(), "a frame is no list");
    let limit = VideoLimits {
        max_frames_in_file: 1,
        ..VideoLimits::default()
    };
    let blob = Blob::Frames([path("0.png"), path("1.png")].into());
    let fault = Clip::probe(&blob, Orientation::Apply, Limits::default(), limit).unwrap_err();
    assert_eq!(fault.problem(), "has more frames than the limit of 1");
}
