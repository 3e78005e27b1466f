//! From what a user writes to a [`Source`]: a folder, or a hub repository whose files come when they are asked for.

use super::error::CheckpointError;
use super::folder::file_names;
use super::hub::{self, Repository};
use super::options::OpenOptions;
use std::path::{Path, PathBuf};

/// The files of a checkpoint.
#[derive(Debug)]
pub(super) struct Source {
    /// The folder; for a hub repository its snapshot in the cache.
    pub(super) root: PathBuf,
    /// The folder's name, or `owner/name`.
    pub(super) name: String,
    /// Names of the files at the top level, present or to be fetched.
    files: Vec<String>,
    repository: Option<Repository>,
}

impl Source {
    /// Finds `spec`: a path that exists, absolute or relative to `base`, else `owner/name[@revision]` on the hub.
    pub(super) fn find(
        spec: &str,
        base: &Path,
        options: &OpenOptions,
    ) -> Result<Self, CheckpointError> {
        let folder = base.join(spec);
        if folder.is_dir() {
            return Self::folder(folder);
        }
        if folder.exists() {
            return Err(CheckpointError::NotAFolder { path: folder });
        }
        let not_found = |hub: String| CheckpointError::NotFound {
            spec: spec.to_owned(),
            folder: folder.clone(),
            hub,
        };
        let Some((repo, revision)) = hub::parse_id(spec) else {
            return Err(not_found(
                "the name is not of the form owner/name or owner/name@revision".into(),
            ));
        };
        let (repository, files) =
            Repository::open(repo, revision, options).map_err(|error| match error {
                CheckpointError::Hub { reason, .. } => not_found(reason),
                other => other,
            })?;
        Ok(Self {
            root: repository.snapshot(),
            name: repo.to_owned(),
            files,
            repository: Some(repository),
        })
    }

    fn folder(root: PathBuf) -> Result<Self, CheckpointError> {
        let files = file_names(&root)?;
        // `canonicalize` gives names such as `.` and `..` their meaning.
        let name = fs_err::canonicalize(&root)?.file_name().map_or_else(
            || root.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(Self {
            root,
            name,
            files,
            repository: None,
        })
    }

    /// Names of the files at the top level, sorted.
    pub(super) fn files(&self) -> &[String] {
        &self.files
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.files.iter().any(|name| name == file)
    }

    /// The file's place on disk, fetched where it has to be. It must be one of [`files`](Self::files).
    pub(super) fn path(
        &self,
        file: &str,
        options: &OpenOptions,
    ) -> Result<PathBuf, CheckpointError> {
        match &self.repository {
            Some(repository) => repository.fetch(file, options),
            None => Ok(self.root.join(file)),
        }
    }

    /// As [`path`](Self::path), or `None` where there is no such file.
    pub(super) fn optional(
        &self,
        file: &str,
        options: &OpenOptions,
    ) -> Result<Option<PathBuf>, CheckpointError> {
        self.has(file).then(|| self.path(file, options)).transpose()
    }

    /// How messages call this source.
    pub(super) fn place(&self) -> String {
        match &self.repository {
            Some(repository) => repository.describe(),
            None => self.root.display().to_string(),
        }
    }

    pub(super) fn on_hub(&self) -> bool {
        self.repository.is_some()
    }

    /// A hint for a folder of a training run whose checkpoints lie one level below.
    pub(super) fn nested_checkpoints(&self) -> String {
        let mut found: Vec<(usize, String)> = fs_err::read_dir(&self.root)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join("config.json").is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .map(|name| {
                (
                    name.rsplit('-')
                        .next()
                        .and_then(|n| n.parse().ok())
                        .unwrap_or(0),
                    name,
                )
            })
            .collect();
        found.sort();
        match found.last() {
            Some((_, last)) => format!("; did you mean {}?", self.root.join(last).display()),
            None => String::new(),
        }
    }
}
