//! Clips: folders of frames without any program, what is wrong with the others, and samples that are too long.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use image::ImageFormat;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::project::{Ended, Project};
use crate::samples::{picture, row};

const ALL_MAY_FAIL: &str = "max_failure_rate = 1.0";

/// Tokens of a clip with so many frames.
const fn tokens(frames: usize) -> usize {
    frames * 14 * 14 + 1
}

/// A project whose second domain has these rows instead of pictures. Settings stand before the domains.
fn clips(settings: &str, rows: &[Value]) -> Project {
    let project = Project::new();
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    project.write("clips.jsonl", lines.join("\n"));
    project.edit("mix.toml", "\"pictures.jsonl\"", "\"clips.jsonl\"");
    project.edit("mix.toml", "\"Pictures\"", "\"Clips\"");
    let settings = format!("{settings}\n\n[[domain]]");
    project.edit("mix.toml", "[[domain]]", &settings);
    project
}

/// A folder of frames with these numbers.
fn frames(project: &Project, clip: &str, numbers: impl IntoIterator<Item = u32>) {
    for i in numbers {
        let frame = picture(i % 6, ImageFormat::Png);
        project.write(&format!("{clip}/frame_{i}.png"), frame);
    }
}

/// A question about a clip.
fn about(clip: &str) -> Value {
    row(&json!({"id": clip, "video": clip}), "<video>\nWhat is it?")
}

/// Runs the program where it finds no other.
fn without_programs(project: &Project, arguments: &[&str]) -> Ended {
    project.ended(project.command(arguments).env("PATH", ""))
}

/// What the plan says of the clips, by the keys of its JSON.
#[track_caller]
fn planned(project: &Project, key: &str) -> usize {
    let ended = project.madmix(&["plan", "mix.toml", "--json"]).expect(0);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    let datasets = plan["datasets"].as_array().unwrap();
    let clips = datasets.iter().find(|dataset| dataset["name"] == "clips");
    clips.unwrap()[key].as_u64().unwrap() as usize
}

fn tensors(project: &Project) -> Vec<String> {
    let bytes = fs_err::read(project.path("run/centroids.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn folders_of_frames_need_no_program() {
    let way = |value: &str| row(&json!({"video": "clip"}), value);
    let mixed = json!({"image": "3.png", "video": "clip"});
    let rows = [
        way("<video>\nWhich one is it?"),
        way("Which one is it?\n<image>"),
        way("Which one is it?"),
        row(&mixed, "<image>\nIs it in <video>?"),
    ];
    let project = clips("", &rows);
    frames(&project, "clip", [8, 9, 10]);
    let ended = without_programs(&project, &["run", "mix.toml"]).expect(0);
    assert!(project.failures().is_empty(), "{ended}");
    assert!(ended.stdout.contains("video score"), "{ended}");
    let mixture: Value = serde_json::from_str(&project.read("run/mixture.json")).unwrap();
    let modalities = |i: usize| mixture["domains"][i]["modalities"].clone();
    assert_eq!(modalities(0), json!(["text"]));
    assert_eq!(modalities(1), json!(["text", "image", "video"]));
}

#[test]
fn sampling_decides_how_many_frames_there_are() {
    for (settings, expected) in [
        ("", 10),
        ("sampling = \"llava_next\"\nmax_frames = 5", 5),
        ("sampling = \"every\"", 7),
        ("sampling = \"every\"\nmax_frames = 4", 4),
        ("sampling = \"num_frames\"\nnum_frames = 3", 3),
        ("sampling = \"fps\"\nfps = 1.0\nfolder_fps = 3.5", 2),
    ] {
        let project = clips(&format!("[video]\n{settings}"), &[about("clip")]);
        frames(&project, "clip", 0..7);
        assert_eq!(
            planned(&project, "video_tokens"),
            tokens(expected),
            "{settings}"
        );
    }
}

#[test]
fn clips_that_cannot_be_used_are_counted_and_named() {
    let rows = [
        about("whole"),
        about("hole"),
        about("empty"),
        about("nowhere"),
        about("sizes"),
        row(&json!({"video": "whole"}), "<video>\n<video>\nWhat is it?"),
        row(
            &json!({"video": ["whole", "whole"]}),
            "<video>\nWhat is it?",
        ),
    ];
    let project = clips("[video]\nsampling = \"every\"", &rows);
    project.extract(ALL_MAY_FAIL);
    frames(&project, "whole", 0..2);
    frames(&project, "hole", [0, 1, 3]);
    frames(&project, "sizes", [0]);
    let larger = image::RgbImage::new(30, 20);
    larger.save(project.path("sizes/frame_1.png")).unwrap();
    project.write("empty/notes.txt", "no frames yet");

    let ended = without_programs(&project, &["run", "mix.toml"]).expect(0);
    assert!(
        ended.stderr.contains("6 samples could not be used"),
        "{ended}"
    );
    let failures = project.failures();
    let failure = |row: u64, id: &str, reason: &str| json!({"dataset": "clips", "row": row, "id": id, "reason": reason});
    let expected = [
        failure(
            1,
            "hole",
            "hole: frame number 2 is missing after frame_1.png: elsewhere numbers are only 1 apart",
        ),
        failure(
            2,
            "empty",
            "empty: has no frames (in a folder: pictures named .jpg, .jpeg, .png, .webp, .bmp, .gif, .tif or .tiff)",
        ),
        failure(3, "nowhere", "nowhere: there is no such file"),
        failure(
            4,
            "sizes",
            "sizes: frame frame_1.png is 30x20, but the clip is 20x20: all frames need the same size",
        ),
        failure(
            5,
            "5",
            "0 images and 1 videos, but 0 `<image>` and 2 `<video>` in the text",
        ),
        failure(
            6,
            "6",
            "0 images and 2 videos, but 0 `<image>` and 1 `<video>` in the text",
        ),
    ];
    assert_eq!(failures, expected);
}

#[test]
fn missing_programs_stop_the_run_before_the_model_pass() {
    let project = clips("", &[about("film.mp4")]);
    // However many samples may fail: these are sound.
    project.extract(ALL_MAY_FAIL);
    project.write("film.mp4", "its content does not matter here");
    let ended = without_programs(&project, &["run", "mix.toml"]).expect(1);
    assert!(
        ended.stderr.contains("ffmpeg and ffprobe on PATH"),
        "{ended}"
    );
    assert!(!project.path("run/shards").exists(), "{ended}");
}

/// Three frames of two pixels, as ffprobe tells of them.
const PROBED: &str = r#"
for k in 0 1 2; do echo "packets.packet.$k.flags=\"K_\""; done
echo 'streams.stream.0.index=1'
echo 'streams.stream.0.codec_name="h264"'
echo 'streams.stream.0.width=2'
echo 'streams.stream.0.height=1'
echo 'streams.stream.0.avg_frame_rate="1/1"'
echo 'format.format_name="mov,mp4"'
"#;

/// The same project with a clip of its own, and programs that are these scripts.
fn with_programs(ffmpeg: &str) -> Project {
    let project = clips("", &[about("clip.mp4")]);
    project.write("clip.mp4", "a film");
    for (name, script) in [("ffprobe", PROBED), ("ffmpeg", ffmpeg)] {
        let file = format!("bin/{name}");
        project.write(&file, format!("#!/bin/sh\n{script}\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(project.path(&file), mode).unwrap();
    }
    project
}

fn path_with(project: &Project) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", project.path("bin").display())
}

/// A clip may take longer than a batch system leaves between its warning and the end.
#[test]
fn a_signal_is_heard_while_a_clip_is_decoded() {
    let project = with_programs("touch decoding; exec sleep 600");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_madmix"));
    command
        .args(["run", "mix.toml"])
        .current_dir(project.path(""))
        .env("PATH", path_with(&project));
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    while !project.path("decoding").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "nothing was decoded"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = Instant::now();
    let pid = child.id().to_string();
    let kill = std::process::Command::new("kill")
        .args(["-s", "USR1", &pid])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(75));
    assert!(
        told.elapsed() < Duration::from_mins(1),
        "{:?}",
        told.elapsed()
    );
}

/// A decoder that the system killed, say for want of memory, says nothing of the clip, which other runs will ask for.
#[test]
fn a_clip_whose_decoder_was_killed_is_not_kept_for_other_runs() {
    let project = with_programs("kill -9 $$");
    project.extract("max_failure_rate = 1.0");
    project.edit("mix.toml", "cache = \"off\"", "cache = \"cache\"");
    let run = |project: &Project| {
        let mut command = project.command(&["extract", "mix.toml"]);
        project.ended(command.env("PATH", path_with(project)))
    };
    run(&project);
    let failures = project.failures();
    assert_eq!(failures.len(), 1, "{failures:?}");
    let reason = failures[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("ended by signal 9; run again with --retry-failed"),
        "{reason}"
    );

    project.edit("mix.toml", "output = \"run\"", "output = \"again\"");
    let again = run(&project);
    assert!(
        again
            .stderr
            .contains("1 of 2 missing shards were in the cache"),
        "{again}"
    );
}

#[test]
fn a_text_is_no_video() {
    let project = clips("", &[about("clip"), about("film.txt")]);
    project.extract(ALL_MAY_FAIL);
    frames(&project, "clip", 0..2);
    project.write("film.txt", "A cat walks from left to right.\n");
    let ended = project.madmix(&["run", "mix.toml"]);
    if std::process::Command::new("ffprobe").output().is_err() {
        // That is found out first, and is no sample's fault.
        assert!(
            ended.stderr.contains("ffprobe cannot be started"),
            "{ended}"
        );
        return;
    }
    let failures = project.failures();
    assert_eq!(failures.len(), 1, "{ended}");
    let reason = failures[0]["reason"].as_str().unwrap();
    let expected = "film.txt: ffprobe cannot read it as a video";
    assert!(reason.starts_with(expected), "{reason}");
}

#[test]
fn samples_that_are_too_long_fail_or_shrink() {
    let project = clips("[video]\nsampling = \"every\"", &[about("clip")]);
    frames(&project, "clip", 0..8);
    let whole = planned(&project, "tokens");
    assert_eq!(planned(&project, "video_tokens"), tokens(8));
    let most = tokens(2) + whole - tokens(8);

    project.extract(&format!("max_tokens = {most}"));
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    let reason = format!("it has {whole} tokens, more than extract.max_tokens of {most}");
    let failures = project.failures();
    let found = failures[0]["reason"].as_str().unwrap();
    assert!(
        found.starts_with(&reason) && found.contains("too_long"),
        "{ended}"
    );

    project.extract("too_long = \"shrink\"");
    assert_eq!(planned(&project, "video_tokens"), tokens(2));
    let shrunk = clips("[video]\nsampling = \"every\"", &[about("clip")]);
    frames(&shrunk, "clip", 0..8);
    shrunk.extract(&format!("max_tokens = {most}\ntoo_long = \"shrink\""));
    shrunk.run();
    assert!(shrunk.failures().is_empty());

    // Text alone does not shrink.
    shrunk.edit(
        "mix.toml",
        &format!("max_tokens = {most}"),
        "max_tokens = 5",
    );
    let ended = shrunk.madmix(&["plan", "mix.toml"]).expect(1);
    assert!(ended.stdout.contains("as short as they get"), "{ended}");
}

#[test]
fn modalities_passed_alone_have_no_fused_centroid() {
    let project = clips("[video]\nmax_frames = 2", &[about("clip")]);
    frames(&project, "clip", 0..2);
    project.run();
    let together = [
        "fused",
        "fused.present",
        "text",
        "text.present",
        "video",
        "video.present",
    ];
    assert_eq!(tensors(&project), together);

    let alone = clips("[video]\nmax_frames = 2", &[about("clip")]);
    frames(&alone, "clip", 0..2);
    alone.extract("protocol = \"separate\"");
    alone.run();
    assert_eq!(tensors(&alone), together[2..]);
    assert!(alone.failures().is_empty());
}

#[test]
fn settings_without_meaning_are_refused() {
    for (settings, expected) in [
        ("max_frame = 3", "did you mean `max_frames`?"),
        (
            "num_frames = 3",
            "only with video.sampling = \"num_frames\"",
        ),
        ("sampling = \"num_frames\"", "needs video.num_frames"),
        ("sampling = \"llava-next\"", "did you mean `llava_next`?"),
    ] {
        let project = clips(&format!("[video]\n{settings}"), &[about("clip")]);
        let ended = project.madmix(&["run", "mix.toml"]).expect(2);
        assert!(ended.stderr.contains(expected), "{ended}");
        assert!(!project.path("run").exists(), "nothing was begun: {ended}");
    }
}
