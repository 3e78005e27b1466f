//! How fast samples are prepared, to be asked for:
//! `cargo test --release --lib -- --ignored --nocapture samples_prepared_a_second`.

use crate::blob::Blob;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::*;
use crate::extract::Measured;
use crate::media::{self, Size, Tiles};
use crate::vlm::{self, Extent};

const ROWS: usize = 4 * 64;
/// How often a picture is decoded to tell what that costs.
const TIMES: usize = 8;
const SIZES: [(u32, u32); 4] = [(480, 640), (768, 1024), (720, 1280), (1080, 1920)];

/// A picture with edges, gradients and grain, so that its file is about as large as a photograph's.
fn jpeg(seed: u64, width: u32, height: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut pixels = Vec::with_capacity((3 * width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let grain = (state >> 60) as u32;
            let edge = if (x / 37 + y / 53) % 3 == 0 { 60 } else { 0 };
            let level = |slope: u32| ((x * slope / 9 + y / 5) % 180 + edge + grain) as u8;
            pixels.extend([level(1), level(2), level(3)]);
        }
    }
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, 90);
    let color = ExtendedColorType::Rgb8;
    encoder.write_image(&pixels, width, height, color).unwrap();
    file
}

/// Seconds that this thread was on a core, whatever else the machine does.
fn cpu_seconds(f: impl FnOnce()) -> f64 {
    let so_far = || -> f64 {
        let all = fs_err::read_to_string("/proc/thread-self/schedstat").unwrap();
        all.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
    };
    let before = so_far();
    f();
    so_far() - before
}

/// What a picture costs, by its size.
#[expect(clippy::print_stdout, reason = "what it is for")]
fn pictures(folder: &tempfile::TempDir) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let options = OpenOptions::new(folder.path());
    let checkpoint = Checkpoint::open("models/tiny-llava-onevision", root, &options).unwrap();
    let processor = vlm::processor(&checkpoint, &ProcessorOptions::default());
    for (i, (height, width)) in SIZES.into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.jpg"));
        let size = Size { width, height };
        let shapes = processor.shapes(&[(Extent::Picture(size), 0)]).unwrap();
        let decode =
            || media::load(&Blob::at(&path), Orientation::Apply, Limits::default()).unwrap();
        let decoding = cpu_seconds(|| (0..TIMES).for_each(|_| drop(decode())));
        let picture = decode();
        let rendering = cpu_seconds(|| {
            for _ in 0..TIMES {
                let mut tiles = Tiles::none();
                processor.render(&picture, &shapes[0], &mut tiles).unwrap();
            }
        });
        let each = |seconds: f64| 1000.0 * seconds / TIMES as f64;
        println!(
            "{height}×{width}: {:.1} ms to decode, {:.1} ms to resize and cut into {} tiles",
            each(decoding),
            each(rendering),
            shapes[0].tiles()
        );
    }
}

#[test]
#[ignore = "a measurement of this machine, with nothing to hold it against"]
#[expect(clippy::print_stdout, reason = "what it is for")]
fn samples_prepared_a_second() {
    let workers = std::thread::available_parallelism().unwrap().get();
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = 0;
    for i in 0..32 {
        let (height, width) = SIZES[i % SIZES.len()];
        let file = jpeg(i as u64, width, height);
        bytes += file.len();
        fs_err::write(folder.path().join(format!("{i}.jpg")), file).unwrap();
    }
    println!("a picture's file has {} KB", bytes / 32 / 1000);
    pictures(&folder);
    // A third each: pictures with few words, pictures with many, words alone.
    let row = |i: usize| {
        let words = "what is to be seen here, and why is it so? ".repeat([3, 30, 15][i % 3]);
        let (image, mark) = match i % 3 {
            2 => (String::new(), ""),
            _ => (format!(r#""image": "{}.jpg", "#, i % 32), "<image>\\n"),
        };
        format!(
            r#"{{{image}"conversations": [{{"from": "human", "value": "{mark}{i}? {words}"}}, {{"from": "gpt", "value": "{words}"}}]}}"#
        ) + "\n"
    };
    for (name, rows) in [
        ("mixed", (0..ROWS).map(row).collect::<String>()),
        ("pictures", (0..ROWS).map(|i| row(3 * i)).collect()),
        ("text", (0..ROWS).map(|i| row(3 * i + 2)).collect()),
    ] {
        measure(&folder, name, &rows, workers);
    }
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn measure(folder: &tempfile::TempDir, name: &str, rows: &str, workers: usize) {
    let path = folder.path().join(format!("{name}.jsonl"));
    fs_err::write(&path, rows).unwrap();
    let shards = shards_of(name, &path, ROWS);
    let preparer = preparer(folder);
    let plans = plan(&shards, &preparer, &AtomicBool::new(false), &|| {}).unwrap();
    let tokens = plans[name].tally.tokens;

    let dataset = shards[0].dataset.dataset.as_ref();
    let of_shard = shards[0].samples();
    let mut measured: Vec<Measured> = Vec::new();
    let measuring = cpu_seconds(|| {
        let of = |&row: &u64| preparer.measure(dataset, row).unwrap();
        measured.extend(of_shard.iter().map(of));
    });
    let loading = cpu_seconds(|| {
        for sample in &measured {
            preparer.load(sample, dataset).unwrap();
        }
    });
    let each = |seconds: f64| 1000.0 * seconds / of_shard.len() as f64;
    println!(
        "{name}: {} tokens a sample; {:.2} ms of one core to measure it and {:.2} ms to load it",
        tokens / ROWS as u64,
        each(measuring),
        each(loading),
    );
    for batch_tokens in [8192, 32_768] {
        let mut best = f64::INFINITY;
        for _ in 0..2 {
            let root = tempfile::tempdir_in(folder.path()).unwrap();
            let store = Store::open(root.path()).unwrap();
            let job = Job {
                layers: &[Layer::Last],
                scope: TextScope::All,
                preparer: &preparer,
                batch_tokens,
                workers,
                stop: &GO_ON,
            };
            let queue = Queue::new(shards.clone(), &plans);
            let mut models = [fake("none", STEADY)];
            let started = Instant::now();
            run(
                &job,
                &mut models,
                queue,
                &store,
                &Counted::default(),
                |_| Ok(()),
            )
            .unwrap();
            best = best.min(started.elapsed().as_secs_f64());
        }
        println!(
            "{name}, batches of {batch_tokens} tokens, {workers} workers: {:.1} samples/s",
            ROWS as f64 / best
        );
    }
}
