//! Fetching checkpoints from a hub, against a server on this machine.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "support/checkpoints.rs"]
mod checkpoints;
#[path = "support/hub.rs"]
mod server;

use checkpoints::*;
use madmix::checkpoint::{Checkpoint, CheckpointError, Layout, OpenOptions, Step};
use safetensors::tensor::Dtype;
use serde_json::json;
use server::{COMMIT, Hub, REPO};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The files of a folder, by name; subfolders are left out.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs_err::read(&path).unwrap());
        }
    }
    files
}

/// A hub with a tiny checkpoint, and an empty cache.
struct World {
    hub: Hub,
    tiny: Tiny,
    cache: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(Tiny::new(Names::Hub))
    }

    fn with(tiny: Tiny) -> Self {
        Self {
            hub: Hub::start(files(tiny.folder.path())),
            tiny,
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn options(&self) -> OpenOptions {
        OpenOptions {
            endpoint: self.hub.endpoint.clone(),
            ..OpenOptions::new(self.cache.path())
        }
    }

    fn offline(&self) -> OpenOptions {
        OpenOptions {
            offline: true,
            ..self.options()
        }
    }

    fn open(&self, options: &OpenOptions) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(REPO, self.tiny.folder.path(), options)
    }
}

fn print(checkpoint: &Checkpoint) -> String {
    checkpoint.fingerprint(&offline().progress).unwrap()
}

#[test]
fn a_repository_is_fetched_into_the_shared_cache() {
    let world = World::new();
    world.hub.set(|state| {
        state.files.insert("pytorch_model.bin".into(), vec![0; 9]);
        state.files.insert("README.md".into(), vec![0; 9]);
    });
    let checkpoint = world.open(&world.options()).unwrap();
    assert_eq!(
        (checkpoint.name.as_str(), checkpoint.layout),
        (REPO, Layout::HuggingFace)
    );
    let snapshot = world
        .cache
        .path()
        .join("models--org--model/snapshots")
        .join(COMMIT);
    assert_eq!(checkpoint.root, snapshot);
    assert_eq!(print(&checkpoint), print(&world.tiny.open().unwrap()));
    for file in ["pytorch_model.bin", "README.md"] {
        assert!(!snapshot.join(file).exists(), "{file} is of no use");
    }

    // Again: only the listing is asked for.
    world.hub.set(|state| state.log.clear());
    world.open(&world.options()).unwrap();
    assert_eq!(
        world.hub.state.lock().unwrap().log,
        ["GET /api/models/org/model/revision/main "]
    );

    // Offline: nothing is.
    world.hub.set(|state| state.log.clear());
    assert_eq!(
        print(&world.open(&world.offline()).unwrap()),
        print(&checkpoint)
    );
    let by_commit = Checkpoint::open(
        &format!("{REPO}@{COMMIT}"),
        Path::new("/"),
        &world.offline(),
    )
    .unwrap();
    assert_eq!(by_commit.root, snapshot);
    assert!(world.hub.state.lock().unwrap().log.is_empty());
}

#[test]
fn a_hub_that_cannot_be_reached_leaves_the_cache() {
    let world = World::new();
    world.open(&world.options()).unwrap();
    // A port that was free a moment ago: nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let unreachable = OpenOptions {
        endpoint: format!("http://{closed}"),
        ..world.options()
    };
    world.open(&unreachable).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let error = world
        .open(&OpenOptions {
            cache: empty.path().into(),
            ..unreachable
        })
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot be used") && error.contains("there is no folder"),
        "{error}"
    );
}

#[test]
fn an_offline_cache_that_lacks_something() {
    let world = World::new();
    let error = world.open(&world.offline()).unwrap_err().to_string();
    assert!(
        error.contains("HF_HUB_OFFLINE is set") && error.contains("no such snapshot"),
        "{error}"
    );
    let root = world.open(&world.options()).unwrap().root;
    fs_err::remove_file(root.join("model.safetensors")).unwrap();
    let error = world.open(&world.offline()).unwrap_err().to_string();
    assert!(
        error.contains("in the cache (offline) has neither model.safetensors"),
        "{error}"
    );
}

#[test]
fn progress_is_told() {
    let world = World::new();
    let seen: Arc<Mutex<Vec<(String, u64, u64)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let mut options = world.options();
    options.progress = Arc::new(move |p| {
        assert_eq!(p.step, Step::Download);
        log.lock()
            .unwrap()
            .push((p.file.to_owned(), p.done, p.total));
    });
    world.open(&options).unwrap();
    let length = fs_err::metadata(world.tiny.path("model.safetensors"))
        .unwrap()
        .len();
    assert!(
        seen.lock()
            .unwrap()
            .contains(&("model.safetensors".to_owned(), length, length))
    );
}

#[test]
fn tokens_open_private_repositories() {
    let world = World::new();
    world.hub.set(|state| state.token = Some("secret".into()));
    let error = world.open(&world.options()).unwrap_err();
    assert!(matches!(error, CheckpointError::NotFound { .. }));
    let error = error.to_string();
    assert!(
        error.contains("answers 401") && error.contains("set HF_TOKEN"),
        "{error}"
    );
    let with = |token: &str| OpenOptions {
        token: Some(token.into()),
        ..world.options()
    };
    let error = world.open(&with("wrong")).unwrap_err().to_string();
    assert!(
        error.contains("the token given does not open it") && !error.contains("wrong"),
        "{error}"
    );
    world.open(&with("secret")).unwrap();
}

#[test]
fn refusals_are_final_and_say_what_to_do() {
    let world = World::new();
    for (code, says) in [
        (403, "accept the repository's terms"),
        (404, "no repository org/model with revision main"),
    ] {
        world.hub.set(|state| state.refuse_with = Some(code));
        let error = world.open(&world.options()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(
        world.hub.state.lock().unwrap().log.len(),
        2,
        "no attempt is repeated"
    );
}

#[test]
fn a_transfer_that_breaks_off_is_taken_up_again() {
    let world = World::new();
    world
        .hub
        .set(|state| state.break_off = Some(("model.safetensors".into(), 10_000, 2)));
    let checkpoint = world.open(&world.options()).unwrap();
    assert_eq!(print(&checkpoint), print(&world.tiny.open().unwrap()));
    assert_eq!(
        world.hub.ranges("model.safetensors"),
        ["bytes=0-", "bytes=10000-", "bytes=20000-"]
    );
}

#[test]
fn a_server_that_ignores_ranges_makes_no_garbage() {
    let world = World::new();
    world.hub.set(|state| {
        state.break_off = Some(("model.safetensors".into(), 10_000, 1));
        state.ignore_resume = true;
    });
    let checkpoint = world.open(&world.options()).unwrap();
    assert_eq!(print(&checkpoint), print(&world.tiny.open().unwrap()));
}

#[test]
fn a_part_left_whole_by_a_killed_process_is_no_dead_end() {
    let world = World::new();
    // Fetch once, and turn the result back into what a process killed before its last rename leaves.
    let root = world.open(&world.options()).unwrap().root;
    let blob = fs_err::canonicalize(root.join("model.safetensors")).unwrap();
    fs_err::rename(&blob, blob.with_extension("part")).unwrap();
    fs_err::remove_file(root.join("model.safetensors")).unwrap();
    assert_eq!(
        print(&world.open(&world.options()).unwrap()),
        print(&world.tiny.open().unwrap())
    );
}

#[test]
fn a_transfer_that_never_ends_well_gives_up() {
    let world = World::new();
    world
        .hub
        .set(|state| state.break_off = Some(("config.json".into(), 0, u32::MAX)));
    let error = world.open(&world.options()).unwrap_err().to_string();
    assert!(
        error.contains("config.json could not be fetched in 5 attempts"),
        "{error}"
    );
}

#[test]
fn shards_are_fetched_and_unsupported_families_are_not() {
    let tiny = Tiny::without_weights(Names::Hub);
    let all = named(Names::Hub, all_tensors(TINY), Dtype::BF16);
    let (first, second) = all.split_at(all.len() / 2);
    let mut map = serde_json::Map::new();
    for (file, part) in [("a.safetensors", first), ("b.safetensors", second)] {
        write_file(&tiny.path(file), part);
        map.extend(part.iter().map(|(name, ..)| (name.clone(), json!(file))));
    }
    write_json(
        &tiny.path("model.safetensors.index.json"),
        &json!({"weight_map": map}),
    );
    let world = World::with(tiny);
    world.open(&world.options()).unwrap();

    let world = World::new();
    world.hub.set(|state| {
        drop(
            state
                .files
                .insert("config.json".into(), br#"{"model_type":"gpt2"}"#.into()),
        );
    });
    assert!(matches!(
        world.open(&world.options()),
        Err(CheckpointError::UnknownFamily { .. })
    ));
    assert!(world.hub.ranges("model.safetensors").is_empty());
}

#[test]
fn pickles_on_the_hub_are_refused_unfetched() {
    let tiny = Tiny::without_weights(Names::Hub);
    fs_err::write(tiny.path("pytorch_model.bin"), "pickle").unwrap();
    let world = World::with(tiny);
    let error = world.open(&world.options()).unwrap_err().to_string();
    assert!(
        error.contains("hf download org/model --local-dir FOLDER\ncd FOLDER && python -c"),
        "{error}"
    );
    assert!(world.hub.ranges("pytorch_model.bin").is_empty());
}

#[test]
fn a_frozen_tower_is_fetched_from_the_hub() {
    // The hub's repository is the tower; the checkpoint is a folder that names it.
    let tower = Tiny::without_weights(Names::LlavaNext);
    write_json(&tower.path("config.json"), &tower_config(4));
    let tensors: Vec<_> = vision_tensors("vision_tower.", TINY)
        .into_iter()
        .map(|(name, shape)| {
            (
                name.replace("vision_tower.", "vision_model."),
                name,
                shape,
                Dtype::F32,
            )
        })
        .collect();
    write_file(&tower.path("model.safetensors"), &tensors);
    let world = World::with(tower);

    let tiny = Tiny::without_weights(Names::LlavaNext);
    fs_err::remove_dir_all(tiny.path("tower")).unwrap();
    tiny.edit("config.json", |config| {
        config["mm_vision_tower"] = json!(REPO);
    });
    write_file(
        &tiny.path("model.safetensors"),
        &named(Names::LlavaNext, other_tensors(TINY), Dtype::F32),
    );
    let folder = tiny.folder.path().to_str().unwrap();
    let checkpoint = Checkpoint::open(folder, Path::new("/"), &world.options()).unwrap();
    assert_eq!(checkpoint.layout, Layout::LlavaNext);
    Checkpoint::open(folder, Path::new("/"), &world.offline()).unwrap();
}

#[test]
fn processes_that_start_together_fetch_once() {
    let world = World::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| world.open(&world.options()).unwrap());
        }
    });
    assert_eq!(world.hub.ranges("model.safetensors").len(), 1);
}
