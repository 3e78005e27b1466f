//! `madmix init`: the config that it writes for a folder or a mixture file, and that `madmix plan` takes it as it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use image::ImageFormat;
use madmix::config::Config;
use serde_json::json;

use crate::assert_ended;
use crate::project::{Ended, Project, repository};
use crate::samples::{picture, picture_row, row, rows};

const CHECKPOINT: &str = "models/tiny-llava-onevision";

/// An empty folder `data` to be filled, apart from the project's own files.
fn project(files: &[(&str, &[u8])]) -> Project {
    let project = Project::new();
    fs_err::create_dir(project.path("data")).unwrap();
    for (name, content) in files {
        project.write(&format!("data/{name}"), content);
    }
    project
}

fn init(project: &Project, more: &[&str]) -> Ended {
    let checkpoint = format!("{}/{CHECKPOINT}", repository());
    let mut arguments = vec![
        "init",
        "data",
        "-o",
        "new.toml",
        "--checkpoint",
        &checkpoint,
    ];
    arguments.extend(more);
    project.madmix(&arguments)
}

/// The domains of the written config with the names and paths of their datasets.
fn written(project: &Project) -> Vec<(String, Vec<(String, String)>)> {
    let config = Config::read(&project.path("new.toml")).unwrap();
    let below = |path: &std::path::Path| {
        let path = path.strip_prefix(project.path("")).unwrap_or(path);
        path.to_str().unwrap().to_owned()
    };
    let domains = config.domains.iter();
    domains
        .map(|domain| {
            let datasets = domain.datasets.iter();
            let datasets = datasets.map(|dataset| (dataset.name.clone(), below(&dataset.path)));
            (domain.name.clone(), datasets.collect())
        })
        .collect()
}

fn names(project: &Project) -> Vec<(String, Vec<String>)> {
    let names =
        |datasets: Vec<(String, String)>| datasets.into_iter().map(|(name, _)| name).collect();
    let domains = written(project).into_iter();
    domains
        .map(|(domain, datasets)| (domain, names(datasets)))
        .collect()
}

fn expected(domains: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let domains = domains.iter();
    domains
        .map(|(domain, datasets)| ((*domain).to_owned(), owned(datasets)))
        .collect()
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn parquet(columns: &[&str]) -> Vec<u8> {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    let column = |name: &&str| {
        (
            (*name).to_owned(),
            Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef,
        )
    };
    let batch = RecordBatch::try_from_iter(columns.iter().map(column)).unwrap();
    let mut out = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

fn clip_row() -> String {
    row(
        &json!({"id": "v", "video": "clips/a.mp4"}),
        "<image>\nWhat happens?",
    )
    .to_string()
        + "\n"
}

#[test]
fn a_folder_of_annotations_with_pictures_is_planned_as_it_is() {
    let pictures: String = (0..4).map(|i| picture_row(i) + "\n").collect();
    let words = rows(0..9);
    let project = project(&[
        (
            "annotations/aokvqa_16539_llava_format.jsonl",
            pictures.as_bytes(),
        ),
        ("annotations/textocr(gpt4v).jsonl", pictures.as_bytes()),
        ("annotations/mine.jsonl", words.as_bytes()),
        ("language/letters.jsonl", words.as_bytes()),
        ("poems/old.jsonl", words.as_bytes()),
        ("poems/new.jsonl", words.as_bytes()),
        ("README.md", b"# Data"),
        ("dataset_infos.json", b"{}"),
        ("notes.json", b"[{\"text\": \"not a conversation\"}]"),
        ("table.csv", b"a,b\n"),
    ]);
    for i in 0..4 {
        let bytes = picture(i, ImageFormat::Png);
        project.write(&format!("data/images/{i}.png"), &bytes);
        project.write(&format!("data/annotations/textocr(gpt4v)/{i}.png"), &bytes);
    }
    assert_ended!("init_folder", init(&project, &[]).expect(0));
    let written = project.read("new.toml").replace(repository(), "[REPO]");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("init_folder_config", written);
    });
    let planned = project.madmix(&["plan", "new.toml", "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!(plan["datasets"].as_array().unwrap().len(), 6, "{planned}");
    // Once more, it is the same to the last byte, also on standard output.
    let checkpoint = format!("{}/{CHECKPOINT}", repository());
    let again = ["init", "data", "-o", "-", "--checkpoint", &checkpoint];
    let again = project.madmix(&again).expect(0).stdout;
    assert_eq!(again, written.replace("new.toml", "CONFIG"));
}

#[test]
fn every_format_is_found_by_its_content() {
    let words = rows(0..3);
    let rows = tar(&[
        ("0.json", words.lines().next().unwrap().as_bytes()),
        ("0.png", b"x"),
        ("1.png", b"x"),
    ]);
    let media = tar(&[("0.mp4", b"x"), ("1.mp4", b"x")]);
    let conversations = parquet(&["id", "conversations"]);
    let project = project(&[
        (
            "hub/ai2d(cauldron,llava_format)/train-00000-of-00002.parquet",
            &conversations,
        ),
        (
            "hub/ai2d(cauldron,llava_format)/train-00001-of-00002.parquet",
            &conversations,
        ),
        (
            "hub/iam(cauldron)/train-00000-of-00001.parquet",
            &conversations,
        ),
        (
            "hub/squares/data/train-00000-of-00001.parquet",
            &conversations,
        ),
        (
            "hub/squares/data/test-00000-of-00001.parquet",
            &conversations,
        ),
        (
            "hub/other/train-00000-of-00001.parquet",
            &parquet(&["caption", "url"]),
        ),
        (
            "hub/broken/train-00000-of-00001.parquet",
            b"PAR1 and no more",
        ),
        ("wds/cats-000000.tar", &rows),
        ("wds/cats-000001.tar", &rows),
        ("wds/cats-000002.tar", &rows),
        ("wds/dogs-00.tar", &rows),
        ("wds/dogs-03.tar", &rows),
        ("wds/media.tar", &media),
        ("chat.jsonl.gz", &gzipped(words.as_bytes())),
        ("cut.jsonl.gz", &gzipped(words.as_bytes())[..12]),
        (
            "LLaVA-Video-178K/0_30_s_nextqa/0_30_s_nextqa_oe_qa_processed.json",
            clip_row().as_bytes(),
        ),
        (
            "LLaVA-Video-178K/0_30_s_nextqa/0_30_s_nextqa_oe_qa.json",
            clip_row().as_bytes(),
        ),
        ("LLaVA-Video-178K/0_30_s_nextqa/clips/a.mp4", b"x"),
        (
            "LLaVA-Video-178K/0_30_s_nextqa/videos_1.tar.gz",
            &gzipped(&media),
        ),
    ]);
    assert_ended!("init_formats", init(&project, &[]).expect(0));
    let pair = |name: &str, path: &str| (name.to_owned(), format!("data/{path}"));
    assert_eq!(
        written(&project),
        [
            (
                "Doc/Chart/Screen".to_owned(),
                vec![pair(
                    "ai2d(cauldron,llava_format)",
                    "hub/ai2d(cauldron,llava_format)"
                )]
            ),
            (
                "General OCR".to_owned(),
                vec![pair("iam(cauldron)", "hub/iam(cauldron)")]
            ),
            (
                "Video".to_owned(),
                vec![pair(
                    "0_30_s_nextqa_oe_qa",
                    "LLaVA-Video-178K/0_30_s_nextqa/0_30_s_nextqa_oe_qa_processed.json"
                )]
            ),
            (
                "hub".to_owned(),
                vec![pair(
                    "squares",
                    "hub/squares/data/train-00000-of-00001.parquet"
                )]
            ),
            (
                "Unsorted".to_owned(),
                vec![
                    pair("chat", "chat.jsonl.gz"),
                    pair("cats", "wds/cats-{000000..000002}.tar"),
                    pair("dogs", "wds/dogs-[0-9][0-9].tar"),
                ]
            ),
        ]
    );
}

#[test]
fn odd_names_survive() {
    let words = rows(0..3);
    let odd = [
        "a(b,c)", "d'e", "f\"g", "h\\i", "j k", "l\nm", "図表", "n#o", "p=q", "-r", "s.t.u",
        "e\u{301}", "'''",
    ];
    let files: Vec<String> = odd
        .iter()
        .map(|name| format!("{name}/{name}.jsonl"))
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|file| (file.as_str(), words.as_bytes()))
        .collect();
    let project = project(&files);
    let latin = project
        .path("data")
        .join(OsStr::from_bytes(b"caf\xe9.jsonl"));
    fs_err::write(latin, &words).unwrap();
    let ended = init(&project, &[]).expect(0);
    assert!(ended.stderr.contains("its name is not UTF-8"), "{ended}");
    let mut found: Vec<String> = names(&project)
        .into_iter()
        .flat_map(|(_, names)| names)
        .collect();
    found.sort_unstable();
    let mut all = odd.map(String::from);
    all.sort_unstable();
    assert_eq!(found, all);
    let planned = project.madmix(&["plan", "new.toml"]).expect(0);
    assert!(planned.stdout.contains("図表"), "{planned}");
}

#[test]
fn datasets_of_one_name_get_numbers() {
    let words = rows(0..3);
    let project = project(&[
        ("a/x.jsonl", words.as_bytes()),
        ("b/x.jsonl", words.as_bytes()),
        ("x.jsonl", words.as_bytes()),
    ]);
    init(&project, &[]).expect(0);
    assert_eq!(
        names(&project),
        expected(&[("a", &["x-2"]), ("b", &["x-3"]), ("Unsorted", &["x"])])
    );
}

#[test]
fn what_cannot_be_read_is_told_and_left_out() {
    let words = rows(0..3);
    let project = project(&[
        ("good.jsonl", words.as_bytes()),
        ("empty.json", b""),
        ("blank.jsonl", b"[]"),
        ("latin.jsonl", b"{\"conversations\": \"caf\xe9\"}\n"),
        ("cut.json", b"[{\"id\": 1, \"conv"),
        ("page.json", b"<html>404</html>"),
    ]);
    symlink("nowhere", project.path("data/gone.jsonl")).unwrap();
    symlink("nowhere", project.path("data/gone")).unwrap();
    symlink(project.path("data"), project.path("data/loop")).unwrap();
    assert_ended!("init_unreadable", init(&project, &[]).expect(0));
    assert_eq!(names(&project), expected(&[("Unsorted", &["good"])]));
    project.madmix(&["plan", "new.toml"]).expect(0);
}

#[test]
fn folders_of_pictures_are_left_alone() {
    let words = rows(0..3);
    let project = project(&[("good.jsonl", words.as_bytes())]);
    for i in 0..200 {
        project.write(&format!("data/images/{i:03}/{i}.jpg"), "x");
    }
    project.write("data/images/199/hidden.jsonl", &words);
    let ended = init(&project, &[]).expect(0);
    assert!(
        ended
            .stderr
            .contains("[DIR]/data/images: the first 64 of its 200 folders hold no data files"),
        "{ended}"
    );
    assert_eq!(names(&project), expected(&[("Unsorted", &["good"])]));
}

#[test]
fn nothing_is_overwritten() {
    let project = project(&[("good.jsonl", rows(0..3).as_bytes())]);
    project.write("new.toml", "mine");
    assert_ended!("init_overwrite", init(&project, &[]).expect(2));
    assert_eq!(project.read("new.toml"), "mine");
    fs_err::remove_file(project.path("new.toml")).unwrap();
    symlink("elsewhere.toml", project.path("new.toml")).unwrap();
    init(&project, &[]).expect(2);
    assert!(!project.path("elsewhere.toml").exists());
}

#[test]
fn without_a_checkpoint_the_key_is_asked_for() {
    let project = project(&[("good.jsonl", rows(0..3).as_bytes())]);
    project.madmix(&["init", "data"]).expect(0);
    assert_ended!(
        "init_no_checkpoint",
        project.madmix(&["plan", "config.toml"]).expect(2)
    );
}

#[test]
fn a_config_in_the_datas_folder_names_it_from_there() {
    let project = project(&[("a/good.jsonl", rows(0..3).as_bytes())]);
    project
        .madmix(&[
            "init",
            "data",
            "-o",
            "data/mix.toml",
            "--checkpoint",
            "owner/name",
        ])
        .expect(0);
    let text = project.read("data/mix.toml");
    assert!(text.contains("path = \"a/good.jsonl\""), "{text}");
    assert!(text.contains("checkpoint = \"owner/name\""), "{text}");
    project
        .madmix(&["init", "data", "-o", "data/a/mix.toml"])
        .expect(0);
    let text = project.read("data/a/mix.toml");
    assert!(text.contains("path = \"good.jsonl\""), "{text}");
    fs_err::create_dir(project.path("aside")).unwrap();
    project
        .madmix(&["init", "data", "-o", "aside/mix.toml"])
        .expect(0);
    let text = project.read("aside/mix.toml");
    let whole = project.path("data/a/good.jsonl");
    assert!(
        text.contains(&format!("path = \"{}\"", whole.display())),
        "{text}"
    );
}

#[test]
fn folders_and_files_without_datasets() {
    let project = project(&[]);
    assert_ended!("init_empty", init(&project, &[]).expect(2));
    assert!(!project.path("new.toml").exists());
    project.write("data/notes.json", "[{\"text\": 1}]");
    assert_ended!("init_nothing", init(&project, &[]).expect(2));
    assert_ended!(
        "init_missing",
        project.madmix(&["init", "nowhere"]).expect(2)
    );
    assert_ended!(
        "init_file",
        project.madmix(&["init", "words.jsonl"]).expect(2)
    );
}

#[test]
fn a_mixture_file_is_written_out_with_todays_shares() {
    let project = Project::new();
    project.write(
        "mix.yaml",
        "datasets:\n- json_path: words.jsonl\n  sampling_strategy: first:50%\n- json_path: pictures.jsonl\n  \
         sampling_strategy: all\n- json_path: words.jsonl\n- json_path: ocr/iiit5k_annotations_2000.jsonl\n  sampling_strategy: end:2\n  lr: 3\n",
    );
    project.write("ocr/iiit5k_annotations_2000.jsonl", rows(0..5));
    let checkpoint = format!("{}/{CHECKPOINT}", repository());
    let arguments = [
        "init",
        "mix.yaml",
        "-o",
        "new.toml",
        "--checkpoint",
        &checkpoint,
    ];
    assert_ended!("init_mixture", project.madmix(&arguments).expect(0));
    let text = project.read("new.toml");
    let domains = &text[text.find("\n# `human`").unwrap()..];
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("init_mixture_domains", domains);
    });
    project.madmix(&["plan", "new.toml"]).expect(0);
}

#[test]
fn a_mixture_file_with_missing_files_is_written_without_shares() {
    let project = Project::new();
    project.write(
        "mix.yaml",
        "datasets:\n- json_path: words.jsonl\n- json_path: /nowhere/MathV360K_GeoQA+_17172.json\n  sampling_strategy: first:5%\n",
    );
    assert_ended!(
        "init_mixture_missing",
        project
            .madmix(&["init", "mix.yaml", "-o", "new.toml"])
            .expect(0)
    );
    let text = project.read("new.toml");
    assert!(!text.contains("\nhuman"), "{text}");
    assert!(
        text.contains(
            "path = \"/nowhere/MathV360K_GeoQA+_17172.json\", sampling_strategy = \"first:5%\""
        ),
        "{text}"
    );
    project.write("bad.yaml", "datasets: 3\n");
    assert_ended!(
        "init_bad_mixture",
        project.madmix(&["init", "bad.yaml"]).expect(2)
    );
}
