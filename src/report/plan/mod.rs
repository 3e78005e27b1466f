//! What `madmix plan` has found, as text and as JSON.

mod json;
mod notes;
mod text;

use crate::extract::survey::{Forecast, Survey};

pub(crate) use json::json as plan_json;
pub(crate) use text::text as plan_text;

/// What is told.
pub(crate) struct PlanReport<'a> {
    /// The checkpoint's name.
    pub(crate) checkpoint: &'a str,
    /// Its family.
    pub(crate) family: String,
    /// What the arithmetic is done in.
    pub(crate) dtype: &'a str,
    /// What a run would run on, for people.
    pub(crate) device: &'a str,
    /// Whether that is on this machine.
    pub(crate) here: bool,
    /// Whether it has memory of its own.
    pub(crate) cuda: bool,
    /// Tokens of a batch.
    pub(crate) batch_tokens: usize,
    /// Whether all rows were measured, not only the samples.
    pub(crate) all: bool,
    /// What is in the data.
    pub(crate) survey: &'a Survey,
    /// What a run would take.
    pub(crate) forecast: &'a Forecast,
}
