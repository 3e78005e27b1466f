//! Files of a dataset that cannot be used: told of, and too much where they take more rows along than samples may fail.

use super::ExtractError;
use crate::dataset::{Dataset, Fault};
use crate::printable::printable;

/// A dataset lost more of its rows with unusable files than it may.
#[derive(Debug, thiserror::Error)]
#[error(
    "dataset \"{dataset}\": about {lost} of {rows} rows are lost to {faults} unusable {}, more than \
     extract.max_failure_rate = {limit} allows; the first: {}.{} Copy or write them again, take them out, or raise the \
     limit",
    if *faults == 1 { "file" } else { "files" }, printable(first), also(others)
)]
pub struct TooManyLost {
    /// The dataset's name.
    pub dataset: String,
    /// Rows that are lost, as far as can be told.
    pub lost: u64,
    /// These and the rows that are there.
    pub rows: u64,
    /// Files, and ends of files, that cannot be used.
    pub faults: usize,
    /// The limit in force.
    pub limit: f64,
    /// The first fault.
    pub first: String,
    /// The other datasets that have lost too much.
    pub others: Vec<String>,
}

fn also(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!(" Too much is lost also of \"{}\".", others.join("\", \"")),
    }
}

/// Rows that are lost with files of a dataset, as far as can be told.
pub(super) fn lost_rows(faults: &[Fault]) -> u64 {
    faults
        .iter()
        .fold(0, |sum, fault| sum.saturating_add(fault.rows))
}

/// Holds all datasets, given by name, against the share of rows that they may lose; the error is of the first and names
/// the others.
///
/// # Errors
/// When one of them has lost more.
pub fn check_faults<'a>(
    datasets: impl IntoIterator<Item = (&'a str, &'a dyn Dataset)>,
    rate: f64,
) -> Result<(), ExtractError> {
    let lost = |(name, dataset): (&str, &dyn Dataset)| {
        let faults = dataset.faults();
        let lost = lost_rows(faults);
        let rows = lost.saturating_add(dataset.len());
        (lost as f64 > rate * rows as f64).then(|| TooManyLost {
            dataset: name.to_owned(),
            lost,
            rows,
            faults: faults.len(),
            limit: rate,
            first: faults.first().map(Fault::to_string).unwrap_or_default(),
            others: Vec::new(),
        })
    };
    let mut exceeding = datasets.into_iter().filter_map(lost);
    let Some(first) = exceeding.next() else {
        return Ok(());
    };
    Err(ExtractError::TooManyLost(Box::new(TooManyLost {
        others: exceeding.map(|lost| lost.dataset).collect(),
        ..first
    })))
}

/// Says of each dataset that has lost rows how many, and the first reason.
pub fn warn_of_faults<'a>(datasets: impl IntoIterator<Item = (&'a str, &'a dyn Dataset)>) {
    for (name, dataset) in datasets {
        let faults = dataset.faults();
        let Some(first) = faults.first() else {
            continue;
        };
        let (lost, first) = (lost_rows(faults), first.to_string());
        let more = match faults.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        tracing::warn!(
            "{}: about {lost} of {} rows are lost: {}{more}",
            printable(name),
            lost.saturating_add(dataset.len()),
            printable(&first)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Sample, SampleError, SampleProblem};

    /// So many rows that no one reads, and what is lost beside them.
    struct Shelf(u64, Vec<Fault>);

    impl Dataset for Shelf {
        fn len(&self) -> u64 {
            self.0
        }

        fn read(&self, index: u64) -> Result<Sample, SampleError> {
            Err(SampleError {
                row: index,
                id: String::new(),
                place: None,
                problem: SampleProblem::NoTurns {
                    key: "conversations",
                },
            })
        }

        fn fingerprint(&self) -> &'static str {
            ""
        }

        fn format(&self) -> &'static str {
            "shelf"
        }

        fn files(&self) -> usize {
            1
        }

        fn faults(&self) -> &[Fault] {
            &self.1
        }
    }

    fn fault(file: &str, rows: u64) -> Fault {
        Fault {
            file: file.into(),
            reason: "cut off".into(),
            rows,
        }
    }

    #[test]
    fn a_share_of_all_rows_may_be_lost() {
        let of = |faults| Shelf(90, faults);
        let check = |shelves: &[Shelf], rate| {
            let named = ["a", "b", "c"].into_iter().zip(shelves);
            check_faults(
                named.map(|(name, shelf)| (name, shelf as &dyn Dataset)),
                rate,
            )
        };
        let whole = of(Vec::new());
        let some = of(vec![fault("x", 4), fault("\u{1b}y", 6)]);
        assert!(check(&[whole, some], 0.1).is_ok(), "10 of 100");
        let [some, more, whole] = [
            of(vec![fault("x", 4), fault("y", 6)]),
            of(vec![fault("z", 11)]),
            of(Vec::new()),
        ];
        let shelves = [some, more, whole];
        let error = check(&shelves, 0.1).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "dataset \"b\": about 11 of 101 rows are lost to 1 unusable file, more than"
            ),
            "{error}"
        );
        let error = check(&shelves, 0.0).unwrap_err().to_string();
        assert!(
            error.contains(
                "the first: x: cut off (about 4 rows lost). Too much is lost also of \"b\"."
            ),
            "{error}"
        );
        assert!(check(&shelves, 1.0).is_ok());
    }
}
