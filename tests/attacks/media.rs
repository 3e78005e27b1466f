//! Paths that lead elsewhere, files that never end, and clips that name other files.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::Project;
use crate::samples::row;
use crate::{assert_says, reasons, victim};

/// A row for each name.
fn name(project: &Project, key: &str, names: &[&str]) {
    let row = |name: &&str| row(&json!({ key: name }), &format!("<{key}>\nWhat?")).to_string();
    let rows: Vec<String> = names.iter().map(row).collect();
    project.write("pictures.jsonl", rows.join("\n"));
}

#[test]
fn paths_out_of_the_media_root_are_refused() {
    let project = victim();
    symlink("/etc", project.path("link")).unwrap();
    name(
        &project,
        "image",
        &[
            "../../../../etc/passwd",
            "a/../../x.png",
            "..",
            "/etc/passwd",
            "file:///etc/passwd",
            "http://127.0.0.1/x.png",
            "data:image/png;base64,AAAA",
            // Who made the link may lead where they like; no picture is there.
            "link/passwd",
        ],
    );
    let reasons = reasons(&project);
    assert_eq!(reasons.len(), 8);
    for reason in &reasons[..3] {
        assert_says(reason, &["refused: a media path may not contain `..`"]);
    }
    for reason in &reasons[3..5] {
        assert_says(reason, &["refused: an absolute path outside"]);
    }
    assert_says(&reasons[5], &["is a URL"]);
    assert_says(&reasons[6], &["data:image/png (3 bytes): not a JPEG"]);
    assert_says(&reasons[7], &["link/passwd: not a JPEG"]);
}

#[test]
fn odd_names_are_failures() {
    let project = victim();
    let long = "x".repeat(100_000);
    let names = ["a\0b.png", "a\nb.png", &long, "-i", ".", "é\u{202e}gnp.x"];
    name(&project, "image", &names);
    let reasons = reasons(&project);
    assert_eq!(reasons.len(), names.len());
    assert_says(&reasons[0], &["invalid"]);
    assert!(
        reasons[2].len() < 5_000,
        "a reason quotes the start of a name"
    );
    assert_says(&reasons[4], &["not a regular file"]);
}

#[test]
fn pipes_devices_and_folders_are_not_waited_for() {
    let project = victim();
    let made = Command::new("mkfifo").arg(project.path("pipe")).status();
    assert!(made.unwrap().success());
    symlink("/dev/zero", project.path("zero")).unwrap();
    fs_err::create_dir(project.path("folder")).unwrap();
    project.write("empty", "");
    for key in ["image", "video"] {
        name(&project, key, &["pipe", "zero", "folder", "empty"]);
        let reasons = reasons(&project);
        assert_eq!(reasons.len(), 4, "{reasons:?}");
        assert_says(&reasons[0], &["pipe: not a regular file"]);
        assert_says(&reasons[1], &["zero: not a regular file"]);
        assert_says(&reasons[3], &["empty: the file is empty"]);
    }
}

/// The other files are there, so only a refusal keeps them from being opened.
#[test]
fn clips_that_name_other_files_are_refused() {
    let project = victim();
    if Command::new("ffprobe").arg("-version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "no ffprobe");
        return;
    }
    let made = Command::new("mkfifo").arg(project.path("x.ts")).status();
    assert!(made.unwrap().success());
    project.write(
        "list.mp4",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nx.ts\n#EXT-X-ENDLIST\n",
    );
    project.write("concat.mp4", "ffconcat version 1.0\nfile x.ts\n");
    project.write(
        "session.mp4",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    );
    let names = [
        "list.mp4",
        "concat.mp4",
        "session.mp4",
        "concat:a|b",
        "file:x.ts",
        "pipe:0",
    ];
    name(&project, "video", &names);
    let reasons = reasons(&project);
    assert_eq!(reasons.len(), names.len());
    for (reason, format) in reasons.iter().zip(["hls", "concat", "sdp"]) {
        assert_says(reason, &["not a video file", &format!("\"{format}\"")]);
    }
    for reason in &reasons[3..] {
        assert_says(reason, &["there is no such file"]);
    }
}

#[test]
fn one_row_with_a_million_pictures_is_refused_before_they_are_looked_at() {
    let project = victim();
    // As many values as a row may have, in as little text.
    let pictures: Vec<Value> = vec![json!("0.png"); 900_000];
    project.write(
        "pictures.jsonl",
        row(&json!({ "image": pictures }), "What?").to_string(),
    );
    let reasons = reasons(&project);
    assert_says(&reasons[0], &["far more than extract.max_tokens"]);
}
