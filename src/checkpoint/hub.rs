//! Files from the Hugging Face hub, through hf-hub and the cache that all Hugging Face tools share.
//!
//! A revision is pinned to its commit first, so that all files come from one commit even if the branch moves.
//! What hf-hub leaves open is done here: a transfer that breaks off is taken up again, a file of the wrong length is
//! thrown away, and another process that fetches the same file is waited for.

use super::error::CheckpointError;
use super::locate::file_names;
use super::options::{OnProgress, OpenOptions, Progress, Step};
use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is asked for before its transfer counts as failed.
const ATTEMPTS: u32 = 5;
/// Wait before the second attempt; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// Bytes between two reports of progress.
const REPORT_EVERY: u64 = 1 << 20;

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

    /// The file's place in the cache, fetched if it is not there yet.
    pub(super) fn fetch(
        &self,
        file: &str,
        options: &OpenOptions,
    ) -> Result<PathBuf, CheckpointError> {
        let pointer = self.snapshot().join(file);
        let Some(api) = self.api.as_ref().filter(|_| !pointer.exists()) else {
            return Ok(pointer);
        };
        let mut failed = 0;
        while !pointer.exists() {
            let error = match self.attempt(api, file, &options.progress) {
                Ok(()) => break,
                // Another process holds the file; hf-hub has waited five seconds for it. Its result is ours too.
                Err(Failure::Api(ApiError::LockAcquisition(_))) => continue,
                Err(Failure::Api(error)) if is_final(&error) => {
                    return Err(self.error(self.explain(&error, options)));
                }
                Err(Failure::Api(error)) => {
                    self.drop_useless_part(api, file);
                    error.to_string()
                }
                Err(Failure::Length { found, expected }) => {
                    format!("{found} bytes arrived in place of {expected}")
                }
            };
            failed += 1;
            tracing::warn!(
                "{}: {file}: attempt {failed} of {ATTEMPTS}: {error}",
                self.id
            );
            if failed == ATTEMPTS {
                return Err(self.error(format!(
                    "{file} could not be fetched in {ATTEMPTS} attempts, the last one: {error}; what has arrived is \
                     kept, run again to go on"
                )));
            }
            std::thread::sleep(FIRST_WAIT * 2_u32.pow(failed - 1));
        }
        // So that the branch's name finds this commit when offline.
        self.cache
            .repo(self.at(&self.revision))
            .create_ref(&self.commit)?;
        Ok(pointer)
    }

    /// One transfer, taken up where the last one stopped.
    fn attempt(&self, api: &Api, file: &str, progress: &OnProgress) -> Result<(), Failure> {
        let expected = Cell::new(0);
        let meter = Meter {
            progress,
            file,
            expected: &expected,
            done: 0,
            reported: 0,
        };
        let pointer = api
            .repo(self.at(&self.commit))
            .download_with_progress(file, meter)?;
        let found = fs_err::metadata(&pointer).map_err(ApiError::from)?.len();
        if found != expected.get() {
            // A server that ignored the range, or a part that was damaged: nothing to go on from.
            let blob = fs_err::canonicalize(&pointer).map_err(ApiError::from)?;
            fs_err::remove_file(&pointer).map_err(ApiError::from)?;
            fs_err::remove_file(blob).map_err(ApiError::from)?;
            return Err(Failure::Length {
                found,
                expected: expected.get(),
            });
        }
        Ok(())
    }

    /// Removes a partial file as long as the whole one or longer: resuming it can only fail again.
    fn drop_useless_part(&self, api: &Api, file: &str) {
        let Ok(metadata) = api.metadata(&api.repo(self.at(&self.commit)).url(file)) else {
            return;
        };
        let mut part = self
            .cache
            .repo(self.at(&self.commit))
            .blob_path(metadata.etag());
        part.set_extension("part");
        if part_length(&part) >= Some(metadata.size() as u64) {
            // Best effort: if it stays, the next attempt reports it.
            let _ = fs_err::remove_file(part);
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

fn part_length(part: &Path) -> Option<u64> {
    fs_err::metadata(part).ok().map(|metadata| metadata.len())
}

enum Failure {
    Api(ApiError),
    Length { found: u64, expected: u64 },
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
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

/// Whether trying again is useless.
fn is_final(error: &ApiError) -> bool {
    status(error).is_some_and(|code| (400..500).contains(&code) && ![408, 416, 429].contains(&code))
}

/// Passes hf-hub's progress on, at most once per [`REPORT_EVERY`] bytes, and keeps the length announced.
struct Meter<'a> {
    progress: &'a OnProgress,
    file: &'a str,
    expected: &'a Cell<u64>,
    done: u64,
    reported: u64,
}

impl Meter<'_> {
    fn report(&mut self) {
        self.reported = self.done;
        let (done, total) = (self.done, self.expected.get());
        (self.progress)(Progress {
            step: Step::Download,
            file: self.file,
            done,
            total,
        });
    }
}

impl hf_hub::api::Progress for Meter<'_> {
    fn init(&mut self, size: usize, _: &str) {
        self.expected.set(size as u64);
        self.done = 0;
        self.reported = 0;
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        if self.done - self.reported >= REPORT_EVERY {
            self.report();
        }
    }

    fn finish(&mut self) {
        self.report();
    }
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
