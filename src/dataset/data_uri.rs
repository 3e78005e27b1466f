//! Bytes that are written out in a row: data URIs (RFC 2397), and base64 without any frame around it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::SampleProblem;
use super::error::excerpt;
use super::named::Named;
use crate::blob::Blob;

/// How a data URI starts.
const SCHEME: &str = "data:";

/// As Python's `b64decode`: with or without the padding, whatever the bits after the last byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether a text is meant as a data URI.
pub(super) fn is_one(text: &str) -> bool {
    text.starts_with(SCHEME)
}

/// The bytes of a data URI, by a short name that is the same everywhere: `data:image/png (1234 bytes)`.
pub(super) fn read(uri: &str) -> Result<Named, SampleProblem> {
    let problem = |head: &str, reason: String| SampleProblem::DataUri {
        head: excerpt(head),
        reason,
    };
    let Some((head, data)) = uri.split_once(',') else {
        return Err(problem(uri, "it has no comma before its data".into()));
    };
    let (media_type, is_base64) = match head.strip_suffix(";base64") {
        Some(rest) => (rest, true),
        None => (head, false),
    };
    let bytes = if is_base64 {
        let text = String::from_utf8_lossy(&percent_decoded(data)).into_owned();
        decoded(&text).map_err(|reason| problem(head, reason))?
    } else {
        percent_decoded(data)
    };
    if bytes.is_empty() {
        return Err(problem(head, "it holds no bytes".into()));
    }
    Ok(named(&excerpt(media_type), bytes))
}

/// The bytes of a text in base64, by a name like `base64 (1234 bytes)`; or why it is none.
pub(super) fn bare(text: &str) -> Result<Named, String> {
    match decoded(text)? {
        bytes if bytes.is_empty() => Err("it holds no bytes".into()),
        bytes => Ok(named("base64", bytes)),
    }
}

fn named(what: &str, bytes: Vec<u8>) -> Named {
    Named {
        name: format!("{what} ({} bytes)", bytes.len()),
        blob: Blob::Held(bytes.into()),
    }
}

/// Line breaks and spaces among the letters are passed over.
fn decoded(text: &str) -> Result<Vec<u8>, String> {
    let told = |error: base64::DecodeError| format!("it is not base64: {error}");
    if !text.contains(|c: char| c.is_ascii_whitespace()) {
        return BASE64.decode(text).map_err(told);
    }
    let joined: String = text.split_ascii_whitespace().collect();
    BASE64.decode(joined).map_err(told)
}

/// A percent sign without two digits after it stands for itself, as in the URL standard.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        bytes.extend_from_slice(&rest[..at]);
        let digit = |i: usize| char::from(*rest.get(at + i)?).to_digit(16);
        if let (Some(high), Some(low)) = (digit(1), digit(2)) {
            bytes.push((16 * high + low) as u8);
            rest = &rest[at + 3..];
        } else {
            bytes.push(b'%');
            rest = &rest[at + 1..];
        }
    }
    bytes.extend_from_slice(rest);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_its_bytes_and_a_short_name() {
        for (uri, bytes, name) in [
            (
                "data:image/png;base64,iVBORw==",
                &b"\x89PNG"[..],
                "data:image/png (4 bytes)",
            ),
            (
                "data:image/png;base64,iVBORw",
                b"\x89PNG",
                "data:image/png (4 bytes)",
            ),
            (
                "data:image/png;base64,iVBO\r\n Rw%3D%3d",
                b"\x89PNG",
                "data:image/png (4 bytes)",
            ),
            (
                "data:image/png;base64,iVBORx==",
                b"\x89PNG",
                "data:image/png (4 bytes)",
            ),
            (
                "data:image/x;a=b;base64,AA",
                b"\0",
                "data:image/x;a=b (1 bytes)",
            ),
            ("data:;base64,AA==", b"\0", "data: (1 bytes)"),
            ("data:,a%00%fFb%", b"a\0\xffb%", "data: (5 bytes)"),
            (
                "data:image/svg+xml,%3csvg%2",
                b"<svg%2",
                "data:image/svg+xml (6 bytes)",
            ),
        ] {
            let Named { name: found, blob } = read(uri).unwrap();
            assert_eq!(
                (blob, found.as_str()),
                (Blob::Held(bytes.into()), name),
                "{uri}"
            );
        }
    }

    #[test]
    fn what_is_none_says_why_and_quotes_no_data() {
        let long = format!("data:image/png;base64,{}!", "A".repeat(1 << 20));
        for (uri, says) in [
            ("data:image/png;base64", "no comma"),
            ("data:image/png;base64,", "no bytes"),
            ("data:image/png;base64,A", "not base64"),
            ("data:image/png;base64,AAAA=AAA", "not base64"),
            (&long, "offset 1048576"),
        ] {
            let message = read(uri).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
            assert!(message.len() < 200, "{message}");
        }
        assert!(bare("").is_err() && bare("?").is_err());
        assert_eq!(bare("AAAA").unwrap().name, "base64 (3 bytes)");
    }
}
