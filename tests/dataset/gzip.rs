//! Files packed with gzip: read as what they hold, and what is left of damaged ones.

use std::io::Write;
use std::sync::Mutex;

use flate2::Compression;
use flate2::write::GzEncoder;
use madmix::dataset::{self, DatasetProblem};

use super::webdataset::{fixture, tar};
use super::{Fixture, ids, plain, row};

pub(super) fn gz(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn lines(count: u64) -> String {
    (0..count).map(plain).collect::<Vec<_>>().join("\n")
}

#[test]
fn packed_files_are_read_as_what_they_hold() {
    let list = format!("[{}, {}]", plain(0), plain(1));
    let archive = tar(&[
        ("0.json", plain(0).as_bytes()),
        ("1.json", plain(1).as_bytes()),
    ]);
    for plain in [lines(2).into_bytes(), list.into_bytes(), archive] {
        let (packed, unpacked) = (Fixture::new(gz(&plain)), Fixture::new(&plain));
        let (dataset, expected) = (packed.open(), unpacked.open());
        assert_eq!(ids(&*dataset), ["0", "1"]);
        assert_eq!(
            (dataset.fingerprint(), dataset.format()),
            (expected.fingerprint(), expected.format())
        );
        assert!(dataset.faults().is_empty());
    }
    // Several members behind each other are one file.
    let text = lines(30);
    let (first, second) = text.split_at(777);
    let members = Fixture::new([gz(first), gz(second)].concat());
    assert_eq!(members.open().len(), 30);
}

#[test]
fn what_webdataset_packs() {
    let packed = Fixture::new(fs_err::read(fixture("kinds.tgz")).unwrap());
    let plain = Fixture::new(fs_err::read(fixture("kinds.tar")).unwrap());
    let (packed, plain) = (packed.open(), plain.open());
    assert_eq!(packed.fingerprint(), plain.fingerprint());
    let picture = |dataset: &dyn dataset::Dataset| {
        let sample = dataset.read(0).unwrap();
        (
            sample.id,
            sample.media[0].name.clone(),
            sample.media[0].blob.read(1 << 20).unwrap(),
        )
    };
    let (id, name, bytes) = picture(&*packed);
    assert_eq!(id, "own id");
    // Plain's folder is gone, so its picture is read from the fixture itself.
    let whole = fs_err::read(fixture("kinds.tar")).unwrap();
    assert!(name == "plain.jpg" && whole.windows(bytes.len()).any(|window| window == bytes));
}

#[test]
fn the_copy_goes_with_the_dataset() {
    let fixture = Fixture::new(gz(tar(&[
        ("0.jpg", b"P"),
        ("0.json", row("", "<image>").as_bytes()),
    ])));
    let dataset = fixture.open();
    let blob = dataset.read(0).unwrap().media.remove(0).blob;
    assert_eq!(blob.read(1).unwrap(), b"P");
    drop(dataset);
    assert!(blob.read(1).is_err());
}

#[test]
fn names_do_not_count() {
    let mut fixture = Fixture::new("");
    fixture.spec.path = fixture.media("rows.jsonl.gz");
    fs_err::write(&fixture.spec.path, lines(2)).unwrap();
    assert_eq!(fixture.open().len(), 2);
    fs_err::write(&fixture.spec.path, "id,image").unwrap();
    let message = fixture.problem().to_string();
    assert!(
        message.contains("is no gzip, as its name says, and starts with \"id,image\""),
        "{message}"
    );
    fs_err::write(&fixture.spec.path, "").unwrap();
    assert!(matches!(fixture.problem(), DatasetProblem::Empty));
    fixture.spec.path = fixture.media("rows.jsonl");
    fs_err::write(&fixture.spec.path, gz(lines(2))).unwrap();
    assert_eq!(fixture.open().len(), 2);
}

#[test]
fn damaged_files_give_what_can_be_unpacked() {
    let noise = |i: u64| {
        row(
            &format!(
                r#""id": {i}, "x": {}, "#,
                i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ),
            "q",
        )
    };
    let rows = (0..5000).map(noise).collect::<Vec<_>>();
    let packed = gz(rows.join("\n"));
    let half = &packed[..packed.len() / 2];
    let fixture = Fixture::new(half);
    let dataset = fixture.open();
    assert!((1500..4000).contains(&dataset.len()), "{}", dataset.len());
    assert!((0..dataset.len() - 1).all(|i| dataset.read(i).is_ok()));
    let [fault] = dataset.faults() else {
        panic!("{:?}", dataset.faults())
    };
    assert!(
        fault.reason.contains("the gzip is cut off at byte") && fault.rows == 1,
        "{fault}"
    );

    // What follows is lost with it: about as many rows as came before.
    let mut trailing = packed.clone();
    trailing.extend(vec![1; packed.len()]);
    let fixture = Fixture::new(trailing);
    let dataset = fixture.open();
    assert_eq!(dataset.len(), 5000);
    let [fault] = dataset.faults() else {
        panic!("{:?}", dataset.faults())
    };
    assert_eq!(fault.rows, 5000, "{fault}");

    let mut wrong_sum = packed.clone();
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    let fixture = Fixture::new(wrong_sum);
    let dataset = fixture.open();
    assert_eq!((dataset.len(), dataset.faults().len()), (5000, 1));

    // An archive has one fault for both.
    let archive = gz(tar(&[
        ("0.json", plain(0).as_bytes()),
        ("1.json", noise(7).as_bytes()),
        ("2.mp4", &half[..4000]),
    ]));
    let fixture = Fixture::new(&archive[..archive.len() - 1500]);
    let dataset = fixture.open();
    assert_eq!(ids(&*dataset), ["0", "7"]);
    let [fault] = dataset.faults() else {
        panic!("{:?}", dataset.faults())
    };
    assert!(
        fault.reason.contains("gzip is cut off") && fault.reason.contains("`2.mp4`"),
        "{fault}"
    );

    // A list without its end is none.
    let list = gz(format!("[{}]", rows.join(",")));
    let problem = Fixture::new(&list[..list.len() / 2]).problem();
    assert!(matches!(problem, DatasetProblem::Gzip { .. }), "{problem}");
    let message = problem.to_string();
    assert!(
        message.contains("the gzip is cut off") && message.contains("the end of the file"),
        "{message}"
    );
    for nothing in [&b"\x1f\x8b\x08\0"[..], b"\x1f\x8b\x08"] {
        let message = Fixture::new(nothing).problem().to_string();
        assert!(message.contains("the gzip is cut off"), "{message}");
    }
}

#[test]
fn bombs_are_refused() {
    let bomb = gz(vec![b' '; 80 << 20]);
    let problem = Fixture::new(&bomb).problem();
    assert!(
        matches!(problem, DatasetProblem::GzipGrows { .. }),
        "{problem}"
    );
    // Packed twice it is not rows either.
    let problem = Fixture::new(gz(bomb)).problem();
    assert!(problem.to_string().contains("gzip"), "{problem}");
}

#[test]
fn progress_goes_one_way() {
    let fixture = Fixture::new(gz(lines(20_000)));
    let heard = Mutex::new(Vec::new());
    dataset::open_with(&fixture.spec, &|done, total| {
        heard.lock().unwrap().push((done, total));
    })
    .unwrap();
    let shares: Vec<_> = heard
        .into_inner()
        .unwrap()
        .iter()
        .map(|&(done, total)| done as f64 / total as f64)
        .collect();
    assert!(
        shares.len() > 2 && shares.is_sorted() && shares.iter().any(|share| *share <= 0.5),
        "{shares:?}"
    );
    assert!((shares.last().unwrap() - 1.0).abs() < 1e-9);
}
