//! Tables of what is the same, what is odd and what cannot be used.

use crate::extract::survey::{Duplicates, Example, Found, Noted, Same, Survey, Unit};
use crate::report::align::{align, shortened, shown};

/// Lines of a table; what is beyond is in the JSON.
const SHOWN: usize = 20;
/// Columns of a reason.
const REASON: usize = 200;

/// What occurs more than once; nothing if all is different.
pub(super) fn duplicates(survey: &Survey) -> String {
    let name = |place: usize| shown(&survey.datasets[place].sum.name);
    let line = |found: &Duplicates| {
        let datasets = match (name(found.first), name(found.second)) {
            (one, _) if found.first == found.second => format!("within {one}"),
            (one, other) => format!("{one} and {other}"),
        };
        let [one, other] = found.example.each_ref().map(row);
        let same = match found.same {
            Same::Picture => "same picture",
            Same::Clip => "same clip",
            Same::Conversation => "same words",
            Same::Sample => "same words and media",
        };
        [
            found.count.to_string(),
            same.to_owned(),
            datasets,
            format!("{one} and {other}"),
        ]
    };
    table(
        "duplicates: what both have; within one dataset, rows that repeat an earlier one's",
        ["count", "what", "where", "for example"],
        survey.duplicates.iter().map(line),
    )
}

/// What is odd.
pub(super) fn irregularities(survey: &Survey) -> String {
    let line = |found: &Found, noted: &Noted| {
        let unit = match noted.of {
            Unit::Rows => "",
            Unit::Pictures => "pictures: ",
        };
        [
            noted.count.to_string(),
            shown(&found.sum.name),
            format!("{unit}{}", noted.text),
            place(&noted.first),
        ]
    };
    table(
        "irregularities: used all the same",
        ["count", "dataset", "what", "first"],
        survey.datasets.iter().flat_map(|found| {
            let noted = found.irregularities.iter();
            noted.map(move |noted| line(found, noted))
        }),
    )
}

/// What cannot be used.
pub(super) fn failures(survey: &Survey) -> String {
    let line = |found: &Found, noted: &Noted| {
        [
            noted.count.to_string(),
            shown(&found.sum.name),
            row(&noted.first),
            shortened(&noted.text, REASON),
        ]
    };
    table(
        "failures: rows that cannot be used",
        ["count", "dataset", "first", "reason"],
        survey.datasets.iter().flat_map(|found| {
            let noted = found.failures.iter();
            noted.map(move |noted| line(found, noted))
        }),
    )
}

/// Files that cannot be used.
pub(super) fn faults(survey: &Survey) -> String {
    table(
        "unusable files, and about how many rows are lost with each",
        ["rows", "dataset", "file", "reason"],
        survey.datasets.iter().flat_map(|found| {
            found.faults.iter().map(|fault| {
                [
                    fault.rows.to_string(),
                    shown(&found.sum.name),
                    shown(&fault.file),
                    shortened(&fault.reason, REASON),
                ]
            })
        }),
    )
}

/// A titled table whose first column is a number; nothing without lines.
fn table(title: &str, header: [&str; 4], lines: impl Iterator<Item = [String; 4]>) -> String {
    let lines: Vec<[String; 4]> = lines.collect();
    if lines.is_empty() {
        return String::new();
    }
    let shown = &lines[..lines.len().min(SHOWN)];
    let widest = shown.iter().map(|line| line[0].len()).max().unwrap_or(0);
    let width = widest.max(header[0].len());
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(shown.iter().map(|line| line.to_vec()));
    for row in &mut rows {
        row[0] = format!("{:>width$}", row[0]);
    }
    let more = match lines.len() - shown.len() {
        0 => String::new(),
        more => format!("and {more} more lines; --json has all\n"),
    };
    format!("\n{title}\n{}{more}", align(&rows, rows[0].len()))
}

fn row(example: &Example) -> String {
    format!("row {} ({})", example.row, shown(&example.id))
}

fn place(example: &Example) -> String {
    match &example.detail {
        None => row(example),
        Some(detail) => format!("{}: {}", row(example), shown(detail)),
    }
}
