//! What is told of an archive as a whole, and what damage does to it.

use super::*;

#[test]
fn fingerprints_are_of_rows_and_of_names_sizes_and_places() {
    let of = |archive: Vec<u8>| Fixture::new(archive).open().fingerprint().to_owned();
    let json = question("q");
    let base = of(tar(&[("a.json", json.as_bytes())]));
    let mut timed = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_path("a.json").unwrap();
    header.set_size(json.len() as u64);
    header.set_mtime(1_700_000_000);
    header.set_uid(1000);
    header.set_mode(0o600);
    header.set_cksum();
    timed.append(&header, json.as_bytes()).unwrap();
    assert_eq!(of(timed.into_inner().unwrap()), base);
    let other = json.replace('q', "r");
    assert_ne!(of(tar(&[("a.json", other.as_bytes())])), base);
    assert_ne!(of(tar(&[("b.json", json.as_bytes())])), base);
    assert_ne!(of(tar(&[("a.json", format!("{json} ").as_bytes())])), base);
    assert_ne!(
        of(tar(&[("x.cls", b"1"), ("a.json", json.as_bytes())])),
        base
    );
}

#[test]
fn a_fingerprint_knows_how_many_samples_count() {
    let json = question("<image>");
    let files: [(&str, &[u8]); 3] = [
        ("a.jpg", b"P"),
        ("a.json", json.as_bytes()),
        ("b.jpg", b"P"),
    ];
    let whole = tar(&files);
    let cut = whole[..6 * 512].to_vec();
    let of = |archive: Vec<u8>| {
        let fixture = Fixture::new(archive);
        let dataset = fixture.open();
        (dataset.len(), dataset.fingerprint().to_owned())
    };
    let (whole, cut) = (of(whole), of(cut));
    // Without its end mark nobody knows whether there was more of `b`.
    assert_eq!((whole.0, cut.0), (2, 1));
    assert_ne!(whole.1, cut.1);
}

/// Ten samples of a picture of 2 KB and a row, in the order of their names.
fn ten() -> Vec<u8> {
    let json = question("<image>");
    let names: Vec<_> = (0..10)
        .map(|i| (format!("{i}.jpg"), format!("{i}.json")))
        .collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .flat_map(|(jpg, text)| {
            [
                (jpg.as_str(), &[7; 2000][..]),
                (text.as_str(), json.as_bytes()),
            ]
        })
        .collect();
    tar(&files)
}

#[test]
fn an_archive_cut_anywhere_never_passes_for_whole() {
    let whole = ten();
    // A header and a body of 2,000 bytes, a header and a body of less than a block.
    let sample = 512 + 2048 + 512 + 512;
    for cut in (0..=10 * sample).step_by(256).skip(1) {
        let fixture = Fixture::new(&whole[..cut]);
        // What comes after the body to its block's end is nothing.
        let dataset = match dataset::open(&fixture.spec) {
            Ok(dataset) => dataset,
            Err(error) => {
                assert!(cut < sample, "{cut}: {error}");
                continue;
            }
        };
        let [fault] = dataset.faults() else {
            panic!("{cut}: {:?}", dataset.faults())
        };
        assert_eq!((fault.file.as_str(), fault.rows), ("rows", 1));
        assert!(
            fault.reason.contains("breaks off or is damaged at byte"),
            "{fault}"
        );
        let expected = cut / sample;
        let got = dataset.len() as usize;
        let end_of_json = expected * sample + sample - 256;
        assert!(
            got == expected || (cut >= end_of_json && got == expected + 1),
            "{cut}: {got}"
        );
        for i in 0..dataset.len() {
            let sample = dataset.read(i).unwrap();
            assert_eq!(sample.media[0].blob.read(2000).unwrap().len(), 2000);
        }
    }
    // The end mark is a block of zeros.
    let fixture = Fixture::new(&whole[..10 * sample + 512]);
    assert!(fixture.open().faults().is_empty());
}

#[test]
fn a_damaged_header_costs_what_comes_after_it() {
    let mut damaged = ten();
    let sample = 512 + 2048 + 512 + 512;
    damaged[4 * sample + 3] ^= 1;
    let fixture = Fixture::new(&damaged);
    let dataset = fixture.open();
    // The group before may go on behind the damage, so it counts as lost.
    assert_eq!(dataset.len(), 3);
    let [fault] = dataset.faults() else {
        panic!("{:?}", dataset.faults())
    };
    assert!(
        fault.reason.contains(&format!("at byte {}", 4 * sample))
            && fault.reason.contains("checksum"),
        "{fault}"
    );
    assert!((7..=8).contains(&fault.rows), "{fault}");

    // At the start: nothing is left, and the damage is the reason.
    let mut first = ten();
    first[512 + 2048 + 10] ^= 1;
    let problem = Fixture::new(&first).problem();
    assert!(
        matches!(problem, DatasetProblem::BrokenArchive { offset: 2560, .. }),
        "{problem}"
    );
}

#[test]
fn a_size_without_end_is_a_cut() {
    for size in [1 << 33, u64::MAX / 2, u64::MAX] {
        let mut archive = ten();
        archive.truncate(10 * (512 + 2048 + 512 + 512));
        let mut header = Header::new_gnu();
        header.set_path("huge.jpg").unwrap();
        header.set_size(size);
        header.set_cksum();
        archive.extend(header.as_bytes());
        archive.extend([1; 700]);
        let fixture = Fixture::new(archive);
        let dataset = fixture.open();
        assert_eq!(dataset.len(), 10, "{size}");
        let [fault] = dataset.faults() else {
            panic!("{:?}", dataset.faults())
        };
        let says = format!("700 of the {size} bytes of `huge.jpg`");
        assert!(fault.reason.contains(&says), "{fault}");
    }
}

#[test]
fn archives_without_samples() {
    let empty = tar(&[]);
    assert!(matches!(
        Fixture::new(&empty).problem(),
        DatasetProblem::Empty
    ));
    assert!(matches!(
        Fixture::new([0; 10240]).problem(),
        DatasetProblem::Empty
    ));
    let inner = ten();
    let nested = tar(&[("inner.tar", &inner)]);
    let problem = Fixture::new(nested).problem().to_string();
    assert!(
        problem.contains("1 files") && problem.contains("`inner.tar`"),
        "{problem}"
    );
}

#[test]
fn archives_put_behind_each_other_lose_the_second() {
    let joined = [ten(), ten()].concat();
    let fixture = Fixture::new(joined);
    let dataset = fixture.open();
    assert_eq!(dataset.len(), 10);
    let [fault] = dataset.faults() else {
        panic!("{:?}", dataset.faults())
    };
    assert!(
        fault.reason.contains("cat") && (10..=11).contains(&fault.rows),
        "{fault}"
    );
}

#[test]
fn an_archive_that_changes_is_found_out_by_the_row() {
    let fixture = Fixture::new(ten());
    let dataset = fixture.open();
    fs_err::write(&fixture.spec.path, [7; 9000]).unwrap();
    assert!(matches!(
        dataset.read(0).unwrap_err().problem,
        SampleProblem::Io(_)
    ));
    fs_err::write(&fixture.spec.path, b"").unwrap();
    assert!(matches!(
        dataset.read(9).unwrap_err().problem,
        SampleProblem::Io(_)
    ));
}

#[test]
fn no_file_stays_open() {
    let fixture = Fixture::new(ten());
    let dataset = fixture.open();
    let samples: Vec<_> = (0..10).map(|i| dataset.read(i).unwrap()).collect();
    let path = fs_err::canonicalize(&fixture.spec.path).unwrap();
    let open = fs_err::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(Result::ok);
    assert!(
        !open
            .filter_map(|fd| fs_err::read_link(fd.path()).ok())
            .any(|to| to == path)
    );
    assert!(
        samples
            .iter()
            .all(|sample| sample.media[0].blob.read(2000).is_ok())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes changed at random make errors, faults or failures, never a panic, and never media from elsewhere.
    #[test]
    fn damaged_archives_never_panic(
        name in prop::sample::select(vec!["kinds.tar", "long.tar", "long_gnu.tar"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut: prop::sample::Index,
    ) {
        let mut content = fs_err::read(fixture(name)).unwrap();
        content.truncate(cut.index(content.len() + 1));
        if !content.is_empty() {
            for (at, byte) in changes {
                let at = at.index(content.len());
                content[at] = byte;
            }
        }
        let fixture = Fixture::new(&content);
        if let Ok(dataset) = dataset::open(&fixture.spec) {
            for i in 0..dataset.len() {
                let Ok(sample) = dataset.read(i) else { continue };
                let root = fixture.media("");
                prop_assert!(sample.media.iter().all(|media| media.blob.path().is_none_or(|path| path.starts_with(&root))));
            }
        }
    }
}
