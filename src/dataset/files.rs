//! The files of a dataset: a path names one, a folder of them, or several by a pattern.
//!
//! * A path that exists is taken as it is, whatever its letters: real names hold parentheses, commas and brackets. So is
//!   every leading part of a path that exists; only what follows it is read as a pattern.
//! * Of a folder, all data files in it and in the folders in it count, known by their endings ([`ENDINGS`], also with
//!   `.gz`). Hidden ones do not. Folders behind symbolic links are gone into, each once.
//! * Braces stand for names one by one (`{000..099}.tar`, `{train,val}.json`), in the order that they give. A name that
//!   is missing is counted as a fault.
//! * `*`, `?`, `[…]` and `**` match files, in the order of their names. A folder stands for its data files. Other files
//!   than data files only count where no data file matches.
//!
//! The order of names is that in which a person counts ([`natural`]): rows follow it, so it is the same on every machine.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::listing::{DataFile, ENDINGS, Listing, is_data};
use super::remote_files::{self, remote_files};
use super::{DatasetProblem, braces, natural};
use crate::blob::{Blob, url_of};

/// The files that a path names.
pub(super) fn list(path: &Path) -> Result<Listing, DatasetProblem> {
    let parent = path.parent().unwrap_or(path).to_owned();
    if let Some(url) = url_of(path) {
        return remote_files(url);
    }
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Listing::of_one(path, parent)),
        Ok(metadata) if metadata.is_dir() => {
            let mut found = Found::new(path);
            found.add_folder(path.to_owned())?;
            found.sort_from(0);
            found.listing(DatasetProblem::NoDataFiles {
                endings: ENDINGS.join(" "),
            })
        }
        Ok(_) => Err(DatasetProblem::NotAFile),
        Err(error) if is_missing(&error) => matching(path),
        Err(error) => Err(error.into()),
    }
}

/// The folder of [`Listing`], without looking for the files.
pub(super) fn folder(path: &Path) -> PathBuf {
    if let Some(url) = url_of(path) {
        return remote_files::folder(url).into();
    }
    let parent = || path.parent().unwrap_or(path).to_owned();
    let (there, rest) = split(path);
    let is_pattern = rest
        .to_str()
        .is_some_and(|rest| has_marks(rest) || rest.contains(['{', '}']));
    if path.is_dir() {
        path.to_owned()
    } else if is_pattern {
        there
    } else {
        parent()
    }
}

/// Whether a name is a pattern of names.
fn has_marks(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn is_missing(error: &io::Error) -> bool {
    // A name too long for the file system, and a file where a folder should be, are no files either.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}

/// The files that a pattern names.
fn matching(path: &Path) -> Result<Listing, DatasetProblem> {
    let (folder, pattern) = split(path);
    let pattern = match pattern.to_str() {
        Some(pattern) if has_marks(pattern) || pattern.contains(['{', '}']) => pattern,
        _ => return Err(DatasetProblem::NoFile),
    };
    let bad = |reason| DatasetProblem::BadPath { reason };
    let names = braces::expand(pattern).map_err(|problem| bad(problem.reason()))?;
    let mut found = Found::new(&folder);
    for name in names {
        let path = folder.join(&name);
        if found.add(&path)? {
            continue;
        }
        if !has_marks(&name) {
            found.missing.push(name);
            continue;
        }
        // What exists is no pattern, and a path may start with `./`, which a pattern may not.
        let under = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &folder
        };
        let Some(under) = under.to_str() else {
            return Err(DatasetProblem::NoFile);
        };
        let pattern = format!("{}/{name}", Pattern::escape(under));
        if !found.add_matches(&pattern)? {
            found.missing.push(name);
        }
    }
    let first = found.missing.first().cloned().unwrap_or_default();
    found.listing(DatasetProblem::NothingMatches { first })
}

/// The longest leading part of a path that exists, and the rest.
fn split(path: &Path) -> (PathBuf, PathBuf) {
    let mut folder = PathBuf::new();
    let mut parts = path.components();
    loop {
        let rest = parts.as_path();
        match parts.next() {
            Some(part) if folder.join(part).exists() => folder.push(part),
            _ => return (folder, rest.to_owned()),
        }
    }
}

/// Files as they are found.
struct Found<'a> {
    /// What names start from.
    root: &'a Path,
    files: Vec<(String, PathBuf)>,
    taken: HashSet<PathBuf>,
    missing: Vec<String>,
}

impl<'a> Found<'a> {
    fn new(root: &'a Path) -> Self {
        Self {
            root,
            files: Vec::new(),
            taken: HashSet::new(),
            missing: Vec::new(),
        }
    }

    /// Adds a file, or the data files of a folder; false when there is neither.
    fn add(&mut self, path: &Path) -> Result<bool, DatasetProblem> {
        match fs_err::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = self.files.len();
                self.add_folder(path.to_owned())?;
                self.sort_from(before);
                Ok(self.files.len() > before)
            }
            Ok(_) => {
                self.add_file(path.to_owned());
                Ok(true)
            }
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn add_file(&mut self, path: PathBuf) {
        let name = path.strip_prefix(self.root).unwrap_or(&path);
        let name = name.to_string_lossy().into_owned();
        if self.taken.insert(path.clone()) {
            self.files.push((name, path));
        }
    }

    /// Adds the data files in a folder and in those in it.
    fn add_folder(&mut self, folder: PathBuf) -> Result<(), DatasetProblem> {
        let mut gone_into = HashSet::new();
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let metadata = fs_err::metadata(&folder)?;
            if !gone_into.insert((metadata.dev(), metadata.ino())) {
                continue;
            }
            let entries: Vec<_> = fs_err::read_dir(&folder)?.collect::<Result<_, _>>()?;
            let mut names: Vec<_> = entries.iter().map(fs_err::DirEntry::file_name).collect();
            // Which of two ways into a folder is taken does not depend on the file system.
            names.sort();
            for name in names.into_iter().rev() {
                let path = folder.join(&name);
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if is_data(&name) {
                    // Also a link to nowhere: that it cannot be read is a fault to be told.
                    self.add_file(path);
                }
            }
        }
        Ok(())
    }

    /// Adds what a pattern matches; false when that is nothing.
    fn add_matches(&mut self, pattern: &str) -> Result<bool, DatasetProblem> {
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let matches =
            glob::glob_with(pattern, options).map_err(|error| DatasetProblem::BadPath {
                reason: error.to_string(),
            })?;
        let mut paths = Vec::new();
        for path in matches {
            paths.push(path.map_err(io::Error::from)?);
        }
        let counts = |path: &PathBuf| path.is_dir() || path.file_name().is_some_and(is_data);
        if paths.iter().any(counts) {
            paths.retain(counts);
        }
        let before = self.files.len();
        for path in paths {
            // `.` in front is ours.
            let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
            self.add(&path)?;
        }
        self.sort_from(before);
        Ok(self.files.len() > before)
    }

    /// Puts the files from a place on into the order of their names.
    fn sort_from(&mut self, place: usize) {
        self.files[place..].sort_by(|(a, _), (b, _)| natural::compare(a, b));
    }

    fn listing(self, nothing: DatasetProblem) -> Result<Listing, DatasetProblem> {
        if self.files.is_empty() {
            return Err(nothing);
        }
        let file = |(name, path)| DataFile {
            name,
            blob: Blob::Path(path),
        };
        Ok(Listing {
            files: self.files.into_iter().map(file).collect(),
            missing: self.missing,
            folder: self.root.to_owned(),
        })
    }
}
