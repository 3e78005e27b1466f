//! Tries again what a server or a network did not do at first.
//!
//! The clients could do so for requests, but not for a body that is cut off on a server without `ETag`s, and they neither
//! wait as long as a server asks nor tell how often they tried. So they try once, and this does the rest.

use std::error::Error as _;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::{Duration, Instant};

use object_store::client::HttpError;

use super::address::Address;
use super::client::{Answer, Clients, answered};
use super::wording;

/// The wait before the second attempt; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// No wait is longer, unless the server asks for it.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// What may take long is tried so often even if there is no patience left.
const LONG_TRIES: u32 = 3;
/// From this attempt on the user hears of it.
const TOLD: u32 = 4;

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Cause {
    /// In the client's words.
    Store(object_store::Error),
    /// Fewer or more bytes than the server announced.
    Cut,
    /// Nothing in time.
    Silence,
}

impl From<object_store::Error> for Cause {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// How long an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// No longer than there is patience.
    Bounded,
    /// As long as something comes.
    AsLongAsItComes,
}

/// Something that did not succeed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) cause: Cause,
    /// The status of the last answer, if there was one.
    pub(super) status: Option<u16>,
    /// How often it was tried.
    pub(super) tries: u32,
    /// How long it took.
    pub(super) took: Duration,
}

impl Failed {
    pub(super) fn tell(&self, address: &Address) -> io::Error {
        wording::failed(address, self)
    }

    /// Whether another attempt could succeed.
    pub(super) fn is_passing(&self) -> bool {
        use object_store::Error as E;
        match &self.cause {
            Cause::Cut | Cause::Silence => true,
            Cause::Store(
                E::NotFound { .. }
                | E::PermissionDenied { .. }
                | E::Unauthenticated { .. }
                | E::NotModified { .. }
                | E::Precondition { .. }
                | E::NotSupported { .. }
                | E::InvalidPath { .. }
                | E::NotImplemented { .. },
            ) => false,
            Cause::Store(error) => match self.status {
                Some(501) => false,
                Some(408 | 429 | 500..) => true,
                Some(300..) => false,
                // It began to answer, or did not.
                Some(_) => http_error(error).is_some(),
                None => {
                    http_error(error).is_some()
                        && !wording::last_words(error).contains("certificate")
                }
            },
        }
    }
}

/// The failure of the network in an error, if it is one.
fn http_error(error: &object_store::Error) -> Option<&HttpError> {
    let mut next = error.source();
    while let Some(inner) = next {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        next = inner.source();
    }
    None
}

/// Tries until it succeeds, cannot, or has taken too long.
pub(super) fn patiently<T>(
    clients: &Clients,
    patience: Duration,
    takes: Takes,
    address: &Address,
    attempt: impl AsyncFn() -> Result<T, Cause>,
) -> Result<T, Failed> {
    let start = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        let left = match takes {
            Takes::Bounded => patience.saturating_sub(start.elapsed()),
            Takes::AsLongAsItComes => Duration::MAX,
        };
        let (result, answer) = clients.wait_for(answered(async {
            tokio::time::timeout(left, attempt())
                .await
                .unwrap_or(Err(Cause::Silence))
        }));
        let cause = match result {
            Ok(done) => return Ok(done),
            Err(cause) => cause,
        };
        let failed = Failed {
            cause,
            status: answer.map(|answer| answer.status),
            tries,
            took: start.elapsed(),
        };
        let wait = wait_after(tries, answer);
        let again = takes == Takes::AsLongAsItComes && tries < LONG_TRIES;
        if !failed.is_passing() || (failed.took + wait > patience && !again) {
            return Err(failed);
        }
        if tries >= TOLD {
            tracing::warn!("{}; trying again", failed.tell(address));
        }
        std::thread::sleep(wait);
    }
}

/// Longer each time, and not the same for all who failed together.
fn wait_after(tries: u32, answer: Option<Answer>) -> Duration {
    let most = FIRST_WAIT
        .saturating_mul(1 << (tries - 1).min(16))
        .min(LONGEST_WAIT);
    let random = RandomState::new().hash_one(tries) as f64 / u64::MAX as f64;
    let wait = most.mul_f64(0.5 + random / 2.0);
    let asked = answer.and_then(|answer| answer.retry_after);
    wait.max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_heed_the_server() {
        let mut bounds = FIRST_WAIT;
        for tries in 1..40 {
            let wait = wait_after(tries, None);
            assert!(wait >= bounds / 2 && wait <= bounds, "{tries}: {wait:?}");
            bounds = (bounds * 2).min(LONGEST_WAIT);
        }
        let asked = Answer {
            status: 503,
            retry_after: Some(Duration::from_secs(50)),
        };
        assert_eq!(wait_after(1, Some(asked)), Duration::from_secs(50));
    }
}
