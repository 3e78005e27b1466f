use std::path::Path;

use super::*;

const SMALL: &str = r#"output = "runs/x"
[model]
checkpoint = "owner/name"
[[domain]]
name = "A"
[[domain.dataset]]
path = "data/a.json"
"#;

fn error_of(text: &str) -> String {
    Config::parse(text, Path::new("my.toml"))
        .unwrap_err()
        .to_string()
}

#[test]
fn defaults_are_those_of_the_paper() {
    let config = Config::parse(SMALL, Path::new("my.toml")).unwrap();
    assert_eq!(config.extract.samples_per_dataset, 512);
    assert_eq!(config.extract.layers, [Layer::Last]);
    assert_eq!(
        (config.mix.method.as_str(), config.mix.lambda),
        ("mad-mix", 10.0)
    );
    assert_eq!(config.domains[0].datasets[0].name, "a");
}

#[test]
fn paths_are_relative_to_the_file() {
    let mut config = Config::parse(SMALL, Path::new("my.toml")).unwrap();
    config.resolve(Path::new("/team/configs"));
    assert_eq!(config.output, Path::new("/team/configs/runs/x"));
    assert_eq!(
        config.domains[0].datasets[0].path,
        Path::new("/team/configs/data/a.json")
    );
    assert_eq!(config.model.checkpoint, "owner/name");
    assert_eq!(normalised(Path::new("/a/b/../c/./d")), Path::new("/a/c/d"));
}

#[test]
fn the_cache_is_beside_the_output_unless_said_otherwise() {
    let resolved = |line: &str| {
        let mut config = Config::parse(&format!("{line}\n{SMALL}"), Path::new("my.toml")).unwrap();
        config.resolve(Path::new("/team/configs"));
        // As it is written into a run's folder and read from there.
        let mut again = Config::parse(&config.to_toml(), Path::new("config.toml")).unwrap();
        again.resolve(Path::new("/team/configs/runs/x"));
        assert_eq!(again.cache, config.cache);
        config.cache.folder().map(Path::to_owned)
    };
    let folder = |path: &str| Some(path.into());
    assert_eq!(resolved(""), folder("/team/configs/runs/.madmix-cache"));
    assert_eq!(resolved("cache = \"auto\""), resolved(""));
    assert_eq!(resolved("cache = \"off\""), None);
    assert_eq!(resolved("cache = \"./off\""), folder("/team/configs/off"));
    assert_eq!(resolved("cache = \"../all\""), folder("/team/all"));
    assert_eq!(resolved("cache = \"/data/all\""), folder("/data/all"));
    let error = error_of(&format!("cache = \"\"\n{SMALL}"));
    assert!(error.contains("cache is empty"), "{error}");
}

#[test]
fn the_resolved_form_reads_back() {
    let mut text = SMALL.to_owned();
    text.push_str("filter = { data_source = [\"x\"] }\n[extract]\nbatch_tokens = 77\n");
    let config = Config::parse(&text, Path::new("my.toml")).unwrap();
    let again = Config::parse(&config.to_toml(), Path::new("config.toml")).unwrap();
    assert_eq!(config.to_toml(), again.to_toml());
    assert_eq!(again.extract.batch_tokens, BatchTokens::Count(77));
    let default = Config::parse(SMALL, Path::new("my.toml")).unwrap();
    assert!(default.to_toml().contains("batch_tokens = \"auto\""));
}

#[test]
fn unknown_keys_are_named_with_their_line_and_the_nearest_key() {
    let text = format!("{SMALL}[extract]\nsamples_per_dataste = 3\n");
    let error = error_of(&text);
    assert!(
        error.starts_with("my.toml, line 9: unknown field `samples_per_dataste`"),
        "{error}"
    );
    assert!(
        error.ends_with("did you mean `samples_per_dataset`?"),
        "{error}"
    );
    let error = error_of(&SMALL.replace("checkpoint =", "chekpoint ="));
    assert!(
        error.contains("line 3") && error.contains("did you mean `checkpoint`?"),
        "{error}"
    );
    let error = error_of(&format!("{SMALL}[extract]\nbatches_of_xyz_kind = 3\n"));
    assert!(!error.contains("did you mean"), "{error}");
    let error = error_of(&SMALL.replace("[[domain]]\n", "[[domain]]\nweight = 3\n"));
    assert!(
        error.contains("line 5") && error.contains("`weight`"),
        "{error}"
    );
}

#[test]
fn values_without_meaning_are_refused_by_name() {
    for (added, expected) in [
        ("[extract]\nlayers = []", "extract.layers is empty"),
        ("[extract]\nlayers = [3, 3]", "names a layer twice"),
        ("[extract]\nlayers = [\"lats\"]", "unknown layer \"lats\""),
        (
            "[extract]\nsamples_per_dataset = 0",
            "extract.samples_per_dataset",
        ),
        (
            "[extract]\nmax_failure_rate = 5",
            "extract.max_failure_rate = 5",
        ),
        (
            "[extract]\ntext_scope = \"answers\"",
            "did you mean `answer`?",
        ),
        (
            "[extract]\nbatch_tokens = 0",
            "my.toml, line 9: invalid value: integer `0`, expected extract.batch_tokens to be \"auto\" or a number",
        ),
        (
            "[extract]\nbatch_tokens = \"atuo\"",
            "invalid value: string \"atuo\", expected extract.batch_tokens",
        ),
        (
            "[mix]\nlayer = 3",
            "mix.layer = 3 is not among extract.layers",
        ),
        ("[[domain]]\nname = \"A\"", "two domains are named \"A\""),
        (
            "[[domain]]\nname = \"B\"",
            "domain \"B\" has no [[domain.dataset]]",
        ),
        (
            "[[domain]]\nname = \"B\"\n[[domain.dataset]]\npath = \"other/a.jsonl\"",
            "two datasets are named \"a\"",
        ),
        ("[[domain]]\nname = \"B\"\nhuman = -1", "human = -1"),
    ] {
        let error = error_of(&format!("{SMALL}{added}\n"));
        assert!(error.contains(expected), "{error}");
    }
}

/// The repository's config of that name.
fn shipped(name: &str) -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    Config::read(&folder.join(name)).unwrap()
}

fn names(config: &Config) -> Vec<&str> {
    let domains = config.domains.iter();
    domains.map(|domain| domain.name.as_str()).collect()
}

fn assert_shares(config: &Config) {
    let shares: Vec<f64> = config.domains.iter().filter_map(|d| d.human).collect();
    assert_eq!(shares.len(), config.domains.len());
    let sum: f64 = shares.iter().sum();
    assert!((sum - 100.0).abs() < 1e-9, "{sum}");
}

#[test]
fn the_configs_of_the_repository_can_be_read() {
    let six = [
        "General",
        "Doc/Chart/Screen",
        "Math/Reasoning",
        "General OCR",
        "Language",
        "Video",
    ];
    let demo = shipped("demo.toml");
    assert_eq!(names(&demo), six);
    assert_shares(&demo);
    let paper = shipped("llava_onevision_0.5b.toml");
    assert_eq!(names(&paper), six[..5]);
    assert_shares(&paper);
    for name in ["atlas_llava_next.toml", "atlas_llama_factory.toml"] {
        let config = shipped(name);
        let proxy = config.atlas.unwrap().proxy;
        let program = Path::new(&proxy.command[0]);
        assert!(program.is_absolute() && program.is_file(), "{program:?}");
    }
    let video = shipped("llava_onevision_video_0.5b.toml");
    assert_eq!(names(&video), six);
    assert_eq!(video.video.sampling, SamplingName::LlavaNext);
    for (with, without) in video.domains.iter().zip(&paper.domains) {
        let datasets = |domain: &Domain| -> Vec<String> {
            let names = domain.datasets.iter().map(|dataset| dataset.name.clone());
            names.collect()
        };
        assert_eq!(datasets(with), datasets(without), "{}", with.name);
    }
    let qwen = shipped("qwen2_vl_2b.toml");
    assert_eq!(names(&qwen), six);
    assert_eq!(qwen.video.sampling, SamplingName::Fps);
    assert!(qwen.media.max_pixels.is_some() && qwen.video.max_pixels.is_some());
}
