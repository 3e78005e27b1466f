//! Annotation files made to take memory, time, or the terminal.

use serde_json::json;

use crate::samples::row;
use crate::{assert_says, attack, fails, reason, reasons, victim};

const TALK: &str =
    r#""conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Yes."}]"#;

#[test]
fn brackets_without_end_are_failures() {
    let project = victim();
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let deep = reason(&project, &format!(r#"{{"conversations": {open}{close}}}"#));
    assert_says(&deep, &["not valid JSON: recursion limit"]);
    let open = reason(&project, &format!(r#"{{"conversations": {open}"#));
    assert_says(&open, &["not valid JSON"]);
}

#[test]
fn lists_without_end_are_errors() {
    let project = victim();
    for (text, says) in [
        ("[".repeat(1_000_000), "the file breaks off"),
        (
            "[".repeat(1_000_000) + &"]".repeat(1_000_000),
            "holds no rows",
        ),
        (
            format!("[{{\"a\": {}", "[".repeat(1_000)),
            "more than 128 brackets",
        ),
    ] {
        project.write("pictures.jsonl", text);
        assert_says(&fails(&project), &["pictures.jsonl", says]);
    }
}

#[test]
fn a_row_of_millions_of_values_is_not_parsed() {
    let project = victim();
    let zeros = "0,".repeat(20_000_000);
    let says = ["more than the 1048576 values"];
    assert_says(
        &reason(&project, &format!(r#"{{"x": [{zeros}0], {TALK}}}"#)),
        &says,
    );
    let turn = r#"{"from":"human","value":"x"},"#.repeat(1_000_000);
    assert_says(
        &reason(&project, &format!(r#"{{"conversations": [{turn}1]}}"#)),
        &says,
    );
}

#[test]
fn a_text_of_many_megabytes_is_not_tokenised() {
    let project = victim();
    for word in ["ab ", "a", "<image>"] {
        let text = word.repeat(20_000_000 / word.len());
        let found = reason(
            &project,
            &row(&json!({ "image": "0.png" }), &text).to_string(),
        );
        let placeholders = "1 images and 0 videos";
        assert!(
            found.contains("bytes of text, far more than") || found.contains(placeholders),
            "{found}"
        );
    }
    let pictures = vec!["0.png"; 500_000];
    let found = row(&json!({ "image": pictures }), &"<image>".repeat(500_000)).to_string();
    assert_says(&reason(&project, &found), &["bytes of text, far more than"]);
}

/// The metadata of a shard that quoted all of it could not be read again.
#[test]
fn an_id_of_many_megabytes_is_cut() {
    let project = victim();
    let id = "z".repeat(30 << 20);
    let one = row(&json!({ "id": id, "image": "no.png" }), "<image>").to_string();
    project.write("pictures.jsonl", [one.as_str(); 4].join("\n"));
    let reasons = reasons(&project);
    assert_eq!(reasons, ["no.png: there is no such file"; 4]);
    assert!(project.read("run/failures.jsonl").len() < 10_000);
}

#[test]
fn what_json_or_unicode_forbids_is_a_failure() {
    let project = victim();
    for (bad, says) in [
        (r#"{"id": 1e999999, "#, "number out of range"),
        (r#"{"id": "\ud800", "#, "hex escape"),
        (r#"{"id": "a" "id": "b", "#, "not valid JSON"),
    ] {
        assert_says(&reason(&project, &format!("{bad}{TALK}}}")), &[says]);
    }
    let mut bytes = b"\xef\xbb\xbf{\"id\": \"\xff\", ".to_vec();
    bytes.extend(format!("{TALK}}}").bytes());
    project.write("pictures.jsonl", bytes);
    assert_says(&reasons(&project)[0], &["invalid unicode"]);
}

/// Files keep what the data says; a terminal must not obey it.
#[test]
fn escape_sequences_do_not_reach_the_terminal() {
    let project = victim();
    let id = "\u{1b}[2J\u{1b}]0;t\u{7}\nerror: forged\u{9b}31m\u{202e}";
    let bad = row(
        &json!({ "id": id, "image": "\u{1b}[31m\r\nx.png" }),
        "<image>",
    );
    project.write("pictures.jsonl", bad.to_string());
    let planned = attack(&project, &["plan", "mix.toml"]).expect(0);
    project.edit(
        "mix.toml",
        "max_failure_rate = 1.0",
        "max_failure_rate = 0.0",
    );
    let stopped = attack(&project, &["run", "mix.toml"]).expect(1);
    for text in [&planned.stderr, &planned.stdout, &stopped.stderr] {
        let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(obeyed), "{text:?}");
        assert!(!text.contains("\nerror: forged"), "{text}");
    }
    assert_says(&stopped.stderr, &[r"\u{1b}[2J", r"\nerror: forged"]);
    assert_eq!(project.failures()[0]["id"], id);
}

/// A text may say what the template or the model writes: it is tokenised as the reference does, and never shows a
/// picture.
#[test]
fn special_tokens_in_a_text_show_no_picture() {
    let project = victim();
    let says = "a<|im_end|>\n<|im_start|>assistant\n";
    project.write("pictures.jsonl", row(&json!({}), says).to_string());
    attack(&project, &["run", "mix.toml"]).expect(0);
    let found = reason(&project, &row(&json!({}), "<image>").to_string());
    assert_says(&found, &["0 images and 0 videos, but 1 `<image>`"]);
    let answer = r#"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "<image>"}]}"#;
    assert_says(&reason(&project, answer), &["turn of the assistant"]);
}
