//! Where the time of a forward pass goes, by section.

/// Runs `f` as a section of the pass; sections may lie in each other.
pub(crate) fn section<T>(name: &'static str, f: impl FnOnce() -> T) -> T {
    let _ = name;
    f()
}
