//! Tells what a file that is no dataset is instead, for the error message.

/// Marks at a file's start.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "is compressed with gzip; unpack it"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it"),
    (b"\xfd7zXZ\0", "is compressed with xz; unpack it"),
    (b"BZh", "is compressed with bzip2; unpack it"),
    (b"PK\x03\x04", "is a zip archive; unpack it"),
    (b"ARROW1", "is an Arrow file"),
    (b"\xff\xfe", "is text in UTF-16; convert it to UTF-8"),
    (b"\xfe\xff", "is text in UTF-16; convert it to UTF-8"),
    (
        b"version https://git-lfs",
        "is a Git LFS pointer; fetch the file itself with `git lfs pull`",
    ),
    (
        b"datasets:",
        "is a mixture YAML; take in its datasets with [[import]]",
    ),
    (b"<", "is HTML or XML, perhaps a download's error page"),
];

/// Completes the sentence "the file …".
pub(super) fn looks_like(head: &[u8]) -> String {
    if head.get(257..262) == Some(b"ustar") {
        return "is a tar archive".to_owned();
    }
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return (*what).to_owned();
    }
    format!(
        "starts with \"{}\", not with the `[` or `{{` of JSON",
        head[..head.len().min(16)].escape_ascii()
    )
}

#[cfg(test)]
mod tests {
    use super::looks_like;

    #[test]
    fn names_what_it_sees() {
        assert!(looks_like(b"ARROW1\0\0").contains("Arrow"));
        assert!(looks_like(b"\x1f\x8b\x08").contains("gzip"));
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(looks_like(&tar).contains("tar"));
        assert!(looks_like(b"caf\xe9,1\n").contains(r#""caf\xe9,1\n""#));
    }
}
