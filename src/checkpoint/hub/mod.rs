//! Files from the Hugging Face hub, through hf-hub and the cache that all Hugging Face tools share.
//!
//! A revision is pinned to its commit first, so that all files come from one commit even if the branch moves.

mod transfer;

use super::error::CheckpointError;
use super::folder::file_names;
use super::options::OpenOptions;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use std::path::PathBuf;

/// `owner/name[@revision]` in its parts; the revision is `main` by default.
pub(super) fn parse_id(spec: &str) -> Option<(&str, &str)> {
    let (repo, revision) = spec.split_once('@').unwrap_or((spec, "main"));
    let (owner, name) = repo.split_once('/')?;
    let word = |text: &str| {
        !text.is_empty()
            && !text.starts_with(['.', '-'])
            && !text.contains("..")
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let revision_is_fine = revision.split('/').all(word);
    (word(owner) && word(name) && revision_is_fine).then_some((repo, revision))
}

/// A hub repository at one commit.
#[derive(Debug)]
pub(super) struct Repository {
    id: String,
    revision: String,
    commit: String,
    cache: Cache,
    /// `None` when only the cache may be used.
    api: Option<Api>,
}

impl Repository {
    /// Pins `revision` to its commit and lists the files at the top level.
    pub(super) fn open(
        id: &str,
        revision: &str,
        options: &OpenOptions,
    ) -> Result<(Self, Vec<String>), CheckpointError> {
        let mut repository = Self {
            id: id.to_owned(),
            revision: revision.to_owned(),
            commit: String::new(),
            cache: Cache::new(options.cache.clone()),
            api: None,
        };
        if options.offline {
            let files = repository.open_cached(options).ok_or_else(|| {
                repository.error(format!(
                    "HF_HUB_OFFLINE is set and the cache {} has no such snapshot; fetch it once while online",
                    options.cache.display()
                ))
            })??;
            return Ok((repository, files));
        }
        let api = ApiBuilder::from_cache(repository.cache.clone())
            .with_endpoint(options.endpoint.clone())
            .with_token(options.token.clone())
            .with_progress(false)
            .with_retries(0)
            .build()
            .map_err(|error| repository.error(error.to_string()))?;
        match api.repo(repository.at(revision)).info() {
            Ok(info) => {
                repository.commit = info.sha;
                repository.api = Some(api);
                let top = info
                    .siblings
                    .into_iter()
                    .map(|s| s.rfilename)
                    .filter(|f| !f.contains('/'))
                    .collect();
                Ok((repository, top))
            }
            Err(error) => {
                let reason = repository.explain(&error, options);
                // A refusal is final; a hub that cannot be reached is made up for by a snapshot in the cache.
                match repository.open_cached(options) {
                    Some(files) if status(&error).is_none() => {
                        tracing::warn!("{id}: {reason}; using the snapshot in the cache");
                        Ok((repository, files?))
                    }
                    _ => Err(repository.error(reason)),
                }
            }
        }
    }

    /// Pins the revision by the cache alone; `None` where it holds no such snapshot.
    fn open_cached(
        &mut self,
        options: &OpenOptions,
    ) -> Option<Result<Vec<String>, CheckpointError>> {
        let folder = options.cache.join(self.at(&self.revision).folder_name());
        self.commit = fs_err::read_to_string(folder.join("refs").join(&self.revision))
            .map_or_else(|_| self.revision.clone(), |commit| commit.trim().to_owned());
        self.snapshot()
            .is_dir()
            .then(|| file_names(&self.snapshot()))
    }

    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.id.clone(), RepoType::Model, revision.to_owned())
    }

    /// The folder in the cache that holds this commit's files.
    pub(super) fn snapshot(&self) -> PathBuf {
        self.cache
            .repo(self.at(&self.commit))
            .pointer_path(&self.commit)
    }

    /// How messages call this repository.
    pub(super) fn describe(&self) -> String {
        let cached = if self.api.is_none() {
            ", as far as it is in the cache (offline)"
        } else {
            ""
        };
        format!("hub repository {}@{}{cached}", self.id, self.revision)
    }

    fn error(&self, reason: String) -> CheckpointError {
        CheckpointError::Hub {
            repo: format!("{}@{}", self.id, self.revision),
            reason,
        }
    }

    /// What an error of the hub means to the user.
    fn explain(&self, error: &ApiError, options: &OpenOptions) -> String {
        let token = match options.token {
            Some(_) => "the token given does not open it",
            None => "if it is private or gated, set HF_TOKEN",
        };
        match status(error) {
            Some(401) => format!(
                "{} answers 401: no such repository, or no access; {token}",
                options.endpoint
            ),
            Some(403) => format!(
                "{} answers 403: no access; accept the repository's terms on its page, and {token}",
                options.endpoint
            ),
            Some(404) => format!(
                "{} answers 404: no repository {} with revision {}, or not this file",
                options.endpoint, self.id, self.revision
            ),
            _ => format!("{} cannot be used: {error}", options.endpoint),
        }
    }
}

/// The HTTP status in an error. hf-hub does not re-export ureq's error type, but its text is fixed.
fn status(error: &ApiError) -> Option<u16> {
    let ApiError::RequestError(error) = error else {
        return None;
    };
    error
        .to_string()
        .strip_prefix("http status: ")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::parse_id;

    #[test]
    fn ids() {
        assert_eq!(parse_id("lmms-lab/llava"), Some(("lmms-lab/llava", "main")));
        assert_eq!(
            parse_id("a/b.c_d@refs/pr/1"),
            Some(("a/b.c_d", "refs/pr/1"))
        );
        for not_an_id in [
            "gpt2", "../a", "./a/b", "/a/b", "a/b/c", "a/b@", "a/b@../x", "a/..", "a b/c", "~/a",
        ] {
            assert_eq!(parse_id(not_an_id), None, "{not_an_id}");
        }
    }
}
