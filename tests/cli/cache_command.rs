//! `madmix cache`: what it says of a cache, and what it removes.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::assert_ended;
use crate::cache::{after_first, cached, project};
use crate::project::{Project, assert_same, tree};

/// Two runs' shards: the same data with two seeds.
fn filled() -> Project {
    let project = after_first(|_| {});
    project.edit("mix.toml", "seed = 0", "seed = 1");
    project.run();
    assert_eq!(cached(&project).len(), 4);
    project
}

#[test]
fn list_shows_a_line_for_each_dataset_and_settings() {
    let project = filled();
    let json = project
        .madmix(&["cache", "list", "cache", "--json"])
        .expect(0);
    let groups: Value = serde_json::from_str(&json.stdout).unwrap();
    let groups = groups.as_array().unwrap();
    assert_eq!(groups.len(), 4);
    let sum = |name: &str| {
        groups
            .iter()
            .map(|group| group[name].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!((sum("shards"), sum("samples"), sum("failed")), (4, 36, 0));
    let bytes = |name: &String| fs_err::metadata(project.path(name)).unwrap().len();
    assert_eq!(
        sum("bytes"),
        cached(&project).iter().map(bytes).sum::<u64>()
    );
    assert_eq!(sum("unused_days"), 0);

    let table = project.madmix(&["cache", "list", "cache"]).expect(0).stdout;
    let lines: Vec<&str> = table.lines().collect();
    let (checkpoint, settings) = (&groups[0]["checkpoint"], &groups[0]["settings"]);
    let short = |text: &Value| text.as_str().unwrap()[..12].to_owned();
    assert!(
        lines[0].starts_with("dataset   checkpoint    settings      shards"),
        "{table}"
    );
    let start = format!(
        "pictures  {}  {}       1",
        short(checkpoint),
        short(settings)
    );
    assert!(lines[1].starts_with(&start), "{table}");
    assert!(lines[4].starts_with("words "), "{table}");
    // What differs between the two settings.
    assert_eq!(lines[6], "settings      seed", "{table}");
    let mut seeds: Vec<_> = lines[7..].iter().map(|line| &line[14..]).collect();
    seeds.sort_unstable();
    assert_eq!(seeds, ["0", "1"]);

    // A run's folder and a config mean their cache.
    for place in ["run", "first", "mix.toml", "run/config.toml"] {
        let listed = project.madmix(&["cache", "list", place]).expect(0);
        assert_eq!(listed.stdout, table, "{place}");
    }
}

#[test]
fn verify_names_damaged_shards_and_changes_nothing() {
    let project = filled();
    let sound = project.madmix(&["cache", "verify", "cache"]).expect(0);
    assert!(sound.stdout.is_empty(), "{sound}");
    assert!(sound.stderr.contains("sound: 4 shards in cache"), "{sound}");

    let name = &cached(&project)[2];
    let mut bytes = fs_err::read(project.path(name)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    project.write(name, bytes);
    let before = tree(&project.path("cache"));
    let damaged = project.madmix(&["cache", "verify", "run"]).expect(1);
    let line = format!("[DIR]/{name}: the checksum is ");
    assert!(damaged.stdout.starts_with(&line), "{damaged}");
    assert_eq!(damaged.stdout.lines().count(), 1);
    assert!(damaged.stderr.contains("sound: 3 shards"), "{damaged}");
    assert!(
        damaged
            .stderr
            .contains("error: damaged: 1 shard, which no run will use"),
        "{damaged}"
    );
    assert_same(&tree(&project.path("cache")), &before);
    let listed = project.madmix(&["cache", "list", "run"]).expect(0);
    assert!(
        listed
            .stderr
            .contains("not listed: 1 shard that cannot be used"),
        "{listed}"
    );

    let pruned = project.madmix(&["cache", "prune", "run"]).expect(0);
    assert!(pruned.stdout.starts_with(&line), "{pruned}");
    assert!(pruned.stderr.contains("removed 1 shard (0."), "{pruned}");
    assert_eq!(cached(&project).len(), 3);
    project.madmix(&["cache", "verify", "run"]).expect(0);
}

/// What is left of four shards.
#[track_caller]
fn left_after(project: &Project, options: &[&str]) -> usize {
    let arguments = [&["cache", "prune", "cache"], options].concat();
    let before = tree(&project.path("cache"));
    let dry = project
        .madmix(&[&arguments[..], &["--dry-run"]].concat())
        .expect(0);
    assert_same(&tree(&project.path("cache")), &before);
    let pruned = project.madmix(&arguments).expect(0);
    assert_eq!(dry.stdout, pruned.stdout);
    let left = cached(project).len();
    assert_eq!(pruned.stdout.lines().count(), 4 - left, "{pruned}");
    left
}

#[test]
fn prune_removes_what_was_asked_for() {
    assert_eq!(left_after(&filled(), &[]), 4);
    assert_eq!(left_after(&filled(), &["--dataset", "words"]), 2);
    assert_eq!(left_after(&filled(), &["--dataset", "poems"]), 4);
    assert_eq!(left_after(&filled(), &["--unused-days", "1"]), 4);

    let project = filled();
    let json = project
        .madmix(&["cache", "list", "cache", "--json"])
        .expect(0);
    let groups: Value = serde_json::from_str(&json.stdout).unwrap();
    let checkpoint = &groups[0]["checkpoint"].as_str().unwrap()[..12];
    let other = if checkpoint.starts_with('0') {
        "1"
    } else {
        "0"
    };
    assert_eq!(left_after(&project, &["--checkpoint", other]), 4);
    assert_eq!(left_after(&project, &["--checkpoint", checkpoint]), 0);
    let files: Vec<_> = tree(&project.path("cache")).into_keys().collect();
    assert_eq!(
        files,
        [Path::new("CACHEDIR.TAG")],
        "no folders' key.json is left"
    );

    let project = filled();
    assert_eq!(left_after(&project, &["--all"]), 0);
    // The runs stay what they were, and the cache can be filled again.
    let ended = project.run();
    assert!(
        ended.stderr.contains("every shard is there already"),
        "{ended}"
    );
    fs_err::remove_dir_all(project.path("run")).unwrap();
    project.run();
    assert_eq!(cached(&project).len(), 2);
}

#[test]
fn prune_by_age_spares_what_a_run_has_used() {
    let project = filled();
    for name in cached(&project) {
        let file = fs_err::OpenOptions::new()
            .append(true)
            .open(project.path(&name))
            .unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(24 * 31))
            .unwrap();
    }
    assert_eq!(left_after(&project, &["--unused-days", "32"]), 4);
    // The second run's are taken again.
    fs_err::remove_dir_all(project.path("run")).unwrap();
    project.run();
    assert_eq!(
        left_after(&project, &["--unused-days", "30", "--dataset", "words"]),
        3
    );
}

#[test]
fn what_is_no_cache_is_refused() {
    let project = project();
    project.write(
        "mine/00000-00112233445566778899aabbccddeeff.safetensors",
        "x",
    );
    project.write(
        "off.toml",
        project.read("mix.toml").replace("\"cache\"", "\"off\""),
    );
    for action in ["list", "verify", "prune"] {
        let ended = |place| project.madmix(&["cache", action, place]);
        for place in ["mine", "."] {
            let refused = ended(place).expect(2);
            assert!(refused.stderr.contains("is not a shard cache"), "{refused}");
        }
        let absent = ended("nowhere").expect(2);
        assert!(
            absent.stderr.contains("there is no shard cache at nowhere"),
            "{absent}"
        );
        let off = ended("off.toml").expect(2);
        assert!(off.stderr.contains("cache = \"off\""), "{off}");
        ended("words.jsonl").expect(2);
        // A config's cache that no run has made yet.
        let none = ended("mix.toml").expect(0);
        assert!(
            none.stderr
                .contains("nothing has been kept in [DIR]/cache yet"),
            "{none}"
        );
    }
    assert_eq!(tree(&project.path("mine")).len(), 1);
    let both = ["cache", "prune", "mine", "--all", "--dataset", "words"];
    project.madmix(&both).expect(2);
    assert_ended!(
        "usage_cache_checkpoint",
        project
            .madmix(&["cache", "prune", "mine", "--checkpoint", ""])
            .expect(2)
    );
}
