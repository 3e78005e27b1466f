//! Which part of the rows a `sampling_strategy` takes.

use madmix::dataset::{self, SampleProblem, SamplingStrategy};

use super::{Fixture, row};

const ROWS: u64 = 25;

fn fixture(strategy: &str, filter: Option<&str>) -> Fixture {
    let source = |i: u64| row(&format!(r#""id": {i}, "data_source": "s{}", "#, i % 2), "q");
    let rows: Vec<_> = (0..ROWS).map(source).collect();
    let mut fixture = Fixture::new(rows.join("\n"));
    fixture.spec.filter = filter.map(|filter| serde_json::from_str(filter).unwrap());
    fixture.spec.sampling_strategy = Some(strategy.parse::<SamplingStrategy>().unwrap());
    fixture
}

fn rows(strategy: &str, filter: Option<&str>) -> Vec<u64> {
    let dataset = fixture(strategy, filter).open();
    let sample = |i| dataset.read(i).unwrap();
    let row = |i| (sample(i).row, sample(i).id);
    let rows: Vec<_> = (0..dataset.len()).map(row).collect();
    assert!(rows.iter().all(|(row, id)| *id == row.to_string()));
    rows.into_iter().map(|(row, _)| row).collect()
}

#[test]
fn first_and_end_take_what_lies_there() {
    let all: Vec<u64> = (0..ROWS).collect();
    for (strategy, expected) in [
        ("all", 0..25),
        ("first:3", 0..3),
        ("first:25", 0..25),
        ("first:26", 0..25),
        ("end:3", 22..25),
        ("end:99", 0..25),
        // A tenth of 25 rows is 2.5, which LLaVA-NeXT rounds up.
        ("first:10%", 0..3),
        ("end:10%", 22..25),
        ("first:1%", 0..1),
        ("first:100%", 0..25),
        ("end:100%", 0..25),
    ] {
        let expected: Vec<u64> = expected.collect();
        assert_eq!(rows(strategy, None), expected, "{strategy}");
        assert!(all.len() >= expected.len());
    }
}

#[test]
fn what_the_filter_leaves_is_what_is_counted() {
    let filter = Some(r#"{"data_source": ["s1"]}"#);
    // 12 rows: 1, 3, …, 23.
    assert_eq!(rows("all", filter).len(), 12);
    assert_eq!(rows("first:2", filter), [1, 3]);
    assert_eq!(rows("end:25%", filter), [19, 21, 23]);
    assert_eq!(rows("first:26%", filter), [1, 3, 5, 7]);
    let random = rows("random:50%", filter);
    assert_eq!(random.len(), 6);
    assert!(random.iter().all(|row| row % 2 == 1));
}

#[test]
fn random_rows_are_the_same_each_time_in_their_order_and_more_hold_fewer() {
    let ten = rows("random:10", None);
    assert_eq!(ten, rows("random:10", None));
    assert_eq!(ten.len(), 10);
    assert!(
        ten.is_sorted_by(|a, b| a < b),
        "in the file's order, none twice"
    );
    assert_ne!(ten, (0..10).collect::<Vec<_>>());
    for fewer in 1..10 {
        let fewer = rows(&format!("random:{fewer}"), None);
        assert!(
            fewer.iter().all(|row| ten.contains(row)),
            "a draw of more begins as one of fewer"
        );
    }
    assert_eq!(rows("random:40%", None), ten);
    assert_eq!(rows("random:100%", None), (0..ROWS).collect::<Vec<_>>());
}

#[test]
fn fingerprints_tell_the_parts_apart() {
    let of = |strategy: &str, filter| fixture(strategy, filter).open().fingerprint().to_owned();
    let whole = Fixture::new(fs_err::read(fixture("all", None).spec.path).unwrap());
    assert_eq!(of("all", None), whole.open().fingerprint());
    let filter = Some(r#"{"data_source": ["s1"]}"#);
    let mut all = vec![
        of("all", None),
        of("first:3", None),
        of("end:3", None),
        of("random:3", None),
        of("first:4", None),
        of("first:3%", None),
        of("first:3", filter),
        of("all", filter),
    ];
    assert_eq!(of("first:3", None), all[1], "the same each time");
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn a_row_beyond_the_part_is_out_of_range() {
    let dataset = fixture("first:3", None).open();
    let error = dataset.read(3).unwrap_err();
    assert_eq!(error.problem, SampleProblem::OutOfRange { len: 3 });
    assert_eq!(dataset.format(), "LLaVA JSON or JSONL");
}

#[test]
fn bad_rows_and_lost_ends_are_those_of_the_dataset() {
    let good = super::plain(1);
    let mut fixture = Fixture::new(format!("{good}\n{{\"id\": 2, \n{good}"));
    fixture.spec.sampling_strategy = Some("end:2".parse().unwrap());
    let dataset = fixture.open();
    let error = dataset.read(0).unwrap_err();
    assert_eq!(error.row, 1, "its number in the file");
    assert!(matches!(error.problem, SampleProblem::Json(_)));
    assert!(dataset.read(1).is_ok());
    assert!(dataset.faults().is_empty());
    // Nothing to take a part of is an error as without.
    fixture.spec.filter = serde_json::from_str(r#"{"data_source": ["x"]}"#).ok();
    assert!(dataset::open(&fixture.spec).is_err());
}
