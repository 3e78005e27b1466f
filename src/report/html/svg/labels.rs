//! Labels at the ends of lines, moved apart so that none covers another.

/// Where labels go that would like to be at `wanted`, at least `gap` apart, between `top` and `bottom` where there is
/// room for all. Those that have to move share the way evenly, and their order stays.
pub(super) fn spread(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    // Labels that touch are a block: how many, and where its first would like to be.
    let mut blocks: Vec<(usize, f64)> = Vec::new();
    let start = |count: usize, first: f64| {
        let last = bottom - gap * (count - 1) as f64;
        first.min(last).max(top)
    };
    for &i in &order {
        let (mut count, mut first) = (1, wanted[i]);
        while let Some(&(above, wish)) = blocks.last() {
            if start(above, wish) + gap * above as f64 <= start(count, first) {
                break;
            }
            blocks.pop();
            // Each label's wish, taken back by its place in the block, counts the same.
            let shifted = first - gap * above as f64;
            first = (wish * above as f64 + shifted * count as f64) / (above + count) as f64;
            count += above;
        }
        blocks.push((count, first));
    }
    let mut places = vec![0.0; wanted.len()];
    let mut next = order.into_iter();
    for (count, first) in blocks {
        for (n, i) in next.by_ref().take(count).enumerate() {
            places[i] = start(count, first) + gap * n as f64;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_room_stay() {
        assert_eq!(spread(&[50.0, 10.0], 12.0, 0.0, 100.0), [50.0, 10.0]);
        assert_eq!(spread(&[], 12.0, 0.0, 100.0), [0.0; 0]);
    }

    #[test]
    fn crowded_labels_share_the_way_and_stay_inside() {
        assert_eq!(spread(&[50.0, 50.0], 10.0, 0.0, 100.0), [45.0, 55.0]);
        assert_eq!(
            spread(&[99.0, 100.0, 98.0], 10.0, 0.0, 100.0),
            [90.0, 100.0, 80.0]
        );
    }

    proptest::proptest! {
        #[test]
        fn none_covers_another(wanted in proptest::collection::vec(0.0..300.0, 1..30)) {
            let places = spread(&wanted, 10.0, 0.0, 300.0);
            let mut sorted = places.clone();
            sorted.sort_by(f64::total_cmp);
            proptest::prop_assert!(sorted.windows(2).all(|two| two[1] - two[0] > 10.0 - 1e-6));
            proptest::prop_assert!(sorted[0] >= 0.0 && sorted[sorted.len() - 1] <= 300.0 + 1e-6);
        }
    }
}
