//! The loop of a search: trials are proposed, tried by a proxy, several at a time, and told.
//!
//! A slot that becomes free takes the next trial that is pending and nobody else's; where there is none, some are
//! proposed. Any number of processes may do so on one study: whoever tries a trial holds its lock, which ends with the
//! process.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lock::Lock;
use super::proxy::{Proxy, ProxyError};
use super::{Outcome, Trial};

/// So many trials that fail one after the other end a search: it is the command that is at fault, not the mixtures.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// Where a run's files lie, in its trial's folder; nothing that a command does there touches the trial itself.
pub const RUN: &str = "run";
/// What is locked by who tries a trial, in its folder, and by who proposes, in the study's; not the lock of the study
/// itself, which is only held for moments.
const LOCK: &str = "running";
/// The last of the trials that failed in a row when a batch system was refused more of them, in the study's folder.
const FAILING: &str = "failing";
/// How often one looks what other processes have done.
const LOOK: Duration = Duration::from_millis(500);
/// When a trial is looked at again that something of an earlier run is still at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a study may say went wrong.
pub type StudyProblem = Box<dyn Error + Send + Sync>;

/// The side of a study that the loop needs. Other processes may work on the same one.
pub trait Trials: Sync {
    /// All trials as they are now.
    ///
    /// # Errors
    /// When they cannot be read.
    fn trials(&self) -> Result<Vec<Trial>, StudyProblem>;

    /// Adds `n` trials to try.
    ///
    /// # Errors
    /// When there is nothing to propose, or it cannot be kept.
    fn propose(&self, n: usize) -> Result<Vec<Trial>, StudyProblem>;

    /// Says what came of a trial.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn tell(&self, number: u32, outcome: Outcome) -> Result<(), StudyProblem>;

    /// The folder of the study.
    fn folder(&self) -> PathBuf;

    /// The folder of a trial.
    fn trial_folder(&self, number: u32) -> PathBuf;
}

/// Why a search came to no good end.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// No trial can be tried.
    #[error("{0}")]
    Unusable(String),
    /// A benchmark is not among the metrics of a run, which stays pending; those that were at work were not ended.
    #[error("trial {number}: {reason}")]
    Misnamed {
        /// The trial.
        number: u32,
        /// What is missing, and what there is.
        reason: String,
    },
    /// Trials fail and fail.
    #[error(
        "{count} trials failed in a row, the last of them ({number}) like this: {reason}\nSee {}, mend the command, and run again: the trials that are pending go on", log.display()
    )]
    Failing {
        /// How many.
        count: u32,
        /// The last.
        number: u32,
        /// What came of it.
        reason: String,
        /// Its folder.
        log: PathBuf,
    },
    /// There is no such trial.
    #[error("the study has no trial {number}, but {trials}: `madmix atlas propose` adds some")]
    NoTrial {
        /// The one that was asked for.
        number: u32,
        /// How many there are.
        trials: usize,
    },
    /// The study cannot be read or added to.
    #[error(transparent)]
    Study(StudyProblem),
    /// A lock or a folder cannot be made.
    #[error(transparent)]
    File(#[from] io::Error),
}

impl RunnerError {
    /// Whether it was stopped while it waited for another process.
    pub fn is_interrupted(&self) -> bool {
        let interrupted = |error: &io::Error| error.kind() == io::ErrorKind::Interrupted;
        match self {
            Self::File(error) => interrupted(error),
            Self::Study(problem) => {
                let source = problem.source().and_then(|source| source.downcast_ref());
                source.is_some_and(interrupted)
            }
            _ => false,
        }
    }
}

/// How a search came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All runs are told.
    Complete,
    /// It was stopped; what it was at is pending.
    Stopped,
    /// Somebody else is at the trial that was asked for.
    Taken,
}

/// What happens in a search, for those who look on.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A trial is tried, on a device if any are named.
    Started(&'a Trial, Option<&'a str>),
    /// What came of a trial is told.
    Told(&'a Trial, &'a Outcome),
    /// A trial is left alone, for this reason.
    Left(&'a Trial, &'a str),
    /// So many trials are with other processes, and there is nothing else to do.
    Waiting(usize),
}

/// Tries trials.
pub struct Runner<'a> {
    /// What proposes and keeps them.
    pub trials: &'a dyn Trials,
    /// What tries them.
    pub proxy: &'a dyn Proxy,
    /// What they are tried on, one at a time on each; with none `slots` at a time.
    pub devices: &'a [String],
    /// How many at a time where no devices are named.
    pub slots: usize,
    /// How many are proposed at a time.
    pub batch: usize,
    /// How many are told in the end, those that failed included.
    pub until: usize,
    /// Ends it soon when set.
    pub stop: &'a AtomicBool,
    /// Hears what happens.
    pub listener: &'a (dyn Fn(Event<'_>) + Sync),
}

#[derive(Default)]
struct State {
    in_a_row: u32,
    /// How many trials are tried here.
    running: usize,
    /// Trials that something of an earlier run is still at, and since when that is known.
    busy: BTreeMap<u32, Instant>,
    /// Whether it was said that there is nothing to do but to wait.
    waits: bool,
    error: Option<RunnerError>,
}

/// What a free slot does next.
enum Next {
    Try(Trial, Lock),
    Wait(usize),
    End,
}

impl Runner<'_> {
    /// Tries trials until enough are told.
    ///
    /// # Errors
    /// See [`RunnerError`]; proxies that are at work are ended first, and their trials stay pending.
    pub fn run(&self) -> Result<Finish, RunnerError> {
        let (state, changed) = (Mutex::new(State::default()), Condvar::new());
        // Set by the signal handler's flag or by an error of any slot.
        let stop = AtomicBool::new(false);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let devices: Vec<Option<&str>> = match self.devices {
                [] => vec![None; self.slots.max(1)],
                devices => devices.iter().map(|device| Some(device.as_str())).collect(),
            };
            let (state, changed, stop, done) = (&state, &changed, &stop, &done);
            let slots: Vec<_> = devices
                .into_iter()
                .map(|device| {
                    scope.spawn(move || {
                        if let Err(error) = self.slot(device, state, changed, stop) {
                            hold(state).error.get_or_insert(error);
                            stop.store(true, Ordering::Relaxed);
                        }
                        changed.notify_all();
                    })
                })
                .collect();
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if self.stop.load(Ordering::Relaxed) && !stop.swap(true, Ordering::Relaxed) {
                        changed.notify_all();
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            for slot in slots {
                if let Err(panic) = slot.join() {
                    stop.store(true, Ordering::Relaxed);
                    done.store(true, Ordering::Relaxed);
                    std::panic::resume_unwind(panic);
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.error {
            Some(error) => Err(error),
            None if self.stop.load(Ordering::Relaxed) && !self.is_complete()? => {
                Ok(Finish::Stopped)
            }
            None => Ok(Finish::Complete),
        }
    }

    /// Tries one trial, unless it is told already.
    ///
    /// # Errors
    /// See [`RunnerError`].
    pub fn run_one(&self, number: u32) -> Result<Finish, RunnerError> {
        let trials = self.all()?;
        if !trials.iter().any(|trial| trial.number == number) {
            let trials = trials.len();
            return Err(RunnerError::NoTrial { number, trials });
        }
        let Some(lock) = self.lock(number)? else {
            return Ok(Finish::Taken);
        };
        let pending = self
            .all()?
            .into_iter()
            .find(|trial| is_pending(trial, number));
        let Some(trial) = pending else {
            return Ok(Finish::Complete);
        };
        let device = self.devices.first().map(String::as_str);
        let result = self.attempt(&trial, device, &Mutex::default(), self.stop)?;
        drop(lock);
        Ok(match result {
            Tried::Told(_) => Finish::Complete,
            Tried::Stopped => Finish::Stopped,
            Tried::Busy => Finish::Taken,
        })
    }

    /// For a batch system that tries each trial by itself: up to `q` trials to try next, which are those that are pending
    /// and others that are proposed now. None once enough are told, and none is tried.
    ///
    /// # Errors
    /// See [`RunnerError`]; trials that all fail end this, too. Asked again after that, as the command may be mended, it
    /// gives one trial to find out.
    pub fn next_trials(&self, q: usize) -> Result<Vec<u32>, RunnerError> {
        let _lock = self.proposing()?;
        let trials = self.all()?;
        let q = match self.failures(&trials) {
            Some((number, error)) if self.is_news(number)? => return Err(error),
            Some(_) => q.min(1),
            None => q,
        };
        let wanted = q.min(self.until.saturating_sub(told(&trials)));
        let pending = |trials: &[Trial]| -> Vec<u32> {
            let pending = trials.iter().filter(|trial| trial.outcome.is_none());
            pending.map(|trial| trial.number).take(wanted).collect()
        };
        let found = pending(&trials);
        let missing = wanted - found.len();
        if missing == 0 {
            return Ok(found);
        }
        self.trials.propose(missing).map_err(RunnerError::Study)?;
        Ok(pending(&self.all()?))
    }

    /// The last trial that was told, if it and those before it all failed, and what is to be said of it.
    fn failures(&self, trials: &[Trial]) -> Option<(u32, RunnerError)> {
        let failed = |trial: &&Trial| matches!(trial.outcome, Some(Outcome::Failed(_)));
        let told = trials.iter().rev().filter(|trial| trial.outcome.is_some());
        let last: Vec<&Trial> = told.take_while(failed).collect();
        match last.first() {
            Some(Trial {
                number,
                outcome: Some(Outcome::Failed(reason)),
                ..
            }) if last.len() >= FAILURES_IN_A_ROW as usize => Some((
                *number,
                RunnerError::Failing {
                    count: last.len() as u32,
                    number: *number,
                    reason: reason.clone(),
                    log: self.trials.trial_folder(*number).join(RUN),
                },
            )),
            _ => None,
        }
    }

    /// Whether nobody was told yet that trials fail up to this one. Who is told knows of it, and asks again when it is
    /// mended; a chain of jobs ends there.
    fn is_news(&self, number: u32) -> io::Result<bool> {
        let path = self.trials.folder().join(FAILING);
        let number = number.to_string();
        if fs_err::read_to_string(&path).is_ok_and(|known| known.trim() == number) {
            return Ok(false);
        }
        fs_err::write(&path, number)?;
        Ok(true)
    }

    fn is_complete(&self) -> Result<bool, RunnerError> {
        Ok(told(&self.all()?) >= self.until)
    }

    fn all(&self) -> Result<Vec<Trial>, RunnerError> {
        self.trials.trials().map_err(RunnerError::Study)
    }

    fn lock(&self, number: u32) -> Result<Option<Lock>, RunnerError> {
        let folder = self.trials.trial_folder(number);
        fs_err::create_dir_all(&folder)?;
        Ok(Lock::take(&folder.join(LOCK))?)
    }

    /// Two that propose at once would propose too many.
    fn proposing(&self) -> Result<Lock, RunnerError> {
        let folder = self.trials.folder();
        fs_err::create_dir_all(&folder)?;
        let reason = "another madmix proposes trials of this study";
        Ok(Lock::wait(&folder.join(LOCK), reason, Some(self.stop))?)
    }

    fn slot(
        &self,
        device: Option<&str>,
        state: &Mutex<State>,
        changed: &Condvar,
        stop: &AtomicBool,
    ) -> Result<(), RunnerError> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let mut held = hold(state);
            if held.error.is_some() {
                return Ok(());
            }
            match self.next(&mut held)? {
                Next::End => return Ok(()),
                Next::Wait(untold) => {
                    let others = untold.saturating_sub(held.running);
                    if others > 0 && !std::mem::replace(&mut held.waits, true) {
                        (self.listener)(Event::Waiting(others));
                    }
                    drop(changed.wait_timeout(held, LOOK));
                }
                Next::Try(trial, lock) => {
                    held.waits = false;
                    held.running += 1;
                    drop(held);
                    let tried = self.attempt(&trial, device, state, stop);
                    let mut held = hold(state);
                    drop(lock);
                    held.running -= 1;
                    let tried = match tried {
                        Err(error @ RunnerError::Misnamed { .. }) => {
                            // What others are training will be worth something, so they are not stopped.
                            held.error.get_or_insert(error);
                            return Ok(());
                        }
                        tried => tried?,
                    };
                    match tried {
                        Tried::Stopped => return Ok(()),
                        Tried::Busy => drop(held.busy.insert(trial.number, Instant::now())),
                        Tried::Told(None) => held.in_a_row = 0,
                        Tried::Told(Some(reason)) => {
                            held.in_a_row += 1;
                            if held.in_a_row >= FAILURES_IN_A_ROW {
                                return Err(RunnerError::Failing {
                                    count: held.in_a_row,
                                    number: trial.number,
                                    reason,
                                    log: self.trials.trial_folder(trial.number).join(RUN),
                                });
                            }
                        }
                    }
                    drop(held);
                    changed.notify_all();
                }
            }
        }
    }

    /// Finds a trial that nobody is at, or has one proposed.
    fn next(&self, state: &mut State) -> Result<Next, RunnerError> {
        state.busy.retain(|_, since| since.elapsed() < LOOK_AGAIN);
        let trials = self.all()?;
        if told(&trials) >= self.until {
            return Ok(Next::End);
        }
        if let Some(next) = self.first_free(state, &trials)? {
            return Ok(next);
        }
        if trials.len() >= self.until {
            return Ok(Next::Wait(trials.len() - told(&trials)));
        }
        let _lock = self.proposing()?;
        let trials = self.all()?;
        let missing = self.until.saturating_sub(trials.len());
        if missing > 0 {
            self.trials
                .propose(missing.min(self.batch.max(1)))
                .map_err(RunnerError::Study)?;
        }
        let trials = self.all()?;
        let next = self.first_free(state, &trials)?;
        // Others may have been quicker.
        Ok(next.unwrap_or(Next::Wait(0)))
    }

    fn first_free(&self, state: &State, trials: &[Trial]) -> Result<Option<Next>, RunnerError> {
        for trial in trials {
            let number = trial.number;
            if trial.outcome.is_some() || state.busy.contains_key(&number) {
                continue;
            }
            let Some(lock) = self.lock(number)? else {
                continue;
            };
            // It may have been told in the meantime.
            let again = self
                .all()?
                .into_iter()
                .find(|trial| is_pending(trial, number));
            if let Some(trial) = again {
                return Ok(Some(Next::Try(trial, lock)));
            }
        }
        Ok(None)
    }

    /// Tries a trial whose lock is held, and tells what came of it.
    fn attempt(
        &self,
        trial: &Trial,
        device: Option<&str>,
        state: &Mutex<State>,
        stop: &AtomicBool,
    ) -> Result<Tried, RunnerError> {
        let out = self.trials.trial_folder(trial.number).join(RUN);
        fs_err::create_dir_all(&out)?;
        (self.listener)(Event::Started(trial, device));
        let outcome = match self.proxy.run(trial, &out, device, stop) {
            Ok(metrics) => Outcome::Told(metrics),
            Err(ProxyError::Failed(reason)) => Outcome::Failed(reason),
            Err(ProxyError::Stopped) => return Ok(Tried::Stopped),
            Err(ProxyError::Busy(reason)) => {
                (self.listener)(Event::Left(trial, &reason));
                return Ok(Tried::Busy);
            }
            Err(ProxyError::Misnamed(reason)) => {
                let number = trial.number;
                return Err(RunnerError::Misnamed { number, reason });
            }
            Err(ProxyError::Unusable(reason)) => return Err(RunnerError::Unusable(reason)),
        };
        // Another slot may have trials proposed.
        let held = hold(state);
        let telling = self.trials.tell(trial.number, outcome.clone());
        drop(held);
        if let Err(problem) = telling {
            // Somebody may have told it by hand; what is told first counts.
            if self
                .all()?
                .iter()
                .any(|other| is_pending(other, trial.number))
            {
                return Err(RunnerError::Study(problem));
            }
            (self.listener)(Event::Left(trial, "it was told elsewhere"));
            return Ok(Tried::Told(None));
        }
        (self.listener)(Event::Told(trial, &outcome));
        Ok(Tried::Told(match outcome {
            Outcome::Told(_) => None,
            Outcome::Failed(reason) => Some(reason),
        }))
    }
}

/// What came of trying a trial.
enum Tried {
    /// It is told; why it failed, if it did.
    Told(Option<String>),
    Stopped,
    Busy,
}

fn told(trials: &[Trial]) -> usize {
    trials
        .iter()
        .filter(|trial| trial.outcome.is_some())
        .count()
}

fn is_pending(trial: &Trial, number: u32) -> bool {
    trial.number == number && trial.outcome.is_none()
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
