//! Tiny checkpoints of every tower and decoder, once as the CPU runs them and once through the kernels.

use std::path::Path;

use candle_core::{DType, Device, Result};

use super::super::emulation;
use crate::checkpoint::{Checkpoint, OpenOptions};
use crate::media::{Rgb, Size, Tiles};
use crate::prompt::{Place, Tokens};
use crate::vlm::{
    Extent, Input, Layer, MropeRule, PooledBatch, Processor, ProcessorOptions, TextScope, Visual,
    load, processor,
};

/// A picture of no one colour.
fn picture(size: Size, seed: usize) -> Rgb {
    let mut picture = Rgb::filled(size, [0; 3]);
    for (i, level) in picture.data.iter_mut().enumerate() {
        *level = ((i + seed) * (i % 97 + 3) % 251) as u8;
    }
    picture
}

/// Text around what was seen.
fn input(processor: &dyn Processor, extent: Option<Extent>) -> Input {
    let mut tokens = Tokens {
        ids: (1..8).collect(),
        places: vec![Place::Content; 7],
    };
    let mut visuals = Vec::new();
    if let Some(extent) = extent {
        let shape = processor.shapes(&[(extent, 0)]).unwrap().remove(0);
        let (size, frames, place) = match extent {
            Extent::Picture(size) => (size, 1, Place::Image),
            Extent::Clip { size, frames, .. } => (size, frames, Place::Video),
        };
        let mut tiles = Tiles::none();
        for frame in 0..frames {
            let frame = picture(size, 31 * frame);
            processor.render(&frame, &shape, &mut tiles).unwrap();
        }
        tokens.ids.extend(vec![0; shape.tokens()]);
        tokens.places.extend(vec![place; shape.tokens()]);
        visuals.push(Visual { tiles, shape });
    }
    tokens.ids.extend([9, 10]);
    tokens.places.extend([Place::Answer; 2]);
    Input { tokens, visuals }
}

/// Means at the input, in the middle and at the end.
fn pooled(checkpoint: &Checkpoint, frames: usize) -> PooledBatch {
    let processor = processor(checkpoint, &ProcessorOptions::default());
    let size = Size::new(90, 60);
    let mut extents = vec![Some(Extent::Picture(size)), None];
    if frames > 0 {
        extents.push(Some(Extent::Clip {
            size,
            frames,
            fps: 1.0,
        }));
    }
    let batch: Vec<Input> = extents
        .into_iter()
        .map(|extent| input(&*processor, extent))
        .collect();
    let model = load(checkpoint, DType::F32, &Device::Cpu, MropeRule::default()).unwrap();
    let layers = [Layer::Index(0), Layer::Index(1), Layer::Last];
    model.forward(&batch, &layers, TextScope::All).unwrap()
}

/// `frames` of a clip, beside a picture and a text.
fn check(folder: &str, frames: usize) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let options = OpenOptions {
        offline: true,
        ..OpenOptions::new("/nonexistent/cache")
    };
    let checkpoint = Checkpoint::open(folder, root, &options).unwrap();
    let want = pooled(&checkpoint, frames);
    emulation::with(|| {
        let found = pooled(&checkpoint, frames);
        assert_eq!(found.tokens, want.tokens);
        for (layer, (found, want)) in found.layers.iter().zip(&want.layers).enumerate() {
            let largest = want.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
            let pairs = found.iter().zip(want);
            let worst = pairs.map(|(f, w)| (f - w).abs()).fold(0.0, f32::max) / largest;
            assert!(worst < 1e-5, "{folder}, layer {layer}: {worst}");
        }
        Ok(())
    })
}

#[test]
fn siglip_and_qwen2() -> Result<()> {
    check("models/tiny-llava-onevision", 1)
}

#[test]
fn clip_and_llama() -> Result<()> {
    check("tests/fixtures/llava_1_5", 0)
}

#[test]
fn qwen_vl() -> Result<()> {
    check("tests/fixtures/qwen2_vl", 3)?;
    check("tests/fixtures/qwen2_5_vl", 3)
}
