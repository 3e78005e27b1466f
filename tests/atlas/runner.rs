//! The loop: what is tried when, by whom, and what ends it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use madmix::atlas::proxy::{Proxy, ProxyError};
use madmix::atlas::runner::{
    Event, FAILURES_IN_A_ROW, Finish, RUN, Runner, RunnerError, StudyProblem, Trials,
};
use madmix::atlas::{Outcome, Trial};
use tempfile::TempDir;

/// A study in memory, with a folder for locks.
struct Study {
    folder: TempDir,
    trials: Mutex<Vec<Trial>>,
    proposals: Mutex<Vec<usize>>,
}

impl Study {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            trials: Mutex::default(),
            proposals: Mutex::default(),
        }
    }

    fn told(&self) -> usize {
        let trials = self.trials.lock().unwrap();
        trials
            .iter()
            .filter(|trial| trial.outcome.is_some())
            .count()
    }
}

impl Trials for Study {
    fn trials(&self) -> Result<Vec<Trial>, StudyProblem> {
        Ok(self.trials.lock().unwrap().clone())
    }

    fn propose(&self, n: usize) -> Result<Vec<Trial>, StudyProblem> {
        let mut trials = self.trials.lock().unwrap();
        self.proposals.lock().unwrap().push(n);
        for _ in 0..n {
            let number = trials.len() as u32 + 1;
            trials.push(Trial {
                number,
                space: "joint".into(),
                point: vec![1.0],
                weights: vec![1.0],
                seed: u64::from(number),
                by: "design".into(),
                predicted: BTreeMap::new(),
                outcome: None,
            });
        }
        Ok(trials[trials.len() - n..].to_vec())
    }

    fn tell(&self, number: u32, outcome: Outcome) -> Result<(), StudyProblem> {
        let mut trials = self.trials.lock().unwrap();
        let trial = &mut trials[number as usize - 1];
        if trial.outcome.is_some() {
            return Err(format!("trial {number} is told already").into());
        }
        trial.outcome = Some(outcome);
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn trial_folder(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("trials/{number:04}"))
    }
}

type Metrics = Result<BTreeMap<String, f64>, ProxyError>;

/// A proxy that is a function, and counts how many run at a time.
struct Function<F> {
    run: F,
    now: AtomicUsize,
    most: AtomicUsize,
    tried: Mutex<Vec<(u32, Option<String>)>>,
}

fn proxy<F: Fn(&Trial, &AtomicBool) -> Metrics + Sync>(run: F) -> Function<F> {
    Function {
        run,
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        tried: Mutex::default(),
    }
}

impl<F: Fn(&Trial, &AtomicBool) -> Metrics + Sync> Proxy for Function<F> {
    fn run(&self, trial: &Trial, out: &Path, device: Option<&str>, stop: &AtomicBool) -> Metrics {
        assert!(out.is_dir() && out.ends_with(RUN));
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let device = device.map(str::to_owned);
        self.tried.lock().unwrap().push((trial.number, device));
        let result = (self.run)(trial, stop);
        self.now.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a proxy gives")]
fn good(trial: &Trial, _: &AtomicBool) -> Metrics {
    std::thread::sleep(Duration::from_millis(20));
    Ok(BTreeMap::from([("a".to_owned(), f64::from(trial.number))]))
}

static NEVER: AtomicBool = AtomicBool::new(false);

fn runner<'a>(study: &'a Study, proxy: &'a dyn Proxy) -> Runner<'a> {
    Runner {
        trials: study,
        proxy,
        devices: &[],
        slots: 1,
        batch: 4,
        until: 10,
        stop: &NEVER,
        listener: &|_| {},
    }
}

#[test]
fn as_many_are_told_as_are_wanted() {
    let study = Study::new();
    let proxy = proxy(good);
    assert_eq!(runner(&study, &proxy).run().unwrap(), Finish::Complete);
    assert_eq!(study.told(), 10);
    assert_eq!(*study.proposals.lock().unwrap(), [4, 4, 2]);
    assert_eq!(proxy.most.load(Ordering::SeqCst), 1);
    let numbers: Vec<u32> = proxy
        .tried
        .lock()
        .unwrap()
        .iter()
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    // Nothing is left to do, and then something.
    runner(&study, &proxy).run().unwrap();
    assert_eq!(study.trials.lock().unwrap().len(), 10);
    let more = Runner {
        until: 11,
        ..runner(&study, &proxy)
    };
    more.run().unwrap();
    assert_eq!(study.told(), 11);
}

#[test]
fn each_device_has_one_run_at_a_time() {
    let study = Study::new();
    let devices = ["0".to_owned(), "1".to_owned(), "2,3".to_owned()];
    let proxy = proxy(good);
    let runner = Runner {
        devices: &devices,
        batch: 2,
        ..runner(&study, &proxy)
    };
    runner.run().unwrap();
    assert_eq!(proxy.most.load(Ordering::SeqCst), 3);
    let tried = proxy.tried.lock().unwrap();
    for device in &devices {
        assert!(tried.iter().any(|(_, on)| on.as_ref() == Some(device)));
    }
    assert_eq!(study.trials.lock().unwrap().len(), 10);
}

#[test]
fn two_loops_share_a_study() {
    let study = Study::new();
    let proxy = proxy(good);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let two = Runner {
                    slots: 2,
                    batch: 3,
                    ..runner(&study, &proxy)
                };
                assert_eq!(two.run().unwrap(), Finish::Complete);
            });
        }
    });
    let mut tried = proxy.tried.lock().unwrap().clone();
    tried.sort_unstable();
    let once: Vec<_> = (1..=10).map(|number| (number, None)).collect();
    assert_eq!(tried, once);
    assert_eq!(study.trials.lock().unwrap().len(), 10);
}

#[test]
fn a_failed_run_is_told_and_the_next_goes_on() {
    let study = Study::new();
    let proxy = proxy(|trial, stop| {
        if trial.number % 3 == 0 {
            Err(ProxyError::Failed("out of memory".into()))
        } else {
            good(trial, stop)
        }
    });
    assert_eq!(runner(&study, &proxy).run().unwrap(), Finish::Complete);
    let trials = study.trials.lock().unwrap();
    assert_eq!(
        trials[2].outcome,
        Some(Outcome::Failed("out of memory".into()))
    );
    assert!(
        matches!(&trials[9].outcome, Some(Outcome::Told(metrics)) if metrics.get("a") == Some(&10.0))
    );
}

#[test]
fn trials_that_all_fail_end_it() {
    let study = Study::new();
    let proxy = proxy(|_, _| Err(ProxyError::Failed("no such data".into())));
    let error = runner(&study, &proxy).run().unwrap_err().to_string();
    assert!(
        error.contains("5 trials failed in a row") && error.contains("no such data"),
        "{error}"
    );
    assert_eq!(study.told(), FAILURES_IN_A_ROW as usize);
}

#[test]
fn a_command_that_cannot_be_started_ends_it_and_tells_nothing() {
    let study = Study::new();
    // One fails at once, the others wait for their end.
    let proxy = proxy(|trial, stop| {
        if trial.number == 1 {
            return Err(ProxyError::Unusable("cannot be started".into()));
        }
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(ProxyError::Stopped)
    });
    let three = Runner {
        slots: 3,
        ..runner(&study, &proxy)
    };
    assert!(matches!(three.run(), Err(RunnerError::Unusable(_))));
    assert_eq!(study.told(), 0);
}

#[test]
fn a_misnamed_benchmark_begins_no_trial_and_ends_none() {
    let study = Study::new();
    let proxy = proxy(|trial, stop| {
        if trial.number == 1 {
            std::thread::sleep(Duration::from_millis(100));
            return Err(ProxyError::Misnamed("no \"a\"".into()));
        }
        std::thread::sleep(Duration::from_millis(200));
        assert!(!stop.load(Ordering::Relaxed));
        good(trial, stop)
    });
    let two = Runner {
        slots: 2,
        ..runner(&study, &proxy)
    };
    let error = two.run().unwrap_err();
    assert!(
        matches!(&error, RunnerError::Misnamed { number: 1, reason } if reason == "no \"a\""),
        "{error}"
    );
    assert_eq!(study.told(), 1);
    assert_eq!(proxy.tried.lock().unwrap().len(), 2);
    assert!(study.trials.lock().unwrap()[0].outcome.is_none());
}

#[test]
fn what_was_stopped_is_taken_up_first() {
    let study = Study::new();
    let stop = AtomicBool::new(false);
    let stopping = proxy(|trial, seen| {
        if trial.number < 3 {
            return good(trial, seen);
        }
        stop.store(true, Ordering::Relaxed);
        while !seen.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(ProxyError::Stopped)
    });
    let stopped = Runner {
        stop: &stop,
        ..runner(&study, &stopping)
    };
    assert_eq!(stopped.run().unwrap(), Finish::Stopped);
    assert_eq!(study.told(), 2);
    let proxy = proxy(good);
    runner(&study, &proxy).run().unwrap();
    assert_eq!(proxy.tried.lock().unwrap()[0].0, 3);
    assert_eq!(study.trials.lock().unwrap().len(), 10);
}

#[test]
fn one_trial_alone_may_be_asked_for() {
    let study = Study::new();
    let good = proxy(good);
    let runner = runner(&study, &good);
    assert!(matches!(
        runner.run_one(1),
        Err(RunnerError::NoTrial {
            number: 1,
            trials: 0
        })
    ));
    study.propose(3).unwrap();
    assert_eq!(runner.run_one(2).unwrap(), Finish::Complete);
    assert_eq!(runner.run_one(2).unwrap(), Finish::Complete);
    assert_eq!(*good.tried.lock().unwrap(), [(2, None)]);
    assert_eq!(study.told(), 1);
    // While one is at it, another is not.
    let nested = proxy(|trial, stop| {
        assert_eq!(runner.run_one(trial.number).unwrap(), Finish::Taken);
        self::good(trial, stop)
    });
    let outer = Runner {
        proxy: &nested,
        ..self::runner(&study, &good)
    };
    assert_eq!(outer.run_one(3).unwrap(), Finish::Complete);
}

#[test]
fn a_trial_that_is_busy_is_come_back_to() {
    let study = Study::new();
    let busy = AtomicBool::new(true);
    let proxy = proxy(|trial, stop| {
        if trial.number == 1 && busy.swap(false, Ordering::Relaxed) {
            return Err(ProxyError::Busy("something writes".into()));
        }
        good(trial, stop)
    });
    let left = AtomicUsize::new(0);
    let listener = |event: Event<'_>| {
        if matches!(event, Event::Left(trial, reason) if trial.number == 1 && reason == "something writes")
        {
            left.fetch_add(1, Ordering::Relaxed);
        }
    };
    let runner = Runner {
        until: 2,
        listener: &listener,
        ..runner(&study, &proxy)
    };
    assert_eq!(runner.run().unwrap(), Finish::Complete);
    assert_eq!(left.load(Ordering::Relaxed), 1);
    assert_eq!(study.told(), 2);
}

#[test]
fn what_is_told_by_hand_meanwhile_counts() {
    let study = Study::new();
    let proxy = proxy(|trial, stop| {
        if trial.number == 1 {
            study.tell(1, Outcome::Failed("by hand".into())).unwrap();
        }
        good(trial, stop)
    });
    runner(&study, &proxy).run().unwrap();
    assert_eq!(
        study.trials.lock().unwrap()[0].outcome,
        Some(Outcome::Failed("by hand".into()))
    );
    assert_eq!(study.told(), 10);
}

#[test]
fn a_batch_system_is_given_what_is_pending_and_then_new_trials() {
    let study = Study::new();
    let good = proxy(good);
    let runner = runner(&study, &good);
    assert_eq!(runner.next_trials(4).unwrap(), [1, 2, 3, 4]);
    for number in [1, 3] {
        runner.run_one(number).unwrap();
    }
    assert_eq!(runner.next_trials(1).unwrap(), [2]);
    assert_eq!(runner.next_trials(4).unwrap(), [2, 4, 5, 6]);
    runner.run().unwrap();
    assert!(runner.next_trials(4).unwrap().is_empty());
    assert_eq!(study.trials.lock().unwrap().len(), 10);
    // The last five fail.
    let more = Runner {
        until: 20,
        ..runner
    };
    for number in more.next_trials(5).unwrap() {
        study
            .tell(number, Outcome::Failed("broken".into()))
            .unwrap();
    }
    let error = more.next_trials(5).unwrap_err().to_string();
    assert!(
        error.contains("5 trials failed in a row") && error.contains("broken"),
        "{error}"
    );
    // The command is not mended: one trial finds that out, however often it is asked for, and then all ends again.
    for _ in 0..2 {
        assert_eq!(more.next_trials(5).unwrap(), [16]);
    }
    study.tell(16, Outcome::Failed("broken".into())).unwrap();
    assert!(matches!(
        more.next_trials(5),
        Err(RunnerError::Failing {
            count: 6,
            number: 16,
            ..
        })
    ));
    // It is mended.
    assert_eq!(more.next_trials(5).unwrap(), [17]);
    more.run_one(17).unwrap();
    assert_eq!(more.next_trials(5).unwrap(), [18, 19, 20]);
}
