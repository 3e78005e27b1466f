//! A wall around the codecs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::MediaError;

/// Runs a codec so that a panic in it is an error.
pub(super) fn guarded<T>(
    format: &'static str,
    f: impl FnOnce() -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    // Whatever state the codec leaves behind is dropped with it.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        Err(MediaError::Corrupt {
            format,
            reason: panic_text(panic.as_ref()),
        })
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the decoder panicked");
    text.strip_prefix("libjpeg fatal error: ")
        .unwrap_or(text)
        .to_owned()
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
