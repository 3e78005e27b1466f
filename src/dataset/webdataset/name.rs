//! What a member's name says: the sample it belongs to, and what it is of it.

/// Of what use a member is to its sample, by what follows the last dot of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The row.
    Json,
    /// What is said of the pictures, where no row says it.
    Caption,
    Image,
    Video,
    /// Nothing that is read: labels, features, sound.
    Other,
}

impl Class {
    /// The class of an ending in lower case.
    pub(super) fn of(ending: &str) -> Self {
        match ending.rsplit('.').next().unwrap_or_default() {
            "json" => Self::Json,
            "txt" | "caption" | "text" => Self::Caption,
            "jpg" | "jpeg" | "jfif" | "png" | "webp" | "gif" | "bmp" | "tif" | "tiff" | "ppm"
            | "pgm" | "pbm" | "pnm" => Self::Image,
            "mp4" | "m4v" | "webm" | "mkv" | "avi" | "mov" | "mpg" | "mpeg" | "flv" | "wmv"
            | "3gp" | "ogv" => Self::Video,
            _ => Self::Other,
        }
    }
}

/// Cuts a member's name into the key of its sample and its ending: at the first dot after the last slash, as
/// webdataset's `base_plus_ext` does. `None` for what belongs to no sample: names without a dot, hidden files, and
/// webdataset's own members (`__index__`).
///
/// webdataset takes a hidden file of a folder (`a/.x`, `a/._x.jpg`) for a sample with the key `a/`; here it is none.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    if is_meta(name) {
        return None;
    }
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = base + name[base..].find('.')?;
    (dot > base).then(|| (&name[..dot], &name[dot + 1..]))
}

/// `__…__` as a whole name or as the first folder.
fn is_meta(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    first.len() >= 4 && first.starts_with("__") && first.ends_with("__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_at_the_first_dot_of_the_base_name() {
        for (name, expected) in [
            ("x.jpg", Some(("x", "jpg"))),
            ("x.img1.JPG", Some(("x", "img1.JPG"))),
            ("a.b/c/x.seg.png", Some(("a.b/c/x", "seg.png"))),
            ("./x.jpg", Some(("./x", "jpg"))),
            ("../x.jpg", Some(("../x", "jpg"))),
            ("/x.jpg", Some(("/x", "jpg"))),
            ("x.", Some(("x", ""))),
            ("x", None),
            ("a.b/x", None),
            (".x.jpg", None),
            ("a/._x.jpg", None),
            ("a/", None),
            ("", None),
            ("__index__", None),
            ("__meta__/x.json", None),
            ("__x.json", Some(("__x", "json"))),
            ("a/__b__.txt", Some(("a/__b__", "txt"))),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }

    #[test]
    fn the_last_part_of_an_ending_says_what_it_is() {
        for (ending, class) in [
            ("json", Class::Json),
            ("img2.jpg", Class::Image),
            ("webp", Class::Image),
            ("mkv", Class::Video),
            ("txt", Class::Caption),
            ("caption", Class::Caption),
            ("cls", Class::Other),
            ("jpg.npy", Class::Other),
            ("", Class::Other),
        ] {
            assert_eq!(Class::of(ending), class, "{ending}");
        }
    }
}
