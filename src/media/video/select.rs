//! Frame numbers as an expression for ffmpeg's `select` filter.

use std::fmt::Write;

/// What `select` is to let through.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Select {
    /// The first frames of the clip, so no filter is needed.
    Head,
    /// The frames for which the expression, in terms of the frame number `n`, is not zero.
    Expression(String),
}

/// Terms beyond which the reader had better drop frames than ffmpeg evaluate a longer expression for each.
const MAX_TERMS: usize = 768;

/// Terms in a pair of brackets. ffmpeg refuses expressions nested more than a hundred deep, and takes each term of a
/// plain sum for another level.
const GROUP: usize = 28;

/// An arithmetic progression.
struct Run {
    first: u64,
    last: u64,
    step: u64,
}

impl Select {
    /// For strictly ascending `indices`. The second value says whether exactly these frames come; else all do from the
    /// first to the last.
    pub(super) fn new(indices: &[u64]) -> (Self, bool) {
        let (Some(&first), Some(&last)) = (indices.first(), indices.last()) else {
            return (Self::Head, true);
        };
        if last == indices.len() as u64 - 1 {
            return (Self::Head, true);
        }
        let runs = runs(indices);
        if runs.len() > MAX_TERMS {
            return (
                Self::Expression(format!("between(n,{first},{last})")),
                false,
            );
        }
        let mut text = String::new();
        for group in runs.chunks(GROUP) {
            text.push_str(if text.is_empty() { "(" } else { "+(" });
            for (k, run) in group.iter().enumerate() {
                let plus = if k == 0 { "" } else { "+" };
                write!(text, "{plus}{run}").expect("a String takes any text");
            }
            text.push(')');
        }
        (Self::Expression(text), true)
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last, step } = self;
        match (first == last, step) {
            (true, _) => write!(f, "eq(n,{first})"),
            (false, 1) => write!(f, "between(n,{first},{last})"),
            _ => write!(f, "between(n,{first},{last})*not(mod(n-{first},{step}))"),
        }
    }
}

/// Splits into progressions, greedily; two numbers alone are no progression unless neighbours.
fn runs(indices: &[u64]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut rest = indices;
    while let Some((&first, after)) = rest.split_first() {
        let step = after.first().map_or(1, |next| next - first);
        let same = rest.windows(2).take_while(|w| w[1] - w[0] == step).count();
        let taken = if same >= 2 || step == 1 { same } else { 0 };
        runs.push(Run {
            first,
            last: rest[taken],
            step,
        });
        rest = &rest[taken + 1..];
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(indices: &[u64]) -> String {
        match Select::new(indices) {
            (Select::Expression(text), true) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn runs_and_progressions_are_short() {
        assert_eq!(expression(&[3]), "(eq(n,3))");
        assert_eq!(expression(&[3, 4, 5]), "(between(n,3,5))");
        assert_eq!(
            expression(&[0, 30, 60, 90]),
            "(between(n,0,90)*not(mod(n-0,30)))"
        );
        assert_eq!(
            expression(&[1, 3, 4, 9]),
            "(eq(n,1)+between(n,3,4)+eq(n,9))"
        );
        assert_eq!(
            expression(&[0, 5, 10, 11, 12, 20]),
            "(between(n,0,10)*not(mod(n-0,5))+between(n,11,12)+eq(n,20))"
        );
    }

    #[test]
    fn the_head_of_a_clip_needs_no_filter() {
        assert_eq!(Select::new(&[0, 1, 2]), (Select::Head, true));
        assert_eq!(Select::new(&[]), (Select::Head, true));
    }

    #[test]
    fn what_would_be_too_long_is_left_to_the_reader() {
        let squares: Vec<u64> = (1..=1000).map(|k| k * k).collect();
        let (select, exact) = Select::new(&squares);
        assert_eq!(select, Select::Expression("between(n,1,1000000)".into()));
        assert!(!exact);
        let (select, exact) = Select::new(&squares[..768]);
        assert!(exact && matches!(select, Select::Expression(text) if text.len() < 20_000));
    }
}
