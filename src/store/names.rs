//! Names from a config as names of folders.

/// The most bytes of a folder's name; file systems allow 255.
const LONGEST: usize = 200;

/// A dataset's name as one safe path component. Different names give different components.
///
/// Bytes other than ASCII letters, digits and `._()+,=-` are percent-encoded, and so is a leading dot, which would
/// hide the folder or, as `..`, leave it. What is too long ends in `~` and a hash of the whole name.
pub(crate) fn folder_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for (i, byte) in name.bytes().enumerate() {
        let safe = byte.is_ascii_alphanumeric() || b"._()+,=-".contains(&byte);
        if safe && !(i == 0 && byte == b'.') {
            encoded.push(char::from(byte));
        } else {
            let escaped = format!("%{byte:02X}");
            encoded.push_str(&escaped);
        }
    }
    if encoded.is_empty() {
        // A lone percent sign is never the start of an encoded byte.
        encoded.push('%');
    }
    if encoded.len() > LONGEST {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        encoded.truncate(LONGEST - 33);
        encoded.push('~');
        encoded.push_str(&hash[..32]);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_and_others_are_encoded() {
        assert_eq!(
            folder_name("aokvqa(cauldron,llava_format)"),
            "aokvqa(cauldron,llava_format)"
        );
        assert_eq!(folder_name("a/b c%"), "a%2Fb%20c%25");
        assert_eq!(folder_name("."), "%2E");
        assert_eq!(folder_name(".."), "%2E.");
        assert_eq!(folder_name(""), "%");
        assert_eq!(folder_name("é"), "%C3%A9");
    }

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        let (a, b) = ("図".repeat(90) + "a", "図".repeat(90) + "b");
        assert_eq!(folder_name(&a).len(), LONGEST);
        assert_ne!(folder_name(&a), folder_name(&b));
    }

    proptest::proptest! {
        #[test]
        fn every_name_is_one_plain_component(name in ".*") {
            let folder = folder_name(&name);
            let components: Vec<_> = std::path::Path::new(&folder).components().collect();
            proptest::prop_assert!(matches!(components[..], [std::path::Component::Normal(_)]));
            proptest::prop_assert!(!folder.starts_with('.') && folder.len() <= LONGEST);
        }
    }
}
