//! How deep a template's expressions nest: the engine's parser calls itself for each level, without a limit of its own
//! on operators, attributes, calls and filters in a row.

use std::thread;

/// Bytes of a tag outside of string literals. Each nests an expression by one level at most; honest tags have a few
/// hundred.
const MOST_TAG_BYTES: usize = 8 << 10;
/// Branches of `if`, each of which nests in the one before.
const MOST_ELIFS: usize = 1_000;
/// Stack for that many levels, at 8 KiB for the largest.
const STACK: usize = 64 << 20;

/// Refuses a template with a longer tag or more branches.
pub(super) fn check(source: &str) -> Result<(), String> {
    let mut rest = source.as_bytes();
    let (mut line, mut elifs) = (1, 0);
    while let Some(start) = rest
        .windows(2)
        .position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
    {
        line += newlines(&rest[..start]);
        let comment = rest[start + 1] == b'#';
        let tag = &rest[start + 2..];
        let (length, outside) = if comment {
            (
                tag.windows(2)
                    .position(|pair| pair == b"#}")
                    .map_or(tag.len(), |at| at + 2),
                0,
            )
        } else {
            measure(tag)
        };
        if outside > MOST_TAG_BYTES {
            return Err(format!(
                "the tag in line {line} has more than {MOST_TAG_BYTES} bytes"
            ));
        }
        elifs += usize::from(is_elif(tag));
        if elifs > MOST_ELIFS {
            return Err(format!("it has more than {MOST_ELIFS} elif"));
        }
        line += newlines(&tag[..length]);
        rest = &tag[length..];
    }
    Ok(())
}

/// Whether a tag that begins so is one more branch, with or without a trim mark.
fn is_elif(tag: &[u8]) -> bool {
    let tag = tag
        .strip_prefix(b"-")
        .or(tag.strip_prefix(b"+"))
        .unwrap_or(tag);
    tag.trim_ascii_start().starts_with(b"elif")
}

/// A tag's length, and how much of it is outside of string literals. One that does not end reaches to the end.
fn measure(tag: &[u8]) -> (usize, usize) {
    let mut quote = None;
    let mut outside = 0;
    let mut at = 0;
    while at < tag.len() {
        match (quote, tag[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'}' | b'%') if tag.get(at + 1) == Some(&b'}') => return (at + 2, outside),
            (None, _) => outside += 1,
        }
        at += 1;
    }
    (tag.len(), outside)
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

/// Runs the parser on a thread whose stack is large enough for what [`check`] lets through.
pub(super) fn with_room<T: Send>(parse: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let parser = thread::Builder::new()
            .name("template".into())
            .stack_size(STACK)
            .spawn_scoped(scope, parse)
            .expect("a thread can be started");
        match parser.join() {
            Ok(parsed) => parsed,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tags_are_refused_and_long_texts_and_strings_are_not() {
        let long = "-".repeat(MOST_TAG_BYTES + 1);
        for fine in [
            long.clone(),
            format!("{{# {long} #}}"),
            format!("{{{{ '\\'{long}' ~ \"{long}\" }}}}"),
            "{{ a }}{% if b %}".repeat(MOST_TAG_BYTES),
        ] {
            assert_eq!(check(&fine), Ok(()));
        }
        for deep in [
            format!("\n{{{{ {long} 1 }}}}"),
            format!("\n{{% if {long} %}}"),
            format!("\n{{{{ '}}}}' {long} 1 }}}}"),
            format!("\n{{{{ {long}"),
        ] {
            assert!(check(&deep).unwrap_err().contains("in line 2 "));
        }
        let branches = |count| {
            format!(
                "{{% if a %}}{}{{% endif %}}",
                "{%-\n elif b %}".repeat(count)
            )
        };
        assert_eq!(check(&branches(MOST_ELIFS)), Ok(()));
        assert!(
            check(&branches(MOST_ELIFS + 1))
                .unwrap_err()
                .contains("elif")
        );
    }
}
