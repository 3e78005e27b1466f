//! Qwen2-VL and Qwen2.5-VL, and what only they have: grids, positions on three axes, two rules for these.

use std::path::Path;

use madmix::blob::Blob;
use madmix::checkpoint::{self, qwen_vl::Config};
use madmix::media::{Limits, MediaError, Orientation, Resampler, probe_file};
use madmix::vlm::qwen_vl::{Grid, positions};
use madmix::vlm::{Extent, MropeRule, ProcessorOptions, Shape, TextScope, processor};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::agreement::assert_none;
use crate::checkpoints::{Folder, WEIGHTS, copy_without_weights, renamed, sharded};
use crate::family::{Family, Opened, by_kind, load};
use crate::reference::folder;
use crate::variants::compare_some;
use crate::vectors::BOUND;
use crate::{compared, families};

pub(crate) const V2: Family = Family {
    name: "Qwen2-VL",
    checkpoint: || Folder::Kept(folder("qwen2_vl")),
    ..family("qwen2_vl")
};

pub(crate) const V2_5: Family = Family {
    name: "Qwen2.5-VL",
    checkpoint: || Folder::Kept(folder("qwen2_5_vl")),
    ..family("qwen2_5_vl")
};

const fn family(fixtures: &'static str) -> Family {
    Family {
        name: "",
        fixtures,
        media: "llava_onevision",
        checkpoint: || unreachable!("each family names its own"),
        twins: |own| {
            vec![
                ("in shards".to_owned(), Folder::Written(sharded(own))),
                (
                    "a state dict".to_owned(),
                    Folder::Written(renamed(own, in_state_dict)),
                ),
                ("transformers 5".to_owned(), saved_by_transformers_5(own)),
            ]
        },
        orientation: Orientation::Apply,
        resamplers: &[
            (Resampler::Torchvision, "torchvision"),
            (Resampler::Pillow, "pillow"),
        ],
        other_pixels: &[],
    }
}

/// The name in a model's own state dict of a published name.
fn in_state_dict(name: &str) -> String {
    match name.strip_prefix("model.") {
        Some(rest) => format!("model.language_model.{rest}"),
        None if name.starts_with("visual.") => format!("model.{name}"),
        None => name.to_owned(),
    }
}

/// The config nested and the preprocessor's files in one, as `save_pretrained` of transformers 5.23 does.
fn saved_by_transformers_5(own: &Path) -> Folder {
    let to = copy_without_weights(own);
    fs_err::copy(own.join(WEIGHTS), to.path().join(WEIGHTS)).unwrap();
    let read = |file: &str| -> Value {
        serde_json::from_slice(&fs_err::read(own.join(file)).unwrap()).unwrap()
    };
    let write = |file: &str, value: Value| {
        fs_err::write(to.path().join(file), value.to_string()).unwrap();
    };

    let mut text = read("config.json");
    let fields = text.as_object_mut().unwrap();
    let kind = fields["model_type"].as_str().unwrap().to_owned();
    let mut vision = fields.remove("vision_config").unwrap();
    vision["model_type"] = json!(format!("{kind}_vision"));
    vision["rope_parameters"] = json!({"rope_theta": 10000.0, "rope_type": "axial"});
    let ids = ["image_token_id", "video_token_id"].map(|key| fields.remove(key).unwrap());
    let theta = fields.remove("rope_theta").unwrap();
    let mut rope = fields.remove("rope_scaling").unwrap();
    rope["rope_type"] = json!("default");
    rope["rope_theta"] = theta;
    fields.insert("rope_parameters".to_owned(), rope);
    fields.insert("model_type".to_owned(), json!(format!("{kind}_text")));
    let config = json!({
        "model_type": kind, "text_config": text, "vision_config": vision, "image_token_id": ids[0],
        "video_token_id": ids[1]
    });
    write("config.json", config);

    let mut part = read("preprocessor_config.json");
    let fields = part.as_object_mut().unwrap();
    let [shortest, longest] = ["min_pixels", "max_pixels"].map(|key| fields.remove(key).unwrap());
    fields.insert(
        "size".to_owned(),
        json!({"shortest_edge": shortest, "longest_edge": longest}),
    );
    let parts = json!({"image_processor": part, "video_processor": part});
    fs_err::remove_file(to.path().join("preprocessor_config.json")).unwrap();
    write("processor_config.json", parts);
    Folder::Written(to)
}

fn config(opened: &Opened) -> Option<&Config> {
    match &opened.checkpoint.family {
        checkpoint::Family::QwenVl(config) => Some(config),
        _ => None,
    }
}

fn qwen_families() -> impl Iterator<Item = (&'static Opened, &'static Config)> {
    families()
        .iter()
        .filter_map(|opened| Some((opened, config(opened)?)))
}

fn grid(shape: &Shape) -> &Grid {
    let Shape::QwenVl(grid) = shape else {
        panic!("{shape:?}");
    };
    grid
}

/// What the cases of these families have beside the others'.
#[derive(Deserialize)]
struct Extra {
    pictures: Vec<Seen>,
    videos: Vec<Seen>,
    /// By the older rule: time, height and width of every token.
    positions: [Vec<u32>; 3],
    /// By the newer one, where it gives others.
    positions_new: Option<[Vec<u32>; 3]>,
}

#[derive(Deserialize)]
struct Seen {
    /// Slices in time, rows and columns of patches.
    grid: [usize; 3],
    second_per_grid: Option<f64>,
}

#[derive(Deserialize)]
struct File {
    cases: Vec<Extra>,
    /// Pictures that the reference's processor refuses for being too narrow.
    refused: Vec<String>,
}

fn read(opened: &Opened) -> File {
    let file = folder(opened.family.fixtures).join("cases.json");
    let file: File = serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap();
    assert_eq!(file.cases.len(), opened.inputs.len());
    file
}

#[test]
fn grids_and_the_time_between_slices_are_the_references() {
    let mut faults = Vec::new();
    for (opened, config) in qwen_families() {
        let merge = config.vision.spatial_merge_size;
        for ((case, input, _), extra) in opened.cases().zip(read(opened).cases) {
            let (pictures, clips) = by_kind(input);
            let found = pictures
                .iter()
                .chain(&clips)
                .map(|visual| grid(&visual.shape));
            let expected = extra.pictures.iter().chain(&extra.videos);
            for (found, expected) in found.zip(expected) {
                let patches = [found.slices, found.rows * merge, found.columns * merge];
                let apart = match (expected.second_per_grid, found.seconds_per_slice) {
                    (Some(a), Some(b)) => (a - b).abs() > 1e-12 * a,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if patches != expected.grid || apart {
                    faults.push(format!("{}: {found:?} for {:?}", case.name, expected.grid));
                }
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn positions_are_the_references_by_both_rules() {
    let mut faults = Vec::new();
    for (opened, config) in qwen_families() {
        let mut differing = 0;
        for ((case, input, _), extra) in opened.cases().zip(read(opened).cases) {
            let grids: Vec<&Grid> = input.visuals.iter().map(|v| grid(&v.shape)).collect();
            let new = extra.positions_new.as_ref();
            differing += usize::from(new.is_some());
            for (rule, expected) in [
                (MropeRule::Original, &extra.positions),
                (MropeRule::Transformers5, new.unwrap_or(&extra.positions)),
            ] {
                let per_second = config.tokens_per_second;
                let found = positions(&input.tokens.places, &grids, per_second, rule).unwrap();
                let found: [Vec<u32>; 3] =
                    std::array::from_fn(|axis| found.iter().map(|p| p[axis]).collect());
                if found != *expected {
                    let (name, kind) = (&case.name, opened.family.name);
                    faults.push(format!("{kind}, {name}, {rule:?}: {found:?}"));
                }
            }
        }
        assert!(differing > 0, "{}", opened.family.name);
    }
    assert_none(&faults);
}

#[test]
fn vectors_with_the_positions_of_transformers_5_are_its_own() {
    for opened in compared().filter(|opened| config(opened).is_some()) {
        let mut comparison = opened.comparison(BOUND);
        compare_some(opened, &mut comparison, "new", |samples| {
            let model = load(&opened.checkpoint, &opened.on, MropeRule::Transformers5);
            let batch = opened.copies(samples);
            model
                .forward(&batch, &opened.layers(), TextScope::All)
                .unwrap()
        });
        comparison.finish(&format!("{}, transformers 5", opened.name()));
    }
}

#[test]
fn pictures_that_the_reference_refuses_are_refused() {
    for (opened, _) in qwen_families() {
        let processor = processor(&opened.checkpoint, &ProcessorOptions::default());
        let refused = read(opened).refused;
        assert!(!refused.is_empty());
        for file in refused {
            let path = folder(opened.family.media).join(&file);
            let size = probe_file(&Blob::at(&path), Orientation::Apply, Limits::default()).unwrap();
            let shapes = processor.shapes(&[(Extent::Picture(size), 0)]);
            assert!(
                matches!(shapes, Err(MediaError::TooNarrow { .. })),
                "{file}: {shapes:?}"
            );
        }
    }
}
