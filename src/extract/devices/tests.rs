use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::*;
use crate::checkpoint::{Checkpoint, OpenOptions};
use crate::config::{self, Protocol, TooLong};
use crate::dataset::Filter;
use crate::extract::{DatasetPlan, DatasetWork, Options, ShardWork, Tally, plan};
use crate::media::{Limits, Orientation, Sampling, VideoLimits};
use crate::store::Settings;
use crate::vlm::testing::{Fake, Queued, out_of_memory};
use crate::vlm::{ProcessorOptions, VlmError};

mod speed;

const SHARDS: u32 = 12;

/// Work that is the same for every device: two datasets of text, twelve shards.
struct Work {
    folder: tempfile::TempDir,
    preparer: Arc<Preparer>,
    shards: Vec<ShardWork>,
    plans: BTreeMap<String, DatasetPlan>,
}

/// Prepares samples for the tiny checkpoint, whose pictures are those of a large one.
fn preparer(folder: &tempfile::TempDir) -> Arc<Preparer> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let options = OpenOptions::new(folder.path());
    let checkpoint = Checkpoint::open("models/tiny-llava-onevision", root, &options).unwrap();
    Arc::new(Preparer::new(&checkpoint, preparation()).unwrap())
}

/// The shards of so many rows of a file.
fn shards_of(name: &str, path: &Path, rows: usize) -> Vec<ShardWork> {
    let extract = config::Extract {
        samples_per_dataset: rows as u64,
        ..config::Extract::default()
    };
    let settings = Settings::new(&"test").unwrap();
    let spec = config::Dataset {
        name: name.into(),
        path: path.to_owned(),
        media_root: None,
        filter: None::<Filter>,
        format: None,
        sampling_strategy: None,
        labels: None,
    };
    let dataset = DatasetWork::open(&spec, &extract, "checkpoint", &settings, &|_, _| {});
    dataset.unwrap().all_shards().collect()
}

fn work() -> Work {
    let folder = tempfile::tempdir().unwrap();
    let preparer = preparer(&folder);
    let mut shards = Vec::new();
    for name in ["first", "second"] {
        let path = folder.path().join(format!("{name}.jsonl"));
        let row = |i: usize| {
            let words = "and so on ".repeat(i % 9);
            format!(
                r#"{{"conversations": [{{"from": "human", "value": "{i}?"}}, {{"from": "gpt", "value": "{words}"}}]}}"#
            ) + "\n"
        };
        let rows = 32 * SHARDS as usize;
        fs_err::write(&path, (0..rows).map(row).collect::<String>()).unwrap();
        shards.extend(shards_of(name, &path, rows));
    }
    assert_eq!(shards.len(), SHARDS as usize);
    let plans = plan(&shards, &preparer, &AtomicBool::new(false), &|| {}).unwrap();
    Work {
        folder,
        preparer,
        shards,
        plans,
    }
}

fn preparation() -> Options {
    Options {
        processor: ProcessorOptions::default(),
        orientation: Orientation::Apply,
        limits: Limits::default(),
        sampling: Sampling::LlavaNext,
        max_frames: None,
        video: VideoLimits::default(),
        spans: false,
        protocol: Protocol::Joint,
        max_tokens: None,
        too_long: TooLong::Fail,
    }
}

#[derive(Default)]
struct Counted {
    done: Mutex<Tally>,
    left_out: Mutex<Tally>,
}

impl Progress for Counted {
    fn advance(&self, done: &Tally) {
        *self.done.lock().unwrap() += *done;
    }

    fn skipped(&self, left_out: &Tally) {
        *self.left_out.lock().unwrap() += *left_out;
    }
}

/// How a run on fakes ended.
struct Ended {
    outcome: Result<Outcome, ExtractError>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    progress: Counted,
    /// Shards that were told of, each once and none at the same time as another.
    published: usize,
    usage: Vec<Usage>,
}

impl Work {
    fn queue(&self) -> Queue {
        Queue::new(self.shards.clone(), &self.plans)
    }

    fn planned(&self) -> Tally {
        self.plans.values().map(|plan| plan.tally).sum()
    }

    fn run(&self, models: Vec<Placed>, queue: Queue, stop: &AtomicBool) -> Ended {
        self.run_by(2, models, queue, stop)
    }

    fn run_by(
        &self,
        workers: usize,
        mut models: Vec<Placed>,
        queue: Queue,
        stop: &AtomicBool,
    ) -> Ended {
        let root = tempfile::tempdir_in(self.folder.path()).unwrap();
        let store = Store::open(root.path()).unwrap();
        let job = Job {
            layers: &[Layer::Last],
            scope: TextScope::All,
            preparer: &self.preparer,
            batch_tokens: 512,
            workers,
            stop,
        };
        let progress = Counted::default();
        let mut published = 0;
        let mut usage = Vec::new();
        let outcome = run(&job, &mut models, queue, &store, &progress, |_| {
            published += 1;
            Ok(())
        });
        let outcome = outcome.map(|(outcome, used)| {
            usage = used;
            outcome
        });
        let mut files = BTreeMap::new();
        for shard in &self.shards {
            let path = store.shard_path(&shard.dataset.name, shard.index);
            if path.exists() {
                let name = path.strip_prefix(root.path()).unwrap().to_owned();
                files.insert(name, fs_err::read(&path).unwrap());
            }
        }
        Ended {
            outcome,
            files,
            progress,
            published,
            usage,
        }
    }
}

fn placed(name: &str, model: impl Model + 'static) -> Placed {
    Placed {
        name: name.into(),
        device: Device::Cpu,
        model: Box::new(model),
    }
}

fn fake(device: &str, before: impl Fn(usize) -> Result<(), VlmError> + Send + 'static) -> Placed {
    placed(device, Fake { before })
}

type Answer = fn(usize) -> Result<(), VlmError>;

const STEADY: Answer = |_| Ok(());
/// Takes long enough that the other devices get their part.
const SLOW: Answer = |_| {
    std::thread::sleep(Duration::from_millis(5));
    Ok(())
};

static GO_ON: AtomicBool = AtomicBool::new(false);

#[test]
fn any_number_of_devices_ends_in_the_same_files() {
    let work = work();
    let one = work.run(vec![fake("one", STEADY)], work.queue(), &GO_ON);
    assert_eq!(one.outcome.unwrap(), Outcome::Complete);
    assert_eq!(one.files.len(), SHARDS as usize);
    assert_eq!(*one.progress.done.lock().unwrap(), work.planned());

    // More devices than workers, of which one is slow and one has little memory.
    let passes = [0; 3].map(|_| Arc::new(AtomicUsize::new(0)));
    let counting = |i: usize, then: Answer| {
        let passes = Arc::clone(&passes[i]);
        move |tokens| {
            passes.fetch_add(1, Ordering::Relaxed);
            then(tokens)
        }
    };
    let small: Answer = |tokens| match SLOW(tokens) {
        Ok(()) if tokens > 200 => Err(out_of_memory()),
        result => result,
    };
    let models = vec![
        fake("a", counting(0, SLOW)),
        fake("b", counting(1, SLOW)),
        fake("c", counting(2, small)),
    ];
    let three = work.run(models, work.queue(), &GO_ON);
    assert_eq!(three.outcome.unwrap(), Outcome::Complete);
    assert_eq!(three.published, SHARDS as usize);
    assert!(three.files == one.files);
    assert_eq!(*three.progress.done.lock().unwrap(), work.planned());
    assert!(
        passes
            .iter()
            .all(|passes| passes.load(Ordering::Relaxed) > 0)
    );
}

#[test]
fn the_first_error_stops_all_devices() {
    let work = work();
    let broken = |_| {
        Err(VlmError::Tensor(candle_core::Error::Msg(
            "bad sector".into(),
        )))
    };
    let models = vec![fake("a", SLOW), fake("b", broken), fake("c", SLOW)];
    let ended = work.run(models, work.queue(), &GO_ON);
    let error = ended.outcome.unwrap_err().to_string();
    assert_eq!(error, "b: the forward pass failed: bad sector");
    assert!(
        ended.files.len() < SHARDS as usize,
        "they went on to the end"
    );
    assert_eq!(ended.files.len(), ended.published);
}

#[test]
fn a_panic_on_one_device_is_an_error() {
    let work = work();
    let models = vec![fake("a", SLOW), fake("b", |_| panic!("a mistake"))];
    let error = work.run(models, work.queue(), &GO_ON).outcome.unwrap_err();
    assert!(
        error.to_string().contains("the thread of b panicked"),
        "{error}"
    );
}

#[test]
fn stopping_from_outside_stops_all_devices() {
    let work = work();
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = {
        let stop = Arc::clone(&stop);
        move |tokens| {
            stop.store(true, Ordering::Relaxed);
            SLOW(tokens)
        }
    };
    let models = vec![fake("a", SLOW), fake("b", stopping)];
    let ended = work.run(models, work.queue(), &stop);
    assert_eq!(ended.outcome.unwrap(), Outcome::Interrupted);
    assert!(ended.files.len() < SHARDS as usize);
}

#[test]
fn what_others_have_made_is_left_out_and_no_longer_counted() {
    let work = work();
    let whole = work.run(vec![fake("a", STEADY)], work.queue(), &GO_ON);
    let queue = work.queue().skipping(|shard| shard.index % 3 == 1);
    let ended = work.run(vec![fake("a", SLOW), fake("b", SLOW)], queue, &GO_ON);
    assert_eq!(ended.outcome.unwrap(), Outcome::Complete);
    assert_eq!(ended.files.len(), SHARDS as usize * 2 / 3);
    for (path, bytes) in &ended.files {
        assert!(whole.files[path] == *bytes, "{}", path.display());
    }
    let left_out = *ended.progress.left_out.lock().unwrap();
    assert_eq!(left_out.samples, 64 * u64::from(SHARDS) / 3);
    let mut total = *ended.progress.done.lock().unwrap();
    total += left_out;
    assert_eq!(total, work.planned());
}

#[test]
fn a_sample_that_fits_nowhere_is_a_failure_of_its_shard() {
    let work = work();
    let longest = work.plans["first"].longest as usize;
    let models = vec![fake("a", move |tokens| {
        if tokens >= longest {
            return Err(out_of_memory());
        }
        Ok(())
    })];
    let ended = work.run(models, work.queue(), &GO_ON);
    assert_eq!(ended.outcome.unwrap(), Outcome::Complete);
    assert_eq!(ended.files.len(), SHARDS as usize);
    let done = *ended.progress.done.lock().unwrap();
    assert!(
        done.failures > 0 && done.failures < done.samples / 4,
        "{done:?}"
    );
    let mut planned = work.planned();
    planned.failures = done.failures;
    assert_eq!(done, planned);
}

#[test]
fn any_number_of_workers_ends_in_the_same_files() {
    let work = work();
    let one = work.run_by(1, vec![fake("a", STEADY)], work.queue(), &GO_ON);
    assert_eq!(one.files.len(), SHARDS as usize);
    for workers in [3, 40] {
        let many = work.run_by(workers, vec![fake("a", STEADY)], work.queue(), &GO_ON);
        assert_eq!(many.outcome.unwrap(), Outcome::Complete);
        assert!(many.files == one.files, "{workers}");
        assert_eq!(*many.progress.done.lock().unwrap(), work.planned());
    }
}

/// A device with a queue, whose passes are over only when they are waited for.
fn queued(
    device: &str,
    before: impl Fn(usize) -> Result<(), VlmError> + Send + 'static,
    after: impl Fn(usize) -> Result<(), VlmError> + Send + Sync + 'static,
) -> Placed {
    let model = Queued {
        fake: Fake { before },
        after: Arc::new(after),
        quick: Arc::default(),
    };
    placed(device, model)
}

#[test]
fn a_device_that_runs_ahead_makes_the_same_files_over_the_ends_of_shards() {
    let work = work();
    let alone = work.run(vec![fake("one", STEADY)], work.queue(), &GO_ON);
    let told = Arc::new(Mutex::new((0_usize, 0_usize)));
    let (before, after) = (Arc::clone(&told), Arc::clone(&told));
    let before = move |_| {
        let mut told = before.lock().unwrap();
        told.0 += 1;
        assert!(
            told.0 - told.1 <= 2,
            "more than one pass was in flight beside it"
        );
        Ok(())
    };
    let after = move |_| {
        let mut told = after.lock().unwrap();
        // Whatever is waited for, another one was started before, except at the end.
        told.1 += 1;
        Ok(())
    };
    let ahead = work.run(vec![queued("two", before, after)], work.queue(), &GO_ON);
    assert_eq!(ahead.outcome.unwrap(), Outcome::Complete);
    assert!(ahead.files == alone.files);
    assert_eq!(ahead.published, SHARDS as usize);
    assert_eq!(*ahead.progress.done.lock().unwrap(), work.planned());
    let (started, finished) = *told.lock().unwrap();
    assert_eq!(started, finished);
    for used in [&alone.usage, &ahead.usage] {
        let [used] = &used[..] else {
            panic!("{used:?}")
        };
        let planned = work.planned();
        assert_eq!(
            (used.samples, used.tokens),
            (planned.samples, planned.tokens)
        );
        assert!(used.waited <= used.elapsed && used.memory.is_none());
    }
    assert_eq!(ahead.usage[0].device, "two");
}

#[test]
fn a_shard_is_published_while_the_next_one_is_started() {
    let work = work();
    let started = Arc::new(AtomicUsize::new(0));
    let at_end = Arc::new(Mutex::new(Vec::new()));
    let (counting, asking) = (Arc::clone(&started), Arc::clone(&started));
    let before = move |_| {
        counting.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let waited_for = Arc::clone(&at_end);
    let after = move |_| {
        waited_for
            .lock()
            .unwrap()
            .push(asking.load(Ordering::Relaxed));
        Ok(())
    };
    let ended = work.run(vec![queued("a", before, after)], work.queue(), &GO_ON);
    assert_eq!(ended.outcome.unwrap(), Outcome::Complete);
    let total = started.load(Ordering::Relaxed);
    let at_end = at_end.lock().unwrap();
    // When the i-th pass was waited for, the one after it had been started, over the ends of twelve shards.
    let expected: Vec<usize> = (0..total).map(|i| total.min(i + 2)).collect();
    assert_eq!(*at_end, expected);
}

#[test]
fn an_error_in_flight_fails_the_run() {
    let work = work();
    let calls = AtomicUsize::new(0);
    let after = move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        5 => Err(out_of_memory()),
        _ => Ok(()),
    };
    let ended = work.run(vec![queued("a", STEADY, after)], work.queue(), &GO_ON);
    let error = ended.outcome.unwrap_err().to_string();
    assert!(
        error.starts_with("a: ") && error.contains("OUT_OF_MEMORY"),
        "{error}"
    );
    assert!(ended.files.len() < SHARDS as usize);
    assert_eq!(ended.files.len(), ended.published);
}

#[test]
fn what_is_in_flight_when_the_run_is_stopped_is_finished() {
    let work = work();
    let whole = work.run(vec![fake("a", STEADY)], work.queue(), &GO_ON);
    let stop = Arc::new(AtomicBool::new(false));
    let passes = Arc::new(AtomicUsize::new(0));
    let (stopping, counting) = (Arc::clone(&stop), Arc::clone(&passes));
    let before = move |_| {
        if counting.fetch_add(1, Ordering::Relaxed) == 20 {
            stopping.store(true, Ordering::Relaxed);
        }
        Ok(())
    };
    let finished = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&finished);
    let after = move |_| {
        counting.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let ended = work.run(vec![queued("a", before, after)], work.queue(), &stop);
    assert_eq!(ended.outcome.unwrap(), Outcome::Interrupted);
    let started = passes.load(Ordering::Relaxed);
    assert_eq!((started, finished.load(Ordering::Relaxed)), (21, 21));
    assert!(!ended.files.is_empty() && ended.files.len() < SHARDS as usize);
    for (path, bytes) in &ended.files {
        assert!(whole.files[path] == *bytes, "{}", path.display());
    }
}
