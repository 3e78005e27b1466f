//! Runs that share a cache: what is there already is not made again, and nothing that is not the wanted shard is used.

use std::path::Path;

use image::ImageFormat;

use crate::other_run::with_other_weights;
use crate::project::{Ended, Project, Tree, assert_same, tree};
use crate::samples::{picture, rows};

const PICTURES: [&str; 6] = ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png"];

/// The usual project with a cache in `cache`.
pub(crate) fn project() -> Project {
    let project = Project::new();
    project.edit("mix.toml", "cache = \"off\"", "cache = \"cache\"");
    project
}

/// The project after its first run, which goes to `first`; the next one goes to `run`.
pub(crate) fn after_first(prepare: impl FnOnce(&Project)) -> Project {
    let project = project();
    prepare(&project);
    project.run();
    fs_err::rename(project.path("run"), project.path("first")).unwrap();
    project
}

/// Runs the project, which must find so many of the missing shards in the cache, and end in the same files as a run
/// without a cache.
#[track_caller]
fn served(project: &Project, found: usize, missing: usize) -> Ended {
    let ended = project.run();
    let line = format!("{found} of {missing} missing shards were in the cache ([DIR]/cache)");
    if found > 0 {
        assert!(ended.stderr.contains(&line), "{line} is not in\n{ended}");
    } else {
        assert!(!ended.stderr.contains("were in the cache"), "{ended}");
    }
    assert_eq!(
        ended.stderr.contains("every shard is there already"),
        found == missing,
        "{ended}"
    );
    assert!(!ended.stderr.contains("WARN the shard cache"), "{ended}");
    assert_same(&project.results(), &without_cache(project));
    ended
}

/// The results of a run without a cache.
fn without_cache(project: &Project) -> Tree {
    let config = project.read("mix.toml");
    let (output, cache) = ("output = \"run\"", "cache = \"cache\"");
    assert!(config.contains(output) && config.contains(cache));
    let config = config.replace(output, "output = \"fresh\"");
    project.write("fresh.toml", config.replace(cache, "cache = \"off\""));
    let _ = fs_err::remove_dir_all(project.path("fresh"));
    project.madmix(&["run", "fresh.toml"]).expect(0);
    let mut results = tree(&project.path("fresh"));
    results.remove(Path::new("config.toml"));
    results
}

// What is found

#[test]
fn a_second_run_makes_nothing() {
    let project = after_first(|_| {});
    served(&project, 2, 2);
    let mut first = tree(&project.path("first"));
    first.remove(Path::new("config.toml"));
    assert_same(&project.results(), &first);
}

#[test]
fn the_cache_is_beside_the_output_if_not_said() {
    let project = Project::new();
    project.edit("mix.toml", "cache = \"off\"\n", "");
    project.edit("mix.toml", "\"run\"", "\"runs/a\"");
    project.run();
    project.edit("mix.toml", "\"runs/a\"", "\"runs/b\"");
    let ended = project.run();
    let line = "2 of 2 missing shards were in the cache ([DIR]/runs/.madmix-cache)";
    assert!(ended.stderr.contains(line), "{ended}");
    let resolved = project.read("runs/b/config.toml");
    assert!(resolved.contains("runs/.madmix-cache\"\n"), "{resolved}");

    project.edit("mix.toml", "\"runs/b\"", "\"off/c\"\ncache = \"off\"");
    let ended = project.run();
    assert!(!ended.stderr.contains("in the cache"), "{ended}");
    assert!(!project.path("off/.madmix-cache").exists());
}

#[test]
fn a_further_domain_makes_its_own_shards_only() {
    let project = after_first(|_| {});
    project.write("more.jsonl", rows(50..60));
    let config = project.read("mix.toml");
    project.write(
        "mix.toml",
        config + "[[domain]]\nname = \"More\"\n[[domain.dataset]]\npath = \"more.jsonl\"\n",
    );
    let ended = served(&project, 2, 3);
    assert!(ended.stderr.contains("extracted 10 samples"), "{ended}");
}

#[test]
fn more_samples_make_further_shards_only() {
    let project = after_first(|project| {
        project.write("words.jsonl", rows(0..200));
        project.extract("samples_per_dataset = 64");
    });
    project.edit("mix.toml", "_dataset = 64", "_dataset = 192");
    let ended = served(&project, 2, 4);
    assert!(ended.stderr.contains("extracted 128 samples"), "{ended}");
}

#[test]
fn other_names_folders_and_domains_of_the_same_data_change_nothing() {
    let project = after_first(|_| {});
    fs_err::create_dir(project.path("moved")).unwrap();
    for file in ["pictures.jsonl"].into_iter().chain(PICTURES) {
        fs_err::rename(project.path(file), project.path(&format!("moved/{file}"))).unwrap();
    }
    project.edit("mix.toml", "name = \"Pictures\"", "name = \"Photos\"");
    project.edit(
        "mix.toml",
        "path = \"pictures.jsonl\"",
        "path = \"moved/pictures.jsonl\"\nname = \"photos of a holiday\"",
    );
    project.edit(
        "mix.toml",
        "path = \"words.jsonl\"",
        "path = \"words.jsonl\"\nname = \"w\"",
    );
    served(&project, 2, 2);
    let shards = project.path("run/shards");
    assert!(
        shards
            .join("photos%20of%20a%20holiday/00000.safetensors")
            .exists()
    );
    assert!(shards.join("w/00000.safetensors").exists());
}

// What is not found

/// Changes the project after its first run and runs it again, when `found` of two shards must be from the cache.
#[track_caller]
fn changed(prepare: impl FnOnce(&Project), change: impl FnOnce(&Project), found: usize) {
    let project = after_first(prepare);
    change(&project);
    served(&project, found, 2);
    // What was made anew is kept as well.
    fs_err::remove_dir_all(project.path("run")).unwrap();
    served(&project, 2, 2);
}

#[test]
fn other_pictures_under_the_same_names_elsewhere() {
    let prepare = |project: &Project| {
        for (i, name) in PICTURES.iter().enumerate() {
            let bytes = picture(i as u32, ImageFormat::Bmp);
            project.write(&format!("a/{name}"), bytes);
            let bytes = picture(5 - i as u32, ImageFormat::Bmp);
            project.write(&format!("b/{name}"), bytes);
        }
        let path = "path = \"pictures.jsonl\"";
        project.edit("mix.toml", path, &format!("{path}\nmedia_root = \"a\""));
    };
    let change = |project: &Project| project.edit("mix.toml", "root = \"a\"", "root = \"b\"");
    changed(prepare, change, 1);
}

#[test]
fn a_picture_with_one_other_byte() {
    let bitmap = picture(3, ImageFormat::Bmp);
    let mut other = bitmap.clone();
    other[bitmap.len() / 2] ^= 0x80;
    changed(
        |project| project.write("3.png", &bitmap),
        |project| project.write("3.png", &other),
        1,
    );
}

#[test]
fn a_frame_of_a_clip() {
    let frame = |i: u32| picture(i, ImageFormat::Bmp);
    let clip = r#"{"id": "v", "video": "clip", "conversations": [{"from": "human", "value": "<video>\nWhat moves?"}, {"from": "gpt", "value": "It."}]}"#;
    let prepare = |project: &Project| {
        project.write("pictures.jsonl", clip.to_owned() + "\n");
        (0..4).for_each(|i| project.write(&format!("clip/{i}.png"), frame(i)));
        let config = project.read("mix.toml");
        project.write("mix.toml", config + "[video]\nsampling = \"every\"\n");
    };
    changed(prepare, |project| project.write("clip/2.png", frame(5)), 1);
}

#[test]
fn a_picture_that_was_missing_is_there_now_and_the_other_way_round() {
    let project = after_first(|project| {
        project.extract("max_failure_rate = 1.0");
        fs_err::remove_file(project.path("4.png")).unwrap();
    });
    let again = |found| {
        let _ = fs_err::remove_dir_all(project.path("run"));
        served(&project, found, 2);
        project.failures().len()
    };
    assert_eq!(again(2), 1, "failures are kept, and listed");
    project.write("4.png", picture(4, ImageFormat::Png));
    assert_eq!(again(1), 0);
    fs_err::remove_file(project.path("4.png")).unwrap();
    assert_eq!(again(2), 1);
    // A truncated one is neither the whole nor none.
    let bytes = picture(4, ImageFormat::Png);
    project.write("4.png", &bytes[..bytes.len() / 2]);
    assert_eq!(again(1), 1);
}

#[test]
fn failures_from_the_cache_count_for_the_limit() {
    let project = after_first(|project| {
        project.extract("max_failure_rate = 1.0");
        fs_err::remove_file(project.path("4.png")).unwrap();
    });
    project.edit(
        "mix.toml",
        "max_failure_rate = 1.0",
        "max_failure_rate = 0.1",
    );
    let ended = project.madmix(&["run", "mix.toml"]).expect(1);
    assert!(ended.stderr.contains("2 of 2 missing shards"), "{ended}");
    assert!(ended.stderr.contains("1 of 6 samples failed"), "{ended}");
    assert_eq!(project.failures().len(), 1);
}

#[test]
fn retrying_takes_no_failures_from_the_cache() {
    let project = after_first(|project| {
        project.extract("max_failure_rate = 1.0");
        fs_err::remove_file(project.path("4.png")).unwrap();
    });
    let ended = project
        .madmix(&["run", "mix.toml", "--retry-failed"])
        .expect(0);
    assert!(ended.stderr.contains("1 of 2 missing shards"), "{ended}");
    assert!(ended.stderr.contains("extracted 6 samples"), "{ended}");
    assert_same(&project.results(), &without_cache(&project));
}

#[test]
fn every_setting_that_vectors_depend_on() {
    let project = after_first(|_| {});
    let config = project.read("mix.toml");
    let model = |line: &'static str| ("[model]\n", line);
    let extract = |line: &'static str| ("[extract]\n", line);
    let video = |line: &'static str| ("[video]\n", line);
    let media = |line: &'static str| ("[media]\n", line);
    let changes = [
        model("resampler = \"pillow\""),
        model("exif = \"ignore\""),
        model("mrope = \"transformers5\""),
        extract("layers = [\"middle\"]"),
        extract("layers = [\"last\", \"middle\"]"),
        extract("protocol = \"separate\""),
        extract("text_scope = \"answer\""),
        extract("batch_tokens = 4096"),
        extract("max_tokens = 4000"),
        extract("too_long = \"shrink\""),
        media("max_pixels = 5000"),
        media("min_pixels = 10"),
        media("file_max_pixels = 1000000"),
        media("file_max_bytes = 1000000"),
        video("sampling = \"every\""),
        video("max_frames = 4"),
        video("min_pixels = 10"),
        video("max_pixels = 5000"),
        video("folder_fps = 3.0"),
        video("file_max_bytes = 1000000"),
    ];
    for (section, line) in changes {
        let config = if config.contains(section) {
            config.replace(section, &format!("{section}{line}\n"))
        } else {
            format!("{config}{section}{line}\n")
        };
        nothing_found(&project, &config);
    }
    nothing_found(&project, &config.replace("seed = 0", "seed = 1"));
    // And what does not count.
    for (section, line) in [extract("workers = 2"), extract("max_failure_rate = 0.5")] {
        project.write(
            "mix.toml",
            config.replace(section, &format!("{section}{line}\n")),
        );
        let _ = fs_err::remove_dir_all(project.path("run"));
        let ended = project.madmix(&["extract", "mix.toml"]).expect(0);
        assert!(
            ended.stderr.contains("2 of 2 missing shards"),
            "{line}\n{ended}"
        );
    }
}

/// Extracts with another config, which must make everything.
#[track_caller]
fn nothing_found(project: &Project, config: &str) {
    project.write("mix.toml", config);
    let _ = fs_err::remove_dir_all(project.path("run"));
    let ended = project.madmix(&["extract", "mix.toml"]).expect(0);
    assert!(!ended.stderr.contains("in the cache"), "{config}\n{ended}");
    assert!(
        ended.stderr.contains("extracted 18 samples"),
        "{config}\n{ended}"
    );
}

#[test]
fn another_checkpoint_or_other_data() {
    changed(|_| {}, with_other_weights, 0);
    changed(
        |_| {},
        |project| project.edit("words.jsonl", "What is 3?", "What is 8?"),
        1,
    );
    let filtered = |project: &Project| {
        let path = "path = \"words.jsonl\"";
        let filter = "filter = { data_source = [\"letters\", \"poems\"] }";
        project.edit("mix.toml", path, &format!("{path}\n{filter}"));
    };
    changed(|_| {}, filtered, 1);
}

// Damage and trouble

/// The shards in the cache.
pub(crate) fn cached(project: &Project) -> Vec<String> {
    let files = tree(&project.path("cache")).into_keys();
    let names = files.map(|path| format!("cache/{}", path.to_str().unwrap()));
    names
        .filter(|name| name.ends_with(".safetensors"))
        .collect()
}

#[test]
fn damaged_and_misplaced_shards_are_not_used_and_are_replaced() {
    let project = after_first(|_| {});
    let [first, second] = &cached(&project)[..] else {
        panic!("two shards: {:?}", cached(&project));
    };
    let sound = tree(&project.path("cache"));
    let bytes = fs_err::read(project.path(first)).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    let other = fs_err::read(project.path(second)).unwrap();
    let run = fs_err::read(project.path("first/shards/words/00000.safetensors")).unwrap();
    for damaged in [&flipped, &bytes[..100], &[], &other, &run] {
        project.write(first, damaged);
        let _ = fs_err::remove_dir_all(project.path("run"));
        let ended = served(&project, 1, 2);
        let line =
            format!("a shard in the cache is not used and will be made again: [DIR]/{first}: ");
        assert!(ended.stderr.contains(&line), "{ended}");
        if damaged == other {
            let line = "made from something else: dataset content: ";
            assert!(ended.stderr.contains(line), "{ended}");
        }
        assert_same(&tree(&project.path("cache")), &sound);
    }
}

/// A run that cannot use its cache says so once, and is like a run without.
#[track_caller]
fn goes_without(project: &Project, folder: &str) -> Ended {
    let ended = project.run();
    let line =
        format!("the shard cache [DIR]/{folder} cannot be used, so the run goes on without it: ");
    assert_eq!(ended.stderr.matches(&line).count(), 1, "{ended}");
    assert_eq!(ended.stderr.matches("WARN").count(), 1, "{ended}");
    let plain = Project::new();
    plain.run();
    assert_same(&project.results(), &plain.results());
    ended
}

#[test]
fn a_cache_that_is_a_file_or_below_one() {
    for name in ["notes", "notes/below"] {
        let project = Project::new();
        project.write("notes", "mine");
        project.edit("mix.toml", "\"off\"", &format!("{name:?}"));
        goes_without(&project, name);
        assert_eq!(project.read("notes"), "mine");
    }
}

#[test]
fn a_cache_in_a_folder_of_other_things() {
    let project = Project::new();
    project.write("mine/thesis.tex", "x");
    project.edit("mix.toml", "\"off\"", "\"mine\"");
    let ended = goes_without(&project, "mine");
    assert!(ended.stderr.contains("is not a shard cache"), "{ended}");
    assert_eq!(tree(&project.path("mine")).len(), 1);
}

#[test]
fn the_output_is_no_cache() {
    let project = Project::new();
    project.edit("mix.toml", "\"off\"", "\"run\"");
    let ended = project.run();
    assert!(
        ended.stderr.contains("cannot be the output folder"),
        "{ended}"
    );
    assert!(!project.path("run/CACHEDIR.TAG").exists());
}

#[test]
fn a_cache_that_fails_while_shards_are_looked_for_or_kept() {
    let project = after_first(|_| {});
    let folder = |name: &String| project.path(name).parent().unwrap().to_owned();
    let folders: Vec<_> = cached(&project).iter().map(folder).collect();
    for folder in &folders {
        fs_err::remove_dir_all(folder).unwrap();
        fs_err::write(folder, "in the way").unwrap();
    }
    goes_without(&project, "cache");

    // Nothing is in the way of looking, but a folder is in the way of a name.
    let project = after_first(|_| {});
    let names = cached(&project);
    fs_err::remove_dir_all(project.path("cache")).unwrap();
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# madmix shard cache";
    project.write("cache/CACHEDIR.TAG", tag);
    for name in &names {
        let key = project.path(name).with_file_name("key.json");
        fs_err::create_dir_all(key).unwrap();
    }
    goes_without(&project, "cache");
}

#[test]
fn eight_runs_at_once() {
    let project = project();
    project.write("words.jsonl", rows(0..80));
    let config = project.read("mix.toml");
    let runs = (0..8).map(|i| {
        let output = format!("output = \"run{i}\"");
        let name = format!("mix{i}.toml");
        project.write(&name, config.replace("output = \"run\"", &output));
        project.start(&["run", &name])
    });
    for child in runs.collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        assert!(!stderr.contains("WARN"), "{stderr}");
    }
    let expected = without_cache(&project);
    for i in 0..8 {
        let mut found = tree(&project.path(&format!("run{i}")));
        found.remove(Path::new("config.toml"));
        assert_same(&found, &expected);
    }
    assert_eq!(cached(&project).len(), 3);
    served(&project, 3, 3);
}
