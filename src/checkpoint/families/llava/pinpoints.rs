//! `image_grid_pinpoints`: the sizes that pictures are tiled to.

use super::super::super::error::CheckpointError;
use super::super::super::fields::Fields;
use super::hugging_face::Settings;
use serde_json::Value;

const KEY: &str = "image_grid_pinpoints";
/// The most tiles along a side, and the most pairs: every picture is held against each.
const MOST_TILES: u32 = 64;
const MOST_PAIRS: usize = (MOST_TILES * MOST_TILES) as usize;

/// The (height, width) pairs of transformers' layout; `default` where they are left out.
pub(super) fn agreed(
    settings: &Settings<'_>,
    default: impl Fn() -> Vec<(u32, u32)>,
) -> Result<Vec<(u32, u32)>, CheckpointError> {
    let read = |fields: &Fields<'_>| -> Result<Vec<(u32, u32)>, CheckpointError> {
        let list = match fields.get(KEY) {
            None => default(),
            Some(list) => {
                pairs(list).ok_or_else(|| fields.refuse(KEY, "a list of [height, width] pairs"))?
            }
        };
        check(&list, settings.tile).map_err(|supported| fields.refuse(KEY, &supported))?;
        Ok(list)
    };
    let list = read(&settings.config)?;
    // The processor cuts by its own list and the model packs by its own; transformers assumes that they agree.
    if list != read(&settings.processor)? {
        return Err(settings.processor.refuse(KEY, "the list of config.json"));
    }
    Ok(list)
}

/// The (height, width) pairs of LLaVA-NeXT's layout. The file has (width, height), as a list, as a list in a string,
/// or as a range of tiles, `(1x1),...,(6x6)`.
pub(super) fn of_training(
    fields: &Fields<'_>,
    tile: u32,
) -> Result<Vec<(u32, u32)>, CheckpointError> {
    let refuse = |supported: &str| fields.refuse(KEY, supported);
    let form = "a list of [width, height] pairs, or \"(1x1),...,(6x6)\"";
    let value = fields.get(KEY).ok_or_else(|| refuse(form))?;
    let parsed = match value.as_str() {
        Some(text) if text.contains('x') => range(text, tile),
        Some(text) => {
            let json = text.replace('(', "[").replace(')', "]");
            serde_json::from_str(&json).ok().as_ref().and_then(pairs)
        }
        None => pairs(value),
    };
    let list: Vec<(u32, u32)> = parsed
        .ok_or_else(|| refuse(form))?
        .into_iter()
        .map(|(w, h)| (h, w))
        .collect();
    check(&list, tile).map_err(|supported| refuse(&supported))?;
    Ok(list)
}

/// A list of pairs of whole numbers.
fn pairs(list: &Value) -> Option<Vec<(u32, u32)>> {
    let number = |value: &Value| value.as_u64()?.try_into().ok();
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        [first, second] => Some((number(first)?, number(second)?)),
        _ => None,
    };
    list.as_array()?.iter().map(pair).collect()
}

/// All tile counts from the first pair to the last, in pixels, the first number in the outer loop.
fn range(text: &str, tile: u32) -> Option<Vec<(u32, u32)>> {
    let ends: Vec<(u32, u32)> = text
        .split(['(', ')'])
        .filter_map(|part| part.split_once('x'))
        .filter_map(|(first, second)| Some((first.parse().ok()?, second.parse().ok()?)))
        .collect();
    let (first, last) = (*ends.first()?, *ends.last()?);
    // A wild range must not fill the memory.
    if last.0.max(last.1) > MOST_TILES {
        return None;
    }
    let inner = |a: u32| (first.1..=last.1).map(move |b| (a * tile, b * tile));
    Some((first.0..=last.0).flat_map(inner).collect())
}

/// Refuses an empty list and sizes that tiles do not fill.
fn check(pairs: &[(u32, u32)], tile: u32) -> Result<(), String> {
    let fits = |edge: u32| {
        edge > 0 && edge.is_multiple_of(tile) && edge.checked_div(tile) <= Some(MOST_TILES)
    };
    if pairs.len() > MOST_PAIRS {
        return Err(format!("at most {MOST_PAIRS} pairs"));
    }
    if pairs.is_empty() || !pairs.iter().all(|(h, w)| fits(*h) && fits(*w)) {
        return Err(format!(
            "at least one pair, all multiples of the tile's {tile} pixels, up to {MOST_TILES} of them"
        ));
    }
    Ok(())
}
