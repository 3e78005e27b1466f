//! In which order the patches of slices go through the tower, and which of them see each other.
//!
//! Patches that become one token are always neighbours. Where attention is in windows, the tokens of a window are
//! neighbours too, so that every window is one sequence of packed attention. The host cuts patches in that order in
//! the first place; only the tokens that come out are put back in theirs, row by row.

/// The layout of some slices that go through the tower together.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The patches in order.
    pub(super) patches: Vec<Patch>,
    /// Patches of each slice.
    pub(super) slices: Vec<usize>,
    /// Patches of each window; empty without windows.
    pub(super) windows: Vec<usize>,
    /// Where the tokens, taken row by row, are in the tower's output; `None` where they are in that order already.
    pub(super) back: Option<Vec<u32>>,
}

/// A patch's slice, and its place there in patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) slice: usize,
    pub(super) row: u32,
    pub(super) column: u32,
}

impl Layout {
    /// The layout of slices with so many rows and columns of tokens, of which each is a square of `merge` patches a
    /// side, with windows of `window` tokens a side. Windows at the edges are what is left.
    pub(super) fn new(
        slices: impl Iterator<Item = (usize, usize)>,
        merge: usize,
        window: Option<usize>,
    ) -> Self {
        let mut layout = Self::default();
        let mut back = Vec::new();
        for (slice, (rows, columns)) in slices.enumerate() {
            let first = layout.patches.len() / merge.pow(2);
            let side = window.unwrap_or(rows.max(columns));
            let mut seats = vec![0; rows * columns];
            let mut token = first as u32;
            for top in (0..rows).step_by(side) {
                for left in (0..columns).step_by(side) {
                    let (bottom, right) = (rows.min(top + side), columns.min(left + side));
                    for row in top..bottom {
                        for column in left..right {
                            seats[row * columns + column] = token;
                            token += 1;
                            layout.push_token(slice, row, column, merge);
                        }
                    }
                    if window.is_some() {
                        let tokens = (bottom - top) * (right - left);
                        layout.windows.push(tokens * merge.pow(2));
                    }
                }
            }
            layout.slices.push(rows * columns * merge.pow(2));
            back.extend(seats);
        }
        layout.back = window.map(|_| back);
        layout
    }

    fn push_token(&mut self, slice: usize, row: usize, column: usize, merge: usize) {
        for y in 0..merge {
            for x in 0..merge {
                self.patches.push(Patch {
                    slice,
                    row: (row * merge + y) as u32,
                    column: (column * merge + x) as u32,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first patch of each token, as row and column of tokens.
    fn tokens(layout: &Layout) -> Vec<(usize, u32, u32)> {
        let first = layout.patches.iter().step_by(4);
        first.map(|p| (p.slice, p.row / 2, p.column / 2)).collect()
    }

    #[test]
    fn without_windows_tokens_go_row_by_row() {
        let layout = Layout::new([(2, 3), (1, 1)].into_iter(), 2, None);
        assert_eq!(layout.slices, [24, 4]);
        assert!(layout.windows.is_empty() && layout.back.is_none());
        assert_eq!(tokens(&layout)[2..5], [(0, 0, 2), (0, 1, 0), (0, 1, 1)]);
        let of_one: Vec<_> = layout.patches[4..8]
            .iter()
            .map(|p| (p.row, p.column))
            .collect();
        assert_eq!(of_one, [(0, 2), (0, 3), (1, 2), (1, 3)]);
    }

    #[test]
    fn windows_are_whole_or_what_is_left_at_the_edges() {
        let layout = Layout::new([(5, 6), (3, 3)].into_iter(), 2, Some(4));
        assert_eq!(layout.windows, [64, 32, 16, 8, 36]);
        assert_eq!(layout.slices, [120, 36]);
        let tokens = tokens(&layout);
        assert_eq!(tokens[15..18], [(0, 3, 3), (0, 0, 4), (0, 0, 5)]);
        assert_eq!(tokens[24..26], [(0, 4, 0), (0, 4, 1)]);
    }

    #[test]
    fn the_way_back_ends_row_by_row() {
        for window in [1, 2, 3, 4, 9] {
            let sizes = [(5, 6), (1, 7), (8, 4), (3, 3)];
            let layout = Layout::new(sizes.into_iter(), 2, Some(window));
            let tokens = tokens(&layout);
            let back = layout.back.unwrap();
            let found: Vec<_> = back.iter().map(|&at| tokens[at as usize]).collect();
            let by_row = sizes
                .iter()
                .enumerate()
                .flat_map(|(slice, &(rows, columns))| {
                    (0..rows as u32).flat_map(move |row| {
                        (0..columns as u32).map(move |column| (slice, row, column))
                    })
                });
            assert_eq!(found, by_row.collect::<Vec<_>>(), "window {window}");
            assert_eq!(layout.windows.iter().sum::<usize>(), layout.patches.len());
        }
    }
}
