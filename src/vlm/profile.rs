//! Where the time of a forward pass goes, by section.
//!
//! Off, a section costs a look at a thread-local flag. A model that a [`Profile`] watches is measured: the device is
//! synchronised before a section begins and after it ended, so that what it queued counts as its own. That ends all
//! running ahead, of the host and of the next batch, and a watched run is slower than the sum of what it is made of: its
//! shares say where the time of the device goes, not how fast a run is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use candle_core::Device;

use super::{Footprint, Input, Layer, Model, Pass, TextScope, VlmError};

/// The section that holds all others of a pass.
const PASS: &str = "pass";

thread_local! {
    /// What is measured on this thread.
    static CURRENT: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

/// Runs `f` as a section of the pass; sections may lie in each other, and time in an inner one is not the outer one's.
pub(crate) fn section<T>(name: &'static str, f: impl FnOnce() -> T) -> T {
    if !within(|recorder| recorder.enter(name)) {
        return f();
    }
    let result = f();
    within(Recorder::leave);
    result
}

/// Does something with what is measured on this thread, if anything is.
fn within(act: impl FnOnce(&mut Recorder)) -> bool {
    CURRENT.with_borrow_mut(|current| current.as_mut().map(act).is_some())
}

/// Where a section lies: its name behind those of the sections around it.
type Path = Vec<&'static str>;

/// The sections of one pass.
struct Recorder {
    device: Device,
    open: Vec<Open>,
    done: BTreeMap<Path, Taken>,
}

/// A section that has not ended.
struct Open {
    name: &'static str,
    began: Instant,
    /// Time in sections within.
    inner: Duration,
}

/// What a section took, without the sections within.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Taken {
    calls: u64,
    time: Duration,
}

impl Taken {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.time += other.time;
    }
}

impl Recorder {
    fn new(device: Device) -> Self {
        Self {
            device,
            open: Vec::new(),
            done: BTreeMap::new(),
        }
    }

    /// The time once the device has done what it was told. A device that fails is told of by what is asked of it next.
    fn now(&self) -> Instant {
        let _ = self.device.synchronize();
        Instant::now()
    }

    fn enter(&mut self, name: &'static str) {
        let now = self.now();
        self.enter_at(name, now);
    }

    fn leave(&mut self) {
        let now = self.now();
        self.leave_at(now);
    }

    fn enter_at(&mut self, name: &'static str, began: Instant) {
        self.open.push(Open {
            name,
            began,
            inner: Duration::ZERO,
        });
    }

    fn leave_at(&mut self, now: Instant) {
        let path: Path = self.open.iter().map(|open| open.name).collect();
        let Some(section) = self.open.pop() else {
            return;
        };
        let whole = now.saturating_duration_since(section.began);
        if let Some(outer) = self.open.last_mut() {
            outer.inner += whole;
        }
        self.done.entry(path).or_default().add(Taken {
            calls: 1,
            time: whole.saturating_sub(section.inner),
        });
    }
}

/// What the sections of all watched models took.
#[derive(Debug, Default)]
pub struct Profile(Mutex<Totals>);

#[derive(Debug, Default)]
struct Totals {
    samples: u64,
    sections: BTreeMap<Path, Taken>,
}

impl Profile {
    /// The same model, measured. Several may be watched, each on a thread of its own.
    pub fn watch(self: &Arc<Self>, model: Box<dyn Model>, device: &Device) -> Box<dyn Model> {
        Box::new(Watched {
            model,
            device: device.clone(),
            profile: Arc::clone(self),
        })
    }

    /// The sections as they lie in each other, with what each took without those within: calls, seconds, the share of
    /// all, and milliseconds per input of the model (a sample, or one of its passes where modalities pass alone).
    /// Several devices' seconds are added.
    pub fn table(&self) -> String {
        // A thread that panicked has left whole numbers.
        let totals = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        totals.table()
    }

    fn add(&self, samples: usize, recorder: Recorder) {
        let mut totals = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        totals.samples += samples as u64;
        for (path, taken) in recorder.done {
            totals.sections.entry(path).or_default().add(taken);
        }
    }
}

impl Totals {
    fn table(&self) -> String {
        let all: Duration = self.sections.values().map(|taken| taken.time).sum();
        let mut table = format!(
            "{:<28}{:>8}{:>11}{:>9}{:>15}",
            "section", "calls", "seconds", "share", "ms per sample"
        );
        let mut line = |name: &str, calls: &str, time: Duration| {
            let seconds = time.as_secs_f64();
            let share = 100.0 * seconds / all.as_secs_f64().max(f64::MIN_POSITIVE);
            let each = 1e3 * seconds / self.samples.max(1) as f64;
            // Writing to a string does not fail.
            let _ = write!(
                table,
                "\n{name:<28}{calls:>8}{seconds:>11.3}{share:>7.1} %{each:>15.2}"
            );
        };
        // The order of paths puts a section before those within it.
        for (path, taken) in &self.sections {
            let name = format!("{}{}", "  ".repeat(path.len() - 1), path[path.len() - 1]);
            line(&name, &taken.calls.to_string(), taken.time);
        }
        line(&format!("all, {} samples", self.samples), "", all);
        table
    }
}

/// A model whose passes are measured.
struct Watched {
    model: Box<dyn Model>,
    device: Device,
    profile: Arc<Profile>,
}

impl Model for Watched {
    fn start(&self, batch: &[Input], layers: &[Layer], scope: TextScope) -> Result<Pass, VlmError> {
        // A panic in an earlier pass may have left a recorder here; it is dropped with what it holds.
        CURRENT.set(Some(Recorder::new(self.device.clone())));
        let pass = section(PASS, || self.model.start(batch, layers, scope));
        if let Some(recorder) = CURRENT.take() {
            self.profile.add(batch.len(), recorder);
        }
        pass
    }

    fn depth(&self) -> usize {
        self.model.depth()
    }

    fn footprint(&self) -> Footprint {
        self.model.footprint()
    }

    fn set_patches(&mut self, patches: usize) {
        self.model.set_patches(patches);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::vlm::testing::{Fake, out_of_memory};

    fn recorder(steps: &[(&'static str, u64)]) -> Recorder {
        let mut recorder = Recorder::new(Device::Cpu);
        let zero = Instant::now();
        for &(name, second) in steps {
            let at = zero + Duration::from_secs(second);
            match name {
                "end" => recorder.leave_at(at),
                name => recorder.enter_at(name, at),
            }
        }
        recorder
    }

    fn seconds(recorder: &Recorder, path: &[&'static str]) -> (u64, u64) {
        let taken = recorder.done[path];
        (taken.calls, taken.time.as_secs())
    }

    #[test]
    fn time_within_is_not_the_outer_ones() {
        let found = recorder(&[
            ("pass", 0),
            ("vision", 1),
            ("attention", 3),
            ("end", 7),
            ("attention", 8),
            ("end", 10),
            ("end", 15),
            ("attention", 16),
            ("end", 20),
            ("end", 32),
        ]);
        assert_eq!(seconds(&found, &["pass"]), (1, 14));
        assert_eq!(seconds(&found, &["pass", "vision"]), (1, 8));
        assert_eq!(seconds(&found, &["pass", "vision", "attention"]), (2, 6));
        assert_eq!(seconds(&found, &["pass", "attention"]), (1, 4));
        assert!(found.open.is_empty());
        let all: Duration = found.done.values().map(|taken| taken.time).sum();
        assert_eq!(all, Duration::from_secs(32));
    }

    #[test]
    fn the_table_has_a_line_for_each_place_and_the_sum() {
        let profile = Profile::default();
        let steps = [
            ("pass", 0),
            ("vision", 1),
            ("attention", 2),
            ("end", 3),
            ("end", 4),
            ("end", 8),
        ];
        profile.add(3, recorder(&steps));
        profile.add(1, recorder(&steps));
        let table = profile.table();
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1..],
            [
                vec!["pass", "2", "10.000", "62.5", "%", "2500.00"],
                vec!["vision", "2", "4.000", "25.0", "%", "1000.00"],
                vec!["attention", "2", "2.000", "12.5", "%", "500.00"],
                vec!["all,", "4", "samples", "16.000", "100.0", "%", "4000.00"],
            ],
            "{table}"
        );
        assert!(table.contains("\n    attention "), "{table}");
        assert!(Profile::default().table().contains("all, 0 samples"));
    }

    fn input() -> Input {
        Input {
            tokens: crate::prompt::Tokens {
                ids: vec![1, 2],
                places: vec![crate::prompt::Place::Answer; 2],
            },
            visuals: Vec::new(),
        }
    }

    #[test]
    fn watched_models_on_several_threads_are_added_up() {
        let profile = Arc::new(Profile::default());
        thread::scope(|scope| {
            for _ in 0..4 {
                let model: Box<dyn Model> = Box::new(Fake {
                    before: |_| {
                        section("inside", || ());
                        Ok(())
                    },
                });
                let watched = profile.watch(model, &Device::Cpu);
                assert_eq!(watched.depth(), 1);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let batch = [input(), input()];
                        let pooled = watched.forward(&batch, &[Layer::Last], TextScope::All);
                        assert_eq!(pooled.unwrap().tokens, [[2, 0, 0]; 2]);
                    }
                });
            }
        });
        let totals = profile.0.lock().unwrap();
        assert_eq!(totals.samples, 400);
        let paths: Vec<(&Path, u64)> = totals
            .sections
            .iter()
            .map(|(path, taken)| (path, taken.calls))
            .collect();
        assert_eq!(
            paths,
            [(&vec!["pass"], 200), (&vec!["pass", "inside"], 200)]
        );
    }

    #[test]
    fn nothing_is_measured_where_nobody_watches() {
        let profile = Arc::new(Profile::default());
        assert_eq!(section("alone", || 7), 7);
        assert!(!within(|_| ()));
        let model = Box::new(Fake {
            before: |_| Err(out_of_memory()),
        });
        let watched = profile.watch(model, &Device::Cpu);
        let error = watched.start(&[input()], &[], TextScope::All).unwrap_err();
        assert!(error.is_out_of_memory());
        // Not after a pass that failed either.
        assert!(!within(|_| ()));
        assert!(
            profile.table().contains("\npass "),
            "what it took until then"
        );
    }
}
