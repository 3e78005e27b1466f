//! Tries again what a server or a network did not do at first.
//!
//! The clients could do so for requests, but not for a body that is cut off on a server without `ETag`s, and they neither
//! wait as long as a server asks nor tell how often they tried. So they try once, and this does the rest.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::address::Address;
use super::client::{Answer, Clients, answered};
use super::failed::{Cause, Failed};
use super::wording;

/// The wait before the second attempt; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// No wait is longer, unless the server asks for it.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// What may take long is tried so often even if there is no patience left.
const LONG_TRIES: u32 = 3;
/// From this attempt on the user hears of it.
const TOLD: u32 = 4;

/// How long an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// No longer than there is patience.
    Bounded,
    /// As long as something comes.
    AsLongAsItComes,
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
            tracing::warn!("{}; trying again", wording::failed(address, &failed));
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
