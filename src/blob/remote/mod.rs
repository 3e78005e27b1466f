//! Objects behind URLs: `s3://`, `gs://`, `az://`, `abfs(s)://`, `http://` and `https://`.
//!
//! Only the feature `object-store` brings the clients, and with them an asynchronous runtime. Without it every URL is
//! refused with a message that says so.
//!
//! An object is read in blocks, which are kept on this machine: see `object`, `blocks` and `disk`.

#[cfg(feature = "object-store")]
mod failed;
mod fault;

#[cfg(feature = "object-store")]
mod address;
#[cfg(feature = "object-store")]
mod blocks;
#[cfg(feature = "object-store")]
mod client;
#[cfg(feature = "object-store")]
mod disk;
#[cfg(feature = "object-store")]
mod listing;
#[cfg(feature = "object-store")]
mod object;
#[cfg(feature = "object-store")]
mod recent;
#[cfg(feature = "object-store")]
mod retry;
#[cfg(feature = "object-store")]
mod settings;
#[cfg(feature = "object-store")]
mod wording;

pub use fault::{again, is_of_machine, shown};
#[cfg(feature = "object-store")]
pub(super) use object::open;

#[cfg(not(feature = "object-store"))]
use std::{io, sync::Arc};

#[cfg(not(feature = "object-store"))]
use super::reader::ReadAt;

/// An object that was found by [`list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name from the folder on that was listed.
    pub name: String,
    /// Where it lies.
    pub url: String,
    /// How many bytes it has.
    pub bytes: u64,
}

/// The objects that a URL names, by their names: all below a folder, written with a `/` at its end, or those that match
/// a pattern with `*`, which stands for any part of a name, and `**`, which stands for any folders.
///
/// # Errors
/// When the URL is of a server that lists nothing, or the bucket cannot be listed. Nothing found is no error.
pub fn list(url: &str) -> std::io::Result<Vec<Found>> {
    #[cfg(feature = "object-store")]
    return listing::list(url);
    #[cfg(not(feature = "object-store"))]
    Err(unsupported(url))
}

/// Opens an object.
#[cfg(not(feature = "object-store"))]
pub(super) fn open(url: &str) -> io::Result<Arc<dyn ReadAt>> {
    Err(unsupported(url))
}

#[cfg(not(feature = "object-store"))]
fn unsupported(url: &str) -> io::Error {
    fault::of_machine(
        io::ErrorKind::Unsupported,
        format!(
            "{}: this program was built without the feature `object-store`; build it with `cargo build --release \
             --features object-store`, or copy the data to this machine",
            shown(url)
        ),
    )
}

#[cfg(all(test, not(feature = "object-store")))]
mod tests {
    use super::*;

    #[test]
    fn without_the_feature_a_url_is_a_fault_of_the_machine() {
        for refused in [
            open("s3://bucket/key?secret").err().unwrap(),
            list("s3://bucket/").unwrap_err(),
        ] {
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
            assert!(is_of_machine(&refused));
            let text = refused.to_string();
            assert!(text.contains("`object-store`"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
