//! What did not succeed, and whether another attempt could.

use std::error::Error as _;
use std::time::Duration;

use object_store::client::HttpError;

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
                None => http_error(error).is_some() && !last_words(error).contains("certificate"),
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

/// The innermost reason of an error: the system's, or the client's about what it was given.
pub(super) fn last_words(error: &object_store::Error) -> String {
    let mut last = error.source();
    while let Some(inner) = last.and_then(std::error::Error::source) {
        last = Some(inner);
    }
    let text = last.map_or_else(|| error.to_string(), ToString::to_string);
    // A URL may be part of it.
    text.split_whitespace()
        .map(|word| if word.contains("://") { "(URL)" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}
