//! The levels of Pillow, torchvision and transformers.

use madmix::blob::Blob;
use madmix::media::{
    AnyresPlan, Limits, MediaError, Orientation, Resampler, Rgb, Size, Tiles, decode, fill_levels,
    load, probe_file, resize, square_tile,
};

use super::{
    Levels, TILE, TileLevels, TilesRow, bytes_of, crc, fixture, manifest, picture, pinpoints,
};

fn levels(picture: &Rgb) -> Levels {
    Levels {
        width: picture.width,
        height: picture.height,
        crc: crc(&picture.data),
    }
}

fn both(orientation: Orientation) -> impl Fn(&str) -> Result<Rgb, MediaError> {
    move |name| {
        let path = fixture(name);
        let picture = load(&Blob::at(&path), orientation, Limits::default())?;
        let size = probe_file(&Blob::at(&path), orientation, Limits::default())?;
        assert_eq!(size, picture.size(), "probe and decode disagree on {name}");
        Ok(picture)
    }
}

fn assert_none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} rows differ:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn decoded_levels_are_pillows() {
    let mut faults = Vec::new();
    for row in manifest().decode {
        for (orientation, expected) in [
            (Orientation::Ignore, &row.stored),
            (Orientation::Apply, &row.upright),
        ] {
            match both(orientation)(&row.file) {
                Ok(picture) if levels(&picture) == *expected => {}
                Ok(picture) => faults.push(format!("{} {orientation:?}: {picture:?}", row.file)),
                Err(error) => faults.push(format!("{orientation:?}: {error}")),
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn what_pillow_calls_truncated_is_an_error() {
    let mut faults = Vec::new();
    for row in manifest().cuts {
        let bytes = &bytes_of(&row.file)[..row.bytes];
        let found = decode(bytes, Orientation::Ignore, Limits::default());
        let text = format!(
            "{} cut at {}: {found:?}, Pillow {:?}",
            row.file, row.bytes, row.crc
        );
        let crc = found.ok().map(|picture| crc(&picture.data));
        // Other codecs may be stricter than Pillow about the last few bytes, but never more lenient.
        let stricter = crc.is_none() && !row.file.starts_with("jpeg");
        if crc != row.crc && !stricter {
            faults.push(text);
        }
    }
    assert_none(&faults);
}

#[test]
fn resampled_levels_are_torchvisions_and_pillows() {
    let mut faults = Vec::new();
    for row in manifest().resize {
        let source = picture(row.from);
        let to = Size::new(row.to.0, row.to.1);
        for (resampler, expected) in [
            (Resampler::Torchvision, row.torchvision),
            (Resampler::Pillow, row.pillow),
        ] {
            let found = resize(&source, to, resampler);
            if (found.size(), crc(&found.data)) != (to, expected) {
                faults.push(format!("{resampler:?} {source:?} -> {to}"));
            }
        }
    }
    assert_none(&faults);
}

fn tile_levels(tiles: &[Tiles]) -> TileLevels {
    let data: Vec<u8> = tiles
        .iter()
        .flat_map(|tiles| tiles.data.iter().copied())
        .collect();
    TileLevels {
        count: tiles.iter().map(|tiles| tiles.count).sum(),
        crc: crc(&data),
    }
}

fn assert_tiles(rows: &[TilesRow], make: impl Fn(&Rgb, Resampler) -> Tiles) {
    let mut faults = Vec::new();
    for row in rows {
        for (resampler, expected) in [
            (Resampler::Torchvision, &row.torchvision),
            (Resampler::Pillow, &row.pillow),
        ] {
            let tiles: Vec<Tiles> = row
                .sizes
                .iter()
                .map(|&size| make(&picture(size), resampler))
                .collect();
            let found = tile_levels(&tiles);
            if found != *expected {
                faults.push(format!(
                    "{resampler:?} {:?}: {found:?} {expected:?}",
                    row.sizes
                ));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn anyres_tiles_are_transformers() {
    assert_tiles(&manifest().anyres, |picture, resampler| {
        let plan = AnyresPlan::new(picture.size(), &pinpoints(), TILE).unwrap();
        plan.render(picture, resampler).unwrap()
    });
}

#[test]
fn squares_of_several_pictures_are_transformers() {
    let fill = fill_levels([0.5; 3]);
    assert_tiles(&manifest().squares, |picture, resampler| {
        square_tile(picture, fill, TILE, resampler)
    });
}
