//! Fetching one file. What hf-hub leaves open is done here: a transfer that breaks off is taken up again, a file of
//! the wrong length is thrown away, and of several processes only one fetches.

use super::{Repository, status};
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::options::{OnProgress, OpenOptions, Progress, Step};
use hf_hub::api::sync::{Api, ApiError};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is asked for before its transfer counts as failed.
const ATTEMPTS: u32 = 5;
/// Wait before the second attempt; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// Bytes between two reports of progress.
const REPORT_EVERY: u64 = 1 << 20;

impl Repository {
    /// The file's place in the cache, fetched if it is not there yet.
    pub(in crate::checkpoint) fn fetch(
        &self,
        file: &str,
        options: &OpenOptions,
    ) -> Result<PathBuf, CheckpointError> {
        let pointer = self.snapshot().join(file);
        let Some(api) = self.api.as_ref().filter(|_| !pointer.exists()) else {
            return Ok(pointer);
        };
        // All processes of a run start at once and need the same files: one fetches, the others wait and find them.
        let _lock = self.lock()?;
        let mut failed = 0;
        while !pointer.exists() {
            let error = match self.attempt(api, file, &options.progress) {
                Ok(()) => break,
                // Another program holds the file; hf-hub has waited five seconds for it. Its result is ours too.
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

    /// Waits until no other process of this program fetches from this repository. Released when dropped.
    fn lock(&self) -> Result<fs_err::File, CheckpointError> {
        let folder = self.cache.path().join(self.at(&self.commit).folder_name());
        fs_err::create_dir_all(&folder)?;
        let file = fs_err::File::create(folder.join("madmix.lock"))?;
        file.lock()?;
        Ok(file)
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
