//! Media with a name.

use crate::blob::Blob;

/// Bytes inside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// What messages and files call it; the same on every machine.
    pub(super) name: String,
    /// Where they lie.
    pub(super) blob: Blob,
}
