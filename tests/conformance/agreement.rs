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

/// Compares many vectors and remembers the worst of each kind.
pub(crate) struct Comparison {
    bound: f64,
    compared: usize,
    worst: BTreeMap<String, (f64, String)>,
    beyond: Vec<String>,
}

impl Comparison {
    /// A comparison in which a relative error of `bound` or more is a disagreement.
    pub(crate) fn new(bound: f64) -> Self {
        Self {
            bound,
            compared: 0,
            worst: BTreeMap::new(),
            beyond: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, kind: &str, case: &str, found: &[f32], expected: &[f32]) {
        let error = relative_l2(found, expected);
        self.compared += 1;
        let worst = self.worst.entry(kind.to_owned()).or_default();
        if worst.1.is_empty() || error > worst.0 {
            *worst = (error, case.to_owned());
        }
        if error.is_nan() || error >= self.bound {
            self.beyond.push(format!("{kind} of {case}: {error:.1e}"));
        }
    }

    /// Asserts that something was compared and nothing was beyond the bound.
    pub(crate) fn finish(self, title: &str) {
        let lines = self
            .worst
            .iter()
            .map(|(kind, (error, case))| format!("  {kind:<28} {error:.1e}  {case}"));
        let table = lines.collect::<Vec<_>>().join("\n");
        let head = format!("{title}: {} vectors, worst of each kind", self.compared);
        println_worst(&format!("{head}\n{table}"));
        assert!(self.compared > 0, "{title}: nothing was compared");
        assert!(
            self.beyond.is_empty(),
            "{head}\n{table}\n{} are not within {:.0e}:\n{}",
            self.beyond.len(),
            self.bound,
            self.beyond.join("\n")
        );
    }
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
