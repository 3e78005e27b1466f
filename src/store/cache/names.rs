//! Names in a cache, and back.

use std::ffi::OsStr;

use crate::store::ShardKey;

/// Hexadecimal digits of a folder's name and of a content.
const DIGITS: usize = 32;
const ENDING: &str = ".safetensors";

/// The folder of a key's shards: a hash of the three fingerprints.
pub(super) fn folder(key: &ShardKey) -> String {
    let mut hash = blake3::Hasher::new();
    for part in [&key.checkpoint, &key.settings.fingerprint(), &key.dataset] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().to_hex()[..DIGITS].to_owned()
}

/// A shard's file.
pub(super) fn file(index: u32, content: &str) -> String {
    format!("{index:05}-{content}{ENDING}")
}

/// Whether this can be the name of a key's folder.
pub(super) fn is_folder(name: &OsStr) -> bool {
    name.to_str().is_some_and(is_digest)
}

/// The index and content of a shard's file; `None` for any other name.
pub(super) fn of_file(name: &OsStr) -> Option<(u32, &str)> {
    let stem = name.to_str()?.strip_suffix(ENDING)?;
    let (index, content) = stem.split_once('-')?;
    let number = index.parse().ok()?;
    // Only what `file` writes: no signs, no further zeros.
    (is_digest(content) && format!("{number:05}") == index).then_some((number, content))
}

/// What takes the place of the dataset's name in a cached shard, so that its checksum covers the content.
pub(super) fn bound(content: &str, dataset: &str) -> String {
    format!("{content} {dataset}")
}

/// The content and the dataset's name from a cached shard; `None` for a shard that was never cached.
pub(super) fn unbound(name: &str) -> Option<(&str, &str)> {
    name.split_once(' ')
        .filter(|(content, _)| is_digest(content))
}

fn is_digest(text: &str) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == DIGITS && text.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Settings;

    const CONTENT: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn names_read_back_and_others_are_not_taken_for_them() {
        for index in [0, 64, 99_999, u32::MAX] {
            let name = file(index, CONTENT);
            assert_eq!(of_file(name.as_ref()), Some((index, CONTENT)));
        }
        for name in [
            "00000.safetensors",
            "0-0123456789abcdef0123456789abcdef.safetensors",
            "+0000-0123456789abcdef0123456789abcdef.safetensors",
            "000000-0123456789abcdef0123456789abcdef.safetensors",
            "00000-0123456789ABCDEF0123456789ABCDEF.safetensors",
            "00000-0123456789abcdef0123456789abcdef.safetensors.corrupt",
            "key.json",
        ] {
            assert_eq!(of_file(name.as_ref()), None, "{name}");
        }
        assert_eq!(unbound(&bound(CONTENT, "a b")), Some((CONTENT, "a b")));
        assert_eq!(unbound("a b"), None);
    }

    #[test]
    fn every_part_of_a_key_changes_the_folder_and_none_runs_into_the_next() {
        let key = |checkpoint: &str, settings: &str, dataset: &str| ShardKey {
            checkpoint: checkpoint.into(),
            settings: Settings::new(&settings).unwrap(),
            dataset: dataset.into(),
        };
        let keys = [
            key("a", "s", "b"),
            key("b", "s", "a"),
            key("a", "t", "b"),
            key("a", "s", "c"),
            key("ab", "s", ""),
        ];
        let folders: std::collections::BTreeSet<_> = keys.iter().map(folder).collect();
        assert_eq!(folders.len(), keys.len());
        assert!(folders.iter().all(|name| is_folder(name.as_ref())));
    }
}
