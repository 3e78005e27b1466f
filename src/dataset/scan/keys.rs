//! The keys of a file's first row, from what is there of it.

use super::BOM;

/// The keys of the first object, as they are written; of a head that breaks off within it those before.
pub(in crate::dataset) fn first_row_keys(head: &[u8]) -> Vec<&[u8]> {
    let text = head.strip_prefix(&BOM).unwrap_or(head);
    let lead = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'[';
    let start = text.iter().take_while(|byte| lead(byte)).count();
    let mut keys = Vec::new();
    let Some(mut rest) = text[start..].strip_prefix(b"{") else {
        return keys;
    };
    let mut depth = 1_usize;
    let mut key_is_due = true;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => {
                let Some(length) = string_length(rest) else {
                    break;
                };
                if key_is_due {
                    keys.push(&rest[..length]);
                }
                key_is_due = false;
                rest = &rest[length + 1..];
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            b',' => key_is_due = depth == 1,
            _ => {}
        }
    }
    keys
}

/// Bytes before the quote that ends a string.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text
            .get(at..)?
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\'))?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(head: &str) -> Vec<String> {
        let text = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
        first_row_keys(head.as_bytes())
            .into_iter()
            .map(text)
            .collect()
    }

    #[test]
    fn keys_of_the_first_object_alone() {
        let row = r#"{"a": [{"x": 1}, "y"], "b\"{" : {"z": ",\"q\":"}, "c": null, "d": "}"}"#;
        for head in [
            row.to_owned(),
            format!("\u{feff} \n[[{row}, {{\"no\": 1}}"),
            format!("{row}\n{{\"no\": 1}}"),
        ] {
            assert_eq!(keys(&head), ["a", "b\\\"{", "c", "d"], "{head}");
        }
        assert!(keys("").is_empty() && keys("x").is_empty() && keys("{}").is_empty());
    }

    #[test]
    fn a_head_may_end_anywhere() {
        let row = r#"{"a": {"x\\": [1]}, "bé": "\"", "c": 2}"#;
        let all = ["a", "bé", "c"];
        for cut in 0..row.len() {
            let found = first_row_keys(&row.as_bytes()[..cut]);
            let expected: Vec<&[u8]> = all.iter().map(|key| key.as_bytes()).collect();
            assert!(expected.starts_with(&found), "{cut}");
        }
    }
}
