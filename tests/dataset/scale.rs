//! Files of the size that people have.

use madmix::dataset;

use super::{Fixture, row};

/// Opening time and memory for two million rows: `cargo test --test dataset two_million -- --ignored --nocapture`
#[test]
#[ignore = "writes and reads 2 GB; for measuring"]
#[expect(clippy::print_stderr, reason = "it is run for its figures")]
fn two_million_rows() {
    use std::io::Write;
    use std::time::Instant;

    const ROWS: u64 = 2_000_000;
    for (name, open, between, close, filter) in [
        ("lines", "", "\n", "\n", None),
        ("list", "[\n", ",\n", "\n]", None),
        (
            "list, filtered",
            "[",
            ",",
            "]",
            Some(r#"{"data_source": ["s3"]}"#),
        ),
    ] {
        let mut fixture = Fixture::new("");
        fixture.spec.filter = filter.map(|text| serde_json::from_str(text).unwrap());
        let mut file = std::io::BufWriter::new(fs_err::File::create(&fixture.spec.path).unwrap());
        file.write_all(open.as_bytes()).unwrap();
        for i in 0..ROWS {
            let keys = format!(
                r#""id": "{i}", "data_source": "s{}", "image": "train/{i}.jpg", "#,
                i % 10
            );
            let text = row(
                &keys,
                &format!("<image>\\n{}", "What is \\\"this\\\" [here]? ".repeat(30)),
            );
            write!(file, "{}{text}", if i == 0 { "" } else { between }).unwrap();
        }
        file.write_all(close.as_bytes()).unwrap();
        file.into_inner().unwrap();
        let bytes = fs_err::metadata(&fixture.spec.path).unwrap().len();

        let start = Instant::now();
        let dataset = fixture.open();
        let opened = start.elapsed();
        assert_eq!(
            dataset.len(),
            if filter.is_some() { ROWS / 10 } else { ROWS }
        );
        let start = Instant::now();
        let order = dataset::order(dataset.len(), 0, 100_000);
        let ordered = start.elapsed();
        let start = Instant::now();
        assert!(order.iter().all(|&i| dataset.read(i).is_ok()));
        let read = start.elapsed();
        let status = fs_err::read_to_string("/proc/self/status").unwrap();
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        eprintln!(
            "{name}: {bytes} bytes, opened in {opened:.2?}, order {ordered:.2?}, 100,000 reads {read:.2?}, {peak}"
        );
    }
}

/// What scripts/bench_datasets.py asks for: opens the dataset `MADMIX_DATASET` and reads `MADMIX_READ` rows of it.
#[test]
#[ignore = "measures a file that it is given"]
#[expect(clippy::print_stderr, reason = "it is run for its figures")]
fn figures_of_a_file() {
    use std::time::Instant;

    let variable = |name| std::env::var(name).expect("scripts/bench_datasets.py sets it");
    let spec = dataset::DatasetSpec {
        name: "measured".into(),
        path: variable("MADMIX_DATASET").into(),
        ..dataset::DatasetSpec::default()
    };
    let start = Instant::now();
    let dataset = dataset::open(&spec).unwrap();
    let open = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut order = dataset::order(dataset.len(), 0, variable("MADMIX_READ").parse().unwrap());
    let ordered = start.elapsed().as_secs_f64();
    let read_all = |order: &[u64]| {
        let start = Instant::now();
        assert!(order.iter().all(|&row| dataset.read(row).is_ok()));
        start.elapsed().as_secs_f64()
    };
    let read = read_all(&order);
    order.sort_unstable();
    let ascending = read_all(&order);
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: f64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let peak = peak / 1024.0;
    eprintln!(
        "\nfigures: {{\"open\": {open}, \"order\": {ordered}, \"read\": {read}, \"read_ascending\": {ascending}, \"peak_mib\": {peak}}}"
    );
}
