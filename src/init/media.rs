//! Where the pictures of a file's first rows are.

use std::path::{Path, PathBuf};

use crate::dataset::Peek;

/// How many paths are looked for.
const LOOKED_FOR: usize = 16;

/// What people call a folder of media beside annotations.
const FOLDERS: &[&str] = &[
    "images", "image", "imgs", "img", "pictures", "media", "videos", "video", "data", "train",
];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MediaGuess {
    /// The folder; `None` for the file's own.
    pub(super) root: Option<PathBuf>,
    /// How many of so many were found there.
    pub(super) found: usize,
    /// How many paths there were to look for.
    pub(super) of: usize,
}

/// Looks for the media of the first rows of `file`: below its folder and the folders above it up to `top`, and in
/// folders there that are called `images` or after the dataset. The place with the most of them counts, of several the
/// nearest.
pub(super) fn guess(peek: &Peek, file: &Path, name: &str, top: &Path) -> MediaGuess {
    let is_path = |path: &&String| !path.contains("://") && !path.starts_with("data:");
    let mut written: Vec<&str> = Vec::new();
    for path in peek.images.iter().chain(&peek.videos).filter(is_path) {
        if !written.contains(&path.as_str()) && written.len() < LOOKED_FOR {
            written.push(path);
        }
    }
    if written.is_empty() {
        return MediaGuess::default();
    }
    let own = file.parent().unwrap_or(top);
    let mut best = MediaGuess {
        of: written.len(),
        ..MediaGuess::default()
    };
    for place in places(own, name, top, &written) {
        let is_there = |path: &&&str| is_below(path, &place) && place.join(path).exists();
        let found = written.iter().filter(is_there).count();
        if found > best.found {
            best.found = found;
            best.root = (place != own).then_some(place);
        }
    }
    best
}

/// Whether a row may name the path: datasets refuse what leads out of the media root.
fn is_below(written: &str, root: &Path) -> bool {
    let path = Path::new(written);
    let leads_up = |part| part == std::path::Component::ParentDir;
    !path.components().any(leads_up) && (!path.is_absolute() || path.starts_with(root))
}

fn places(own: &Path, name: &str, top: &Path, written: &[&str]) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for base in own.ancestors().take_while(|folder| folder.starts_with(top)) {
        places.push(base.to_owned());
        places.push(base.join(name));
        for folder in FOLDERS {
            places.push(base.join(folder));
            places.push(base.join(folder).join(name));
        }
    }
    // Where all paths are absolute their common folder is as good as any.
    let absolute = written
        .iter()
        .map(Path::new)
        .filter(|path| path.is_absolute());
    let common = absolute
        .filter_map(Path::parent)
        .map(Path::to_owned)
        .reduce(|a, b| {
            let both = a.components().zip(b.components());
            both.take_while(|(x, y)| x == y).map(|(x, _)| x).collect()
        });
    places.extend(common.filter(|folder| folder.parent().is_some()));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Shape;

    fn peek(images: &[&str], videos: &[&str]) -> Peek {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        Peek {
            shape: Shape::Json,
            rows: None,
            images: owned(images),
            videos: owned(videos),
        }
    }

    #[test]
    fn the_place_with_the_most_pictures_counts() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        for file in [
            "a.jpg",
            "notes/x.json",
            "images/a.jpg",
            "images/b.jpg",
            "images/x/c.jpg",
            "clips/v.mp4",
        ] {
            fs_err::create_dir_all(top.join(file).parent().unwrap()).unwrap();
            fs_err::write(top.join(file), "").unwrap();
        }
        let file = top.join("notes/x.json");
        let guess =
            |images: &[&str], videos: &[&str]| guess(&peek(images, videos), &file, "x", top);
        let found = |root: Option<&str>, found, of| MediaGuess {
            root: root.map(|root| top.join(root)),
            found,
            of,
        };
        assert_eq!(
            guess(&["a.jpg", "b.jpg", "b.jpg"], &[]),
            found(Some("images"), 2, 2)
        );
        assert_eq!(guess(&["a.jpg"], &[]).root.unwrap(), top);
        assert_eq!(
            guess(&["c.jpg", "no.jpg"], &[]),
            found(Some("images/x"), 1, 2)
        );
        assert_eq!(guess(&["x.json"], &[]), found(None, 1, 1));
        assert_eq!(guess(&[], &["clips/v.mp4"]), found(Some(""), 1, 1));
        assert_eq!(guess(&["no.jpg"], &[]), found(None, 0, 1));
        assert_eq!(
            guess(&["https://a/b.jpg", "data:image/png;base64,A"], &[]),
            found(None, 0, 0)
        );
        assert_eq!(guess(&["../a.jpg"], &[]), found(None, 0, 1));
        let absolute = top.join("images/x/c.jpg");
        let whole = guess(&[absolute.to_str().unwrap()], &[]);
        assert_eq!((whole.root.unwrap(), whole.found), (top.to_owned(), 1));
    }
}
