use super::*;

fn parsed(text: &str) -> MixtureYaml {
    MixtureYaml::parse(text, Path::new("mixes/mix.yaml")).unwrap()
}

fn error_of(text: &str) -> String {
    MixtureYaml::parse(text, Path::new("mixes/mix.yaml"))
        .unwrap_err()
        .to_string()
}

#[test]
fn entries_come_in_the_files_order_with_their_lines() {
    let mixture = parsed(
        "datasets:\n  - json_path: /data/MathV360K_GeoQA+_17172.json # a comment\n    sampling_strategy: \"first:5%\"\n\
         # - json_path: gone.json\n  - json_path: b(c,d).jsonl\n  - {json_path: 2024, sampling_strategy: end:30}\n",
    );
    let found: Vec<_> = mixture
        .entries
        .iter()
        .map(|entry| {
            let strategy = entry.sampling_strategy.map(|strategy| strategy.to_string());
            (entry.name(), strategy, entry.line)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("MathV360K_GeoQA+_17172".into(), Some("first:5%".into()), 2),
            ("b(c,d)".into(), None, 5),
            ("2024".into(), Some("end:30".into()), 6),
        ]
    );
    assert_eq!(mixture.ignored, []);
}

#[test]
fn other_keys_are_passed_over_and_told() {
    let mixture = parsed(
        "weights: {a: [1, 2]}\ndatasets:\n- json_path: a.json\n  image_root: x\n- json_path: b.json\n  image_root: {y: z}\n  \
         sampling_stategy: all\n",
    );
    assert_eq!(mixture.entries.len(), 2);
    let warnings = mixture.warnings(Path::new("mix.yaml"));
    assert_eq!(
        warnings,
        [
            "mix.yaml, line 1: `weights` is passed over, as LLaVA-NeXT does",
            "mix.yaml, line 4: `image_root` (2 times) is passed over, as LLaVA-NeXT does",
            "mix.yaml, line 7: `sampling_stategy` is passed over, as LLaVA-NeXT does; did you mean `sampling_strategy`?",
        ]
    );
}

#[test]
fn mistakes_name_the_file_and_the_line() {
    for (text, place, expected) in [
        ("", "mixes/mix.yaml, line 1: ", "unexpected end of input"),
        ("datasets:\n", "mixes/mix.yaml", ""),
        ("datasets: []\n", "mixes/mix.yaml, `datasets` is empty", ""),
        (
            "data:\n  - json_path: a\n",
            "mixes/mix.yaml",
            "missing field `datasets`",
        ),
        (
            "datasets:\n  - a.json\n",
            "mixes/mix.yaml, line 2: ",
            "json_path",
        ),
        (
            "datasets:\n  a: b\n",
            "mixes/mix.yaml, line 2: ",
            "sequence",
        ),
        (
            "datasets:\n  - json_path: a\n  - sampling_strategy: all\n",
            "mixes/mix.yaml, line 3: an entry of `datasets` has no json_path",
            "",
        ),
        (
            "datasets:\n  - json_path: a\n  - json_path: [b, c]\n",
            "mixes/mix.yaml, line 3: ",
            "string",
        ),
        (
            "datasets:\n  - json_path: a\n    sampling_strategy: random:12.5%\n",
            "mixes/mix.yaml, line 3: \"random:12.5%\" is no `sampling_strategy`",
            "random:10%",
        ),
        (
            "datasets:\n  - json_path: a\n    json_path: b\n",
            "mixes/mix.yaml, line 3: ",
            "json_path",
        ),
        ("datasets: [\n", "mixes/mix.yaml, line ", ""),
        ("a: b\n---\nc: d\n", "mixes/mix.yaml", ""),
    ] {
        let error = error_of(text);
        assert!(error.starts_with(place), "{text:?}: {error}");
        assert!(error.contains(expected), "{text:?}: {error}");
        assert!(!error.contains('\n'), "{text:?}: {error}");
    }
}

#[test]
fn aliases_are_followed_but_not_without_end() {
    let mixture = parsed(
        "x: &part {sampling_strategy: \"first:3\"}\ndatasets:\n  - &a {json_path: a.json, <<: *part}\n  - *a\n",
    );
    assert_eq!(mixture.entries.len(), 2);
    assert_eq!(
        mixture.entries[0].sampling_strategy,
        mixture.entries[1].sampling_strategy
    );
    assert!(mixture.entries[0].sampling_strategy.is_some());

    let mut laughs = "a0: &a0 {json_path: x.json}\n".to_owned();
    for level in 1..12 {
        let ten = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &[format!("a{level}: &a{level} ["), ten, "]\n".into()].concat();
    }
    laughs += "datasets: *a11\n";
    assert!(error_of(&laughs).contains("limit") || error_of(&laughs).contains("budget"));

    let long = "x".repeat(MAX_PATH_BYTES + 1);
    assert!(error_of(&format!("datasets:\n- json_path: {long}\n")).contains("4096 bytes"));
}

#[test]
fn places_start_from_the_files_folder_and_else_from_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (mixes, other) = (folder.path().join("mixes"), folder.path().join("other"));
    for file in [
        mixes.join("both.json"),
        other.join("both.json"),
        other.join("there.json"),
    ] {
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, "[]").unwrap();
    }
    let text = "datasets:\n- json_path: both.json\n- json_path: ./there.json\n- json_path: nowhere.json\n\
                - json_path: ../other/{both,there}.json\n- json_path: /abs/x.json\n- json_path: s3://b/x.json\n";
    let mixture = MixtureYaml::parse(text, &mixes.join("mix.yaml")).unwrap();
    let places: Vec<_> = mixture
        .entries
        .iter()
        .map(|entry| mixture.place(entry, &other))
        .collect();
    assert_eq!(
        places,
        [
            mixes.join("both.json"),
            other.join("there.json"),
            mixes.join("nowhere.json"),
            other.join("{both,there}.json"),
            "/abs/x.json".into(),
            "s3://b/x.json".into(),
        ]
    );
    let remote = MixtureYaml::parse(
        "datasets: [{json_path: a/x.json}]",
        Path::new("s3://b/mixes/mix.yaml"),
    )
    .unwrap();
    assert_eq!(
        remote.place(&remote.entries[0], &other),
        Path::new("s3://b/mixes/a/x.json")
    );
}

#[test]
fn files_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mix.yaml");
    let read = || MixtureYaml::read(&path).unwrap_err().to_string();
    assert!(read().contains("mix.yaml"));
    fs_err::write(&path, b"datasets:\n- json_path: caf\xe9.json\n").unwrap();
    assert!(read().contains("line 2 is not UTF-8"), "{}", read());
    fs_err::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
    assert!(read().contains("more than 4194304 bytes"), "{}", read());
}
