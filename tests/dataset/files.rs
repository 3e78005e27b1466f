//! Whole files: their formats, their damages, where their media lie.

use std::path::Path;
use std::sync::Mutex;

use madmix::dataset::{self, DatasetProblem, MAX_ROW_BYTES, Sample, SampleProblem};
use proptest::prelude::*;

use super::{Fixture, ids, plain, row};

#[test]
fn media_may_not_leave_the_root() {
    let fixture = Fixture::new("");
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), fixture.folder.path().join("link")).unwrap();
    let inside = fixture.media("a.jpg");
    let inside = inside.to_str().unwrap();
    let linked = fixture.media("link/a.jpg");
    let rows = [
        inside,
        "../a.jpg",
        "/etc/passwd",
        "link/a.jpg",
        "https://a.org/b.jpg",
    ]
    .map(|path| row(&format!(r#""image": "{path}", "#), "<image>"));
    fs_err::write(&fixture.spec.path, rows.join("\n")).unwrap();
    let dataset = fixture.open();
    assert_eq!(
        dataset.read(0).unwrap().media[0].blob.path().unwrap(),
        Path::new(inside)
    );
    // The owner of the root has put the link there.
    assert_eq!(
        dataset.read(3).unwrap().media[0].blob.path().unwrap(),
        linked
    );
    let problems: Vec<_> = [1, 2, 4]
        .into_iter()
        .map(|i| dataset.read(i).unwrap_err().problem)
        .collect();
    let expected = [
        SampleProblem::MediaParent("../a.jpg".into()),
        SampleProblem::MediaAbsolute("/etc/passwd".into()),
        SampleProblem::MediaUrl("https://a.org/b.jpg".into()),
    ];
    assert_eq!(problems, expected);
}

#[test]
fn the_media_root_may_lie_elsewhere() {
    let mut fixture = Fixture::new(row(r#""image": "a.jpg", "#, "<image>"));
    let root = tempfile::tempdir().unwrap();
    fixture.spec.media_root = Some(root.path().to_owned());
    let expected = fs_err::canonicalize(root.path()).unwrap().join("a.jpg");
    assert_eq!(
        fixture.open().read(0).unwrap().media[0]
            .blob
            .path()
            .unwrap(),
        expected
    );

    fixture.spec.media_root = Some(root.path().join("missing"));
    assert!(matches!(
        fixture.problem(),
        DatasetProblem::MediaRoot { .. }
    ));
}

#[test]
fn lists_lines_and_nested_lists_are_told_by_their_content() {
    let (a, b, c) = (plain(1), plain(2), plain(3));
    for content in [
        format!("[{a},{b},{c}]"),
        format!("\u{feff}  [\r\n{a},\r\n[{b}, [{c}]]\r\n, []]\r\n"),
        format!("{a}\n{b}\n{c}"),
        format!("\u{feff}\r\n{a}\r\n\r\n   \n  {b}\t\r\n{c}\r\n\r\n"),
    ] {
        assert_eq!(
            ids(&*Fixture::new(&content).open()),
            ["1", "2", "3"],
            "{content}"
        );
    }
}

#[test]
fn one_bad_row_costs_one_row() {
    let (good, mut lines) = (plain(1), Vec::new());
    for bad in [
        &b"{\"id\": 1, \"conv"[..],
        b"not json",
        b"{\"id\": \"\xff\"}",
        b"{} {}",
        b"[1]",
    ] {
        lines.extend_from_slice(good.as_bytes());
        lines.push(b'\n');
        lines.extend_from_slice(bad);
        lines.push(b'\n');
    }
    let fixture = Fixture::new(lines);
    let dataset = fixture.open();
    assert_eq!(dataset.len(), 10);
    for i in 0..10 {
        let sample = dataset.read(i);
        assert_eq!(sample.is_ok(), i % 2 == 0, "{i}");
        assert_eq!(
            sample.map_or_else(|error| error.row, |sample| sample.row),
            i
        );
    }
    // In a list, as long as the brackets around it are whole.
    for bad in [
        r#"{"id" 1}"#,
        "{\"id\": \"\\q\"}",
        "{\"id\": NaN}",
        "null",
        "\"x\"",
    ] {
        let fixture = Fixture::new(format!("[{good}, {bad}, {good}]"));
        let dataset = fixture.open();
        assert_eq!(
            [0, 1, 2].map(|i| dataset.read(i).is_ok()),
            [true, false, true],
            "{bad}"
        );
    }
}

#[test]
fn a_list_that_breaks_off_says_where() {
    let rows = vec![plain(1); 10_000].join(",");
    let message = dataset::open(&Fixture::new(format!("[{rows},")).spec)
        .err()
        .unwrap()
        .to_string();
    let offset = rows.len() + 2;
    let expected = format!(
        "at byte {offset}, in row 10000 (from 0): expected a row `{{…}}`, found the end of the file"
    );
    assert!(
        message.contains(&expected) && message.contains("`test`") && message.contains("rows"),
        "{message}"
    );

    for garbage in ["x", "}", "{}", "]"] {
        let problem = Fixture::new(format!("[{rows} {garbage} , {{}}]")).problem();
        let DatasetProblem::Broken {
            row, offset: at, ..
        } = problem
        else {
            panic!("{garbage}: {problem}");
        };
        let after_bracket = if garbage == "]" { 2 } else { 0 };
        assert_eq!(
            (row, at),
            (10_000, offset as u64 + after_bracket),
            "{garbage}"
        );
    }
}

#[test]
fn files_that_are_no_datasets() {
    for (content, says) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\n"[..],
            "git lfs pull",
        ),
        (b"datasets:\n  - json_path: a.json", "mixture YAML"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"id,image\n", r#"starts with "id,image\n""#),
        (b"\xff\xfe[\0", "UTF-16"),
    ] {
        let problem = Fixture::new(content).problem();
        assert!(
            matches!(problem, DatasetProblem::Unrecognised { .. }),
            "{problem}"
        );
        assert!(problem.to_string().contains(says), "{problem}");
    }
    for content in ["", " \r\n\n", "\u{feff}", "[]", " [[], []]\n"] {
        assert!(
            matches!(Fixture::new(content).problem(), DatasetProblem::Empty),
            "{content:?}"
        );
    }
    let long_blank = format!("{}x", " ".repeat(100_000));
    assert!(matches!(
        Fixture::new(long_blank).problem(),
        DatasetProblem::Broken {
            offset: 100_000,
            ..
        }
    ));
    assert!(
        Fixture::new("{\n \"data\": []\n}")
            .problem()
            .to_string()
            .contains("several lines")
    );

    let mut fixture = Fixture::new("");
    fixture.spec.path = fixture.folder.path().join("missing.json");
    assert!(matches!(fixture.problem(), DatasetProblem::NoFile));
    let error = dataset::open(&fixture.spec).err().unwrap();
    assert!(error.to_string().contains("missing.json"), "{error}");
    fixture.spec.path = fixture.folder.path().to_owned();
    assert!(matches!(
        fixture.problem(),
        DatasetProblem::NoDataFiles { .. }
    ));
    fixture.spec.path = "/dev/null".into();
    assert!(matches!(fixture.problem(), DatasetProblem::NotAFile));
}

#[test]
fn rows_have_a_largest_size() {
    let long = format!("{{\"id\": \"{}\"}}", "x".repeat(MAX_ROW_BYTES as usize));
    let content = format!("[{}, {long}, {}]", plain(1), plain(2));
    let fixture = Fixture::new(&content);
    let dataset = fixture.open();
    let bytes = long.len() as u64;
    let expected = SampleProblem::TooLong {
        bytes,
        limit: MAX_ROW_BYTES,
    };
    assert_eq!(dataset.read(1).unwrap_err().problem, expected);
    assert_eq!(dataset.read(2).unwrap().id, "2");
}

#[test]
fn a_row_beyond_the_end_or_lost_is_an_error() {
    let fixture = Fixture::new(format!("{}\n{}", plain(1), plain(2)));
    let dataset = fixture.open();
    assert_eq!(
        dataset.read(2).unwrap_err().problem,
        SampleProblem::OutOfRange { len: 2 }
    );
    fs_err::write(&fixture.spec.path, plain(1)).unwrap();
    assert!(dataset.read(0).is_ok());
    assert!(matches!(
        dataset.read(1).unwrap_err().problem,
        SampleProblem::Io(_)
    ));
}

#[test]
fn rows_longer_than_a_read_and_progress() {
    // Rows of 300 kB lie across the borders of the 1 MiB that is read at once.
    let long = |id: u64| row(&format!(r#""id": {id}, "#), &"é]\\\"}".repeat(50_000));
    let content = format!("[{}]", (0..12).map(long).collect::<Vec<_>>().join(",\n"));
    let fixture = Fixture::new(&content);
    let calls = Mutex::new(Vec::new());
    let heard = |done, total| calls.lock().unwrap().push((done, total));
    let dataset = dataset::open_with(&fixture.spec, &heard).unwrap();
    let expected: Vec<_> = (0..12).map(|id| id.to_string()).collect();
    assert_eq!(ids(&*dataset), expected);
    let (calls, size) = (calls.into_inner().unwrap(), content.len() as u64);
    assert!(calls.len() > 3 && calls.is_sorted() && calls.iter().all(|&(_, total)| total == size));
    assert_eq!(calls.last(), Some(&(size, size)));
}

#[test]
fn threads_read_together() {
    let fixture = Fixture::new((0..200).map(plain).collect::<Vec<_>>().join("\n"));
    let dataset = fixture.open();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let dataset = &*dataset;
            scope.spawn(move || {
                for i in (0..200).map(|i| (i * 7 + thread * 50) % 200) {
                    assert_eq!(dataset.read(i).unwrap().id, i.to_string());
                }
            });
        }
    });
}

/// Reads every row of whatever opens; panics are what it looks for.
fn read_all(content: &[u8]) -> Option<Vec<Result<Sample, SampleProblem>>> {
    let fixture = Fixture::new(content);
    let dataset = dataset::open(&fixture.spec).ok()?;
    Some(
        (0..dataset.len())
            .map(|i| dataset.read(i).map_err(|error| error.problem))
            .collect(),
    )
}

#[test]
fn a_file_cut_anywhere_never_passes_for_whole() {
    let rows = [
        plain(1),
        row(r#""image": ["a"], "x": "[{\"]é", "#, "<image>\\n"),
        plain(3),
    ];
    let list = format!("[{}, [{}, {}]]", rows[0], rows[1], rows[2]);
    for cut in 0..list.len() {
        assert!(read_all(&list.as_bytes()[..cut]).is_none(), "{cut}");
    }
    let lines = rows.join("\n");
    for cut in 1..lines.len() {
        let Some(read) = read_all(&lines.as_bytes()[..cut]) else {
            assert_eq!(cut, 1, "only a lone bracket is refused");
            continue;
        };
        // Whole lines are rows, and the line that is cut is a failure.
        let whole = lines[..lines.floor_char_boundary(cut)]
            .matches('\n')
            .count();
        let ends_on_line = rows[..=whole].iter().map(String::len).sum::<usize>() + whole == cut;
        assert!(read.iter().take(whole).all(Result::is_ok), "{cut}");
        let expected = whole + usize::from(!lines.as_bytes()[..cut].ends_with(b"\n"));
        assert_eq!(read.len(), expected, "{cut}");
        assert_eq!(
            read.iter().all(Result::is_ok),
            ends_on_line || whole == expected,
            "{cut}"
        );
    }
}

proptest! {
    /// Bytes changed at random make errors or failures, never a panic.
    #[test]
    fn damaged_files_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), lines: bool) {
        let rows = [plain(1), row(r#""image": ["a"], "video": null, "#, "<image>"), plain(3)];
        let mut content = if lines { rows.join("\n") } else { format!("[{}]", rows.join(",")) }.into_bytes();
        for (at, byte) in changes {
            let at = at.index(content.len());
            content[at] = byte;
        }
        let _ = read_all(&content);
    }
}
