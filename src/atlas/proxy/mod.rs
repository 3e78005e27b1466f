//! What finds out what a mixture does: a program of the user's, or the small model that comes along.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::Trial;

pub mod builtin;
pub mod command;

/// Why a proxy run gave no metrics.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It was stopped on request; nothing is known of the mixture.
    #[error("stopped")]
    Stopped,
    /// What an earlier run of the trial started is still at it; nothing is known of the mixture.
    #[error("{0}")]
    Busy(String),
    /// It failed, for a reason that is told as the trial's.
    #[error("{0}")]
    Failed(String),
    /// It ended well, and a benchmark is not among its metrics: nothing is told, and no other trial is begun, as they
    /// would all end like this.
    #[error("{0}")]
    Misnamed(String),
    /// It failed for a reason that has nothing to do with this trial and would end every other one; nothing is told.
    #[error("{0}")]
    Unusable(String),
}

/// Tries a mixture.
pub trait Proxy: Sync {
    /// Trains on the trial's mixture and gives its metrics, all of them finite. What it leaves lies in `out`, which
    /// exists; `device` is one of `atlas.proxy.devices`. Returns soon after `stop` is set, with what it started ended.
    ///
    /// # Errors
    /// When it was stopped, or has no metrics to give.
    fn run(
        &self,
        trial: &Trial,
        out: &Path,
        device: Option<&str>,
        stop: &AtomicBool,
    ) -> Result<BTreeMap<String, f64>, ProxyError>;
}
