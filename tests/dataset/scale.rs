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

/// Opening, ordering and reading a thousand shards: `cargo test --test dataset thousand_shards -- --ignored --nocapture`.
/// With `MADMIX_BENCH_SHARDS` the shards are those of that folder, as `scripts/bench_datasets.py` makes them.
#[test]
#[ignore = "writes and reads 4 GB; for measuring"]
#[expect(clippy::print_stderr, reason = "it is run for its figures")]
fn thousand_shards() {
    use std::time::Instant;

    use super::webdataset::tar;

    const SHARDS: usize = 1000;
    const SAMPLES: usize = 1000;
    let mut fixture = Fixture::new("");
    let folder = match std::env::var_os("MADMIX_BENCH_SHARDS") {
        Some(folder) => folder.into(),
        None => {
            let folder = fixture.media("shards");
            fs_err::create_dir(&folder).unwrap();
            for shard in 0..SHARDS {
                let names = |i| {
                    (
                        format!("{shard:06}{i:06}.jpg"),
                        format!("{shard:06}{i:06}.json"),
                    )
                };
                let names: Vec<_> = (0..SAMPLES).map(names).collect();
                let text = row(
                    r#""data_source": "bench", "#,
                    &format!("<image>\\n{}", "What is this? ".repeat(40)),
                );
                let files: Vec<(&str, &[u8])> = names
                    .iter()
                    .flat_map(|(jpg, json)| {
                        [
                            (jpg.as_str(), &[7; 2048][..]),
                            (json.as_str(), text.as_bytes()),
                        ]
                    })
                    .collect();
                fs_err::write(folder.join(format!("shard-{shard:06}.tar")), tar(&files)).unwrap();
            }
            folder
        }
    };
    let peak = || {
        let status = fs_err::read_to_string("/proc/self/status").unwrap();
        let line = |key: &str| {
            status
                .lines()
                .find(|line| line.starts_with(key))
                .unwrap()
                .to_owned()
        };
        format!("{}, {}", line("VmRSS"), line("VmHWM"))
    };
    for (name, filter) in [
        ("all", None),
        ("filtered", Some(r#"{"data_source": ["bench"]}"#)),
    ] {
        fixture.spec.path = folder.join("shard-{000000..000999}.tar");
        fixture.spec.filter = filter.map(|text| serde_json::from_str(text).unwrap());
        let before = peak();
        let start = Instant::now();
        let dataset = fixture.open();
        let opened = start.elapsed();
        let held = peak();
        let start = Instant::now();
        let order = dataset::order(dataset.len(), 0, 1000);
        let ordered = start.elapsed();
        let start = Instant::now();
        let bytes: usize = order
            .iter()
            .map(|&i| {
                dataset.read(i).unwrap().media[0]
                    .blob
                    .read(1 << 20)
                    .unwrap()
                    .len()
            })
            .sum();
        let read = start.elapsed();
        eprintln!(
            "{name}: {} samples, {} faults; opened in {opened:.2?}, order {ordered:.2?}, 1,000 samples with their {bytes} \
             bytes of pictures in {read:.2?}; before: {before}; open: {held}; after: {}",
            dataset.len(),
            dataset.faults().len(),
            peak()
        );
    }
}
