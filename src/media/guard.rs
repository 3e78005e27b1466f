//! A wall around the codecs.

use super::MediaError;
use crate::wall;

/// Runs a codec so that a panic in it is an error.
pub(super) fn guarded<T>(
    format: &'static str,
    f: impl FnOnce() -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    wall::behind(f).unwrap_or_else(|panic| {
        let reason = panic
            .strip_prefix("libjpeg fatal error: ")
            .unwrap_or(&panic);
        Err(MediaError::Corrupt {
            format,
            reason: reason.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let fault = guarded("PNG", || -> Result<(), _> { panic!("row {} is odd", 7) });
        assert_eq!(fault.unwrap_err().to_string(), "corrupt PNG: row 7 is odd");
    }
}
