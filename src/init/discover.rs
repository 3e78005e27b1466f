//! What datasets are below a folder.
//!
//! Folders of pictures may hold millions of files in hundreds of thousands of folders. Names cost little and are all
//! read; folders cost more, so where many of them side by side hold nothing but media the others are left alone.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;

use super::media::{self, MediaGuess};
use super::shards::{self, Group};
use super::{Discovery, Found, InitError, Left, names};
use crate::config::Names;
use crate::dataset::{NotADataset, Peek, Shape, peek};
use crate::reason::reason;

/// How deep folders may lie.
const MAX_DEPTH: usize = 16;
/// How many folders are looked into in all.
const MAX_FOLDERS: usize = 50_000;
/// After how many folders side by side with nothing in them the others are left alone, if there are as many more.
const BARE_FOLDERS: usize = 64;
/// How many files of a folder are looked into; pictures may each have a JSON file beside them.
const MAX_LOOKS: usize = 1000;

/// Endings of files that hold data which is not read; whatever has none of all these is passed over in silence.
const NOT_READ: &[&str] = &[
    "arrow", "bz2", "csv", "feather", "gz", "h5", "hdf5", "lmdb", "npz", "pkl", "tgz", "tsv", "xz",
    "yaml", "yml", "zip", "zst",
];

/// Finds the datasets below `top`, in the order of their paths.
pub(super) fn discover(top: &Path) -> Result<Discovery, InitError> {
    let mut walk = Walk {
        top,
        names: Names::default(),
        seen: HashSet::new(),
        out: Discovery::default(),
    };
    let entries = entries(top).map_err(|error| InitError::Read {
        path: top.to_owned(),
        reason: reason(&error),
    })?;
    if let Ok(metadata) = fs_err::metadata(top) {
        walk.seen.insert((metadata.dev(), metadata.ino()));
    }
    walk.folder(top, &entries, 0);
    Ok(walk.out)
}

struct Walk<'a> {
    top: &'a Path,
    names: Names,
    /// Folders that were looked into, however they were reached: links may lead round.
    seen: HashSet<(u64, u64)>,
    out: Discovery,
}

/// What a folder holds that may be of use.
#[derive(Default)]
struct Entries {
    /// Names of files that may be datasets.
    files: Vec<String>,
    /// Files with data that is not read.
    not_read: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// What no config could name.
    not_utf8: Vec<PathBuf>,
}

fn entries(folder: &Path) -> std::io::Result<Entries> {
    let mut out = Entries::default();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let is_hidden = file_name.as_encoded_bytes().starts_with(b".");
        if is_hidden {
            continue;
        }
        let kind = entry.file_type()?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        match file_name.to_str() {
            _ if is_folder => out.folders.push(entry.path()),
            Some(name) if names::ending(name).is_some() => out.files.push(name.to_owned()),
            None if names::ending(&file_name.to_string_lossy()).is_some() => {
                out.not_utf8.push(entry.path());
            }
            Some(name) if is_not_read(name) => out.not_read.push(entry.path()),
            _ => {}
        }
    }
    out.files.sort_unstable();
    out.folders.sort_unstable();
    out.not_read.sort_unstable();
    out.not_utf8.sort_unstable();
    Ok(out)
}

fn is_not_read(name: &str) -> bool {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| NOT_READ.contains(&ending.as_str()))
}

impl Walk<'_> {
    fn leave(&mut self, path: &Path, reason: impl Into<String>) {
        self.out.left.push(Left {
            path: path.to_owned(),
            reason: reason.into(),
        });
    }

    /// How much there is to say so far.
    fn said(&self) -> usize {
        self.out.found.len() + self.out.left.len()
    }

    fn folder(&mut self, folder: &Path, entries: &Entries, depth: usize) {
        self.files(folder, &entries.files, !entries.folders.is_empty());
        for path in &entries.not_utf8 {
            self.leave(
                path,
                "its name is not UTF-8, which a config cannot hold: rename it",
            );
        }
        for path in &entries.not_read {
            self.leave(path, why_not_read(path));
        }
        let mut bare = 0;
        for (i, inner) in entries.folders.iter().enumerate() {
            let rest = entries.folders.len() - i;
            if bare >= BARE_FOLDERS && rest >= BARE_FOLDERS {
                let reason = format!(
                    "the first {bare} of its {} folders hold no data files, so the others were not looked into",
                    entries.folders.len()
                );
                return self.leave(folder, reason);
            }
            let before = self.said();
            self.inner(inner, depth + 1);
            bare = if self.said() == before { bare + 1 } else { 0 };
        }
    }

    fn inner(&mut self, folder: &Path, depth: usize) {
        let Ok(metadata) = fs_err::metadata(folder) else {
            return self.leave(folder, "it is a link to nothing that can be read");
        };
        if !self.seen.insert((metadata.dev(), metadata.ino())) {
            return;
        }
        if depth > MAX_DEPTH {
            return self.leave(
                folder,
                format!("it lies more than {MAX_DEPTH} folders deep"),
            );
        }
        if self.seen.len() > MAX_FOLDERS {
            if self.seen.len() == MAX_FOLDERS + 1 {
                self.leave(
                    folder,
                    format!(
                        "{MAX_FOLDERS} folders were looked into, and no more: name a smaller folder"
                    ),
                );
            }
            return;
        }
        match entries(folder) {
            Ok(entries) => self.folder(folder, &entries, depth),
            Err(error) => self.leave(folder, format!("it cannot be read: {}", reason(&error))),
        }
    }

    /// The datasets among the files of a folder.
    fn files(&mut self, folder: &Path, files: &[String], has_folders: bool) {
        let groups = shards::groups(files);
        // A folder stands for all data files in it, however deep.
        let whole = matches!(groups.as_slice(), [one] if one.ending == ".parquet") && !has_folders;
        for (i, group) in groups.iter().enumerate() {
            let first = folder.join(&group.files[0]);
            if i >= MAX_LOOKS {
                let rest = groups.len() - MAX_LOOKS;
                self.leave(
                    &first,
                    format!("it and {} more beside it were not looked into: a folder has {MAX_LOOKS} datasets at most", rest - 1),
                );
                return;
            }
            if let Some(training) = shards::held_out(group, &groups) {
                let reason = format!("a part for testing; {} is for training", training.pattern);
                self.leave(&first, reason);
                continue;
            }
            if let Some(processed) = processed(group, files) {
                self.leave(
                    &first,
                    format!("{processed} is the form of it that is trained on"),
                );
                continue;
            }
            match peek(&first) {
                Ok(peek) => self.add(folder, group, &peek, whole),
                Err(reason @ NotADataset::Rows(_)) if is_description(&group.files[0]) => {
                    tracing::debug!("{}: {reason}", first.display());
                }
                Err(reason) => self.leave(&first, reason.to_string()),
            }
        }
    }

    fn add(&mut self, folder: &Path, group: &Group, peek: &Peek, whole: bool) {
        let path = if whole {
            folder.to_owned()
        } else {
            folder.join(&group.pattern)
        };
        let stem = names::chosen(&group.prefix, folder);
        let mut remarks = vec![described(folder, group, peek)];
        if group.missing > 0 {
            let reason = format!(
                "{} files are missing between its first and its last",
                group.missing
            );
            self.leave(&path, reason.clone());
            remarks.push(reason);
        }
        let guess = media::guess(peek, &path, &stem, self.top);
        if let MediaGuess { found, of, .. } = guess
            && found < of
        {
            let kind = if peek.images.is_empty() {
                "videos"
            } else {
                "pictures"
            };
            remarks.push(match found {
                0 => format!(
                    "media_root: none of the first {of} {kind} was found, so say where they are"
                ),
                found => format!("media_root: {found} of the first {of} {kind} were found there"),
            });
            if found == 0 {
                self.leave(
                    &path,
                    format!("none of its first {of} {kind} was found: put media_root beside it in the config"),
                );
            }
        }
        // A dataset that is a folder itself does not lie in a folder of that name.
        let inmost = if whole && names::chosen("", folder) == stem {
            folder.parent().unwrap_or(folder)
        } else {
            folder
        };
        let above = inmost
            .ancestors()
            .take_while(|folder| *folder != self.top && folder.starts_with(self.top));
        let folders = above.filter_map(|folder| folder.file_name()?.to_str().map(str::to_owned));
        self.out.found.push(Found {
            folders: folders.filter(|name| *name != stem).collect(),
            name: self.names.unique(stem),
            path,
            media_root: guess.root,
            sampling_strategy: None,
            remarks,
            rows: None,
            has_video: !peek.videos.is_empty(),
        });
    }
}

/// The file of LLaVA-Video-178K that is trained on, where this is the one it was made of.
fn processed(group: &Group, files: &[String]) -> Option<String> {
    let [file] = group.files.as_slice() else {
        return None;
    };
    let stem = file.strip_suffix(group.ending)?;
    let processed = format!("{stem}_processed{}", group.ending);
    files.contains(&processed).then_some(processed)
}

/// Whether a file describes a dataset beside it, as the hub and `datasets` write them.
fn is_description(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "config.json",
        "dataset_dict.json",
        "dataset_info.json",
        "dataset_infos.json",
        "state.json",
    ];
    NAMES.contains(&name)
}

fn why_not_read(path: &Path) -> String {
    let ending = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    match ending.as_str() {
        "yaml" | "yml" => "a YAML file: if it is a mixture, give it to `madmix init` itself".into(),
        "gz" | "bz2" | "xz" | "zst" | "zip" => "compressed: unpack it".into(),
        ending => {
            format!(".{ending} is no format that is read: convert it to JSON lines or parquet")
        }
    }
}

/// What kind of files a dataset is of and how large.
fn described(folder: &Path, group: &Group, peek: &Peek) -> String {
    let sizes = group.files.iter().filter_map(|file| {
        let metadata = fs_err::metadata(folder.join(file)).ok()?;
        Some(metadata.len())
    });
    let bytes = HumanBytes(sizes.sum());
    let files = match group.files.len() {
        1 => String::new(),
        files => format!("{files} files, "),
    };
    let rows = match (peek.rows, group.files.len()) {
        (Some(rows), 1) if peek.shape == Shape::Parquet => format!("{rows} rows, "),
        _ => String::new(),
    };
    format!("{}, {files}{rows}{bytes}", peek.shape.title())
}
