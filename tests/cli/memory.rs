//! How much memory the program takes does not hang on how much data there is, but for a few bytes a row.

use std::io::{BufWriter, Seek, SeekFrom, Write};

use crate::project::Project;

const ROWS: u64 = 2_000_000;
/// All that is held of a row that is not chosen, as the module `extract` has it.
const BYTES_PER_ROW: f64 = 16.0;
/// What may come and go from run to run: buffers of threads that happen to be at work together.
const SLACK: f64 = 12.0;
const MIB: f64 = 1_048_576.0;

/// A project whose text dataset has so many rows of about 100 bytes.
fn project(rows: u64) -> Project {
    let project = Project::new();
    project.extract("samples_per_dataset = 64\nworkers = 2");
    let mut file = BufWriter::new(fs_err::File::create(project.path("words.jsonl")).unwrap());
    for i in 0..rows {
        writeln!(
            file,
            r#"{{"id": "{i:07}", "conversations": [{{"from": "human", "value": "What?"}}, {{"from": "gpt", "value": "{i}."}}]}}"#
        )
        .unwrap();
    }
    file.into_inner().unwrap();
    project
}

/// The most that a command held, in MiB, as it says itself.
#[track_caller]
fn peak(project: &Project, command: &str) -> f64 {
    let ended = project
        .madmix(&["--verbose", command, "mix.toml"])
        .expect(0);
    let line = ended
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("DEBUG peak memory: "));
    let figure = line.and_then(|line| line.strip_suffix(" MiB"));
    figure.unwrap_or_else(|| panic!("{ended}")).parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_grows_by_16_bytes_a_row() {
    let (small, large) = (project(2_000), project(ROWS));
    for command in ["plan", "extract"] {
        let (few, many) = (peak(&small, command), peak(&large, command));
        let bound = few + BYTES_PER_ROW * ROWS as f64 / MIB + SLACK;
        assert!(
            many <= bound,
            "{command}: {few} MiB, {many} MiB, bound {bound} MiB"
        );
    }
}

/// Gigabytes without the end of a line, as of a file of another kind, or one whose ends of lines were lost.
#[cfg(target_os = "linux")]
#[test]
fn a_row_without_end_is_not_held() {
    let project = project(10);
    let before = peak(&project, "plan");
    let path = project.path("words.jsonl");
    let mut file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"{\"id\": \"").unwrap();
    let end = file.seek(SeekFrom::Current(1 << 30)).unwrap();
    file.set_len(end).unwrap();
    file.write_all(b"\"}\n{\"id\": \"last\"}\n").unwrap();
    drop(file);
    project.extract("max_failure_rate = 1.0");
    let with = peak(&project, "plan");
    assert!(with < before + SLACK, "{before} MiB, {with} MiB");
    let ended = project.madmix(&["plan", "mix.toml"]).expect(0);
    assert!(ended.stdout.contains("row 10"), "{ended}");
    assert!(ended.stdout.contains("row 11 (last)"), "{ended}");
}

/// Tokenising takes hundreds of times a text's size; a text that cannot fit is not tokenised.
#[cfg(target_os = "linux")]
#[test]
fn text_of_megabytes_is_a_failure_at_once() {
    let project = project(10);
    project.extract("max_failure_rate = 1.0");
    let before = peak(&project, "plan");
    let mut rows = project.read("words.jsonl");
    let row = r#"{"id": "long", "conversations": [{"from": "human", "value": "[]"}, {"from": "gpt", "value": "."}]}"#;
    rows += &row.replace("[]", &"and then some ".repeat(600_000));
    project.write("words.jsonl", rows);
    let with = peak(&project, "plan");
    // The row, its parsed form, and the text out of it.
    assert!(
        with < before + 4.0 * 8.4 + SLACK,
        "{before} MiB, {with} MiB"
    );
    let ended = project.madmix(&["plan", "mix.toml"]).expect(0);
    let expected = "row 10 (long)  it has 8400001 bytes of text, far more than";
    assert!(ended.stdout.contains(expected), "{ended}");
}
