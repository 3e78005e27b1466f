//! Archives: what webdataset writes and reads, what people bend, and what damage does.

mod damage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use madmix::blob::Blob;
use madmix::dataset::{self, DatasetProblem, Irregularity, MediaKind, Role, Sample, SampleProblem};
use proptest::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::{Fixture, row};

/// What webdataset reads of the archives that its writers wrote.
#[derive(Deserialize)]
struct View {
    archives: BTreeMap<String, Vec<Seen>>,
}

#[derive(Deserialize)]
struct Seen {
    key: String,
    /// SHA-256 by ending.
    members: BTreeMap<String, String>,
    json: Option<String>,
}

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/dataset/webdataset")
        .join(name)
}

fn view() -> View {
    serde_json::from_slice(&fs_err::read(fixture("view.json")).unwrap()).unwrap()
}

/// Opens an archive of webdataset's.
fn open_fixture(name: &str) -> Fixture {
    Fixture::new(fs_err::read(fixture(name)).unwrap())
}

fn digest(blob: &Blob) -> String {
    let bytes = blob.read(1 << 20).unwrap();
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// An archive of these files.
pub(super) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        // Names that the crate refuses as unsafe are put in as they are.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn question(text: &str) -> String {
    row("", text)
}

/// The only sample of an archive of these files.
fn read(files: &[(&str, &[u8])]) -> Result<Sample, SampleProblem> {
    let fixture = Fixture::new(tar(files));
    let dataset = fixture.open();
    assert_eq!((dataset.len(), dataset.format()), (1, "WebDataset"));
    dataset.read(0).map_err(|error| error.problem)
}

fn names(sample: &Sample) -> Vec<&str> {
    sample
        .media
        .iter()
        .map(|media| media.name.as_str())
        .collect()
}

#[test]
fn what_webdataset_writes_is_read_as_webdataset_reads_it() {
    for (name, seen) in view().archives {
        if Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "tgz")
        {
            continue;
        }
        let fixture = open_fixture(&name);
        let dataset = fixture.open();
        assert_eq!(dataset.len(), seen.len() as u64, "{name}");
        assert!(dataset.faults().is_empty(), "{name}");
        for (i, seen) in seen.iter().enumerate() {
            let sample = dataset.read(i as u64);
            if seen.key == "labelled" {
                let error = sample.unwrap_err();
                assert_eq!(
                    (error.id.as_str(), error.problem),
                    ("labelled", SampleProblem::NoText)
                );
                continue;
            }
            let sample = sample.unwrap();
            let own_id = seen
                .json
                .as_ref()
                .is_some_and(|json| json.contains("own id"));
            assert_eq!(sample.id, if own_id { "own id" } else { &seen.key });
            for media in &sample.media {
                if media.blob.path().is_some() {
                    assert_eq!(seen.key, "outside");
                    continue;
                }
                // The key, the dot, and the ending that webdataset knows the member by.
                let ending = &media.name[seen.key.len() + 1..];
                assert_eq!(media.name, format!("{}.{ending}", seen.key));
                assert_eq!(
                    digest(&media.blob),
                    seen.members[ending],
                    "{name} {}",
                    media.name
                );
            }
            let known = |ending: &str| {
                ["jpg", "png", "webp", "mp4"].contains(&ending.rsplit('.').next().unwrap())
            };
            let shown = seen.members.keys().filter(|ending| known(ending)).count();
            assert_eq!(
                sample.media.len(),
                shown + usize::from(seen.key == "outside")
            );
        }
    }
}

#[test]
fn samples_of_every_kind() {
    let fixture = open_fixture("kinds.tar");
    let dataset = fixture.open();
    let samples: BTreeMap<_, _> = (0..dataset.len())
        .filter_map(|i| dataset.read(i).ok())
        .map(|sample| (sample.id.clone(), sample))
        .collect();
    let texts = |id: &str| -> Vec<_> {
        let turns = samples[id].turns.iter();
        turns.map(|turn| (turn.role, turn.text.clone())).collect()
    };
    let exchange = |question: &str, answer: &str| {
        vec![
            (Role::User, question.to_owned()),
            (Role::Assistant, answer.to_owned()),
        ]
    };
    let names = |id: &str| names(&samples[id]);

    assert_eq!(texts("own id"), exchange("<image>\nWhat?", "A cat."));
    assert_eq!(names("own id"), ["plain.jpg"]);
    // The path from before it was packed names nothing; there is one picture, and one in the archive.
    assert_eq!(names("folder.v1/keyed"), ["folder.v1/keyed.png"]);
    assert_eq!(
        names("many"),
        ["many.img1.jpg", "many.img2.jpg", "many.img10.jpg"]
    );
    assert_eq!(names("ordered"), ["ordered.img2.jpg", "ordered.img1.jpg"]);
    assert_eq!(texts("captioned"), exchange("<image>", "A caption."));
    assert_eq!(
        texts("caption-in-json"),
        exchange("<image>", "Another caption.")
    );
    assert_eq!(texts("energon"), exchange("<image>\nWhat?", "bare turns"));
    assert_eq!(texts("clip"), exchange("<video>\nWhat happens?", "b"));
    assert_eq!(samples["clip"].media[0].kind, MediaKind::Video);
    assert!(names("words").is_empty());
    let outside = &samples["outside"].media[0];
    assert_eq!(outside.blob, Blob::Path(fixture.media("elsewhere/1.jpg")));
    // A key is an id.
    assert!(
        samples
            .values()
            .all(|sample| !sample.irregularities.contains(&Irregularity::NoId))
    );
}

#[test]
fn rows_name_members_by_name_base_name_or_ending() {
    let pictures: [(&str, &[u8]); 2] = [("./f/x.a.jpg", b"A"), ("./f/x.b.JPG", b"B")];
    let with = |image: &str| {
        let json = row(&format!(r#""image": {image}, "#), "<image><image>");
        read(&[pictures[0], pictures[1], ("./f/x.json", json.as_bytes())])
    };
    for image in [
        r#"["f/x.b.JPG", "f/x.a.jpg"]"#,
        r#"["./f/x.b.JPG", "./f/x.a.jpg"]"#,
        r#"["x.b.JPG", "x.a.jpg"]"#,
        r#"["b.JPG", "a.jpg"]"#,
        r#"["b.jpg", "a.jpg"]"#,
    ] {
        assert_eq!(
            names(&with(image).unwrap()),
            ["./f/x.b.JPG", "./f/x.a.jpg"],
            "{image}"
        );
    }
    assert_eq!(
        names(&with(r#"["b.jpg", "b.jpg"]"#).unwrap()),
        ["./f/x.b.JPG"; 2]
    );
    assert_eq!(
        names(&with("null").unwrap()),
        ["./f/x.a.jpg", "./f/x.b.JPG"]
    );
    assert_eq!(
        names(&with(r#"["old/1.jpg", "old/2.jpg"]"#).unwrap()),
        ["./f/x.a.jpg", "./f/x.b.JPG"]
    );
    // From before they were packed; of two files with one base name nobody knows which is meant.
    for image in [
        r#"["orig/x.b.JPG", "orig/x.a.jpg"]"#,
        r#"["/data/orig/b.jpg", "/data/orig/a.jpg"]"#,
    ] {
        let sample = with(image).unwrap();
        assert_eq!(names(&sample), ["./f/x.b.JPG", "./f/x.a.jpg"], "{image}");
    }
    assert_eq!(
        names(&with(r#"["u/x.b.JPG", "v/x.b.JPG"]"#).unwrap()),
        ["./f/x.a.jpg", "./f/x.b.JPG"]
    );
    // One in the archive, one beside it.
    let mixed = with(r#"["other.jpg", "a.jpg"]"#).unwrap();
    assert_eq!(names(&mixed), ["other.jpg", "./f/x.a.jpg"]);
    assert!(mixed.media[0].blob.path().is_some() && mixed.media[1].blob.path().is_none());
    // Not as many as there are: they lie elsewhere, and must not leave the root there.
    for (path, problem) in [
        (
            "../../etc/passwd",
            SampleProblem::MediaParent("../../etc/passwd".into()),
        ),
        (
            "/etc/passwd",
            SampleProblem::MediaAbsolute("/etc/passwd".into()),
        ),
    ] {
        assert_eq!(
            with(&format!(r#"["{path}", "a.jpg"]"#)).unwrap_err(),
            problem
        );
    }
    let mut three = with(r#"["1.jpg", "2.jpg", "3.jpg"]"#);
    assert!(
        matches!(three, Err(SampleProblem::Placeholders { images: 3, .. })),
        "{three:?}"
    );
    three = with(r#""1.jpg""#);
    assert!(
        matches!(three, Err(SampleProblem::Placeholders { images: 1, .. })),
        "{three:?}"
    );
}

#[test]
fn names_are_never_paths() {
    let json = question("<image>");
    for key in ["/etc/x", "../../x", "a/../../x", "C:\\x"] {
        let picture = format!("{key}.jpg");
        let text = format!("{key}.json");
        let fixture = Fixture::new(tar(&[(&picture, b"P"), (&text, json.as_bytes())]));
        let sample = fixture.open().read(0).unwrap();
        assert_eq!(
            (sample.id.as_str(), names(&sample)),
            (key, vec![picture.as_str()])
        );
        assert_eq!(sample.media[0].blob.read(9).unwrap(), b"P");
    }
}

#[test]
fn samples_that_cannot_be_used_cost_themselves_alone() {
    let good = question("<image>");
    let good = good.as_bytes();
    let archive = tar(&[
        ("README.md", b"read me"),
        ("0.jpg", b"P"),
        ("0.json", good),
        ("1.jpg", b"P"),
        ("2.json", b"{\"id\": \"\xff\"}"),
        ("3.json", b"{\"conversations\": [{\"from\""),
        ("4.json", good),
        ("4.jpg", b"P"),
        ("4.JPG", b"Q"),
        ("5.txt", b"A caption of nothing."),
        ("6.jpg", b"P"),
        ("6.txt", b"caf\xe9"),
        ("7.json", b"{\"width\": 1}"),
        ("8.json", b"3"),
        ("9.cls", b"9"),
        ("10.jpg", b"P"),
        ("10.json", good),
        ("dir.v1/", b""),
        (".hidden.json", b"{}"),
        ("a/._10.jpg", b"\0\x05\x16\x07"),
        ("__meta__/x.json", b"{}"),
        // Not beside the first of that key.
        ("0.png", b"P"),
    ]);
    let fixture = Fixture::new(archive);
    let dataset = fixture.open();
    let read: Vec<_> = (0..dataset.len()).map(|i| dataset.read(i)).collect();
    let ids: Vec<_> = read
        .iter()
        .map(|sample| {
            sample
                .as_ref()
                .map_or_else(|error| error.id.clone(), |sample| sample.id.clone())
        })
        .collect();
    assert_eq!(
        ids,
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "10", "0"]
    );
    let problems: Vec<_> = read
        .iter()
        .map(|sample| sample.as_ref().err().map(|error| error.problem.to_string()))
        .collect();
    let says = [
        "",
        "neither a JSON nor a caption",
        "not valid JSON",
        "not valid JSON",
        "the archive holds `4.JPG` twice",
        "no picture or video of that key",
        "`6.txt` is not UTF-8 after its first 3 bytes",
        "`conversations",
        "`the row` is a number, expected an object",
        "",
        "neither a JSON nor a caption",
    ];
    for (problem, says) in problems.iter().zip(says) {
        match problem {
            None => assert!(says.is_empty(), "expected {says}"),
            Some(problem) => assert!(!says.is_empty() && problem.contains(says), "{problem}"),
        }
    }
    for (i, sample) in read.iter().enumerate() {
        let row = sample
            .as_ref()
            .map_or_else(|error| error.row, |sample| sample.row);
        assert_eq!(row, i as u64);
    }
}

#[test]
fn the_key_that_names_media_is_the_one_that_counts() {
    for keys in [
        r#""image": null, "images": ["k.b.png", "k.a.png"], "#,
        r#""image": [], "images": ["k.b.png", "k.a.png"], "#,
        r#""image": "", "images": ["k.b.png", "k.a.png"], "#,
        r#""image": ["k.b.png", "k.a.png"], "images": null, "#,
    ] {
        let json = row(keys, "<image><image>");
        let sample = read(&[
            ("k.a.png", b"A"),
            ("k.b.png", b"B"),
            ("k.json", json.as_bytes()),
        ]);
        assert_eq!(names(&sample.unwrap()), ["k.b.png", "k.a.png"], "{keys}");
    }
}

/// What is shown of a sample with the pictures `k.a.png` and `k.b.png`, whose user's content is this.
fn shown(content: &str, keys: &str) -> Result<Vec<(String, Blob)>, SampleProblem> {
    let json = format!(
        r#"{{"messages": [{{"role": "user", "content": {content}}}, {{"role": "assistant", "content": "a"}}]{keys}}}"#
    );
    let sample = read(&[
        ("k.a.png", b"A"),
        ("k.b.png", b"B"),
        ("k.json", json.as_bytes()),
    ])?;
    let media = sample.media.into_iter();
    Ok(media.map(|media| (media.name, media.blob)).collect())
}

#[test]
fn parts_of_messages_name_members() {
    let image = |path: &str| format!(r#"{{"type": "image", "image": "{path}"}}"#);
    let next = r#"{"type": "image"}"#;
    let text = r#"{"type": "text", "text": "and"}"#;
    let of = |parts: &[&str], keys| {
        let media = shown(&format!("[{}]", parts.join(", ")), keys).unwrap();
        media.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    for (b, a) in [
        ("k.b.png", "k.a.png"),
        ("orig/k.b.png", "orig/k.a.png"),
        ("b.png", "a.png"),
    ] {
        let (b, a) = (image(b), image(a));
        assert_eq!(of(&[&b, text, &a], ""), ["k.b.png", "k.a.png"]);
        // The one without a source is the one that no path names.
        assert_eq!(of(&[&b, text, next], ""), ["k.b.png", "k.a.png"]);
        assert_eq!(of(&[next, text, &a], ""), ["k.b.png", "k.a.png"]);
        assert_eq!(of(&[&b, &a, &b], ""), ["k.b.png", "k.a.png", "k.b.png"]);
    }
    // Without sources, in the order of the row's own key or of the names.
    assert_eq!(of(&[next, next], ""), ["k.a.png", "k.b.png"]);
    let keys = r#", "images": ["k.b.png", "k.a.png"]"#;
    assert_eq!(of(&[next, next], keys), ["k.b.png", "k.a.png"]);
    assert_eq!(of(&[&image("k.a.png"), next], keys), ["k.a.png", "k.b.png"]);
    // Paths from before the packing that say nothing of the names.
    let (x, y) = (image("coco/y.png"), image("coco/x.png"));
    assert_eq!(of(&[&x, &y], ""), ["k.a.png", "k.b.png"]);

    // What is no member lies below the media root, or is there itself.
    let (a, b) = (image("k.a.png"), image("k.b.png"));
    for other in ["elsewhere/c.png", "data:,x"] {
        let media = shown(&format!("[{b}, {}, {a}]", image(other)), "").unwrap();
        let is_member: Vec<_> = media
            .iter()
            .map(|(_, blob)| matches!(blob, Blob::Part { .. }))
            .collect();
        assert_eq!(is_member, [true, false, true], "{other}");
        assert_eq!((&*media[0].0, &*media[2].0), ("k.b.png", "k.a.png"));
    }
    // A member that no part shows.
    let left = shown(&format!("[{b}]"), "");
    assert!(
        matches!(left, Err(SampleProblem::Placeholders { images: 2, .. })),
        "{left:?}"
    );
}

#[test]
fn a_key_without_end_is_a_problem_of_its_sample() {
    let files = |members: usize| {
        let names: Vec<_> = (0..members).map(|i| format!("k.{i}.png")).collect();
        let json = question(&"<image>".repeat(members));
        let mut files: Vec<(&str, &[u8])> = names
            .iter()
            .map(|name| (name.as_str(), &b"P"[..]))
            .collect();
        files.push(("k.json", json.as_bytes()));
        read(&files)
    };
    assert_eq!(files(4095).unwrap().media.len(), 4095);
    assert_eq!(
        files(4096).unwrap_err(),
        SampleProblem::TooManyMembers {
            members: 4097,
            limit: 4096
        }
    );
}

#[test]
fn links_and_sparse_files_are_refused() {
    let good = question("<image>");
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::GNUSparse] {
        let mut builder = Builder::new(Vec::new());
        let mut link = Header::new_gnu();
        link.set_entry_type(kind);
        link.set_size(0);
        link.set_path("a.jpg").unwrap();
        if kind != EntryType::GNUSparse {
            link.set_link_name("/etc/passwd").unwrap();
        }
        link.set_cksum();
        builder.append(&link, &b""[..]).unwrap();
        for name in ["a.json", "b.json"] {
            let mut header = Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_size(good.len() as u64);
            header.set_cksum();
            builder.append(&header, good.as_bytes()).unwrap();
        }
        let fixture = Fixture::new(builder.into_inner().unwrap());
        let dataset = fixture.open();
        let problem = dataset.read(0).unwrap_err().problem;
        assert_eq!(
            problem,
            SampleProblem::MemberElsewhere("a.jpg".into()),
            "{kind:?}"
        );
        // The steps after it are right.
        assert!(matches!(
            dataset.read(1).unwrap_err().problem,
            SampleProblem::Placeholders { .. }
        ));
        assert_eq!(dataset.read(1).unwrap_err().id, "b");
    }
}

#[test]
fn irregularities_of_rows() {
    let jpg: (&str, &[u8]) = ("x.jpg", b"P");
    let with = |json: &str| read(&[jpg, ("x.json", json.as_bytes())]);
    // A list for a string, null, a stray key, a list of one row, a byte order mark, ids of numbers.
    for json in [
        row(r#""image": ["x.jpg"], "#, "<image>"),
        row(r#""image": null, "#, "<image>"),
        row(r#""image": "", "id": null, "#, "<image>"),
        row(r#""stray": {"a": [1]}, "#, "<image>"),
        format!("[{}]", question("<image>")),
        format!("\u{feff}{}", question("<image>")),
        "\u{feff} [{\"from\": \"human\", \"value\": \"<image>\"}]".to_owned(),
    ] {
        let sample = with(&json).unwrap();
        assert_eq!(
            (sample.id.as_str(), names(&sample)),
            ("x", vec!["x.jpg"]),
            "{json}"
        );
        assert!(sample.irregularities.is_empty(), "{json}");
    }
    assert_eq!(with(&row(r#""id": 7, "#, "<image>")).unwrap().id, "7");
    let missing = with(&question("no placeholder")).unwrap();
    assert_eq!(missing.irregularities, [Irregularity::PlaceholderMissing]);
    assert!(matches!(
        with(&question("<image><image>")),
        Err(SampleProblem::Placeholders { images: 1, .. })
    ));
    let turn = |from: &str, value: &str| format!(r#"{{"from": "{from}", "value": "{value}"}}"#);
    let out_of_order = format!(
        r#"{{"conversations": [{}, {}]}}"#,
        turn("gpt", "a"),
        turn("human", "<image>")
    );
    assert_eq!(
        with(&out_of_order).unwrap().irregularities,
        [Irregularity::TurnsOutOfOrder]
    );
    let shown = format!(
        r#"{{"conversations": [{}, {}]}}"#,
        turn("human", "q"),
        turn("gpt", "<image>")
    );
    assert!(matches!(
        with(&shown),
        Err(SampleProblem::PlaceholderRole { .. })
    ));
    // A placeholder and no picture.
    let alone = read(&[("x.json", question("<image>").as_bytes())]);
    assert!(matches!(
        alone,
        Err(SampleProblem::Placeholders { images: 0, .. })
    ));
}

#[test]
fn filters_see_rows_names_and_members() {
    let source =
        |source: &str, image: &str| row(&format!(r#""data_source": "{source}", {image}"#), "q");
    let (a, b) = (
        source("a", ""),
        source("b", r#""image": "old/coco/1.jpg", "#),
    );
    let archive = tar(&[
        ("f/0.jpg", b"P"),
        ("f/0.json", a.as_bytes()),
        ("f/1.jpg", b"P"),
        ("f/1.json", b.as_bytes()),
        ("g/2.mp4", b"V"),
        ("g/2.txt", b"caption"),
        ("g/3.json", a.as_bytes()),
        ("g/4.json", b.as_bytes()),
        ("g/5.json", b"{"),
        ("g/6.jpg", b"P"),
    ]);
    let kept = |filter: &str| {
        let fixture = Fixture::filtered(&archive, filter);
        let dataset = fixture.open();
        (0..dataset.len())
            .map(|i| {
                dataset
                    .read(i)
                    .map_or_else(|error| error.row, |sample| sample.row)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(r#"{"data_source": ["a"]}"#), [0, 3]);
    assert_eq!(kept(r#"{"data_source": ["b"]}"#), [1, 4]);
    assert_eq!(kept(r#"{"media": "f"}"#), [0, 1]);
    assert_eq!(kept(r#"{"path": "coco"}"#), [1, 4]);
    assert_eq!(kept(r#"{"path": "mp4$"}"#), [2]);
    assert_eq!(kept(r#"{"modality": ["image"]}"#), [0, 1, 4]);
    assert_eq!(kept(r#"{"modality": ["video"]}"#), [2]);
    assert_eq!(kept(r#"{"modality": ["text"]}"#), [3]);
    // A list of one row is that row; bare turns have no source; a broken list is nothing.
    let listed = tar(&[
        ("0.json", format!("[{a}]").as_bytes()),
        ("1.json", format!("[{b}]").as_bytes()),
        ("2.json", br#"[{"from": "human", "value": "q"}]"#),
        ("3.json", b"[{"),
    ]);
    let of_list = |filter: &str| {
        let fixture = Fixture::filtered(&listed, filter);
        let dataset = fixture.open();
        (0..dataset.len())
            .map(|i| {
                dataset
                    .read(i)
                    .map_or_else(|error| error.row, |sample| sample.row)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(of_list(r#"{"data_source": ["a"]}"#), [0]);
    assert_eq!(of_list(r#"{"path": "coco"}"#), [1]);
    assert_eq!(of_list(r#"{"modality": ["text"]}"#), [0, 2]);
    let problem = Fixture::filtered(&archive, r#"{"data_source": ["z"]}"#)
        .problem()
        .to_string();
    assert!(problem.contains("none of its 7 rows"), "{problem}");
}
