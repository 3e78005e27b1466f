//! What the store promises: whole files only, damage found and mended, other runs' shards refused, writers that do not
//! harm each other.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic, too")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use madmix::modality::Modality;
use madmix::store::{
    Failure, Failures, Matrix, Missing, Pooled, Published, Settings, Shard, ShardError, ShardKey,
    Store, StoreError, clean_stale_temporaries, publish,
};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

fn key() -> ShardKey {
    let settings = json!({"layers": ["last"], "seed": 0, "image": {"max_pixels": 1.5}});
    ShardKey {
        checkpoint: "c0ffee".into(),
        settings: Settings::new(&settings).unwrap(),
        dataset: "da7a".into(),
    }
}

fn pooled(n: usize, d: usize, seed: f32) -> Pooled {
    let values = (0..n * d).map(|i| (i as f32 + seed) / 4.0 - 1.0).collect();
    let matrix = Matrix::new(n, d, values).unwrap();
    let layers = BTreeMap::from([
        ("last".to_owned(), matrix.clone()),
        ("12".to_owned(), matrix),
    ]);
    Pooled {
        tokens: (0..n as u32).collect(),
        layers,
    }
}

fn shard(dataset: &str, index: u32) -> Shard {
    let failure = Failure {
        id: "x\"1".into(),
        reason: "no picture: 图.png\n".into(),
        row: 99,
    };
    Shard {
        key: key(),
        dataset: dataset.to_owned(),
        index,
        rows: vec![7, u64::MAX, 3],
        modalities: BTreeMap::from([
            (Modality::Text, pooled(3, 4, index as f32)),
            (Modality::Image, pooled(3, 4, 0.5)),
        ]),
        failures: vec![failure],
    }
}

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("new/run")).unwrap();
    (folder, store)
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// The format

#[test]
fn a_shard_reads_back_and_its_bytes_never_change() {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store/format-1.safetensors");
    let bytes = shard("aokvqa(cauldron)", 5).to_bytes().unwrap();
    assert_eq!(bytes, shard("aokvqa(cauldron)", 5).to_bytes().unwrap());
    let golden = fs_err::read(golden).unwrap();
    assert_eq!(
        Shard::from_bytes(&golden).unwrap(),
        shard("aokvqa(cauldron)", 5)
    );
    assert_eq!(bytes, golden);
}

#[test]
fn a_shard_in_which_every_sample_failed_reads_back() {
    let empty = Shard {
        rows: vec![],
        modalities: BTreeMap::from([(Modality::Text, pooled(0, 4, 0.0))]),
        ..shard("a", 0)
    };
    assert_eq!(
        Shard::from_bytes(&empty.to_bytes().unwrap()).unwrap(),
        empty
    );
    let bare = Shard {
        modalities: BTreeMap::new(),
        failures: vec![],
        ..empty
    };
    assert_eq!(Shard::from_bytes(&bare.to_bytes().unwrap()).unwrap(), bare);
}

#[test]
fn every_flipped_bit_is_damage() {
    let bytes = shard("a", 0).to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let error = Shard::from_bytes(&bytes).expect_err("a flipped bit went unnoticed");
            assert!(error.is_damage(), "byte {at} bit {bit}: {error}");
        }
    }
}

#[test]
fn every_truncation_and_extension_is_damage() {
    let bytes = shard("a", 0).to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(
            Shard::from_bytes(&bytes[..length]).is_err_and(|e| e.is_damage()),
            "{length}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(Shard::from_bytes(&longer).is_err_and(|e| e.is_damage()));
}

/// The bytes with every `from` replaced by a `to` of the same length.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, w)| *w == from.as_bytes())
        .map(|(i, _)| i)
        .collect();
    assert!(!places.is_empty(), "{from} is not there");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[test]
fn a_newer_format_is_not_taken_for_damage() {
    let bytes = shard("aaaa", 0).to_bytes().unwrap();
    let newer = replaced(&bytes, r#"\"format\":1"#, r#"\"format\":2"#);
    let error = Shard::from_bytes(&newer).unwrap_err();
    assert!(
        matches!(error, ShardError::DamagedVersion { found: 2 }),
        "{error}"
    );
    // A real format 2 has another content, or another checksum of it.
    let newer = replaced(&newer, "aaaa", "bbbb");
    let error = Shard::from_bytes(&newer).unwrap_err();
    assert!(
        matches!(error, ShardError::UnknownVersion { found: 2 }),
        "{error}"
    );
    assert!(!error.is_damage());

    let (_folder, store) = store();
    store.publish(&shard("aaaa", 0)).unwrap();
    let path = store.shard_path("aaaa", 0);
    fs_err::write(&path, &newer).unwrap();
    let error = store.missing(&key(), "aaaa", 0..1).unwrap_err();
    assert!(error.to_string().contains("00000.safetensors"), "{error}");
    assert_eq!(fs_err::read(&path).unwrap(), newer);
}

#[test]
fn foreign_files_are_named_as_such() {
    let foreign = safetensors::serialize(
        [(
            "w",
            safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![1], &[1]).unwrap(),
        )],
        None,
    );
    let error = Shard::from_bytes(&foreign.unwrap()).unwrap_err();
    assert!(matches!(error, ShardError::Foreign), "{error}");
}

#[test]
fn a_shard_that_contradicts_itself_is_not_written() {
    fn text(shard: &mut Shard) -> &mut Pooled {
        shard.modalities.get_mut(&Modality::Text).unwrap()
    }
    let broken = |change: fn(&mut Shard)| {
        let mut shard = shard("a", 0);
        change(&mut shard);
        shard
            .to_bytes()
            .expect_err("a broken shard was written")
            .to_string()
    };
    assert!(broken(|s| s.rows.truncate(2)).contains("`text.tokens`: 3 rows for 2 samples"));
    assert!(broken(|s| text(s).tokens.push(1)).contains("`text.tokens`: 4 rows"));
    assert!(
        broken(|s| drop(
            text(s)
                .layers
                .insert("tokens".into(), Matrix::new(3, 0, vec![]).unwrap())
        ))
        .contains("`text.tokens`: not a possible name")
    );
    assert!(
        broken(|s| drop(
            text(s)
                .layers
                .insert("0".into(), Matrix::new(1, 1, vec![0.0]).unwrap())
        ))
        .contains("`text.0`: 1 rows")
    );
    assert_eq!(Matrix::new(2, 3, vec![0.0; 5]), None);
    assert_eq!(Matrix::new(usize::MAX, 2, vec![]), None);
}

fn any_shard() -> impl Strategy<Value = Shard> {
    let modality = prop::sample::select(Modality::ALL.to_vec());
    (0..5_usize, 0..4_usize).prop_flat_map(move |(n, d)| {
        let matrix = prop::collection::vec(any::<f32>(), n * d);
        let matrix = matrix.prop_map(move |data| Matrix::new(n, d, data).unwrap());
        let name = ".{1,6}".prop_filter("a layer", |name| name != "tokens");
        let layers = prop::collection::btree_map(name, matrix, 0..3);
        let pooled = (prop::collection::vec(any::<u32>(), n), layers)
            .prop_map(|(tokens, layers)| Pooled { tokens, layers });
        let failure =
            (".*", ".*", any::<u64>()).prop_map(|(id, reason, row)| Failure { id, reason, row });
        (
            prop::collection::vec(any::<u64>(), n),
            prop::collection::btree_map(modality.clone(), pooled, 0..4),
            prop::collection::vec(failure, 0..3),
            (any::<f64>(), ".*", any::<u32>()),
        )
            .prop_map(|(rows, modalities, failures, (setting, dataset, index))| {
                let settings = Settings::new(&json!({"x": setting})).unwrap();
                Shard {
                    key: ShardKey { settings, ..key() },
                    dataset,
                    index,
                    rows,
                    modalities,
                    failures,
                }
            })
    })
}

proptest! {
    #[test]
    fn any_shard_reads_back_to_the_same_bytes(shard in any_shard()) {
        let bytes = shard.to_bytes().unwrap();
        let read = Shard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(read.to_bytes().unwrap(), bytes);
        prop_assert_eq!(&read.key, &shard.key);
        prop_assert_eq!(&read.rows, &shard.rows);
        prop_assert_eq!(&read.failures, &shard.failures);
    }

    #[test]
    fn arbitrary_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Shard::from_bytes(&bytes).is_err());
    }

    #[test]
    fn arbitrary_headers_are_an_error(header in "[ -~]{0,80}", n in 0..400_u64) {
        for json in [header.clone(), format!("{{\"__metadata__\":{{\"madmix\":\"{header}\"}}}}")] {
            let bytes = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &vec![0; n as usize]].concat();
            prop_assert!(Shard::from_bytes(&bytes).is_err());
        }
    }

    #[test]
    fn spliced_shards_are_an_error(at in 0..2000_usize, with in prop::collection::vec(any::<u8>(), 1..40)) {
        let bytes = shard("a", 0).to_bytes().unwrap();
        let at = at.min(bytes.len() - 1);
        let end = (at + with.len()).min(bytes.len());
        let mut spliced = bytes.clone();
        spliced.splice(at..end, with);
        prop_assume!(spliced != bytes);
        prop_assert!(Shard::from_bytes(&spliced).is_err());
    }
}

/// What is not written as a shard is, is none, though its checksum holds.
#[test]
fn metadata_that_were_written_by_hand_are_an_error() {
    let bytes = shard("aaaa", 0).to_bytes().unwrap();
    let checksum = |bytes: &[u8]| match Shard::from_bytes(bytes) {
        Err(ShardError::Checksum { found, computed }) => (found, computed),
        other => panic!("{other:?}"),
    };
    let settings = key().settings.fingerprint();
    let forged = replaced(&bytes, &settings, &"0".repeat(settings.len()));
    let (found, computed) = checksum(&forged);
    let error = Shard::from_bytes(&replaced(&forged, &found, &computed)).unwrap_err();
    assert!(matches!(error, ShardError::NotCanonical), "{error}");
    assert!(error.is_damage());
    // The same content with its keys in another order has the same checksum.
    let [one, two] = [r#"\"format\":1,"#, r#"\"index\":0,"#];
    let swapped = replaced(&bytes, &[one, two].concat(), &[two, one].concat());
    let error = Shard::from_bytes(&swapped).unwrap_err();
    assert!(matches!(error, ShardError::NotCanonical), "{error}");
}

// The folder

#[test]
fn shards_are_published_loaded_and_left_alone() {
    let (_folder, store) = store();
    let name = "LLaVA 558k/(a,b)";
    assert_eq!(
        store.missing(&key(), name, 0..3).unwrap().indices,
        [0, 1, 2]
    );
    assert!(
        !store.root().exists(),
        "asking what is missing makes nothing"
    );
    assert_eq!(store.publish(&shard(name, 1)).unwrap(), Published::Written);
    let path = store
        .root()
        .join("shards/LLaVA%20558k%2F(a,b)/00001.safetensors");
    assert_eq!(store.shard_path(name, 1), path);
    assert_eq!(store.load(&key(), name, 1).unwrap(), shard(name, 1));
    let missing = store.missing(&key(), name, 0..3).unwrap();
    assert_eq!(missing.indices, [0, 2]);
    assert!(missing.set_aside.is_empty());

    // Another result for the same key (as CUDA may give) does not replace a whole shard.
    let before = fs_err::read(&path).unwrap();
    let other = Shard {
        failures: vec![],
        ..shard(name, 1)
    };
    assert_eq!(store.publish(&other).unwrap(), Published::AlreadyThere);
    assert_eq!(fs_err::read(&path).unwrap(), before);

    let absent = store.load(&key(), name, 2).unwrap_err();
    assert!(
        matches!(absent, StoreError::Absent { index: 2, .. }),
        "{absent}"
    );
    assert_eq!(files(path.parent().unwrap()), ["00001.safetensors"]);
}

#[test]
fn damaged_shards_are_set_aside_and_made_again() {
    type Damage = fn(&mut Vec<u8>);
    let kinds: [(&str, Damage); 5] = [
        ("header", |bytes| bytes[40] ^= 4),
        ("payload", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("truncation", |bytes| bytes.truncate(bytes.len() / 2)),
        ("empty", Vec::clear),
        ("zeros", |bytes| bytes.fill(0)),
    ];
    for (kind, damage) in kinds {
        let (_folder, store) = store();
        for index in 0..3 {
            store.publish(&shard("a", index)).unwrap();
        }
        let path = store.shard_path("a", 1);
        let whole = fs_err::read(&path).unwrap();
        let mut damaged = whole.clone();
        damage(&mut damaged);
        fs_err::write(&path, &damaged).unwrap();

        let error = store.load(&key(), "a", 1).unwrap_err();
        assert!(
            matches!(error, StoreError::Unusable { .. }),
            "{kind}: {error}"
        );
        assert!(path.exists(), "{kind}: loading changes nothing");
        let Missing {
            indices,
            set_aside,
            failures,
        } = store.missing(&key(), "a", 0..3).unwrap();
        assert_eq!(indices, [1], "{kind}");
        let whole_ones = [shard("a", 0).failures, shard("a", 2).failures].concat();
        assert_eq!(failures, whole_ones, "{kind}");
        let [warning] = &set_aside[..] else {
            panic!("{kind}: {set_aside:?}")
        };
        assert_eq!(fs_err::read(&warning.aside).unwrap(), damaged, "{kind}");
        assert!(
            warning.to_string().contains("00001.safetensors.corrupt"),
            "{kind}: {warning}"
        );
        assert!(!path.exists(), "{kind}");

        assert_eq!(store.publish(&shard("a", 1)).unwrap(), Published::Written);
        assert_eq!(fs_err::read(&path).unwrap(), whole, "{kind}");
        assert!(
            store.missing(&key(), "a", 0..3).unwrap().indices.is_empty(),
            "{kind}"
        );
    }
}

#[test]
fn publishing_replaces_what_is_damaged() {
    let (_folder, store) = store();
    store.publish(&shard("a", 0)).unwrap();
    fs_err::write(store.shard_path("a", 0), "junk").unwrap();
    assert_eq!(store.publish(&shard("a", 0)).unwrap(), Published::Written);
    assert_eq!(store.load(&key(), "a", 0).unwrap(), shard("a", 0));
}

#[test]
fn shards_whose_names_were_swapped_are_made_again() {
    let (_folder, store) = store();
    store.publish(&shard("a", 0)).unwrap();
    store.publish(&shard("a", 1)).unwrap();
    store.publish(&shard("b", 0)).unwrap();
    let (zero, one, spare) = (
        store.shard_path("a", 0),
        store.shard_path("a", 1),
        store.root().join("spare"),
    );
    for (from, to) in [(&zero, &spare), (&one, &zero), (&spare, &one)] {
        fs_err::rename(from, to).unwrap();
    }
    let missing = store.missing(&key(), "a", 0..2).unwrap();
    assert_eq!(missing.indices, [0, 1]);
    let warning = missing.set_aside[0].to_string();
    assert!(
        warning.contains("it is shard 1 of dataset `a`"),
        "{warning}"
    );

    fs_err::rename(store.shard_path("b", 0), store.shard_path("a", 0)).unwrap();
    let missing = store.missing(&key(), "a", 0..1).unwrap();
    assert!(missing.set_aside[0].to_string().contains("dataset `b`"));
}

#[test]
fn a_shard_of_another_run_is_refused_with_what_differs() {
    let (_folder, store) = store();
    store.publish(&shard("a", 0)).unwrap();
    let refusal = |change: &dyn Fn(&mut ShardKey)| {
        let mut wanted = key();
        change(&mut wanted);
        let wrong = Shard {
            key: wanted.clone(),
            ..shard("a", 0)
        };
        let published = store.publish(&wrong).unwrap_err().to_string();
        let missing = store.missing(&wanted, "a", 0..1).unwrap_err().to_string();
        let loaded = store.load(&wanted, "a", 0).unwrap_err().to_string();
        assert_eq!(missing, published);
        assert_eq!(missing, loaded);
        assert!(
            missing.contains("choose another output folder, or delete"),
            "{missing}"
        );
        missing
    };
    let checkpoint = refusal(&|key| key.checkpoint = "beef".into());
    assert!(
        checkpoint.contains("checkpoint: c0ffee in the shard, beef in the config"),
        "{checkpoint}"
    );
    let dataset = refusal(&|key| key.dataset = "feed".into());
    assert!(
        dataset.contains("dataset content: da7a in the shard, feed in the config"),
        "{dataset}"
    );
    assert!(!dataset.contains("checkpoint:"), "{dataset}");
    let settings = refusal(&|key| {
        let settings = json!({"layers": ["last", "12"], "seed": 0, "image": {"max_pixels": 1.5}});
        key.settings = Settings::new(&settings).unwrap();
    });
    let line = r#"settings `layers`: ["last"] in the shard, ["last","12"] in the config"#;
    assert!(
        settings.contains(line) && !settings.contains("seed"),
        "{settings}"
    );
    assert_eq!(
        store.load(&key(), "a", 0).unwrap(),
        shard("a", 0),
        "nothing was touched"
    );
}

#[test]
fn eight_writers_of_one_shard_do_no_harm() {
    let (_folder, store) = store();
    let expected = shard("a", 0).to_bytes().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for index in 0..10 {
                    store.publish(&shard("a", index)).unwrap();
                    assert_eq!(store.load(&key(), "a", index).unwrap(), shard("a", index));
                }
            });
        }
    });
    assert_eq!(fs_err::read(store.shard_path("a", 0)).unwrap(), expected);
    assert_eq!(
        files(&store.dataset_folder("a")).len(),
        10,
        "temporaries are left"
    );
}

#[test]
fn eight_processes_that_find_damage_at_once_mend_it_once() {
    for _ in 0..20 {
        let (_folder, store) = store();
        store.publish(&shard("a", 0)).unwrap();
        let path = store.shard_path("a", 0);
        fs_err::write(&path, "junk").unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for index in store.missing(&key(), "a", 0..1).unwrap().indices {
                        store.publish(&shard("a", index)).unwrap();
                    }
                });
            }
        });
        // A whole shard that was moved by mistake has been put back.
        assert_eq!(store.load(&key(), "a", 0).unwrap(), shard("a", 0));
        assert_eq!(
            fs_err::read(path.with_extension("safetensors.corrupt")).unwrap_or("junk".into()),
            b"junk"
        );
    }
}

// Publishing

const STALE: &str = ".deadprocess0.madmix-tmp";

#[test]
fn stale_temporaries_go_and_live_ones_stay() {
    let (_folder, store) = store();
    store.publish(&shard("a", 0)).unwrap();
    let folders = [store.root().to_owned(), store.dataset_folder("a")];
    for folder in &folders {
        fs_err::write(folder.join(STALE), "half").unwrap();
        fs_err::write(folder.join(".other.tmp"), "not ours").unwrap();
        fs_err::write(folder.join(".live.madmix-tmp"), "half").unwrap();
    }
    let live: Vec<fs_err::File> = folders
        .iter()
        .map(|folder| {
            let file = fs_err::File::open(folder.join(".live.madmix-tmp")).unwrap();
            file.lock().unwrap();
            file
        })
        .collect();
    Store::open(store.root()).unwrap();
    for folder in &folders {
        assert!(!folder.join(STALE).exists());
        assert!(folder.join(".other.tmp").exists() && folder.join(".live.madmix-tmp").exists());
    }
    drop(live);
    assert_eq!(clean_stale_temporaries(&folders[0]).unwrap(), 1);
    assert_eq!(
        clean_stale_temporaries(Path::new("no/such/folder")).unwrap(),
        0
    );
}

#[test]
fn a_cleaner_never_costs_a_writer_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                clean_stale_temporaries(folder.path()).unwrap();
            }
        });
        let writers: Vec<_> = (0..4_u8)
            .map(|writer| {
                let path = folder.path().join(format!("{writer}"));
                scope.spawn(move || {
                    for round in 0..100_u8 {
                        let bytes = vec![round; 1000 + usize::from(writer)];
                        publish(&path, &bytes).unwrap();
                        assert_eq!(fs_err::read(&path).unwrap(), bytes);
                    }
                })
            })
            .collect();
        let results: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, Ordering::Relaxed);
        for result in results {
            result.unwrap();
        }
    });
    assert_eq!(files(folder.path()), ["0", "1", "2", "3"]);
}

#[test]
fn a_published_file_is_replaced_whole_with_an_ordinary_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/mixture.json");
    assert_eq!(publish(&path, b"one").unwrap(), Published::Written);
    assert_eq!(publish(&path, b"one").unwrap(), Published::AlreadyThere);
    assert_eq!(publish(&path, b"two").unwrap(), Published::Written);
    assert_eq!(fs_err::read(&path).unwrap(), b"two");
    assert_eq!(files(path.parent().unwrap()), ["mixture.json"]);

    let mode = |path: &PathBuf| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    let ordinary = folder.path().join("ordinary");
    fs_err::write(&ordinary, "made with mode 0666 under the same umask").unwrap();
    assert_eq!(mode(&path), mode(&ordinary) & 0o644);
}

#[test]
fn what_cannot_be_published_is_an_error_with_its_path_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs_err::write(&file, "in the way").unwrap();
    let below = publish(&file.join("x"), b"bytes").unwrap_err();
    assert!(below.to_string().contains("file/x"), "{below}");

    let taken = folder.path().join("folder");
    fs_err::create_dir_all(taken.join("full")).unwrap();
    let over = publish(&taken, b"bytes").unwrap_err();
    assert!(over.to_string().contains("folder"), "{over}");
    assert_eq!(files(folder.path()), ["file", "folder"]);
}

// Failures

#[test]
fn failures_come_in_an_order_of_their_own() {
    let failure = |row| Failure {
        id: format!("id {row}"),
        reason: "line\nbreak".into(),
        row,
    };
    let with = |dataset: &str, index, rows: &[u64]| Shard {
        failures: rows.iter().copied().map(failure).collect(),
        ..shard(dataset, index)
    };
    let shards = [
        with("b", 0, &[3]),
        with("a", 1, &[12, 2]),
        with("a", 0, &[10]),
    ];
    let mut forward = Failures::default();
    for shard in &shards {
        forward.add(&shard.dataset, &shard.failures);
    }
    let mut backward = Failures::default();
    for shard in shards.iter().rev().chain(&shards) {
        backward.add(&shard.dataset, &shard.failures);
    }
    assert_eq!(forward.to_jsonl(), backward.to_jsonl());
    let order: Vec<_> = forward
        .records()
        .map(|r| (r.dataset.as_str(), r.row))
        .collect();
    assert_eq!(order, [("a", 2), ("a", 10), ("a", 12), ("b", 3)]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failures.jsonl");
    forward.publish(&path).unwrap();
    let text = fs_err::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().next(),
        Some(r#"{"dataset":"a","row":2,"id":"id 2","reason":"line\nbreak"}"#)
    );
    assert_eq!(Failures::from_jsonl(&text).unwrap(), forward);
    let error = Failures::from_jsonl(&format!("{text}oops\n")).unwrap_err();
    assert!(error.to_string().contains("line 5"), "{error}");
    Failures::default().publish(&path).unwrap();
    assert_eq!(fs_err::read(&path).unwrap(), b"");
}
