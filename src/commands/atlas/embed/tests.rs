use std::fs::FileTimes;
use std::time::SystemTime;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::dataset::{self, DatasetSpec};
use crate::extract::ExtractError;
use crate::store::Failure;

/// A config, and datasets `a` of 70 rows with pictures and `b` of three: two pictures with a clip, a clip, and a picture
/// that is not there.
struct Project {
    folder: TempDir,
    config: Config,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn row(media: &serde_json::Value) -> serde_json::Value {
    let mut row = media.clone();
    row["messages"] = json!([{"role": "user", "content": media["content"]}, {"role": "assistant", "content": "."}]);
    row
}

fn picture(name: &str) -> serde_json::Value {
    row(&json!({"content": "<image>?", "images": [name]}))
}

impl Project {
    fn new(checkpoint: Option<&str>, rate: f64) -> Self {
        let folder = TempDir::new().unwrap();
        let pictures = repository().join("tests/fixtures/atlas/pictures");
        let names = [
            "wide.png",
            "tall.png",
            "small.png",
            "square.png",
            "tile.png",
        ];
        for name in names {
            fs_err::copy(pictures.join(name), folder.path().join(name)).unwrap();
        }
        let many: Vec<_> = (0..70).map(|i| picture(names[i % 5])).collect();
        let few = [
            row(&json!({
                "content": "<image><video><image>?",
                "images": ["wide.png", "tall.png"],
                "videos": [["small.png", "small.png", "small.png"]],
            })),
            row(&json!({"content": "<video>?", "videos": [["wide.png", "wide.png", "wide.png"]]})),
            picture("gone.png"),
        ];
        let write = |name: &str, rows: &[serde_json::Value]| {
            let text = serde_json::to_string(rows).unwrap();
            fs_err::write(folder.path().join(name), text).unwrap();
        };
        write("a.json", &many);
        write("b.json", &few);
        let concepts = checkpoint.map_or(String::new(), |name| {
            let path = repository().join("tests/fixtures/atlas").join(name);
            format!("checkpoint = {path:?}")
        });
        let model = repository().join("models/tiny-llava-onevision");
        let text = format!(
            "output = \"run\"\n[model]\ncheckpoint = {model:?}\ndevice = \"cpu\"\n[extract]\nworkers = 2\nmax_failure_rate = {rate}\n\
             [atlas.concepts]\n{concepts}\n[[domain]]\nname = \"d\"\ndataset = [{{ name = \"a\", path = \"a.json\" }}]\n"
        );
        let path = folder.path().join("config.toml");
        fs_err::write(&path, text).unwrap();
        let config = Config::read(&path).unwrap();
        Self { folder, config }
    }

    fn open(&self) -> Embeddings {
        Embeddings::open(&self.config, &self.folder.path().join("config.toml")).unwrap()
    }

    fn wanted(&self, name: &str, indices: impl IntoIterator<Item = u64>) -> Wanted {
        let spec = DatasetSpec {
            name: name.to_owned(),
            path: self.folder.path().join(format!("{name}.json")),
            ..DatasetSpec::default()
        };
        Wanted {
            name: name.to_owned(),
            dataset: dataset::open(&spec).unwrap().into(),
            indices: indices.into_iter().collect(),
        }
    }

    fn shards(&self, dataset: &str) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
        let folder = Store::at(self.config.output.join("atlas/embeddings")).dataset_folder(dataset);
        let mut shards: Vec<_> = fs_err::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let bytes = fs_err::read(&path).unwrap();
                let written = fs_err::metadata(&path).unwrap().modified().unwrap();
                (path, bytes, written)
            })
            .collect();
        shards.sort();
        shards
    }
}

fn embed(embeddings: &mut Embeddings, wanted: &[Wanted]) -> Vec<Embedded> {
    let stop = AtomicBool::new(false);
    embeddings.embed(wanted, false, &stop).unwrap().unwrap()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f32>().sqrt()
}

#[test]
fn only_what_is_missing_is_made_again_and_to_the_same_bytes() {
    let project = Project::new(Some("clip"), 0.0);
    // All but the third, which has no picture to be looked at here.
    let wanted = [project.wanted("a", (0..70).filter(|i| *i != 2))];
    let stop = AtomicBool::new(true);
    let stopped = project.open().embed(&wanted, false, &stop).unwrap();
    assert!(stopped.is_none());

    let first = embed(&mut project.open(), &wanted).remove(0);
    assert_eq!(first.indices, wanted[0].indices);
    assert_eq!((first.vectors.rows(), first.vectors.columns()), (69, 20));
    assert!(first.failures.is_empty());
    for i in 0..69 {
        let length = apart(first.vectors.row(i), &[0.0; 20]);
        assert!((length - 1.0).abs() < 1e-6);
    }
    // The samples 0, 1, 3, 4, 5: the last shows what the first does.
    assert!(apart(first.vectors.row(0), first.vectors.row(4)) < 1e-5);
    assert!(apart(first.vectors.row(0), first.vectors.row(1)) > 0.01);

    let made = project.shards("a");
    assert_eq!(made.len(), 2);
    // The first is as old as a file can be told to be, and stays so.
    let old = SystemTime::UNIX_EPOCH;
    let file = fs_err::OpenOptions::new()
        .write(true)
        .open(&made[0].0)
        .unwrap();
    file.file()
        .set_times(FileTimes::new().set_modified(old))
        .unwrap();
    fs_err::remove_file(&made[1].0).unwrap();
    let second = embed(&mut project.open(), &wanted).remove(0);
    assert_eq!(second, first);
    let again = project.shards("a");
    assert_eq!(again[0].2, old);
    assert!(
        again
            .iter()
            .zip(&made)
            .all(|(again, made)| again.1 == made.1)
    );

    let other = [project.wanted("a", 0..70)];
    let stop = AtomicBool::new(false);
    let refused = project.open().embed(&other, false, &stop).unwrap_err();
    assert!(refused.to_string().contains("made from something else"));
    // Labelling makes them anew; those that fit stay.
    project.open().set_others_aside(&wanted).unwrap();
    assert_eq!(project.shards("a").len(), 2);
    project.open().set_others_aside(&other).unwrap();
    let aside = project.config.output.join("atlas/embeddings.old/a");
    assert_eq!(fs_err::read_dir(aside).unwrap().count(), 2);
    assert_eq!(embed(&mut project.open(), &other)[0].vectors.rows(), 70);
}

#[test]
fn pictures_and_frames_count_alike_and_what_fails_is_told() {
    let project = Project::new(Some("siglip"), 0.5);
    let wanted = [project.wanted("a", 0..5), project.wanted("b", 0..3)];
    let embedded = embed(&mut project.open(), &wanted);
    let [a, b] = &embedded[..] else {
        panic!("two datasets")
    };
    assert_eq!(b.indices, [0, 1]);
    let failed: Vec<(u64, bool)> = b
        .failures
        .iter()
        .map(|Failure { row, reason, .. }| (*row, reason.contains("gone.png")))
        .collect();
    assert_eq!(failed, [(2, true)]);
    let pictures = a.vectors.row(0).iter().zip(a.vectors.row(1));
    let all: Vec<f32> = pictures
        .zip(a.vectors.row(2))
        .map(|((wide, tall), small)| wide + tall + 3.0 * small)
        .collect();
    let length = apart(&all, &[0.0; 32]);
    let all: Vec<f32> = all.iter().map(|x| x / length).collect();
    assert!(apart(b.vectors.row(0), &all) < 1e-5);
    assert!(
        apart(b.vectors.row(1), a.vectors.row(0)) < 1e-5,
        "frames of one picture"
    );
    let list = project
        .config
        .output
        .join("atlas/embeddings")
        .join(FAILURES);
    assert!(fs_err::read_to_string(list).unwrap().contains("gone.png"));
}

#[test]
fn too_many_failures_end_it_and_mended_data_is_taken_on_request() {
    let strict = Project::new(Some("clip"), 0.1);
    let wanted = [strict.wanted("b", 0..3)];
    let stop = AtomicBool::new(false);
    let error = strict.open().embed(&wanted, false, &stop).unwrap_err();
    let error = error.downcast::<ExtractError>().unwrap();
    assert!(matches!(error, ExtractError::TooManyFailures(_)), "{error}");

    let project = Project::new(Some("clip"), 0.5);
    let wanted = [project.wanted("b", 0..3)];
    assert_eq!(embed(&mut project.open(), &wanted)[0].indices, [0, 1]);
    let folder = project.folder.path();
    fs_err::copy(folder.join("small.png"), folder.join("gone.png")).unwrap();
    assert_eq!(embed(&mut project.open(), &wanted)[0].indices, [0, 1]);
    let mended = project.open().embed(&wanted, true, &stop).unwrap().unwrap();
    assert_eq!(mended[0].indices, [0, 1, 2]);
}

#[test]
fn a_dataset_without_pictures_costs_nothing() {
    let project = Project::new(Some("clip"), 0.0);
    let mut embeddings = project.open();
    let embedded = embed(&mut embeddings, &[project.wanted("a", [])]);
    assert_eq!(embedded[0].vectors.rows(), 0);
    assert!(embeddings.loaded.models.is_empty());
}

#[test]
fn words_have_vectors_where_there_is_a_text_side() {
    let words = ["chart".to_owned(), " street sign".to_owned()];
    for name in ["clip", "siglip"] {
        let project = Project::new(Some(name), 0.0);
        let vectors = project.open().text_vectors(&words).unwrap().unwrap();
        let pictures = embed(&mut project.open(), &[project.wanted("a", 0..1)]);
        assert_eq!(vectors.rows(), 2);
        assert_eq!(vectors.columns(), pictures[0].vectors.columns());
        let zero = vec![0.0; vectors.columns()];
        assert!((apart(vectors.row(1), &zero) - 1.0).abs() < 1e-5);
    }
    let tower = Project::new(None, 0.0);
    let mut embeddings = tower.open();
    assert!(embeddings.text_vectors(&words).unwrap().is_none());
    let embedded = embed(&mut embeddings, &[tower.wanted("a", 0..5)]);
    assert_eq!(embedded[0].vectors.columns(), 48);
}
