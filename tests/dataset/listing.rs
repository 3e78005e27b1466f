//! Which files a path names: one, those of a folder, those of a pattern.

use std::os::unix::fs::symlink;

use madmix::blob::Blob;
use madmix::dataset::{DatasetProblem, Place};

use super::gzip::gz;
use super::webdataset::{self, tar};
use super::{Fixture, ids, plain, row};

/// A folder with these files; the row of each has its name for an id.
fn folder(files: &[&str]) -> Fixture {
    let mut fixture = Fixture::new("");
    fs_err::remove_file(&fixture.spec.path).unwrap();
    for file in files {
        let path = fixture.media(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(
            path,
            row(&format!(r#""id": "{file}", "image": "x.jpg", "#), "<image>"),
        )
        .unwrap();
    }
    fixture.spec.path = fixture.media("");
    fixture
}

/// The ids that a path below the folder gives.
fn of(fixture: &mut Fixture, path: &str) -> Vec<String> {
    fixture.spec.path = fixture.media(path);
    ids(&*fixture.open())
}

fn problem(fixture: &mut Fixture, path: &str) -> String {
    fixture.spec.path = fixture.media(path);
    fixture.problem().to_string()
}

#[test]
fn a_folder_gives_its_data_files_in_the_order_of_their_names() {
    let mut fixture = folder(&[
        "part-10.json",
        "part-2.jsonl",
        "B.NDJSON",
        "a/b/deep.json",
        "a/1.json",
        "README.md",
        "x.jpg",
        ".hidden.json",
        ".git/config.json",
        "a/._1.json",
        "notes.txt",
        "json",
    ]);
    assert_eq!(
        of(&mut fixture, ""),
        [
            "B.NDJSON",
            "a/1.json",
            "a/b/deep.json",
            "part-2.jsonl",
            "part-10.json"
        ]
    );
    assert_eq!(of(&mut fixture, "a"), ["a/1.json", "a/b/deep.json"]);
    // Media lie in the folder, also those of files in folders in it.
    fixture.spec.path = fixture.media("");
    let media = fixture.open().read(2).unwrap().media.remove(0);
    assert_eq!(media.blob, Blob::Path(fixture.media("x.jpg")));
    let empty = problem(&mut folder(&["README.md", ".x.json"]), "");
    assert!(
        empty.contains("no data file") && empty.contains(".json .jsonl"),
        "{empty}"
    );
}

#[test]
fn errors_name_the_file_and_its_row() {
    let mut fixture = folder(&["1.json", "2.json"]);
    fs_err::write(fixture.media("2.json"), format!("{}\n{{", plain(7))).unwrap();
    fixture.spec.path = fixture.media("");
    let dataset = fixture.open();
    assert_eq!(dataset.len(), 3);
    let error = dataset.read(2).unwrap_err();
    let file = "2.json".into();
    assert_eq!((error.row, error.place), (2, Some(Place { file, row: 1 })));
}

#[test]
fn one_bad_file_among_good_ones_is_a_fault() {
    let mut fixture = folder(&["1.json", "2.json", "3.json"]);
    fs_err::write(fixture.media("2.json"), "<html>").unwrap();
    symlink(fixture.media("nowhere"), fixture.media("4.json")).unwrap();
    fixture.spec.path = fixture.media("");
    let dataset = fixture.open();
    assert_eq!(ids(&*dataset), ["1.json", "3.json"]);
    let faults: Vec<_> = dataset.faults().iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults[0].contains("2.json: not a dataset that can be read: it is HTML"),
        "{faults:?}"
    );
    assert!(faults[1].starts_with("4.json: "), "{faults:?}");
}

#[test]
fn folders_behind_links_are_gone_into_once() {
    let fixture = folder(&["a/1.json", "b/2.json"]);
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("3.json"), plain(3)).unwrap();
    symlink(fixture.media(""), fixture.media("a/loop")).unwrap();
    symlink(fixture.media("a"), fixture.media("z-again")).unwrap();
    symlink(outside.path(), fixture.media("linked")).unwrap();
    symlink(fixture.media("b/2.json"), fixture.media("b/two.json")).unwrap();
    // A link to a file is a file of its own, as in the Hub's cache, where all files are links.
    assert_eq!(
        ids(&*fixture.open()),
        ["a/1.json", "b/2.json", "b/2.json", "3"]
    );
}

#[test]
fn braces_stand_for_names_in_their_order() {
    let mut fixture = folder(&[
        "s/x-008.json",
        "s/x-009.json",
        "s/x-010.json",
        "s/val.json",
        "t/val.json",
    ]);
    assert_eq!(
        of(&mut fixture, "s/x-{008..010}.json"),
        ["s/x-008.json", "s/x-009.json", "s/x-010.json"]
    );
    assert_eq!(
        of(&mut fixture, "{t,s}/val.json"),
        ["t/val.json", "s/val.json"]
    );
    assert_eq!(
        of(&mut fixture, "{t/val,s/x-010}.json"),
        ["t/val.json", "s/x-010.json"]
    );
    assert_eq!(
        of(&mut fixture, "{t,s/val.json}"),
        ["t/val.json", "s/val.json"]
    );
    assert_eq!(
        of(&mut fixture, "s/{x-*,val,x-008}.json").len(),
        4,
        "each file once"
    );

    fixture.spec.path = fixture.media("s/x-{008..012}.json");
    let dataset = fixture.open();
    assert_eq!(dataset.len(), 3);
    let faults: Vec<_> = dataset
        .faults()
        .iter()
        .map(|fault| (fault.file.as_str(), fault.reason.as_str(), fault.rows))
        .collect();
    let missing = "there is no such file";
    assert_eq!(
        faults,
        [("x-011.json", missing, 1), ("x-012.json", missing, 1)]
    );
    // What a name has before its pattern is where media lie.
    let media = dataset.read(0).unwrap().media.remove(0);
    assert_eq!(media.blob, Blob::Path(fixture.media("s/x.jpg")));

    let none = problem(&mut fixture, "s/y-{0..3}.json");
    assert!(
        none.contains("no file matches") && none.contains("`y-0.json`"),
        "{none}"
    );
    let unbalanced = problem(&mut fixture, "s/{a,b.json");
    assert!(
        unbalanced.contains("a brace has no partner"),
        "{unbalanced}"
    );
    let endless = problem(&mut fixture, "s/{0..99999999999}.json");
    assert!(endless.contains("more than"), "{endless}");
    fixture.spec.path = fixture.media("s/missing.json");
    assert!(matches!(fixture.problem(), DatasetProblem::NoFile));
    fixture.spec.path = fixture.media("s/val.json/x.json");
    assert!(matches!(fixture.problem(), DatasetProblem::NoFile));
}

#[test]
fn globs_match_in_the_order_of_names() {
    let mut fixture = folder(&[
        "s/x-10.json",
        "s/x-9.json",
        "s/y.json",
        "s/d/x-1.json",
        "s/.x-3.json",
        "s/readme.md",
        "s/rows.txt",
    ]);
    assert_eq!(
        of(&mut fixture, "s/x-*.json"),
        ["s/x-9.json", "s/x-10.json"]
    );
    assert_eq!(of(&mut fixture, "s/x-?.json"), ["s/x-9.json"]);
    assert_eq!(of(&mut fixture, "s/[xy]*.json").len(), 3);
    assert_eq!(
        of(&mut fixture, "s/**/x-*.json"),
        ["s/d/x-1.json", "s/x-9.json", "s/x-10.json"]
    );
    assert_eq!(of(&mut fixture, "*/x-9.json"), ["s/x-9.json"]);
    // Files of other endings count where no data file does.
    assert_eq!(
        of(&mut fixture, "s/*"),
        ["s/d/x-1.json", "s/x-9.json", "s/x-10.json", "s/y.json"]
    );
    assert_eq!(of(&mut fixture, "s/*.txt"), ["s/rows.txt"]);
    let none = problem(&mut fixture, "s/z*.json");
    assert!(
        none.contains("no file matches") && none.contains("`z*.json`"),
        "{none}"
    );
    let bad = problem(&mut fixture, "s/***.json");
    assert!(bad.contains("no pattern either"), "{bad}");
}

#[test]
fn what_exists_is_no_pattern() {
    let names = [
        "aokvqa(cauldron,llava_format)/train-[0].json",
        "aokvqa(cauldron,llava_format)/train-{0..1}.json",
        "aokvqa(cauldron,llava_format)/train-0.json",
        "[x]/{a}*/1.json",
        "[x]/{a}*/2.json",
        "x/1.json",
    ];
    let mut fixture = folder(&names);
    for name in names {
        assert_eq!(of(&mut fixture, name), [name]);
    }
    assert_eq!(of(&mut fixture, "[x]/{a}*").len(), 2);
    // Only what follows the part that exists is a pattern.
    assert_eq!(
        of(&mut fixture, "[x]/{a}*/{1,2}.json"),
        ["[x]/{a}*/1.json", "[x]/{a}*/2.json"]
    );
    assert_eq!(of(&mut fixture, "[x]/{a}*/*.json").len(), 2);
    let media = fixture.open().read(0).unwrap().media.remove(0);
    assert_eq!(media.blob, Blob::Path(fixture.media("[x]/{a}*/x.jpg")));
}

#[test]
fn formats_in_one_folder_are_not_mixed() {
    let mut fixture = folder(&["1.json", "2.json"]);
    let archive = tar(&[("0.json", plain(0).as_bytes())]);
    for name in ["a.tar", "b.tar", "c.tar"] {
        fs_err::write(fixture.media(name), &archive).unwrap();
    }
    fs_err::write(fixture.media("d.tgz"), gz(&archive)).unwrap();
    let mixed = problem(&mut fixture, "");
    for says in [
        "LLaVA JSON or JSONL (2, the first is `1.json`)",
        "WebDataset (4, the first is `a.tar`)",
        "by a pattern",
    ] {
        assert!(mixed.contains(says), "{mixed}");
    }
    assert_eq!(of(&mut fixture, "*.t*").len(), 4);
    assert_eq!(of(&mut fixture, "*.json").len(), 2);
    // A format that is said is that of all files.
    fixture.spec.path = fixture.media("");
    fixture.spec.format = Some("llava".into());
    let dataset = fixture.open();
    assert_eq!((dataset.len(), dataset.faults().len()), (2, 4));
}

#[test]
fn shards_of_webdataset_are_one_dataset() {
    let mut fixture = Fixture::new("");
    let expected: Vec<_> = (0..7).map(|i| format!("{i:04}")).collect();
    for pattern in ["shard-{000000..000002}.tar", "shard-*.tar"] {
        fixture.spec.path = webdataset::fixture(pattern);
        let dataset = fixture.open();
        assert_eq!(ids(&*dataset), expected);
        assert_eq!(dataset.read(5).unwrap().row, 5);
    }
    // The same wherever it lies and however it is named.
    let copies = folder(&[]);
    for i in 0..3 {
        let name = format!("shard-{i:06}.tar");
        fs_err::copy(webdataset::fixture(&name), copies.media(&name)).unwrap();
    }
    assert_eq!(copies.open().fingerprint(), fixture.open().fingerprint());
}

#[test]
fn files_of_many_are_not_kept_open() {
    let names: Vec<_> = (0..300).map(|i| format!("{i}.jsonl")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let fixture = folder(&names);
    let dataset = fixture.open();
    let root = fixture.media("");
    let open = fs_err::read_dir("/proc/self/fd").unwrap().filter(|entry| {
        let target = entry.as_ref().map(|entry| fs_err::read_link(entry.path()));
        matches!(target, Ok(Ok(target)) if target.starts_with(&root))
    });
    assert_eq!(open.count(), 0);
    assert_eq!(ids(&*dataset).len(), 300);
    // One that has become another is not read at the places of the first.
    fs_err::write(fixture.media("7.jsonl"), "{}").unwrap();
    let failed = (0..300).filter_map(|i| dataset.read(i).err());
    let problems: Vec<_> = failed.map(|error| error.problem.to_string()).collect();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("changed"), "{problems:?}");
}

#[test]
fn a_file_that_this_machine_cannot_read_is_an_error_of_the_dataset() {
    let mut fixture = folder(&["a.jsonl", "b.jsonl"]);
    let path = fixture.media("b.jsonl");
    fs_err::remove_file(&path).unwrap();
    symlink(&path, &path).unwrap();
    // By name, as a listing does not see what leads nowhere.
    let text = problem(&mut fixture, "{a,b}.jsonl");
    assert!(text.contains("symbolic link"), "{text}");
}

#[test]
fn lost_rows_count_as_far_as_they_would_have_been_kept() {
    let mut fixture = folder(&["a.jsonl"]);
    let rows: Vec<_> = (0..100)
        .map(|i| row(&format!(r#""data_source": "s{}", "#, i % 10), "q"))
        .collect();
    fs_err::write(fixture.media("a.jsonl"), rows.join("\n")).unwrap();
    fs_err::write(fixture.media("b.jsonl"), "[1").unwrap();
    let mut lost = |filter: &str, strategy: &str| {
        fixture.spec.filter = serde_json::from_str(filter).ok();
        fixture.spec.sampling_strategy = Some(strategy.parse().unwrap());
        let dataset = fixture.open();
        let faults = dataset.faults();
        assert_eq!(faults.len(), 1);
        (faults[0].rows, dataset.len())
    };
    assert_eq!(lost("{}", "all"), (100, 100));
    assert_eq!(lost("{}", "first:20"), (20, 20));
    assert_eq!(lost(r#"{"data_source": ["s3"]}"#, "all"), (10, 10));
    assert_eq!(lost(r#"{"data_source": ["s3"]}"#, "random:50%"), (5, 5));
}
