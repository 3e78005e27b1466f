//! `madmix plan --json`: one document, for programs.
//!
//! ```text
//! {
//!   "format": 1,                    raised when a key comes to mean something else or goes
//!   "checkpoint": {"name", "family"},
//!   "device": {"description", "here", "dtype", "batch_tokens"},
//!   "all_rows": false,              whether every row was measured, not only the samples
//!   "datasets": [{
//!     "name", "domain", "format", "files",
//!     "rows", "lost_rows", "samples", "measured", "failed",
//!     "with_text_only", "with_pictures", "with_videos",          of the measured rows
//!     "tokens", "picture_tokens", "video_tokens",
//!     "lengths": {"min", "median", "p90", "p99", "max"},         tokens of a row
//!     "irregularities": [{"kind", "text", "of", "count", "first": {"row", "id", "detail"?}}],
//!     "failures":       [ the same; "kind" is the reason without names and numbers ],
//!     "faults":         [{"file", "reason", "rows"}]
//!   }],
//!   "domains": [{"name", "rows" … "lengths"}],
//!   "total": {"rows" … "lengths"},
//!   "duplicates": [{
//!     "same": "picture" | "clip" | "conversation" | "sample",
//!     "datasets": [name, name],     twice the same for what is repeated in one
//!     "count",                      different ones that both have; in one dataset, rows that repeat an earlier row's
//!     "example": [{"row", "id"}, {"row", "id"}]
//!   }],
//!   "forecast": {
//!     "memory": {"host", "device": {"weights", "activations"}},  bytes
//!     "time": {"language_flops", "tower_flops", "rate": {"flops_per_second", "share", "device"} | null, "seconds" | null}
//!   }
//! }
//! ```
//!
//! Names and ids are exact. What a terminal would obey is written as `\u….`, which reads back as it was.

use serde::Serialize;

use super::PlanReport;
use crate::extract::survey::{Duplicates, Example, Forecast, Found, Same, Sum, Survey};
use crate::printable::ascii_escaped;

const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    checkpoint: Checkpoint<'a>,
    device: Device<'a>,
    all_rows: bool,
    datasets: &'a [Found],
    domains: &'a [Sum],
    total: &'a Sum,
    duplicates: Vec<Pair<'a>>,
    forecast: &'a Forecast,
}

#[derive(Serialize)]
struct Checkpoint<'a> {
    name: &'a str,
    family: &'a str,
}

#[derive(Serialize)]
struct Device<'a> {
    description: &'a str,
    here: bool,
    dtype: &'a str,
    batch_tokens: usize,
}

#[derive(Serialize)]
struct Pair<'a> {
    same: Same,
    datasets: [&'a str; 2],
    count: u64,
    example: &'a [Example; 2],
}

impl<'a> Pair<'a> {
    fn of(found: &'a Duplicates, survey: &'a Survey) -> Self {
        let name = |place: usize| survey.datasets[place].sum.name.as_str();
        Self {
            same: found.same,
            datasets: [name(found.first), name(found.second)],
            count: found.count,
            example: &found.example,
        }
    }
}

/// The document, ending with a newline.
///
/// # Errors
/// When it cannot be written as JSON.
pub(crate) fn json(report: &PlanReport<'_>) -> serde_json::Result<String> {
    let survey = report.survey;
    let document = Document {
        format: FORMAT,
        checkpoint: Checkpoint {
            name: report.checkpoint,
            family: &report.family,
        },
        device: Device {
            description: report.device,
            here: report.here,
            dtype: report.dtype,
            batch_tokens: report.batch_tokens,
        },
        all_rows: report.all,
        datasets: &survey.datasets,
        domains: &survey.domains,
        total: &survey.total,
        duplicates: survey
            .duplicates
            .iter()
            .map(|found| Pair::of(found, survey))
            .collect(),
        forecast: report.forecast,
    };
    let text = serde_json::to_string_pretty(&document)?;
    Ok(ascii_escaped(&text) + "\n")
}
