//! The system's reason for an error, for messages that name the path themselves.

use std::io;

/// The reason without the path that `fs_err` puts before it.
pub(crate) fn reason(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|wrapper| wrapper.source());
    match inner.and_then(|inner| inner.downcast_ref::<io::Error>()) {
        Some(inner) => inner.to_string(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_left_to_the_message() {
        let error = fs_err::metadata("no/such/file").unwrap_err();
        assert!(error.to_string().contains("no/such/file"));
        assert_eq!(reason(&error), "No such file or directory (os error 2)");
        assert_eq!(reason(&io::Error::other("itself")), "itself");
    }
}
