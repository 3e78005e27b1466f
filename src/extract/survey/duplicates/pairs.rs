//! Contents counted by the pairs of datasets that have them.

use std::collections::BTreeMap;

use super::Placed;

/// What two datasets have in common so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) count: u64,
    /// The earliest row of the first and of the second, as indices.
    pub(super) rows: (u64, u64),
}

/// Counts contents, which are in order, by pairs of datasets.
pub(super) fn count_pairs(contents: &[Placed]) -> BTreeMap<(u32, u32), Pair> {
    let mut pairs = BTreeMap::new();
    let mut add = |datasets: (u32, u32), count: u64, rows: (u64, u64)| {
        let pair = pairs.entry(datasets).or_insert(Pair { count: 0, rows });
        pair.count += count;
        pair.rows = pair.rows.min(rows);
    };
    for group in contents.chunk_by(|(_, a), (_, b)| (a.key, a.rest) == (b.key, b.rest)) {
        if group.len() < 2 {
            continue;
        }
        // Each dataset that has it, with its first row.
        let mut owners: Vec<(u32, u64)> = Vec::new();
        for own in group.chunk_by(|(a, _), (b, _)| a == b) {
            let (dataset, first) = own[0];
            let rows = own.chunk_by(|(_, a), (_, b)| a.index == b.index);
            let mut later = rows.skip(1).peekable();
            if let Some(second) = later.peek() {
                let example = (first.index, second[0].1.index);
                add((dataset, dataset), later.count() as u64, example);
            }
            for &(other, row) in &owners {
                add((other, dataset), 1, (row, first.index));
            }
            owners.push((dataset, first.index));
        }
    }
    pairs
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::extract::survey::gathered::Content;

    pub(in super::super) fn at(dataset: u32, index: u64, key: u128) -> Placed {
        let content = Content {
            key,
            rest: 0,
            unread: false,
            index,
            number: 0,
        };
        (dataset, content)
    }

    pub(in super::super) fn counted(
        mut contents: Vec<Placed>,
    ) -> Vec<((u32, u32), u64, (u64, u64))> {
        contents
            .sort_by_key(|(dataset, content)| (content.key, content.rest, *dataset, content.index));
        let pairs = count_pairs(&contents).into_iter();
        pairs
            .map(|(datasets, pair)| (datasets, pair.count, pair.rows))
            .collect()
    }

    #[test]
    fn repeats_are_counted_within_and_kinds_across() {
        let contents = vec![
            // One content three times in the first, twice in the second, once in the third.
            at(0, 7, 1),
            at(0, 2, 1),
            at(0, 5, 1),
            at(1, 9, 1),
            at(1, 8, 1),
            at(2, 0, 1),
            // Another in the first and the third.
            at(0, 1, 2),
            at(2, 4, 2),
            // And what occurs once.
            at(1, 3, 3),
        ];
        let expected = [
            ((0, 0), 2, (2, 5)),
            ((0, 1), 1, (2, 8)),
            ((0, 2), 2, (1, 4)),
            ((1, 1), 1, (8, 9)),
            ((1, 2), 1, (8, 0)),
        ];
        assert_eq!(counted(contents), expected);
        assert!(counted(Vec::new()).is_empty());
    }

    #[test]
    fn one_row_that_shows_a_picture_twice_repeats_nothing() {
        assert!(counted(vec![at(0, 3, 1), at(0, 3, 1)]).is_empty());
        let again = counted(vec![at(0, 3, 1), at(0, 3, 1), at(0, 4, 1), at(0, 4, 1)]);
        assert_eq!(again, [((0, 0), 1, (3, 4))]);
    }

    #[test]
    fn the_rest_tells_contents_of_one_key_apart() {
        let mut other = at(0, 4, 1);
        other.1.rest = 1;
        assert!(counted(vec![at(0, 3, 1), other]).is_empty());
    }
}
