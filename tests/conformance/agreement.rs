//! How far vectors are apart, and what to say about it.

use std::collections::BTreeMap;

/// `|found - expected| / |expected|`; 0 for two zero vectors, infinite where only the expected one is zero.
pub(crate) fn relative_l2(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "vectors of different widths");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let pairs = found.iter().zip(expected);
    let apart = norm(&mut pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let length = norm(&mut expected.iter().map(|b| f64::from(*b)));
    if apart == 0.0 { 0.0 } else { apart / length }
}

/// What is a disagreement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    /// A relative error of a vector of this or more.
    pub(crate) each: f64,
    /// A median of the errors of a kind of this or more.
    pub(crate) median: Option<f64>,
}

impl Bound {
    pub(crate) fn each(each: f64) -> Self {
        Self { each, median: None }
    }
}

/// Compares many vectors and remembers the errors of each kind.
pub(crate) struct Comparison {
    bound: Bound,
    errors: BTreeMap<String, Vec<(f64, String)>>,
}

impl Comparison {
    pub(crate) fn new(bound: Bound) -> Self {
        Self {
            bound,
            errors: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, kind: &str, case: &str, found: &[f32], expected: &[f32]) {
        let error = relative_l2(found, expected);
        let of_kind = self.errors.entry(kind.to_owned()).or_default();
        of_kind.push((error, case.to_owned()));
    }

    /// Asserts that something was compared and nothing was beyond the bound.
    pub(crate) fn finish(mut self, title: &str) {
        let (mut lines, mut beyond) = (Vec::new(), Vec::new());
        for (kind, errors) in &mut self.errors {
            // NaN comes last.
            errors.sort_by(|a, b| a.0.total_cmp(&b.0));
            let median = errors[errors.len() / 2].0;
            let (worst, case) = &errors[errors.len() - 1];
            lines.push(format!("  {kind:<28} {median:.1e} {worst:.1e}  {case}"));
            if self
                .bound
                .median
                .is_some_and(|bound| is_beyond(median, bound))
            {
                beyond.push(format!("median of {kind}: {median:.1e}"));
            }
            let far = errors
                .iter()
                .filter(|(error, _)| is_beyond(*error, self.bound.each));
            beyond.extend(far.map(|(error, case)| format!("{kind} of {case}: {error:.1e}")));
        }
        let compared: usize = self.errors.values().map(Vec::len).sum();
        let head = format!("{title}: {compared} vectors, median and worst of each kind");
        let table = lines.join("\n");
        println_worst(&format!("{head}\n{table}"));
        assert!(compared > 0, "{title}: nothing was compared");
        assert!(
            beyond.is_empty(),
            "{head}\n{table}\n{} are not within {:?}:\n{}",
            beyond.len(),
            self.bound,
            beyond.join("\n")
        );
    }
}

fn is_beyond(error: f64, bound: f64) -> bool {
    error.is_nan() || error >= bound
}

#[expect(clippy::print_stdout, reason = "shown by --nocapture only")]
fn println_worst(table: &str) {
    println!("{table}");
}

/// Asserts that no fault was found, and shows all of them otherwise.
#[track_caller]
pub(crate) fn assert_none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn a_vector_or_a_median_beyond_its_bound_is_told() {
    let compare = |bound: Bound, errors: &[f32]| {
        let mut comparison = Comparison::new(bound);
        for error in errors {
            comparison.add("kind", "case", &[1.0 + error, 0.0], &[1.0, 0.0]);
        }
        std::panic::catch_unwind(|| comparison.finish("a test")).is_ok()
    };
    let bound = Bound {
        each: 0.1,
        median: Some(0.01),
    };
    assert!(compare(bound, &[0.001, 0.001, 0.09]));
    assert!(!compare(bound, &[0.001, 0.001, 0.11]));
    assert!(!compare(bound, &[0.001, 0.02, 0.03]));
    assert!(!compare(bound, &[0.001, f32::NAN, 0.001]));
    assert!(!compare(bound, &[]));
    assert!(compare(Bound::each(0.1), &[0.02, 0.03]));
}
