use super::super::Config;
use super::*;

const MIX: &str = "datasets:
- {json_path: /data/textocr_1.json, sampling_strategy: 'first:10%'}
- {json_path: /data/mathqa.json}
- {json_path: /data/cats.json, sampling_strategy: 'random:7'}
- {json_path: /data/cats.json, sampling_strategy: all}
- {json_path: /other/cats.json}
";

const HEAD: &str = "output = \"run\"\n[model]\ncheckpoint = \"owner/name\"\n";

const RULES: &str = r#"[[import]]
path = "mix.yaml"
media_root = "images"
domain = [
    { name = "OCR", pattern = "ocr|iam" },
    { name = "Math", dataset = ["mathqa"], pattern = ["geo", "clevr"] },
    { name = "General", pattern = "" },
]
"#;

/// Reads a config beside the mixture file.
fn read(mix: &str, config: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("mix.yaml"), mix).unwrap();
    let path = folder.path().join("mix.toml");
    fs_err::write(&path, format!("{HEAD}{config}")).unwrap();
    let whole = folder.path().to_str().unwrap();
    Config::read(&path).map_err(|error| error.to_string().replace(whole, "[DIR]"))
}

fn shown(config: &Config) -> Vec<(&str, Vec<&str>)> {
    config
        .domains
        .iter()
        .map(|domain| {
            let datasets = domain.datasets.iter();
            (
                domain.name.as_str(),
                datasets.map(|dataset| dataset.name.as_str()).collect(),
            )
        })
        .collect()
}

#[test]
fn entries_go_to_the_first_domain_that_asks_for_them() {
    let config = read(MIX, RULES).unwrap();
    assert_eq!(
        shown(&config),
        [
            ("OCR", vec!["textocr_1"]),
            ("Math", vec!["mathqa"]),
            ("General", vec!["cats", "cats-2", "cats-3"]),
        ]
    );
    let first = &config.domains[0].datasets[0];
    assert_eq!(first.path, Path::new("/data/textocr_1.json"));
    assert!(first.media_root.as_deref().unwrap().ends_with("images"));
    assert_eq!(first.sampling_strategy, Some("first:10%".parse().unwrap()));
    assert_eq!(
        config.domains[2].datasets[2].path,
        Path::new("/other/cats.json")
    );
}

#[test]
fn what_is_written_down_has_no_import() {
    let config = read(MIX, RULES).unwrap();
    let text = config.to_toml();
    assert!(
        !text.contains("import") && text.contains("sampling_strategy = \"random:7\""),
        "{text}"
    );
    let again = Config::parse(&text, Path::new("config.toml")).unwrap();
    assert_eq!(again.to_toml(), text);
    // A config that was not read yet keeps its imports.
    let unread = Config::parse(&format!("{HEAD}{RULES}"), Path::new("mix.toml")).unwrap();
    let again = Config::parse(&unread.to_toml(), Path::new("mix.toml")).unwrap();
    assert_eq!(
        (again.imports.len(), again.to_toml()),
        (1, unread.to_toml())
    );
}

#[test]
fn domains_that_are_there_get_datasets_added() {
    let domains = "[[domain]]\nname = \"General\"\nhuman = 60\n[[domain.dataset]]\npath = \"cats.json\"\n\
                   [[domain]]\nname = \"OCR\"\nhuman = 40\n[mix]\nhold = [\"Math\"]\n";
    let config = read(MIX, &format!("{domains}{RULES}")).unwrap();
    assert_eq!(
        shown(&config),
        [
            ("General", vec!["cats", "cats-2", "cats-3", "cats-4"]),
            ("OCR", vec!["textocr_1"]),
            ("Math", vec!["mathqa"]),
        ]
    );
    assert_eq!(config.domains[1].human, Some(40.0));
}

#[test]
fn mistakes_are_named() {
    let general = "    { name = \"General\", pattern = \"\" },\n";
    for (config, expected) in [
        (
            RULES.replace(general, ""),
            "[DIR]/mix.toml: [[import]] of mix.yaml: no [[import.domain]] has /data/cats.json (line 4), /data/cats.json \
             (line 5), /other/cats.json (line 6): add a pattern",
        ),
        (
            "[[import]]\npath = \"mix.yaml\"\n".into(),
            "no [[import.domain]] has /data/textocr_1.json (line 2)",
        ),
        (
            RULES.replace("[\"mathqa\"]", "[\"mathqa\", \"mathsqa\"]"),
            "[[import.domain]] \"Math\" names \"mathsqa\", which no entry",
        ),
        (
            RULES.replace("ocr|iam", "ocr("),
            "[[import.domain]] \"OCR\": pattern is no regular expression",
        ),
        (
            RULES.replace(", pattern = \"ocr|iam\"", ""),
            "[[import.domain]] \"OCR\" of mix.yaml has neither pattern nor dataset",
        ),
        (
            RULES.replace("\"ocr|iam\"", "3"),
            "line 8: import.domain.pattern is neither a regular expression nor a list",
        ),
        (RULES.replace("mix.yaml", "mux.yaml"), "[DIR]/mux.yaml"),
        (
            RULES.replace("\"mix.yaml\"", "\"\""),
            "an [[import]] has an empty path",
        ),
        (
            RULES.replace("media_root", "media_rot"),
            "did you mean `media_root`?",
        ),
        (
            format!("[[domain]]\nname = \"Video\"\n{RULES}"),
            "domain \"Video\" has no [[domain.dataset]]",
        ),
        (
            format!("[mix]\nhold = [\"Video\"]\n{RULES}"),
            "there is no domain \"Video\"",
        ),
    ] {
        let error = read(MIX, &config).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let error = read(&MIX.replace("random:7", "random:7.5%"), RULES).unwrap_err();
    assert!(
        error.contains("[DIR]/mix.yaml, line 4: \"random:7.5%\" is no `sampling_strategy`"),
        "{error}"
    );
}

#[test]
fn long_lists_of_entries_are_cut() {
    let entries: Vec<_> = (0..50)
        .map(|i| format!("- json_path: {i}.json\n"))
        .collect();
    let mix = entries.concat();
    let error = read(
        &format!("datasets:\n{mix}"),
        "[[import]]\npath = \"mix.yaml\"\n",
    )
    .unwrap_err();
    assert!(
        error.contains("19.json (line 21) and 30 more: add"),
        "{error}"
    );
}

#[test]
fn the_import_that_is_shipped_divides_published_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let text = fs_err::read_to_string(folder.join("llava_next_mixture.toml")).unwrap();
    let mix: String = [
        "real_vision_flan/llava_next_fit_mix_filtered_text_wild_738590",
        "real_vision_flan/MathV360K_TabMWP_22462",
        "real_vision_flan/MathV360K_MapQA_5235",
        "cauldron/mapqa_37417_llava_format",
        "cauldron/iam_5663",
        "real_vision_flan/MathV360K_TQA_10181",
        "real_vision_flan/Evol-Instruct-GPT4-Turbo-143000",
        "cauldron/st_vqa_17247_llava_format",
        "ureader_new/ureader_kg_sft",
        "real_vision_flan/MathV360K_VizWiz_6614",
    ]
    .iter()
    .map(|path| format!("- json_path: /data/{path}.json\n"))
    .collect::<Vec<_>>()
    .concat();
    let place = tempfile::tempdir().unwrap();
    fs_err::create_dir(place.path().join("data")).unwrap();
    fs_err::write(
        place.path().join("data/single_image.yaml"),
        format!("datasets:\n{mix}"),
    )
    .unwrap();
    let path = place.path().join("mix.toml");
    fs_err::write(&path, text).unwrap();
    let config = Config::read(&path).unwrap();
    let counts: Vec<_> = config
        .domains
        .iter()
        .map(|domain| {
            (
                domain.name.as_str(),
                domain.human.is_some(),
                domain.datasets.len(),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("General", true, 3),
            ("Doc/Chart/Screen", true, 3),
            ("Math/Reasoning", true, 2),
            ("Language", true, 1),
            ("General OCR", true, 1),
        ]
    );
}
