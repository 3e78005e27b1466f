//! The system's reason for an error, for messages that name the path themselves.

use std::io;

/// The reason without what `fs_err` puts before it: "what was done to `path`: ". It does not hand out the error inside.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once("`: ") {
        Some((_, reason)) => reason.to_owned(),
        None => text,
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
