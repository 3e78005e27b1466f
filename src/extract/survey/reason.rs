//! Failures of one kind: reasons that differ only in names, numbers and quotations.

/// The kind of a reason: without the name of the picture or clip in front, every number an N and every quotation an …,
/// but for what is a key or a placeholder.
pub(super) fn kind<'a>(reason: &str, mut names: impl Iterator<Item = &'a str>) -> String {
    let named = names.find_map(|name| reason.strip_prefix(name)?.strip_prefix(": "));
    let mut kind = String::new();
    let mut rest = named.unwrap_or(reason);
    while let Some(c) = rest.chars().next() {
        let length = c.len_utf8();
        rest = match c {
            '0'..='9' => {
                kind.push('N');
                let digits = |c: char| c.is_ascii_digit() || c == '.';
                let end = rest.trim_start_matches(digits);
                // A full stop ends a sentence.
                let taken = &rest[..rest.len() - end.len()];
                &rest[taken.trim_end_matches('.').len()..]
            }
            '"' | '`' => match end_of_quotation(&rest[length..], c) {
                Some(end) => {
                    let quoted = &rest[length..length + end];
                    kind.push(c);
                    if c == '`' && is_key(quoted) {
                        kind.extend(quoted.chars().filter(|c| !c.is_ascii_digit()));
                    } else {
                        kind.push('…');
                    }
                    kind.push(c);
                    &rest[length + end + length..]
                }
                None => {
                    kind.push(c);
                    &rest[length..]
                }
            },
            _ => {
                kind.push(c);
                &rest[length..]
            }
        };
    }
    kind
}

/// Where the quotation ends; a quotation mark behind a backslash does not end it.
fn end_of_quotation(text: &str, mark: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == mark && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// A key of a row, a place in one, or a placeholder.
fn is_key(text: &str) -> bool {
    const LONGEST: usize = 32;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_[]<>.".contains(c);
    !text.is_empty() && text.len() <= LONGEST && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn names_numbers_and_quotations_are_left_out() {
        for (reason, expected) in [
            ("a/5.png: there is no such file", "there is no such file"),
            (
                "b 5.png: there is no such file",
                "b N.png: there is no such file",
            ),
            (
                "it has 4891 tokens, more than extract.max_tokens of 100",
                "it has N tokens, more than extract.max_tokens of N",
            ),
            (
                r#"a/5.png: it begins with "a\"1", 1.5 times."#,
                r#"it begins with "…", N times."#,
            ),
            ("`images[3]` is null", "`images[]` is null"),
            ("`http://a/7` is a URL", "`…` is a URL"),
            (
                "1 images, but 2 `<image>` in row 3.",
                "N images, but N `<image>` in row N.",
            ),
            ("an open \" mark 7", "an open \" mark N"),
            ("", ""),
        ] {
            assert_eq!(kind(reason, ["a/5.png"].into_iter()), expected);
        }
    }
}
