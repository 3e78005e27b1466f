//! Every row of `video_sampling.json`, which `scripts/make_video_fixtures.py` makes.

use madmix::media::{ClipKind, FrameRounding, MediaError, Sampling, VideoError};
use serde::Deserialize;

use crate::bytes_of;

#[derive(Deserialize)]
struct Rows {
    plain_num_frames: Vec<Row>,
    qwen_num_frames: Vec<Row>,
    plain_fps: Vec<Row>,
    qwen_fps: Vec<Row>,
    llava_next_file: Vec<Row>,
    llava_next_folder: Vec<Row>,
}

/// Total, frames a second, argument, indices.
#[derive(Deserialize, Debug)]
struct Row(u64, f64, Option<f64>, Option<Vec<u64>>);

type Policy<'a> = &'a dyn Fn(&Row) -> Sampling;

#[test]
fn indices_are_those_of_the_references() {
    let rows: Rows = serde_json::from_slice(&bytes_of("video_sampling.json")).unwrap();
    let (plain, qwen) = (FrameRounding::Plain, FrameRounding::Qwen);
    let num_frames = |row: &Row| Sampling::NumFrames(row.2.unwrap() as u32);
    let fps = |row: &Row| Sampling::Fps(row.2.unwrap());
    let next = |_: &Row| Sampling::LlavaNext;
    let tables: [(&[Row], Policy, ClipKind, FrameRounding); 6] = [
        (&rows.plain_num_frames, &num_frames, ClipKind::File, plain),
        (&rows.qwen_num_frames, &num_frames, ClipKind::Folder, qwen),
        (&rows.plain_fps, &fps, ClipKind::Folder, plain),
        (&rows.qwen_fps, &fps, ClipKind::File, qwen),
        (&rows.llava_next_file, &next, ClipKind::File, qwen),
        (&rows.llava_next_folder, &next, ClipKind::Folder, plain),
    ];
    let mut faults = Vec::new();
    for (rows, policy, kind, rounding) in tables {
        assert!(rows.len() > 70, "the table is nearly empty");
        for row in rows {
            let sampling = policy(row);
            let found = sampling.indices(row.0, row.1, kind, rounding);
            if found.as_ref().ok() != row.3.as_ref() {
                faults.push(format!(
                    "{sampling:?} {kind:?} {rounding:?} {row:?}: {found:?}"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_frame_is_every_frame() {
    for rounding in [FrameRounding::Plain, FrameRounding::Qwen] {
        let all = Sampling::Every.indices(5, 0.0, ClipKind::File, rounding);
        assert_eq!(all.unwrap(), [0, 1, 2, 3, 4]);
    }
}

#[test]
fn what_cannot_be_sampled_is_a_fault() {
    let fault = |sampling: Sampling, total, fps, rounding| -> MediaError {
        sampling
            .indices(total, fps, ClipKind::File, rounding)
            .unwrap_err()
    };
    let (plain, qwen) = (FrameRounding::Plain, FrameRounding::Qwen);
    let short = fault(Sampling::NumFrames(9), 8, 24.0, plain);
    assert_eq!(
        short.to_string(),
        "has 8 frames, but 9 are to be sampled; ask for fewer"
    );
    assert_eq!(short.kind(), "too-short");
    // 7 is 3.5 pairs, and the even neighbour of 3.5 is 4: eight frames.
    let rounded = fault(Sampling::NumFrames(7), 7, 24.0, qwen);
    assert!(matches!(
        rounded,
        MediaError::Video(VideoError::TooShort {
            frames: 7,
            asked: 8
        })
    ));
    for sampling in [Sampling::Fps(1.0), Sampling::LlavaNext] {
        for fps in [0.0, f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(fault(sampling, 8, fps, plain).kind(), "no-frame-rate");
        }
    }
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(fault(Sampling::Fps(rate), 8, 24.0, plain).kind(), "config");
    }
    assert_eq!(
        fault(Sampling::NumFrames(0), 8, 24.0, plain).kind(),
        "config"
    );
    assert_eq!(
        fault(Sampling::NumFrames(1), 8, 24.0, qwen).kind(),
        "config"
    );
    assert_eq!(fault(Sampling::Every, 0, 24.0, plain).kind(), "empty");
    assert_eq!(
        fault(Sampling::Fps(1e300), 8, 1e-300, plain).kind(),
        "too-short"
    );
}
