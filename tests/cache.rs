//! What the shard cache promises: a shard of something else is never given out, damage is seen, a foreign folder is
//! never touched, and processes do not harm each other.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic, too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use madmix::modality::Modality;
use madmix::store::{
    Cache, CacheError, Entry, Failure, Matrix, Pooled, Published, Settings, Shard, ShardKey, Taken,
    Unfit,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const CONTENT: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100";

fn key() -> ShardKey {
    let settings = json!({"layers": ["last"], "seed": 0, "video": {"fps": 1.5}});
    ShardKey {
        checkpoint: "c0ffee".into(),
        settings: Settings::new(&settings).unwrap(),
        dataset: "da7a".into(),
    }
}

fn shard(dataset: &str, index: u32) -> Shard {
    let matrix = Matrix::new(2, 3, (0..6).map(|i| i as f32 + index as f32).collect()).unwrap();
    let text = Pooled {
        tokens: vec![4, 5],
        layers: BTreeMap::from([("last".to_owned(), matrix)]),
    };
    Shard {
        key: key(),
        dataset: dataset.to_owned(),
        index,
        rows: vec![7, 3],
        modalities: BTreeMap::from([(Modality::Text, text)]),
        failures: vec![Failure {
            id: "x".into(),
            reason: "no picture".into(),
            row: 9,
        }],
    }
}

fn cache() -> (TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("new/cache")).unwrap();
    (folder, cache)
}

/// The cache with shards 0 and 1 of `words` in it.
fn filled() -> (TempDir, Cache) {
    let (folder, cache) = cache();
    for index in 0..2 {
        let kept = cache.keep(&shard("words", index), CONTENT).unwrap();
        assert_eq!(kept, Published::Written);
    }
    (folder, cache)
}

fn entries(cache: &Cache) -> Vec<Entry> {
    cache.entries(&|_| {}).unwrap()
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(self::files(&path));
        }
        files.insert(path);
    }
    files
}

fn hit(taken: Taken) -> Shard {
    match taken {
        Taken::Hit(shard) => *shard,
        other => panic!("no hit: {other:?}"),
    }
}

#[track_caller]
fn refused(taken: Taken) -> (String, Unfit) {
    match taken {
        Taken::Refused(refused) => (refused.to_string(), refused.reason),
        other => panic!("not refused: {other:?}"),
    }
}

// Taking and keeping

#[test]
fn what_is_kept_is_found_under_any_name() {
    let (_folder, cache) = filled();
    for name in ["words", "other words", ""] {
        let found = hit(cache.take(&key(), name, 1, CONTENT).unwrap());
        assert_eq!(
            found.to_bytes().unwrap(),
            shard(name, 1).to_bytes().unwrap(),
            "as if it had been made under this name"
        );
    }
    let again = cache.keep(&shard("words", 1), CONTENT).unwrap();
    assert_eq!(again, Published::AlreadyThere);
}

#[test]
fn everything_that_a_shard_is_made_from_has_to_be_the_same() {
    let (_folder, cache) = filled();
    let settings = |settings: Value| ShardKey {
        settings: Settings::new(&settings).unwrap(),
        ..key()
    };
    let others = [
        ShardKey {
            checkpoint: "c0ffef".into(),
            ..key()
        },
        ShardKey {
            dataset: "da7b".into(),
            ..key()
        },
        ShardKey {
            checkpoint: "da7a".into(),
            dataset: "c0ffee".into(),
            ..key()
        },
        settings(json!({"layers": ["last"], "seed": 1, "video": {"fps": 1.5}})),
        settings(json!({"layers": ["last"], "seed": 0, "video": {"fps": 1.500_000_1}})),
        settings(json!({"layers": ["last"], "seed": 0, "video": {"fps": 1.5}, "new": null})),
        settings(json!({"layers": [], "seed": 0, "video": {"fps": 1.5}})),
    ];
    for other in others {
        let taken = cache.take(&other, "words", 0, CONTENT).unwrap();
        assert!(matches!(taken, Taken::Miss), "{other:?}");
    }
    for (index, content) in [(2, CONTENT), (0, OTHER)] {
        let taken = cache.take(&key(), "words", index, content).unwrap();
        assert!(matches!(taken, Taken::Miss), "{index} {content}");
    }
}

#[test]
fn a_file_that_was_put_in_the_place_of_another_is_refused_by_name() {
    let (_folder, cache) = filled();
    let place = cache.shard_path(&key(), 0, CONTENT);
    let put = |from: &Path| fs_err::copy(from, &place).unwrap();

    let other_key = ShardKey {
        checkpoint: "badc0de".into(),
        settings: Settings::new(&json!({"layers": ["last"], "seed": 5, "video": {"fps": 1.5}}))
            .unwrap(),
        dataset: "other".into(),
    };
    let foreign = Shard {
        key: other_key.clone(),
        ..shard("words", 0)
    };
    cache.keep(&foreign, CONTENT).unwrap();
    put(&cache.shard_path(&other_key, 0, CONTENT));
    let (message, _) = refused(cache.take(&key(), "words", 0, CONTENT).unwrap());
    for part in [
        "checkpoint: badc0de in the shard, c0ffee in the config",
        "dataset content: other in the shard, da7a in the config",
        "settings `seed`: 5 in the shard, 0 in the config",
        place.to_str().unwrap(),
    ] {
        assert!(message.contains(part), "{message}");
    }

    put(&cache.shard_path(&key(), 1, CONTENT));
    let (message, reason) = refused(cache.take(&key(), "words", 0, CONTENT).unwrap());
    assert!(
        matches!(reason, Unfit::OtherIndex { index: 1 }),
        "{message}"
    );

    cache.keep(&shard("words", 0), OTHER).unwrap();
    put(&cache.shard_path(&key(), 0, OTHER));
    let (message, _) = refused(cache.take(&key(), "words", 0, CONTENT).unwrap());
    assert!(
        message.contains("made from other pictures") && message.contains(OTHER),
        "{message}"
    );

    // As it lies in a run's folder.
    fs_err::write(&place, shard("words", 0).to_bytes().unwrap()).unwrap();
    let (message, reason) = refused(cache.take(&key(), "words", 0, CONTENT).unwrap());
    assert!(matches!(reason, Unfit::NoContent), "{message}");

    // What is made anew takes its place.
    cache.keep(&shard("words", 0), CONTENT).unwrap();
    assert_eq!(
        hit(cache.take(&key(), "words", 0, CONTENT).unwrap()),
        shard("words", 0)
    );
}

#[test]
fn every_flipped_byte_and_every_truncation_is_refused() {
    let (_folder, cache) = filled();
    let place = cache.shard_path(&key(), 0, CONTENT);
    let bytes = fs_err::read(&place).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        for damaged in [&flipped[..], &bytes[..at]] {
            fs_err::write(&place, damaged).unwrap();
            let taken = cache.take(&key(), "words", 0, CONTENT).unwrap();
            let (message, reason) = refused(taken);
            assert!(reason.is_damage(), "byte {at}: {message}");
        }
    }
}

#[test]
fn what_is_no_file_is_neither_waited_for_nor_read_for_ever() {
    let (_folder, cache) = filled();
    let path = cache.shard_path(&key(), 0, CONTENT);
    let put: [fn(&Path); 3] = [
        |path| {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        },
        |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        |path| {
            fs_err::File::create(path)
                .unwrap()
                .set_len(1 << 40)
                .unwrap();
        },
    ];
    for put in put {
        fs_err::remove_file(&path).unwrap();
        put(&path);
        let (_, reason) = refused(cache.take(&key(), "words", 0, CONTENT).unwrap());
        assert!(
            reason.to_string().contains("not a regular file"),
            "{reason}"
        );
    }
}

#[test]
fn the_key_file_says_what_the_shards_were_made_from() {
    let (_folder, cache) = filled();
    let path = cache
        .shard_path(&key(), 0, CONTENT)
        .with_file_name("key.json");
    let text = fs_err::read_to_string(&path).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        json,
        json!({
            "checkpoint": "c0ffee",
            "dataset": "da7a",
            "format": 1,
            "settings": {"layers": ["last"], "seed": 0, "video": {"fps": 1.5}},
            "settings_fingerprint": key().settings.fingerprint(),
        })
    );
    fs_err::write(&path, "{").unwrap();
    cache.keep(&shard("words", 5), CONTENT).unwrap();
    assert_eq!(fs_err::read_to_string(&path).unwrap(), text, "mended");
}

#[test]
fn eight_processes_at_once_keep_and_take_and_prune() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cache");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let root = &root;
            scope.spawn(move || {
                let cache = Cache::open(root).unwrap();
                for index in 0..20 {
                    cache
                        .keep(&shard(&format!("name {thread}"), index), CONTENT)
                        .unwrap();
                    let found = hit(cache.take(&key(), "a", index, CONTENT).unwrap());
                    assert_eq!(found, shard("a", index));
                }
                cache.prune(&entries(&cache), &|_| None, false).unwrap();
            });
        }
    });
    let cache = Cache::existing(&root).unwrap();
    let found = entries(&cache);
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|entry| entry.shard.is_ok()));
    assert_eq!(
        files(&root).len(),
        1 + 1 + 1 + 20,
        "tag, folder, key.json, shards"
    );
}

// Folders

#[test]
fn a_folder_of_something_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("thesis.tex"), "x").unwrap();
    let foreign = |result: Result<Cache, CacheError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, CacheError::Foreign { .. }), "{error}");
    };
    foreign(Cache::open(folder.path()));
    foreign(Cache::existing(folder.path()));
    // The tag of another program, such as a compiler's.
    let tag = folder.path().join("CACHEDIR.TAG");
    fs_err::write(
        &tag,
        "Signature: 8a477f597d28d172789f06886806bc55\n# by cargo\n",
    )
    .unwrap();
    foreign(Cache::open(folder.path()));
    foreign(Cache::existing(folder.path()));
    assert_eq!(files(folder.path()).len(), 2);

    let absent = Cache::existing(folder.path().join("none")).unwrap_err();
    assert!(matches!(absent, CacheError::Absent { .. }));
    assert!(Cache::open(folder.path().join("thesis.tex")).is_err());
    assert!(Cache::open(folder.path().join("thesis.tex/below")).is_err());
    foreign(Cache::existing(folder.path().join("thesis.tex")));
}

#[test]
fn the_folder_is_marked_for_backups() {
    let (_folder, cache) = cache();
    let tag = fs_err::read_to_string(cache.root().join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    Cache::open(cache.root()).unwrap();
    Cache::existing(cache.root()).unwrap();
}

// Looking and tidying

#[test]
fn entries_tell_sound_shards_from_unfit_ones() {
    let (_folder, cache) = filled();
    let place = cache.shard_path(&key(), 0, CONTENT);
    let elsewhere = cache
        .root()
        .join("0".repeat(32))
        .join(place.file_name().unwrap());
    fs_err::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    fs_err::copy(&place, &elsewhere).unwrap();
    fs_err::write(cache.shard_path(&key(), 7, CONTENT), "half").unwrap();
    let found = entries(&cache);
    assert_eq!(found.len(), 4);
    let sound: Vec<_> = found
        .iter()
        .filter_map(|entry| entry.shard.as_ref().ok())
        .collect();
    assert_eq!(sound.len(), 2);
    for shard in sound {
        assert_eq!(
            (shard.dataset.as_str(), shard.samples, shard.failed),
            ("words", 2, 1)
        );
        assert_eq!(shard.key, key());
    }
    let unfit = found.iter().find(|entry| entry.path == elsewhere).unwrap();
    let reason = unfit.shard.as_ref().unwrap_err();
    let folder = place
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    assert_eq!(
        reason.to_string(),
        format!("it belongs into the folder {folder}")
    );
}

#[test]
fn pruning_removes_remains_and_what_was_asked_for_and_nothing_else() {
    let (folder, cache) = filled();
    let place = |index| cache.shard_path(&key(), index, CONTENT);
    let below = place(0).parent().unwrap().to_owned();
    fs_err::write(place(7), "half").unwrap();
    fs_err::write(place(8).with_extension("safetensors.corrupt"), "x").unwrap();
    fs_err::write(below.join(".0123456789ab.madmix-tmp"), "x").unwrap();
    fs_err::write(cache.root().join(".0123456789ab.madmix-tmp"), "x").unwrap();
    let empty = cache.root().join("1".repeat(32));
    fs_err::create_dir(&empty).unwrap();
    fs_err::write(empty.join("key.json"), "{}").unwrap();
    // Not ours: files of other names, and what a link leads to.
    fs_err::write(below.join("notes.txt"), "x").unwrap();
    fs_err::write(cache.root().join("00000.safetensors"), "x").unwrap();
    let outside = folder.path().join("outside");
    fs_err::create_dir(&outside).unwrap();
    let precious = outside.join(place(9).file_name().unwrap());
    fs_err::write(&precious, "x").unwrap();
    std::os::unix::fs::symlink(&outside, cache.root().join("2".repeat(32))).unwrap();
    std::os::unix::fs::symlink(&precious, place(9)).unwrap();

    let before = files(folder.path());
    let prune = |unwanted: &dyn Fn(&Entry) -> Option<String>, dry| {
        let removed = cache.prune(&entries(&cache), unwanted, dry).unwrap();
        removed
            .into_iter()
            .map(|file| file.path)
            .collect::<Vec<_>>()
    };
    let aside = place(8).with_extension("safetensors.corrupt");
    let expected = vec![place(7), aside];
    assert_eq!(prune(&|_| None, true), expected);
    assert_eq!(files(folder.path()), before, "a dry run changes nothing");
    assert_eq!(prune(&|_| None, false), expected);
    let after = files(folder.path());
    let gone: BTreeSet<_> = before.difference(&after).cloned().collect();
    let remains = [
        below.join(".0123456789ab.madmix-tmp"),
        cache.root().join(".0123456789ab.madmix-tmp"),
        empty.join("key.json"),
        empty,
    ];
    assert_eq!(gone, expected.into_iter().chain(remains).collect());
    assert!(precious.exists() && place(0).exists() && place(1).exists());

    let first = |entry: &Entry| (entry.path == place(0)).then(|| "unwanted".to_owned());
    assert_eq!(prune(&first, false), [place(0)]);
    assert!(place(1).exists());
    assert_eq!(prune(&|_| Some("all".into()), false), [place(1)]);
    assert!(precious.exists() && below.join("notes.txt").exists());
    Cache::open(cache.root()).unwrap();
}

#[test]
fn use_is_noted() {
    let (_folder, cache) = filled();
    let long_ago = SystemTime::now() - Duration::from_hours(24 * 50);
    let age = |index| {
        let path = cache.shard_path(&key(), index, CONTENT);
        let file = fs_err::OpenOptions::new().append(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    };
    let old = || {
        let limit = SystemTime::now() - Duration::from_hours(1);
        let found = entries(&cache);
        found
            .iter()
            .map(|entry| entry.used < limit)
            .collect::<Vec<_>>()
    };
    age(0);
    age(1);
    assert_eq!(old(), [true, true]);
    hit(cache.take(&key(), "words", 0, CONTENT).unwrap());
    assert_eq!(old(), [false, true]);
    cache.keep(&shard("words", 1), CONTENT).unwrap();
    assert_eq!(old(), [false, false]);
}
