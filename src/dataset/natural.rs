//! The order of names with numbers in them, as a person counts: `x2` before `x10`.

use std::cmp::Ordering;

/// Compares two names: runs of digits by their value, all else by its bytes. Names that differ in leading zeros alone
/// are ordered by their bytes, so only equal names are equal.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    loop {
        let order = match (left.first(), right.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (number(&mut left), number(&mut right));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            (Some(x), Some(y)) => {
                (left, right) = (&left[1..], &right[1..]);
                x.cmp(y)
            }
            (x, y) => return x.cmp(&y).then_with(|| a.cmp(b)),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Takes the run of digits at the start and gives it without leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (run, rest) = text.split_at(digits);
    *text = rest;
    let zeros = run.iter().take_while(|byte| **byte == b'0').count();
    &run[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_and_letters_do_not() {
        let sorted = [
            "",
            "a",
            "a-1",
            "a/2",
            "a0",
            "a00",
            "a0b",
            "a01",
            "a1",
            "a2",
            "a2/1",
            "a2b",
            "a10",
            "a10b2",
            "a10b10",
            "a99999999999999999999998",
            "a99999999999999999999999",
            "b",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
    }
}
