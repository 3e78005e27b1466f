//! Where the tests find what they need, also on a machine that did not build them.

use std::sync::LazyLock;

/// The repository's folder: `MADMIX_TEST_REPOSITORY`, or where the tests were compiled.
pub(crate) fn repository() -> &'static str {
    static FOLDER: LazyLock<String> = LazyLock::new(|| {
        let given = std::env::var("MADMIX_TEST_REPOSITORY");
        given.unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned())
    });
    &FOLDER
}
