//! Positions on the three axes of M-RoPE: time, height, width.

use candle_core::Result;

use super::Grid;
use crate::prompt::Place;
use crate::vlm::MropeRule;

/// The positions of one sample's tokens, from 0 on. `grids` are those of its pictures and clips in the order of their
/// placeholders; `tokens_per_second` is the config's.
///
/// Text has the same position on all axes. A picture or clip that begins at `p` has `p + row` and `p + column`, and on
/// the time axis `p` plus the slice's number, or its time in tokens, cut to a whole number.
///
/// Reference: `get_rope_index` of transformers' `Qwen2VLModel` and `Qwen2_5_VLModel`.
///
/// # Errors
/// When the places of pictures and clips are not as many as the grids have tokens.
pub fn positions(
    places: &[Place],
    grids: &[&Grid],
    tokens_per_second: Option<f64>,
    rule: MropeRule,
) -> Result<Vec<[u32; 3]>> {
    let mut positions = Vec::with_capacity(places.len());
    let mut grids = grids.iter();
    let mut next = 0;
    while positions.len() < places.len() {
        if !places[positions.len()].is_visual() {
            positions.push([next; 3]);
            next += 1;
            continue;
        }
        let Some(grid) = grids.next() else {
            candle_core::bail!("more placeholders than pictures and clips have tokens");
        };
        let side = grid.rows.max(grid.columns) as u32;
        let mut last = 0;
        for slice in 0..grid.slices {
            last = time(slice, grid, tokens_per_second);
            for row in 0..grid.rows as u32 {
                for column in 0..grid.columns as u32 {
                    positions.push([next + last, next + row, next + column]);
                }
            }
        }
        next += match rule {
            MropeRule::Original => side.max(last + 1),
            MropeRule::Transformers5 => side,
        };
    }
    if grids.next().is_some() || positions.len() > places.len() {
        candle_core::bail!("fewer placeholders than pictures and clips have tokens");
    }
    Ok(positions)
}

/// A slice's position on the time axis, from the clip's first; in f32 as the reference computes it.
fn time(slice: usize, grid: &Grid, tokens_per_second: Option<f64>) -> u32 {
    match (tokens_per_second, grid.seconds_per_slice) {
        (Some(tokens), Some(seconds)) => (slice as f32 * (tokens as f32 * seconds as f32)) as u32,
        _ => slice as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Size;
    use MropeRule::{Original, Transformers5};
    use Place::{Content, Image, Video};

    fn grid(slices: usize, rows: usize, columns: usize, seconds_per_slice: Option<f64>) -> Grid {
        Grid {
            original: Size::square(1),
            resized: Size::square(1),
            frames: slices,
            slices,
            rows,
            columns,
            seconds_per_slice,
        }
    }

    /// Two words, the picture or clip, two words.
    fn around(grid: &Grid, tokens_per_second: Option<f64>, rule: MropeRule) -> Vec<[u32; 3]> {
        let mut places = vec![Content; 2];
        places.extend(vec![Video; grid.tokens()]);
        places.extend([Content; 2]);
        positions(&places, &[grid], tokens_per_second, rule).unwrap()
    }

    #[test]
    fn text_alone_is_counted() {
        let found = positions(&[Content; 3], &[], Some(2.0), Original).unwrap();
        assert_eq!(found, [[0; 3], [1; 3], [2; 3]]);
    }

    #[test]
    fn text_goes_on_after_the_larger_side_of_a_picture() {
        for rule in [Original, Transformers5] {
            let found = around(&grid(1, 2, 3, None), None, rule);
            let picture = [
                [2, 2, 2],
                [2, 2, 3],
                [2, 2, 4],
                [2, 3, 2],
                [2, 3, 3],
                [2, 3, 4],
            ];
            assert_eq!(found[2..8], picture);
            assert_eq!(found[8..], [[5; 3], [6; 3]]);
        }
    }

    #[test]
    fn the_rules_differ_where_a_clip_is_longer_than_wide() {
        let clip = grid(4, 1, 2, Some(1.0));
        let times = |found: &[[u32; 3]]| found.iter().map(|p| p[0]).collect::<Vec<_>>();
        let old = around(&clip, None, Original);
        assert_eq!(times(&old), [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7]);
        let new = around(&clip, None, Transformers5);
        assert_eq!(times(&new), [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 4, 5]);
        assert_eq!(old[..10], new[..10]);
        let short = grid(2, 1, 2, Some(1.0));
        assert_eq!(
            around(&short, None, Original),
            around(&short, None, Transformers5)
        );
    }

    #[test]
    fn time_is_counted_in_tokens_of_a_second_cut_to_whole_ones() {
        let times = |seconds, slices| {
            let found = around(&grid(slices, 1, 1, Some(seconds)), Some(2.0), Original);
            found[2..].iter().map(|p| p[0] - 2).collect::<Vec<_>>()
        };
        assert_eq!(times(1.0, 3), [0, 2, 4, 5, 6]);
        assert_eq!(times(2.0 / 3.0, 4), [0, 1, 2, 4, 5, 6]);
        // 24 frames a second: only every sixth slice moves on.
        assert_eq!(times(2.0 / 24.0, 8), [0, 0, 0, 0, 0, 0, 1, 1, 2, 3]);
        let picture = around(&grid(1, 1, 1, None), Some(2.0), Original);
        assert_eq!(picture, [[0; 3], [1; 3], [2; 3], [3; 3], [4; 3]]);
    }

    #[test]
    fn neighbours_are_told_apart_and_counts_have_to_fit() {
        let one = grid(1, 1, 2, None);
        let found = positions(&[Image; 4], &[&one, &one], None, Original).unwrap();
        assert_eq!(found, [[0, 0, 0], [0, 0, 1], [2, 2, 2], [2, 2, 3]]);
        for (places, grids) in [(&[Image; 3], vec![&one]), (&[Image; 3], vec![&one, &one])] {
            assert!(positions(places, &grids, None, Original).is_err());
        }
        assert!(positions(&[Content], &[&one], None, Original).is_err());
    }
}
