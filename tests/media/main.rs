//! Pictures and clips against the reference implementations: every row of `tests/fixtures/media/manifest.json`, which
//! `scripts/make_media_fixtures.py` makes, has to be met to the bit; and nothing may panic.

mod faults;
mod levels;
mod oddities;
mod properties;
mod video;

use std::path::{Path, PathBuf};

use madmix::media::Rgb;
use serde::Deserialize;

#[derive(Deserialize)]
struct Manifest {
    decode: Vec<DecodeRow>,
    cuts: Vec<CutRow>,
    resize: Vec<ResizeRow>,
    anyres: Vec<TilesRow>,
    squares: Vec<TilesRow>,
}

#[derive(Deserialize)]
struct DecodeRow {
    file: String,
    stored: Levels,
    upright: Levels,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Levels {
    width: u32,
    height: u32,
    crc: u32,
}

#[derive(Deserialize)]
struct CutRow {
    file: String,
    bytes: usize,
    crc: Option<u32>,
}

#[derive(Deserialize)]
struct ResizeRow {
    from: (u32, u32),
    to: (u32, u32),
    torchvision: u32,
    pillow: u32,
}

#[derive(Deserialize)]
struct TilesRow {
    sizes: Vec<(u32, u32)>,
    torchvision: TileLevels,
    pillow: TileLevels,
}

#[derive(Deserialize, Debug, PartialEq)]
struct TileLevels {
    count: usize,
    crc: u32,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/media")
        .join(name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    fs_err::read(fixture(name)).expect("the fixture is in the repository")
}

fn manifest() -> Manifest {
    serde_json::from_slice(&bytes_of("manifest.json")).expect("the script wrote the manifest")
}

/// CRC-32 as zlib has it.
fn crc(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|i| {
        (0..8).fold(i as u32, |c, _| {
            if c & 1 == 1 {
                0xEDB8_8320 ^ (c >> 1)
            } else {
                c >> 1
            }
        })
    });
    !bytes.iter().fold(!0, |c, &byte| {
        table[((c ^ u32::from(byte)) & 255) as usize] ^ (c >> 8)
    })
}

/// The formula of `picture` in the script, with seed 0.
fn picture((width, height): (u32, u32)) -> Rgb {
    let level = |x: u32, y: u32, c: u32| {
        let slope = (x * (3 + c) / 4 + y * (5 - c) / 4) & 255;
        let mixed = (x + 1).wrapping_mul(2_654_435_761)
            ^ (y + 1).wrapping_mul(2_246_822_519)
            ^ (c + 1).wrapping_mul(3_266_489_917);
        (slope * 7 / 8 + (mixed >> 27)).min(255) as u8
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let data = pixels
        .flat_map(|(x, y)| [0, 1, 2].map(|c| level(x, y, c)))
        .collect();
    Rgb {
        width,
        height,
        data,
    }
}

const TILE: u32 = 384;

/// LLaVA-OneVision's 36 resolutions.
fn pinpoints() -> Vec<(u32, u32)> {
    (1..=6)
        .flat_map(|h| (1..=6).map(move |w| (h * TILE, w * TILE)))
        .collect()
}
