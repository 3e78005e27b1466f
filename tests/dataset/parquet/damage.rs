//! What is told of a file as a whole, and what damage does to it.

use super::*;

fn problem(content: Vec<u8>) -> ParquetProblem {
    match Fixture::new(content).problem() {
        DatasetProblem::Parquet(problem) => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn files_that_are_refused() {
    assert_eq!(problem(content("encrypted")), ParquetProblem::Encrypted);
    let codec = problem(content("codec_brotli")).to_string();
    assert!(
        codec.contains("column `id` is compressed with brotli"),
        "{codec}"
    );
    let turns = problem(content("no_turns")).to_string();
    assert!(
        turns.contains(
            "no column is called `conversations` or `messages` or `query` or `texts`; its columns are `url`, `caption`"
        ),
        "{turns}"
    );
    assert!(matches!(
        fixture("no_rows").problem(),
        DatasetProblem::Empty
    ));
    let whole = content("onevision");
    for cut in [4, 5, 11, 12, 500, whole.len() - 1] {
        assert_eq!(
            problem(whole[..cut].to_vec()),
            ParquetProblem::NoFooter,
            "{cut}"
        );
    }
    let mut long = whole.clone();
    let at = whole.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(
        problem(long)
            .to_string()
            .contains("claims to be longer than the file")
    );
    let deep = [
        &b"\x15\x04\x19\xfc\x80\x89\x7a"[..],
        &b"\x48\x01g\x15\x02\0".repeat(2_000_000),
    ]
    .concat();
    let deep = [
        b"PAR1",
        &deep[..],
        b"\0",
        &(deep.len() as u32 + 1).to_le_bytes(),
        b"PAR1",
    ]
    .concat();
    let deep = problem(deep).to_string();
    assert!(deep.contains("columns in columns, 2000000 deep"), "{deep}");
    let mut garbled = whole.clone();
    let footer = u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    garbled[at - footer..at].fill(0xff);
    assert!(matches!(problem(garbled), ParquetProblem::Footer(_)));
}

#[test]
fn a_file_without_its_middle_keeps_what_lies_well() {
    // Without some bytes of the second of three row groups; the footer follows all the same.
    let whole = content("pages_v1");
    let footer = footer_start(&whole);
    let text = b"Question 30?";
    let at = whole
        .windows(text.len())
        .position(|bytes| bytes == text)
        .unwrap();
    let cut = [&whole[..at], &whole[at + 400..]].concat();
    let fixture = Fixture::new(cut);
    let dataset = fixture.open();
    let [fault] = dataset.faults() else {
        panic!("{:?}", dataset.faults());
    };
    assert_eq!((fault.rows, dataset.len()), (10, 50));
    assert!(
        fault.reason.contains("row group 2 lies at bytes"),
        "{fault}"
    );
    assert!(fault.reason.contains("cut off"), "{fault}");
    let read = rows(&*dataset);
    for (row, sample) in read.iter().take(25).enumerate() {
        assert_eq!(sample.as_ref().unwrap().id, row.to_string());
    }
    assert!(read[25..].iter().any(Result::is_err));

    let nothing = [&whole[..4], &whole[footer..]].concat();
    let problem = problem(nothing);
    assert!(
        matches!(problem, ParquetProblem::Group { group: 0, .. }),
        "{problem}"
    );
}

#[test]
fn a_damaged_page_costs_its_rows() {
    let whole = content("pages_v1");
    let text = b"Question 30?";
    let at = whole
        .windows(text.len())
        .position(|bytes| bytes == text)
        .unwrap();
    let mut bad = whole.clone();
    // The length of the text, which leads beyond the page.
    bad[at - 4..at].copy_from_slice(&[0xff; 4]);
    let fixture = Fixture::new(bad);
    let dataset = fixture.open();
    let read = rows(&*dataset);
    let failed: Vec<_> = problems(&read);
    // Where no index says which rows a page holds, also those behind it in its row group.
    assert!(failed.iter().any(|(row, _)| *row == 30), "{failed:?}");
    assert!(
        failed.iter().all(|(row, _)| (25..50).contains(row)),
        "{failed:?}"
    );
    assert!(
        failed.iter().all(|(_, reason)| reason.contains("damaged")),
        "{failed:?}"
    );
    let place = fixture.folder.path().to_str().unwrap();
    assert!(failed.iter().all(|(_, reason)| !reason.contains(place)));

    // The same in a column that a filter reads.
    let source = b"\x02\0\0\0s1";
    let at = whole.windows(6).position(|bytes| bytes == source).unwrap();
    let mut bad = whole;
    bad[at..at + 4].copy_from_slice(&[0xff; 4]);
    let all = r#"{"data_source": ["s0", "s1", "s2"]}"#;
    let kept = Fixture::filtered(bad, all).open().len();
    assert!((35..60).contains(&kept), "{kept}");
}

#[test]
fn text_that_is_not_utf8_costs_one_row() {
    let mut bad = content("pages_v1");
    let at = bad
        .windows(12)
        .position(|bytes| bytes == b"Question 31?")
        .unwrap();
    bad[at + 9] = 0xff;
    let rows = rows(&*Fixture::new(bad).open());
    let expected = SampleProblem::NotUtf8 {
        key: "conversations".into(),
        after: 9,
    };
    assert_eq!(problems(&rows).len(), 1);
    assert_eq!(rows[31], Err(expected));
}

#[test]
fn a_file_that_is_gone_or_changed_is_an_error_of_the_row() {
    let fixture = fixture("onevision");
    let dataset = fixture.open();
    fs_err::write(&fixture.spec.path, b"PAR1").unwrap();
    let problem = dataset.read(0).unwrap_err().problem;
    assert!(
        matches!(problem, SampleProblem::Damaged(_) | SampleProblem::Io(_)),
        "{problem}"
    );
    fs_err::remove_file(&fixture.spec.path).unwrap();
    let problem = dataset.read(0).unwrap_err().problem;
    assert_eq!(problem, SampleProblem::Io(std::io::ErrorKind::NotFound));
}

#[test]
fn fingerprints_are_of_the_footer_the_length_and_the_ends_of_what_lies_before() {
    let whole = content("onevision");
    let of = |content: &[u8]| Fixture::new(content).open().fingerprint().to_owned();
    assert_eq!(of(&whole), of(&whole));
    assert_ne!(of(&whole), of(&content("cauldron")));
    let mut longer = b"PAR1xx".to_vec();
    longer.extend_from_slice(&whole[4..]);
    assert_ne!(of(&whole), of(&longer));

    // Rewritten in place: a letter of a text, at most 64 KiB from either end; the middle is not looked at.
    let letters: BinaryArray = (0..4_u32)
        .map(|i| {
            let noise = (0..1600_u32).flat_map(|n| Sha256::digest((i * 1600 + n).to_le_bytes()));
            Some(noise.collect::<Vec<u8>>())
        })
        .collect();
    let said = texts([Some(SAID); 4]);
    let large = written(vec![("images", Arc::new(letters)), ("messages", said)]);
    let end = footer_start(&large);
    assert!(end > 3 * (64 << 10), "{end}");
    let changed = |at: usize| {
        let mut changed = large.clone();
        changed[at] ^= 1;
        of(&changed)
    };
    let sampled = 64 << 10;
    for at in [4, sampled - 1, end - sampled, end - 1] {
        assert_ne!(of(&large), changed(at), "{at}");
    }
    for at in [sampled, end / 2, end - sampled - 1] {
        assert_eq!(of(&large), changed(at), "{at}");
    }
}
