//! How a run uses the shard cache: before it makes a shard it looks there, and what it makes it keeps there.
//!
//! A cache that cannot be used never ends a run: it is said once, and the run goes on without.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use rayon::prelude::*;

use super::terminal;
use crate::config::Config;
use crate::extract::{FailureLimit, ShardWork, is_lasting};
use crate::store::{Cache, CacheError, Failure, Shard, Store, Taken};

/// The cache of a run.
pub(super) struct Cached {
    /// Where it is, unless it is off.
    folder: Option<PathBuf>,
    output: PathBuf,
    /// Open once it was of use, until it fails.
    cache: Option<Cache>,
    /// The shards that were not found, by dataset and index, with their samples' content before they were made.
    wanted: BTreeMap<(String, u32), (ShardWork, String)>,
}

/// What became of a shard that was looked for.
enum Looked {
    /// It is in the run's folder now, with these failures.
    Found(String, Vec<Failure>),
    /// To be made, with the content of its samples as far as it is known.
    Missing(ShardWork, Option<String>),
}

impl Cached {
    /// The cache that a config names; touches nothing yet.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            folder: config.cache.folder().map(Path::to_owned),
            output: config.output.clone(),
            cache: None,
            wanted: BTreeMap::new(),
        }
    }

    /// No cache.
    pub(super) fn off() -> Self {
        Self {
            folder: None,
            output: PathBuf::new(),
            cache: None,
            wanted: BTreeMap::new(),
        }
    }

    /// Publishes in the run's folder what of the missing shards is in the cache, adds their failures, and gives the
    /// shards that are left to make. With `retry` shards with failures are left to be made again. Ends early, with
    /// shards left, once `stop` is set.
    ///
    /// # Errors
    /// When the run's own folder cannot be written.
    pub(super) fn take(
        &mut self,
        store: &Store,
        missing: Vec<ShardWork>,
        retry: bool,
        stop: &AtomicBool,
        failures: &mut FailureLimit,
    ) -> Result<Vec<ShardWork>> {
        if missing.is_empty() {
            return Ok(missing);
        }
        let Some(cache) = self.open() else {
            return Ok(missing);
        };
        let count = missing.len();
        let bar = terminal::bar("looking into the cache", count as u64, false);
        let fault = OnceLock::new();
        let look = |work: ShardWork| {
            if stop.load(Ordering::Relaxed) || fault.get().is_some() {
                return Ok(Looked::Missing(work, None));
            }
            let looked = look(&cache, store, work, retry, &fault);
            bar.inc(1);
            looked
        };
        let looked: Result<Vec<Looked>> = missing.into_par_iter().map(look).collect();
        bar.finish_and_clear();
        let mut left = Vec::new();
        for looked in looked? {
            match looked {
                Looked::Found(dataset, found) => failures.add(&dataset, &found),
                Looked::Missing(work, content) => {
                    if let Some(content) = content {
                        let name = (work.dataset.name.clone(), work.index);
                        self.wanted.insert(name, (work.clone(), content));
                    }
                    left.push(work);
                }
            }
        }
        if left.len() < count {
            tracing::info!(
                "{} of {count} missing shards were in the cache ({})",
                count - left.len(),
                cache.root().display()
            );
        }
        self.cache = Some(cache);
        if let Some(error) = fault.into_inner() {
            self.give_up(&error);
        }
        Ok(left)
    }

    /// Keeps a shard that was just made and published, if its pictures are still what they were before.
    pub(super) fn keep(&mut self, shard: &Shard) {
        let Some(cache) = &self.cache else { return };
        let name = (shard.dataset.clone(), shard.index);
        let Some((work, content)) = self.wanted.remove(&name) else {
            return;
        };
        if !shard.failures.iter().all(is_lasting) {
            return;
        }
        if work.content().as_ref() != Some(&content) {
            tracing::warn!(
                "shard {} of {} is not kept in the cache: its data changed while it was made",
                shard.index,
                shard.dataset
            );
            return;
        }
        if let Err(error) = cache.keep(shard, &content) {
            self.give_up(&error);
        }
    }

    fn open(&mut self) -> Option<Cache> {
        let folder = self.folder.clone()?;
        if folder == self.output {
            tracing::warn!(
                "the shard cache cannot be the output folder itself ({}): the run goes on without it",
                folder.display()
            );
            return None;
        }
        Cache::open(folder)
            .inspect_err(|error| self.give_up(error))
            .ok()
    }

    fn give_up(&mut self, error: &CacheError) {
        self.cache = None;
        if let Some(folder) = self.folder.take() {
            tracing::warn!(
                "the shard cache {} cannot be used, so the run goes on without it: {error}",
                folder.display()
            );
        }
    }
}

fn look(
    cache: &Cache,
    store: &Store,
    work: ShardWork,
    retry: bool,
    fault: &OnceLock<CacheError>,
) -> Result<Looked> {
    let Some(content) = work.content() else {
        return Ok(Looked::Missing(work, None));
    };
    let dataset = &work.dataset;
    match cache.take(&dataset.key, &dataset.name, work.index, &content) {
        Ok(Taken::Hit(shard)) if !retry || shard.failures.is_empty() => {
            store.publish(&shard)?;
            return Ok(Looked::Found(shard.dataset, shard.failures));
        }
        Ok(Taken::Hit(_) | Taken::Miss) => {}
        Ok(Taken::Refused(refused)) => {
            tracing::warn!("a shard in the cache is not used and will be made again: {refused}");
        }
        Err(error) => {
            // The first one is told; the others will be of the same kind.
            let _ = fault.set(error);
        }
    }
    Ok(Looked::Missing(work, Some(content)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::dataset::{self, DatasetSpec};
    use crate::extract::DatasetWork;
    use crate::media::video;
    use crate::store::{Settings, ShardKey};

    const ROW: &str = r#"{"id": "p", "image": "0.png", "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "It."}]}"#;

    /// A run that looks for the one shard of a dataset with one picture, does something, and keeps the shard that it
    /// made. Gives what the cache holds then.
    fn kept(
        prepare: impl FnOnce(&Path),
        meanwhile: impl FnOnce(&Path),
        failures: Vec<Failure>,
    ) -> usize {
        let folder = TempDir::new().unwrap();
        let (path, root) = (folder.path().join("a.jsonl"), folder.path().join("cache"));
        let picture = folder.path().join("0.png");
        fs_err::write(&path, ROW).unwrap();
        prepare(&picture);
        let spec = DatasetSpec {
            path,
            ..DatasetSpec::default()
        };
        let opened = dataset::open(&spec).unwrap();
        let key = ShardKey {
            checkpoint: "c".into(),
            settings: Settings::new(&()).unwrap(),
            dataset: opened.fingerprint().to_owned(),
        };
        let work = DatasetWork {
            name: "a".into(),
            dataset: opened.into(),
            key: key.clone().into(),
            order: [0].into(),
        };
        let mut limit = FailureLimit::new([("a".to_owned(), 1)].into_iter(), 1.0, None);
        let mut cached = Cached {
            folder: Some(root.clone()),
            output: folder.path().join("run"),
            cache: None,
            wanted: BTreeMap::new(),
        };
        let store = Store::open(folder.path().join("run")).unwrap();
        let missing = vec![ShardWork {
            dataset: work,
            index: 0,
        }];
        let stop = AtomicBool::new(false);
        let left = cached
            .take(&store, missing, false, &stop, &mut limit)
            .unwrap();
        assert_eq!(left.len(), 1);
        meanwhile(&picture);
        cached.keep(&Shard {
            key,
            dataset: "a".into(),
            index: 0,
            rows: vec![],
            modalities: BTreeMap::new(),
            failures,
        });
        Cache::existing(root)
            .unwrap()
            .entries(&|_| {})
            .unwrap()
            .len()
    }

    fn failure(reason: &str) -> Vec<Failure> {
        vec![Failure {
            id: "p".into(),
            reason: reason.into(),
            row: 0,
        }]
    }

    #[test]
    fn a_shard_whose_data_stayed_the_same_is_kept_also_with_failures() {
        let write = |picture: &Path| fs_err::write(picture, "x").unwrap();
        assert_eq!(kept(write, |_| {}, vec![]), 1);
        assert_eq!(
            kept(|_| {}, |_| {}, failure("0.png: there is no such file")),
            1
        );
    }

    #[test]
    fn one_whose_data_changed_meanwhile_is_not() {
        let write =
            |text: &'static str| move |picture: &Path| fs_err::write(picture, text).unwrap();
        assert_eq!(kept(write("x"), write("y"), vec![]), 0);
        assert_eq!(kept(|_| {}, write("y"), vec![]), 0, "it has come");
        let row = |picture: &Path| {
            let rows = ROW.replace("It.", "Is.");
            fs_err::write(picture.with_file_name("a.jsonl"), rows).unwrap();
        };
        assert_eq!(kept(write("x"), row, vec![]), 0, "the row has changed");
    }

    #[test]
    fn nor_one_with_trouble_that_may_be_this_machines() {
        let unreadable = |picture: &Path| symlink(picture, picture).unwrap();
        assert_eq!(kept(unreadable, |_| {}, failure("0.png: loop")), 0);
        let write = |picture: &Path| fs_err::write(picture, "x").unwrap();
        let reason = format!("0.png: slow; {}", video::RETRY);
        assert_eq!(kept(write, |_| {}, failure(&reason)), 0);
    }
}
