//! Embeddings of pictures and words against transformers, by `scripts/make_embedding_fixtures.py`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use madmix::checkpoint::{Checkpoint, EmbeddingCheckpoint, OpenOptions};
use madmix::config::{Protocol, TooLong};
use madmix::dataset::{self, Dataset, DatasetSpec};
use madmix::extract::{Options, Preparer};
use madmix::media::{Limits, Orientation, Rgb, Sampling, Size, Tiles, VideoLimits};
use madmix::modality::Modality;
use madmix::prompt::{Place, Tokens, WordEncoder};
use madmix::vlm::embed::Source;
use madmix::vlm::{Input, Layer, Model, PooledBatch, ProcessorOptions, Shape, TextScope, Visual};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::json;

use crate::places::repository;

#[derive(Deserialize)]
struct Cases {
    pictures: Vec<String>,
    texts: Vec<String>,
}

/// What the reference made of the cases.
struct Reference {
    /// By name the width of a row and the values; levels and ids as floats too.
    tensors: HashMap<String, (usize, Vec<f32>)>,
}

const CHECKPOINTS: [&str; 2] = ["clip", "siglip"];

fn fixtures() -> PathBuf {
    Path::new(repository()).join("tests/fixtures/atlas")
}

fn cases() -> Cases {
    let bytes = fs_err::read(fixtures().join("cases.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

impl Reference {
    fn read(name: &str) -> Self {
        Self::of_file(&format!("{name}/reference.safetensors"))
    }

    fn of_file(file: &str) -> Self {
        let bytes = fs_err::read(fixtures().join(file)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            let values = match view.dtype() {
                Dtype::U8 => view.data().iter().map(|&level| f32::from(level)).collect(),
                Dtype::U32 => words(view.data()).map(|word| word as f32).collect(),
                _ => words(view.data()).map(f32::from_bits).collect(),
            };
            let width = view.shape()[1..].iter().product();
            (name, (width, values))
        };
        let tensors = file.tensors().into_iter().map(read).collect();
        Self { tensors }
    }

    fn rows(&self, name: &str) -> impl Iterator<Item = &[f32]> {
        let (width, values) = &self.tensors[name];
        values.chunks_exact(*width)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let (words, _) = bytes.as_chunks();
    words.iter().map(|word| u32::from_le_bytes(*word))
}

fn open(folder: &Path) -> EmbeddingCheckpoint {
    let options = OpenOptions::new(folder);
    EmbeddingCheckpoint::open(folder.to_str().unwrap(), Path::new("."), &options).unwrap()
}

fn source(name: &str) -> Source {
    Source::Embedding(open(&fixtures().join(name)))
}

fn load(source: &Source) -> Box<dyn Model> {
    source.load(DType::F32, &Device::Cpu).unwrap()
}

fn embed(model: &dyn Model, batch: &[Input]) -> PooledBatch {
    model
        .forward(batch, &[Layer::Last], TextScope::All)
        .unwrap()
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}

/// The mean of unit vectors.
fn mean(vectors: &[&[f32]]) -> Vec<f32> {
    let mut mean = vec![0.0; vectors[0].len()];
    for vector in vectors {
        for (sum, value) in mean.iter_mut().zip(unit(vector)) {
            *sum += value / vectors.len() as f32;
        }
    }
    mean
}

/// The distance of two vectors by the length of the second.
fn apart(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>();
    let difference = square(&mut found.iter().zip(wanted).map(|(a, b)| a - b));
    (difference / square(&mut wanted.iter().copied())).sqrt()
}

/// An input of one kind whose tiles are these levels, one visual for each list.
fn input(visuals: &[Vec<&[f32]>], place: Place, tokens: usize) -> Input {
    let visual = |levels: &Vec<&[f32]>| {
        let mut tiles = Tiles::none();
        for levels in levels {
            let side = (levels.len() as f64 / 3.0).sqrt() as u32;
            let mut picture = Rgb::filled(Size::square(side), [0; 3]);
            picture.data = levels.iter().map(|&level| level as u8).collect();
            tiles.append(Tiles::single(picture));
        }
        let shape = Shape::Whole {
            tiles: levels.len(),
            tokens,
        };
        Visual { tiles, shape }
    };
    let visuals: Vec<Visual> = visuals.iter().map(visual).collect();
    let count = visuals.iter().map(|visual| visual.shape.tokens()).sum();
    Input {
        tokens: Tokens {
            ids: vec![0; count],
            places: vec![place; count],
        },
        visuals,
    }
}

/// The largest distance of the reference's pictures, given as levels, from what a model makes of them.
fn pictures_apart(source: &Source, reference: &Reference, levels: &str, image: &str) -> f32 {
    let batch: Vec<Input> = reference
        .rows(levels)
        .map(|levels| input(&[vec![levels]], Place::Image, 16))
        .collect();
    let pooled = embed(load(source).as_ref(), &batch);
    let of = |(i, wanted): (usize, &[f32])| {
        assert_eq!(pooled.tokens[i], [0, 1, 0]);
        apart(pooled.vector(0, i, Modality::Image), &unit(wanted))
    };
    reference
        .rows(image)
        .enumerate()
        .map(of)
        .fold(0.0, f32::max)
}

/// The largest distance of the reference's texts from what a model makes of them.
fn texts_apart(checkpoint: EmbeddingCheckpoint, reference: &Reference, text: &str) -> f32 {
    let encoder = WordEncoder::new(&checkpoint).unwrap().unwrap();
    let source = Source::Embedding(checkpoint);
    let texts = cases().texts;
    let ids: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| encoder.encode(text).unwrap())
        .collect();
    for (ids, wanted) in ids.iter().zip(reference.rows("ids")) {
        // CLIP's are filled up in the reference, to the longest of the batch.
        let found: Vec<f32> = ids.iter().map(|&id| id as f32).collect();
        assert_eq!(found, wanted[..found.len()]);
        let rest = &wanted[found.len()..];
        assert!(rest.iter().all(|id| Some(id) == found.last()));
    }
    let model = source.load_text(DType::F32, &Device::Cpu).unwrap().unwrap();
    let vectors = model.forward(&ids).unwrap();
    assert_eq!(vectors.len(), texts.len() * model.width());
    let rows = vectors.chunks_exact(model.width());
    rows.zip(reference.rows(text))
        .map(|(found, wanted)| apart(found, wanted))
        .fold(0.0, f32::max)
}

#[test]
fn pictures_are_embedded_as_transformers_does() {
    for name in CHECKPOINTS {
        let worst = pictures_apart(&source(name), &Reference::read(name), "levels", "image");
        assert!(worst < 1e-5, "{name}: {worst}");
    }
}

#[test]
fn words_are_embedded_as_transformers_does() {
    for name in CHECKPOINTS {
        let worst = texts_apart(open(&fixtures().join(name)), &Reference::read(name), "text");
        assert!(worst < 1e-5, "{name}: {worst}");
    }
}

#[test]
fn the_activation_of_open_clip_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let gelu = |side| ("config.json", side, json!("gelu"));
    let sides = ["/vision_config/hidden_act", "/text_config/hidden_act"].map(gelu);
    changed("clip", folder.path(), &sides, true);
    let reference = Reference::read("clip");
    let worst = texts_apart(open(folder.path()), &reference, "gelu.text");
    assert!(worst < 1e-5, "{worst}");
    let source = Source::Embedding(open(folder.path()));
    let worst = pictures_apart(&source, &reference, "levels", "gelu.image");
    assert!(worst < 1e-5, "{worst}");
    assert!(pictures_apart(&source, &reference, "levels", "image") > 1e-3);
}

#[test]
fn several_pictures_and_frames_are_averaged_as_unit_vectors() {
    let reference = Reference::read("clip");
    let model = load(&source("clip"));
    let levels: Vec<&[f32]> = reference.rows("levels").collect();
    let vectors: Vec<&[f32]> = reference.rows("image").collect();
    let batch = [
        input(&[vec![levels[0]], vec![levels[1]]], Place::Image, 16),
        input(&[vec![levels[2], levels[3], levels[4]]], Place::Video, 16),
        Input {
            tokens: Tokens::default(),
            visuals: Vec::new(),
        },
    ];
    let pooled = embed(model.as_ref(), &batch);
    assert_eq!(pooled.tokens, [[0, 2, 0], [0, 0, 3], [0, 0, 0]]);
    let pictures = pooled.vector(0, 0, Modality::Image);
    assert!(apart(pictures, &mean(&vectors[..2])) < 1e-5);
    let clip = pooled.vector(0, 1, Modality::Video);
    assert!(apart(clip, &mean(&vectors[2..])) < 1e-5);
    let none = pooled.vector(0, 2, Modality::Image);
    assert!(none.iter().all(|x| x.to_bits() == 0));
    let nothing = embed(model.as_ref(), &batch[2..]);
    assert_eq!(nothing.tokens, [[0; 3]]);
}

#[test]
fn how_tiles_are_packed_changes_nothing() {
    for name in CHECKPOINTS {
        let reference = Reference::read(name);
        let mut model = load(&source(name));
        let batch: Vec<Input> = reference
            .rows("levels")
            .map(|levels| input(&[vec![levels]], Place::Image, 16))
            .collect();
        let together = embed(model.as_ref(), &batch);
        model.set_patches(1);
        let alone = embed(model.as_ref(), &batch);
        assert!(apart(&alone.layers[0], &together.layers[0]) < 1e-5);
    }
}

pub(crate) fn options() -> Options {
    Options {
        processor: ProcessorOptions::default(),
        orientation: Orientation::Apply,
        limits: Limits::default(),
        sampling: Sampling::NumFrames(2),
        max_frames: None,
        video: VideoLimits::default(),
        spans: false,
        protocol: Protocol::Joint,
        max_tokens: None,
        too_long: TooLong::Fail,
    }
}

/// A dataset of rows of messages with pictures of the fixtures.
fn dataset(folder: &Path, rows: &[serde_json::Value]) -> Box<dyn Dataset> {
    let path = folder.join("rows.json");
    fs_err::write(&path, serde_json::to_string(rows).unwrap()).unwrap();
    dataset::open(&DatasetSpec {
        path,
        media_root: Some(fixtures().join("pictures")),
        ..DatasetSpec::default()
    })
    .unwrap()
}

/// A dataset of the fixtures' pictures, one to a sample.
fn pictures(folder: &Path) -> Box<dyn Dataset> {
    let row = |name: &String| {
        json!({
            "image": format!("{name}.png"),
            "conversations": [{"from": "human", "value": "<image>?"}, {"from": "gpt", "value": "."}],
        })
    };
    let rows: Vec<_> = cases().pictures.iter().map(row).collect();
    dataset(folder, &rows)
}

/// What a source makes of each sample of a dataset, each of one input.
fn prepared(source: &Source, dataset: &dyn Dataset) -> Vec<Input> {
    let options = options();
    let preparer = Preparer::of_pictures(source.processor(&options.processor), options);
    let prepare = |i| {
        let measured = preparer.measure(dataset, i).unwrap();
        let mut inputs = preparer.load(&measured, dataset).unwrap();
        assert_eq!(inputs.len(), 1);
        assert_eq!(measured.tokens(), inputs[0].tokens.ids.len());
        inputs.remove(0)
    };
    (0..dataset.len()).map(prepare).collect()
}

#[test]
fn files_are_embedded_as_transformers_does_without_a_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = pictures(folder.path());
    let bilinear = folder.path().join("bilinear");
    fs_err::create_dir(&bilinear).unwrap();
    let resample = ("preprocessor_config.json", "/resample", json!(2));
    changed("siglip", &bilinear, &[resample], true);
    for (name, path, prefix) in [
        ("clip", fixtures().join("clip"), ""),
        ("siglip", fixtures().join("siglip"), ""),
        ("siglip", bilinear, "bilinear."),
    ] {
        let reference = Reference::read(name);
        let source = Source::Embedding(open(&path));
        let batch = prepared(&source, dataset.as_ref());
        for (input, levels) in batch.iter().zip(reference.rows(&format!("{prefix}levels"))) {
            assert_eq!(input.tokens.ids.len(), 16);
            let found = input.visuals[0].tiles.iter().next().unwrap();
            let same = |(a, b): (&u8, &f32)| u32::from(*a) == *b as u32;
            assert!(found.iter().zip(levels).all(same), "{prefix}{name}");
        }
        let pooled = embed(load(&source).as_ref(), &batch);
        for (i, wanted) in reference.rows(&format!("{prefix}image")).enumerate() {
            let found = pooled.vector(0, i, Modality::Image);
            assert!(apart(found, &unit(wanted)) < 1e-4, "{prefix}{name} {i}");
        }
    }
}

#[test]
fn a_sample_without_pictures_is_a_failure_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        json!({"id": "t", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "."}]}),
    ];
    let dataset = dataset(folder.path(), &rows);
    let options = options();
    let source = source("clip");
    let preparer = Preparer::of_pictures(source.processor(&options.processor), options);
    let failure = preparer.measure(dataset.as_ref(), 0).map(|_| ());
    let failure = failure.unwrap_err();
    assert_eq!((failure.row, failure.id.as_str()), (0, "t"));
    assert!(failure.reason.contains("neither pictures nor clips"));
}

#[test]
fn what_is_neither_clip_nor_siglip_is_named() {
    let folder = Path::new(repository()).join("models/tiny-llava-onevision");
    let options = OpenOptions::new(&folder);
    let opened =
        EmbeddingCheckpoint::open(folder.to_str().unwrap(), Path::new("."), &options).map(|_| ());
    let message = opened.unwrap_err().to_string();
    for words in ["llava_onevision", "CLIPModel", "SiglipModel"] {
        assert!(message.contains(words), "{message}");
    }
}

/// A copy of a checkpoint of the fixtures with other values in its JSON files, and perhaps without a tokenizer.
fn changed(name: &str, to: &Path, values: &[(&str, &str, serde_json::Value)], tokenizer: bool) {
    for file in fs_err::read_dir(fixtures().join(name)).unwrap() {
        let file = file.unwrap();
        if tokenizer || file.file_name() != "tokenizer.json" {
            fs_err::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    for (file, pointer, value) in values {
        let path = to.join(file);
        let mut json: serde_json::Value =
            serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
        *json.pointer_mut(pointer).unwrap() = value.clone();
        fs_err::write(path, json.to_string()).unwrap();
    }
}

#[test]
fn what_would_be_computed_wrongly_is_refused() {
    for (name, pointer, value, words) in [
        (
            "clip",
            "/vision_config/hidden_act",
            json!("relu"),
            "hidden_act",
        ),
        ("clip", "/projection_dim", json!(21), "visual_projection"),
        (
            "siglip",
            "/vision_config/vision_use_head",
            json!(false),
            "vision_use_head",
        ),
        (
            "siglip",
            "/text_config/projection_size",
            json!(33),
            "projection_size",
        ),
        (
            "clip",
            "/text_config/num_hidden_layers",
            json!(1),
            "text_config.num_hidden_layers",
        ),
        (
            "clip",
            "/vision_config/image_size",
            json!(40),
            "shortest_edge",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        changed(
            name,
            folder.path(),
            &[("config.json", pointer, value)],
            true,
        );
        let options = OpenOptions::new(folder.path());
        let path = folder.path().to_str().unwrap();
        let opened = EmbeddingCheckpoint::open(path, Path::new("."), &options).map(|_| ());
        let message = opened.unwrap_err().to_string();
        assert!(message.contains(words), "{pointer}: {message}");
    }
}

#[test]
fn without_a_tokenizer_pictures_are_embedded_and_words_are_not() {
    let folder = tempfile::tempdir().unwrap();
    changed("clip", folder.path(), &[], false);
    let checkpoint = open(folder.path());
    assert!(WordEncoder::new(&checkpoint).unwrap().is_none());
    let silent = checkpoint.fingerprint(&OpenOptions::new("").progress);
    let whole = open(&fixtures().join("clip")).fingerprint(&OpenOptions::new("").progress);
    assert_ne!(silent.unwrap(), whole.unwrap());
    let source = Source::Embedding(checkpoint);
    assert!(
        source
            .load_text(DType::F32, &Device::Cpu)
            .unwrap()
            .is_none()
    );
    load(&source);
}

#[test]
fn vision_towers_alone_give_the_mean_of_their_patches() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = pictures(folder.path());
    let reference = Reference::of_file("towers.safetensors");
    for (name, path) in [
        ("llava_onevision", "models/tiny-llava-onevision"),
        ("llava_1_5", "tests/fixtures/llava_1_5"),
        ("qwen2_vl", "tests/fixtures/qwen2_vl"),
    ] {
        let open = OpenOptions::new(folder.path());
        let checkpoint = Checkpoint::open(path, Path::new(repository()), &open).unwrap();
        let source = Source::Tower(checkpoint);
        let batch = prepared(&source, dataset.as_ref());
        let pooled = embed(load(&source).as_ref(), &batch);
        let mut worst = 0.0_f32;
        for (i, wanted) in reference.rows(name).enumerate() {
            assert_eq!(pooled.tokens[i], [0, 1, 0]);
            let found = pooled.vector(0, i, Modality::Image);
            worst = worst.max(apart(found, &unit(wanted)));
        }
        assert!(worst < 1e-4, "{name}: {worst}");
    }
}
