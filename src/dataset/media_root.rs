//! Media paths: those of an annotation file are not to be trusted with the rest of the machine.
//!
//! A row may name what lies below the media root and nothing else, or bring the bytes along (a data URI). Symbolic links
//! below the root are followed wherever they lead: the owner of the folder has put them there, no row can, and a folder
//! of links to the places of many datasets is a usual layout. The root may also be a URL, and the same then holds for
//! the URLs below it.

use std::path::{Component, Path, PathBuf};

use super::error::excerpt;
use super::named::Named;
use super::{SampleProblem, data_uri};
use crate::blob::{Blob, url_of};

/// The longest path that Linux opens, in bytes; the keys of buckets are shorter. What is longer is meant as base64.
const LONGEST_PATH: usize = 4096;

/// Where a dataset's media paths start from, and what they may not leave.
pub(super) enum MediaRoot {
    /// A folder of this machine.
    Folder {
        /// Absolute and without symbolic links.
        root: PathBuf,
        /// Absolute, as it was given.
        given: PathBuf,
    },
    /// A URL, without a slash at its end.
    Url(String),
}

impl MediaRoot {
    /// A folder must exist; of a URL it is found when something below it is read.
    pub(super) fn open(root: &Path) -> std::io::Result<Self> {
        if let Some(url) = url_of(root) {
            if url.starts_with("http") && url.contains(['?', '#']) {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidInput,
                    "names cannot be put behind a `?` or `#`; give the address of the folder alone",
                ));
            }
            return Ok(Self::Url(url.trim_end_matches('/').to_owned()));
        }
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
        Ok(Self::Folder {
            root,
            given: std::path::absolute(given)?,
        })
    }

    /// What a row writes for a picture or a video: a path or a URL below the root, or the bytes themselves. What is
    /// named need not exist.
    pub(super) fn resolve(&self, written: &str) -> Result<Named, SampleProblem> {
        if data_uri::is_one(written) {
            return data_uri::read(written);
        }
        if written.len() > LONGEST_PATH {
            return data_uri::bare(written).map_err(|reason| SampleProblem::MediaTooLong {
                start: written.chars().take(40).collect(),
                bytes: written.len(),
                reason,
            });
        }
        let blob = match self {
            Self::Folder { root, given } => in_folder(root, given, written)?,
            Self::Url(root) => below_url(root, written)?,
        };
        Ok(Named {
            name: written.to_owned(),
            blob,
        })
    }
}

fn in_folder(root: &Path, given: &Path, written: &str) -> Result<Blob, SampleProblem> {
    // As Qwen's loader has it: `file://` and a path, nothing in it escaped.
    let path = Path::new(written.strip_prefix("file://").unwrap_or(written));
    if url_of(path).is_some() {
        return Err(SampleProblem::MediaUrl(excerpt(written)));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(SampleProblem::MediaParent(excerpt(written)));
    }
    let inside = path.starts_with(root) || path.starts_with(given);
    if path.is_absolute() && !inside {
        return Err(SampleProblem::MediaAbsolute(excerpt(written)));
    }
    Ok(Blob::Path(root.join(path)))
}

/// What stands below a URL is put after it as it is written, but for `.` and empty names.
fn below_url(root: &str, written: &str) -> Result<Blob, SampleProblem> {
    let inside = written
        .strip_prefix(root)
        .filter(|rest| rest.starts_with('/'));
    let rest = match inside {
        Some(rest) => rest,
        None if url_of(Path::new(written)).is_some() => {
            return Err(SampleProblem::MediaUrl(excerpt(written)));
        }
        None if written.starts_with('/') => {
            return Err(SampleProblem::MediaAbsolute(excerpt(written)));
        }
        None => written,
    };
    // Servers take these for a step up too.
    let name = |part: &str| part.to_ascii_lowercase().replace("%2e", ".");
    if rest.split(['/', '\\']).any(|part| name(part) == "..") {
        return Err(SampleProblem::MediaParent(excerpt(written)));
    }
    let names = rest.split('/').filter(|part| !["", "."].contains(part));
    // Of a bucket a key is as it is written; in a web address these have a meaning.
    let is_web = inside.is_none() && root.starts_with("http");
    let escaped = |name: &str| {
        if is_web {
            name.replace('%', "%25")
                .replace('?', "%3F")
                .replace('#', "%23")
        } else {
            name.to_owned()
        }
    };
    let url = names.fold(root.to_owned(), |url, name| url + "/" + &escaped(name));
    Ok(Blob::Url(url))
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
        let resolve = |path: &str| media.resolve(path).map(|Named { blob, .. }| blob);
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
            assert_eq!(resolve(good), Ok(Blob::Path(real.join(good))), "{good}");
            assert_eq!(media.resolve(good).unwrap().name, good);
        }
        for absolute in [
            root.join("a/x.jpg"),
            root.join("a/no.jpg"),
            folder.path().join("alias/no"),
        ] {
            let written = absolute.to_str().unwrap();
            assert_eq!(
                resolve(&format!("file://{written}")),
                Ok(Blob::Path(absolute.clone()))
            );
            assert_eq!(resolve(written), Ok(Blob::Path(absolute.clone())));
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
        let outside = "file:///etc/passwd";
        assert_eq!(
            refused(outside),
            SampleProblem::MediaAbsolute(outside.into())
        );
        for path in ["http://a/b.jpg", "s3://b/c", "file://s3://b/c"] {
            assert_eq!(refused(path), SampleProblem::MediaUrl(path.into()));
        }
    }

    #[test]
    fn bytes_that_the_row_brings_along() {
        let media = MediaRoot::open(Path::new("")).unwrap();
        let named = media.resolve("data:image/png;base64,AAAA").unwrap();
        assert_eq!(named.name, "data:image/png (3 bytes)");
        assert_eq!(named.blob, Blob::Held([0; 3].into()));
        let bare = "AAAA".repeat(1025);
        assert_eq!(media.resolve(&bare).unwrap().name, "base64 (3075 bytes)");
        let short = "AAAA".repeat(1024);
        assert!(media.resolve(&short).unwrap().blob.path().is_some());
        let message = media.resolve(&"a.".repeat(4000)).unwrap_err().to_string();
        assert!(
            message.contains("a path of 8000 bytes") && message.len() < 250,
            "{message}"
        );
        assert!(media.resolve("data:image/png;base64,?").is_err());
    }

    #[test]
    fn below_a_url_and_beside_it() {
        for root in ["s3://bucket/media", "s3://bucket/media//"] {
            let media = MediaRoot::open(Path::new(root)).unwrap();
            for good in ["a/b c.jpg", "./a//b c.jpg", "s3://bucket/media/a/b c.jpg"] {
                let Named { name, blob } = media.resolve(good).unwrap();
                assert_eq!(blob, Blob::Url("s3://bucket/media/a/b c.jpg".into()));
                assert_eq!(name, good);
            }
            assert!(media.resolve("data:,x").is_ok());
            let refused = |path: &str| media.resolve(path).unwrap_err();
            for url in ["s3://bucket/media2/a", "s3://bucket/a", "https://a/b"] {
                assert_eq!(refused(url), SampleProblem::MediaUrl(url.into()));
            }
            for path in [
                "../a",
                "a/../../b",
                "s3://bucket/media/../a",
                "a/%2E%2e/b",
                "a/.%2e/b",
                "a\\..\\b",
            ] {
                assert_eq!(refused(path), SampleProblem::MediaParent(path.into()));
            }
            let absolute = SampleProblem::MediaAbsolute("/etc/passwd".into());
            assert_eq!(refused("/etc/passwd"), absolute);
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
