//! Media paths: those of an annotation file are not to be trusted with the rest of the machine.
//!
//! A row may name what lies below the media root and nothing else. Symbolic links there are followed
//! wherever they lead: the owner of the folder has put them there, no row can, and a folder of links to
//! the places of many datasets is a usual layout.

use std::path::{Component, Path, PathBuf};

use super::SampleProblem;
use super::error::excerpt;
use crate::blob::Blob;

/// The folder that a dataset's media paths start from and may not leave.
pub(super) struct MediaRoot {
    /// Absolute and without symbolic links.
    root: PathBuf,
    /// Absolute, as it was given.
    given: PathBuf,
}

impl MediaRoot {
    /// The folder must exist.
    pub(super) fn open(root: &Path) -> std::io::Result<Self> {
        // A file's parent is empty when the file is named without a folder.
        let given = if root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            root
        };
        let root = fs_err::canonicalize(given)?;
        if !fs_err::metadata(&root)?.is_dir() {
            return Err(std::io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            root,
            given: std::path::absolute(given)?,
        })
    }

    /// The place of a path as a row writes it, below the root. It need not exist.
    pub(super) fn resolve(&self, written: &str) -> Result<Blob, SampleProblem> {
        if is_url(written) {
            return Err(SampleProblem::MediaUrl(excerpt(written)));
        }
        let path = Path::new(written);
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(SampleProblem::MediaParent(excerpt(written)));
        }
        let inside = path.starts_with(&self.root) || path.starts_with(&self.given);
        if path.is_absolute() && !inside {
            return Err(SampleProblem::MediaAbsolute(excerpt(written)));
        }
        Ok(Blob::Path(self.root.join(path)))
    }
}

/// `data:…`, or `scheme://…`.
fn is_url(written: &str) -> bool {
    let scheme = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    written.starts_with("data:")
        || written
            .split_once("://")
            .is_some_and(|(head, _)| scheme(head))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn inside_and_outside() {
        let folder = tempfile::tempdir().unwrap();
        let (root, other) = (folder.path().join("root"), folder.path().join("other"));
        fs_err::create_dir_all(root.join("a")).unwrap();
        fs_err::create_dir_all(&other).unwrap();
        fs_err::write(root.join("a/x.jpg"), "").unwrap();
        fs_err::write(other.join("x.jpg"), "").unwrap();
        symlink(&other, root.join("out")).unwrap();
        symlink(root.join("a"), root.join("in")).unwrap();
        symlink(&root, folder.path().join("alias")).unwrap();
        let media = MediaRoot::open(&folder.path().join("alias")).unwrap();
        let real = fs_err::canonicalize(&root).unwrap();

        for good in [
            "a/x.jpg",
            "./a/x.jpg",
            "a/missing/y.jpg",
            "in/x.jpg",
            "a/..x.jpg",
            "a:b//c",
            "out/x.jpg",
        ] {
            assert_eq!(
                media.resolve(good),
                Ok(Blob::Path(real.join(good))),
                "{good}"
            );
        }
        for absolute in [
            root.join("a/x.jpg"),
            root.join("a/no.jpg"),
            folder.path().join("alias/no"),
        ] {
            assert_eq!(
                media.resolve(absolute.to_str().unwrap()),
                Ok(Blob::Path(absolute))
            );
        }
        let refused = |path: &str| media.resolve(path).unwrap_err();
        for path in ["../other/x.jpg", "a/../a/x.jpg", "a/.."] {
            assert_eq!(refused(path), SampleProblem::MediaParent(path.into()));
        }
        for path in [
            other.join("x.jpg").to_str().unwrap(),
            "/etc/passwd",
            "/no/such/file",
        ] {
            assert_eq!(refused(path), SampleProblem::MediaAbsolute(path.into()));
        }
        for path in [
            "http://a/b.jpg",
            "s3://b/c",
            "file:///a",
            "data:image/png;base64,AA",
        ] {
            assert_eq!(refused(path), SampleProblem::MediaUrl(path.into()));
        }
    }

    #[test]
    fn the_root_must_be_a_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(MediaRoot::open(file.path()).is_err());
        assert!(MediaRoot::open(Path::new("no/such/folder")).is_err());
        assert!(MediaRoot::open(Path::new("")).is_ok());
    }
}
