//! What holds for every format.

use std::path::Path;

use madmix::blob::Blob;
use madmix::dataset::{
    self, Dataset, DatasetSpec, Filter, Irregularity, MediaKind, Role, Sample, SampleProblem,
};
use tempfile::TempDir;

use super::cases::{Comes, cases};
use super::{Row, WRITERS, Writer};

/// A folder with a dataset.
struct Written {
    folder: TempDir,
    spec: DatasetSpec,
}

fn write(writer: &dyn Writer, rows: &[Row]) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let spec = writer.write(rows, folder.path());
    Written { folder, spec }
}

impl Written {
    fn open(&self, writer: &dyn Writer) -> Box<dyn Dataset> {
        let name = writer.name();
        let dataset = dataset::open(&self.spec).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(dataset.format(), writer.format(), "{name}");
        dataset
    }
}

/// Forty rows, of which every other has an id, a source and a picture.
fn forty() -> Vec<Row> {
    let half = |i: usize| Row {
        id: Some("\"own\""),
        source: Some(if i.is_multiple_of(4) { "s0" } else { "s2" }),
        turns: vec![("human", "<image>\nq"), ("gpt", "a")],
        media: vec![(
            MediaKind::Image,
            if i.is_multiple_of(4) {
                "a/1.jpg"
            } else {
                "b/1.jpg"
            },
        )],
        ..Row::default()
    };
    let other = || Row {
        turns: vec![("human", "r"), ("gpt", "b")],
        ..Row::default()
    };
    let row = |i: usize| {
        if i.is_multiple_of(2) {
            half(i)
        } else {
            other()
        }
    };
    (0..40).map(row).collect()
}

/// The numbers of a dataset's rows, which are all read.
fn rows(dataset: &dyn Dataset) -> Vec<u64> {
    (0..dataset.len())
        .map(|i| {
            dataset
                .read(i)
                .map_or_else(|error| error.row, |sample| sample.row)
        })
        .collect()
}

fn check_sample(sample: &Sample, row: &Row, texts: &[&str], odd: &[Irregularity], label: &str) {
    let id = row.id.map_or_else(
        || sample.row.to_string(),
        |id| id.trim_matches('"').to_owned(),
    );
    assert_eq!(sample.id, id, "{label}");
    let role = |name: &str| match name {
        "human" => Role::User,
        "gpt" => Role::Assistant,
        _ => Role::System,
    };
    let roles: Vec<_> = row.turns.iter().map(|(name, _)| role(name)).collect();
    let found: Vec<_> = sample.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(found, roles, "{label}");
    let own: Vec<_> = row.turns.iter().map(|(_, text)| *text).collect();
    let texts = if texts.is_empty() { &own } else { texts };
    let found: Vec<_> = sample.turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(found, texts, "{label}");
    let media: Vec<_> = sample
        .media
        .iter()
        .map(|media| (media.kind, media.name.as_str()))
        .collect();
    assert_eq!(media, row.media, "{label}");
    assert_eq!(sample.irregularities, odd, "{label}");
}

#[test]
fn every_irregularity_comes_out_the_same() {
    for writer in WRITERS {
        // A first row as it should be, by which the format is told.
        let mut rows = vec![forty()[0].clone()];
        let cases: Vec<_> = cases()
            .into_iter()
            .filter(|case| writer.can(&case.row))
            .collect();
        assert!(
            cases.len() > 12,
            "{} says {} of the cases",
            writer.name(),
            cases.len()
        );
        rows.extend(cases.iter().map(|case| case.row.clone()));
        let written = write(*writer, &rows);
        let dataset = written.open(*writer);
        assert_eq!(dataset.len(), rows.len() as u64, "{}", writer.name());
        for (i, case) in (1..).zip(&cases) {
            let label = format!("{}: {}", writer.name(), case.what);
            match (dataset.read(i), &case.comes) {
                (Ok(sample), Comes::Sample(texts, odd)) => {
                    assert_eq!(sample.row, i, "{label}");
                    let named =
                        |it: &&Irregularity| writer.names_rows() && **it == Irregularity::NoId;
                    let odd: Vec<_> = odd.iter().filter(|it| !named(it)).copied().collect();
                    check_sample(&sample, &case.row, texts, &odd, &label);
                }
                (Err(error), Comes::Failure(reason)) => {
                    assert_eq!(error.row, i, "{label}");
                    let found = error.reason();
                    assert!(found.contains(reason), "{label}: {found}");
                    let folder = written.folder.path().to_str().unwrap();
                    assert!(!found.contains(folder), "{label}: {found}");
                }
                (Ok(sample), Comes::Failure(reason)) => panic!("{label}: {sample:?}, not {reason}"),
                (Err(error), Comes::Sample(..)) => panic!("{label}: {error}"),
            }
        }
    }
}

#[test]
fn every_case_is_said_by_some_formats() {
    for case in cases() {
        let count = WRITERS
            .iter()
            .filter(|writer| writer.can(&case.row))
            .count();
        assert!(count >= 2, "{}", case.what);
    }
}

#[test]
fn rows_keep_their_order_for_every_thread() {
    for writer in WRITERS {
        let written = write(*writer, &forty());
        let dataset = written.open(*writer);
        let samples: Vec<_> = (0..40).map(|i| dataset.read(i).unwrap()).collect();
        for (i, (sample, row)) in samples.iter().zip(forty()).enumerate() {
            assert_eq!(sample.row, i as u64);
            let odd: &[_] = if row.id.is_some() || writer.names_rows() {
                &[]
            } else {
                &[Irregularity::NoId]
            };
            check_sample(sample, &row, &[], odd, writer.name());
        }
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (dataset, samples) = (&*dataset, &samples);
                scope.spawn(move || {
                    for i in (0..40).map(|i| (i * 7 + thread * 10) % 40) {
                        assert_eq!(dataset.read(i as u64).unwrap(), samples[i], "{i}");
                    }
                });
            }
        });
        let again = written.open(*writer);
        assert_eq!(again.read(17).unwrap(), samples[17]);
    }
}

#[test]
fn a_picture_that_is_missing_is_found_when_it_is_opened() {
    for writer in WRITERS {
        let row = Row {
            turns: vec![("human", "<image>\nq")],
            media: vec![(MediaKind::Image, "gone/1.jpg")],
            ..Row::default()
        };
        let written = write(*writer, &[row]);
        if !written.folder.path().join("gone").exists() {
            let sample = written.open(*writer).read(0).unwrap();
            let error = sample.media[0].blob.open().unwrap_err();
            assert_eq!(
                error.kind(),
                std::io::ErrorKind::NotFound,
                "{}",
                writer.name()
            );
            assert!(
                matches!(&sample.media[0].blob, Blob::Path(path) if path.ends_with("gone/1.jpg"))
            );
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_fingerprint_is_of_the_content_wherever_it_lies() {
    for writer in WRITERS {
        let written = write(*writer, &forty());
        let here = written.open(*writer);
        let elsewhere = tempfile::tempdir().unwrap();
        copy(written.folder.path(), &elsewhere.path().join("moved"));
        let inside = written
            .spec
            .path
            .strip_prefix(written.folder.path())
            .unwrap();
        let spec = DatasetSpec {
            path: elsewhere.path().join("moved").join(inside),
            ..written.spec.clone()
        };
        let there = dataset::open(&spec).unwrap();
        assert_eq!(here.fingerprint(), there.fingerprint(), "{}", writer.name());
        assert_eq!(here.fingerprint().len(), 64);
        let (a, b) = (here.read(0).unwrap(), there.read(0).unwrap());
        assert_eq!((a.turns, &a.media[0].name), (b.turns, &b.media[0].name));
        let mut other = forty();
        other[39].turns[1].1 = "c";
        let other = write(*writer, &other);
        assert_ne!(
            here.fingerprint(),
            other.open(*writer).fingerprint(),
            "{}",
            writer.name()
        );
    }
}

#[test]
fn filters_keep_rows_whose_key_others_lack() {
    for writer in WRITERS {
        let written = write(*writer, &forty());
        for (filter, expected) in [
            (
                r#"{"data_source": ["s2"]}"#,
                (0..40).filter(|i| i % 4 == 2).collect::<Vec<u64>>(),
            ),
            (
                r#"{"media": "a"}"#,
                (0..40).filter(|i| i % 4 == 0).collect(),
            ),
            (
                r#"{"path": "^b/\\d"}"#,
                (0..40).filter(|i| i % 4 == 2).collect(),
            ),
            (
                r#"{"modality": ["text"]}"#,
                (0..40).filter(|i| i % 2 == 1).collect(),
            ),
            (
                r#"{"modality": ["image"]}"#,
                (0..40).filter(|i| i % 2 == 0).collect(),
            ),
            ("{}", (0..40).collect()),
        ] {
            let mut spec = written.spec.clone();
            spec.filter = Some(serde_json::from_str::<Filter>(filter).unwrap());
            let dataset = dataset::open(&spec).unwrap();
            let label = format!("{}: {filter}", writer.name());
            assert_eq!(rows(&*dataset), expected, "{label}");
            let same = dataset.fingerprint() == written.open(*writer).fingerprint();
            assert_eq!(same, filter == "{}", "{label}");

            spec.sampling_strategy = Some("end:30%".parse().unwrap());
            let part = dataset::open(&spec).unwrap();
            let taken = (3 * expected.len()).div_ceil(10);
            assert_eq!(rows(&*part), expected[expected.len() - taken..], "{label}");
        }
        let mut spec = written.spec.clone();
        spec.filter = serde_json::from_str(r#"{"data_source": ["none"]}"#).ok();
        let message = dataset::open(&spec).err().unwrap().to_string();
        let says =
            r#"none of its 40 rows; `data_source` most often is absent (20 rows), "s0" (10 rows)"#;
        assert!(message.contains(says), "{}: {message}", writer.name());
    }
}

#[test]
fn one_bad_row_costs_one_row() {
    for writer in WRITERS {
        let bad = Row {
            raw: Some(b"{\"id\": \"\xff\xfe\", \"data_source\": \"s0\"}"),
            ..Row::default()
        };
        if !writer.can(&bad) {
            continue;
        }
        let mut all = forty();
        all.insert(20, bad);
        let written = write(*writer, &all);
        let dataset = written.open(*writer);
        assert_eq!(dataset.len(), 41, "{}", writer.name());
        for i in 0..41 {
            assert_eq!(
                dataset.read(i).is_ok(),
                i != 20,
                "{}, row {i}",
                writer.name()
            );
        }
        let error = dataset.read(20).unwrap_err();
        assert!(matches!(error.problem, SampleProblem::Json(_)), "{error}");
        assert_eq!((error.row, error.id.as_str()), (20, "20"));
    }
}

#[test]
fn reading_beyond_the_end_is_an_error() {
    for writer in WRITERS {
        let written = write(*writer, &forty()[..3]);
        let dataset = written.open(*writer);
        for index in [3, 4, u64::MAX] {
            let error = dataset.read(index).unwrap_err();
            assert_eq!(
                error.problem,
                SampleProblem::OutOfRange { len: 3 },
                "{}",
                writer.name()
            );
        }
        assert!(!dataset.is_empty() && dataset.faults().is_empty());
    }
}

#[test]
fn the_format_may_be_said() {
    for writer in WRITERS {
        let written = write(*writer, &forty()[..3]);
        let told = written.open(*writer);
        let said: Vec<_> = dataset::format_names()
            .filter_map(|name| {
                let format = Some(name.to_owned());
                let spec = DatasetSpec {
                    format,
                    ..written.spec.clone()
                };
                dataset::open(&spec).ok()
            })
            .filter(|dataset| dataset.format() == writer.format())
            .collect();
        assert_eq!(said.len(), 1, "{}", writer.name());
        assert_eq!(said[0].fingerprint(), told.fingerprint());
    }
}
