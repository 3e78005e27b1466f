use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::prompt::{Place, Tokens};
use crate::store::{Settings, ShardKey};
use crate::vlm::testing::{Fake, Queued, out_of_memory};

/// What is called so here.
const CUDA_7: (&str, &candle_core::Device) = ("cuda:7", &candle_core::Device::Cpu);

/// One input of the given places, with ids that differ.
fn input(first: u32, places: &[Place]) -> Input {
    Input {
        tokens: Tokens {
            ids: (first..).take(places.len()).collect(),
            places: places.to_vec(),
        },
        visuals: Vec::new(),
    }
}

/// Samples of one pass each.
fn texts(lengths: &[usize]) -> Batch {
    let mut batch = Batch::default();
    for (i, &length) in lengths.iter().enumerate() {
        let places = vec![Place::Content; length];
        let input = input(100 * i as u32, &places);
        batch.push(1000 + i as u64, format!("s{i}"), vec![input]);
    }
    batch
}

#[derive(Default)]
struct Seen {
    rows: Vec<u64>,
    vectors: Vec<PooledBatch>,
    failures: Vec<Failure>,
    /// Samples of every batch, and how many were there at its end.
    ends: Vec<(usize, usize)>,
    /// The shards that ended, and how many samples were there.
    shards: Vec<(u32, usize)>,
    /// Tokens of every pass that was tried.
    tried: Vec<usize>,
}

impl Seen {
    fn joined(self) -> PooledBatch {
        PooledBatch::joined(self.vectors)
    }
}

impl Seen {
    fn take(&mut self, delivered: Delivered) {
        match delivered {
            Delivered::Vectors {
                rows,
                pooled,
                tokens,
            } => {
                let positions = pooled.tokens.as_flattened().iter().sum::<u32>();
                assert_eq!(u64::from(positions), tokens);
                assert_eq!(rows.len(), pooled.tokens.len());
                self.rows.extend(rows);
                self.vectors.push(pooled);
            }
            Delivered::Batch(batch, failures) => {
                assert!(batch.inputs.is_empty());
                self.ends.push((
                    batch.rows.len(),
                    self.rows.len() + self.failures.len() + failures.len(),
                ));
                self.failures.extend(failures);
            }
            Delivered::Shard(header) => self.shards.push((header.index, self.rows.len())),
        }
    }
}

/// Passes batches through a model.
fn pass(model: &dyn Model, batches: Vec<Batch>) -> Seen {
    let mut seen = Seen::default();
    let mut forward = Forward::new(model, CUDA_7, &[Layer::Last], TextScope::All);
    let samples: Vec<usize> = batches.iter().map(|batch| batch.rows.len()).collect();
    let mut deliver = |delivered| {
        seen.take(delivered);
        Ok(())
    };
    for batch in batches {
        forward.start(batch, &mut deliver).unwrap();
    }
    forward.finish(&mut deliver).unwrap();
    assert!(!forward.is_in_flight());
    // A batch is at its end once all of its samples are there, and none of the next.
    let mut total = 0;
    for ((count, there), samples) in seen.ends.iter().zip(&samples) {
        total += samples;
        assert_eq!((*count, *there), (*samples, total));
    }
    assert_eq!(seen.ends.len(), samples.len());
    seen
}

/// Passes batches through a device without a queue that holds so many tokens.
fn run(batches: Vec<Batch>, most: usize) -> Seen {
    let tried = Mutex::new(Vec::new());
    let model = Fake {
        before: |tokens| {
            tried.lock().unwrap().push(tokens);
            (tokens <= most).then_some(()).ok_or_else(out_of_memory)
        },
    };
    let seen = pass(&model, batches);
    Seen {
        tried: tried.into_inner().unwrap(),
        ..seen
    }
}

/// What a device with a queue was told: what it started, what it could not, and what was waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Start(usize),
    Full(usize),
    Finish(usize),
}
use Told::{Finish, Full, Start};

/// A device with a queue that holds so many tokens of all passes in flight, and what it was told.
struct Device {
    told: Arc<Mutex<Vec<Told>>>,
    quick: Arc<AtomicBool>,
    most: usize,
}

impl Device {
    fn holding(most: usize) -> Self {
        Self {
            told: Arc::default(),
            quick: Arc::default(),
            most,
        }
    }

    fn model(&self) -> impl Model + use<> {
        let (told, most) = (Arc::clone(&self.told), self.most);
        let before = move |tokens| {
            let mut told = told.lock().unwrap();
            let held: i64 = told
                .iter()
                .map(|event| match *event {
                    Start(tokens) => tokens as i64,
                    Finish(tokens) => -(tokens as i64),
                    Full(_) => 0,
                })
                .sum();
            if held as usize + tokens > most {
                told.push(Full(tokens));
                return Err(out_of_memory());
            }
            told.push(Start(tokens));
            Ok(())
        };
        let told = Arc::clone(&self.told);
        let after = move |tokens| {
            told.lock().unwrap().push(Finish(tokens));
            Ok(())
        };
        Queued {
            fake: Fake { before },
            after: Arc::new(after),
            quick: Arc::clone(&self.quick),
        }
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

#[test]
fn the_next_pass_is_started_before_the_last_is_waited_for() {
    let device = Device::holding(usize::MAX);
    let seen = pass(
        &device.model(),
        vec![texts(&[3]), texts(&[4]), texts(&[5, 1])],
    );
    assert_eq!(
        device.told(),
        [
            Start(3),
            Start(4),
            Finish(3),
            Start(6),
            Finish(4),
            Finish(6)
        ]
    );
    assert_eq!(seen.rows, [1000, 1000, 1000, 1001]);
    let batches = || vec![texts(&[3, 4]), separate(), texts(&[5, 1])];
    let alone = run(batches(), usize::MAX);
    let ahead = pass(&Device::holding(usize::MAX).model(), batches());
    assert_eq!(ahead.rows, alone.rows);
    assert_eq!(ahead.joined(), alone.joined());
}

#[test]
fn the_end_of_a_shard_is_told_behind_its_last_pass() {
    let header = |index| {
        Box::new(Header {
            key: ShardKey {
                checkpoint: String::new(),
                settings: Settings::new(&"test").unwrap(),
                dataset: String::new(),
            },
            dataset: "a".into(),
            index,
            failures: Vec::new(),
        })
    };
    let device = Device::holding(usize::MAX);
    let model = device.model();
    let mut forward = Forward::new(&model, CUDA_7, &[Layer::Last], TextScope::All);
    let mut seen = Seen::default();
    let mut deliver = |delivered| {
        seen.take(delivered);
        Ok(())
    };
    // A shard that has no samples ends at once where nothing is in flight.
    forward.end(header(0), &mut deliver).unwrap();
    forward.start(texts(&[3, 4]), &mut deliver).unwrap();
    forward.end(header(1), &mut deliver).unwrap();
    forward.end(header(2), &mut deliver).unwrap();
    assert!(forward.is_in_flight());
    // Nothing is done, and nothing is waited for.
    forward.deliver_done(&mut deliver).unwrap();
    assert_eq!(device.told(), [Start(7)]);
    forward.start(texts(&[5]), &mut deliver).unwrap();
    assert_eq!(device.told(), [Start(7), Start(5), Finish(7)]);
    forward.end(header(3), &mut deliver).unwrap();
    // Once the pass is done, it is delivered without another one.
    device.quick.store(true, Ordering::Relaxed);
    forward.deliver_done(&mut deliver).unwrap();
    assert!(!forward.is_in_flight());
    assert_eq!(seen.shards, [(0, 0), (1, 2), (2, 2), (3, 3)]);
}

#[test]
fn memory_that_another_pass_holds_is_waited_for_before_a_batch_is_cut() {
    let device = Device::holding(10);
    let model = device.model();
    pass(
        &model,
        vec![
            texts(&[3, 3]),
            texts(&[4, 4]),
            texts(&[1, 1]),
            texts(&[5, 5]),
        ],
    );
    assert_eq!(
        device.told(),
        [
            Start(6),
            Full(8),
            Finish(6),
            Start(8),
            // 8 and 2 fit together.
            Start(2),
            Finish(8),
            Full(10),
            Finish(2),
            Start(10),
            Finish(10)
        ]
    );
}

#[test]
fn a_batch_that_fits_nowhere_is_cut_and_the_parts_run_ahead_too() {
    let device = Device::holding(12);
    let seen = pass(&device.model(), vec![texts(&[2]), texts(&[5, 5, 5, 5])]);
    assert_eq!(
        device.told(),
        [
            Start(2),
            Full(20),
            Finish(2),
            Full(20),
            Start(10),
            Full(10),
            Finish(10),
            Start(10),
            Finish(10)
        ]
    );
    let lengths = [9, 1, 2, 8, 3, 3, 7, 1, 1, 5];
    let batches = || vec![texts(&lengths), separate(), texts(&lengths)];
    let whole = run(batches(), usize::MAX);
    let (rows, whole) = (whole.rows.clone(), whole.joined());
    for most in 9..60 {
        let parts = pass(&Device::holding(most).model(), batches());
        assert!(parts.failures.is_empty());
        assert_eq!(parts.rows, rows, "{most}");
        assert_eq!(parts.joined(), whole, "{most}");
    }
    assert_eq!(seen.rows, [1000, 1000, 1001, 1002, 1003]);
}

#[test]
fn a_sample_that_does_not_fit_while_others_are_in_flight_is_one_failure() {
    let device = Device::holding(10);
    let seen = pass(
        &device.model(),
        vec![texts(&[4]), texts(&[50]), texts(&[4, 4])],
    );
    assert_eq!(seen.rows, [1000, 1000, 1001]);
    assert_eq!(seen.failures.len(), 1);
    let vain = device.told();
    let vain = vain.iter().filter(|event| matches!(event, Full(_))).count();
    assert_eq!(vain, 2, "with another in flight, and alone");
}

/// Whatever a pass fails with when it is waited for ends the run.
#[test]
fn an_error_where_a_pass_is_waited_for_is_not_lost() {
    let error: fn() -> VlmError = || {
        VlmError::Tensor(candle_core::Error::Cuda(
            "DriverError(CUDA_ERROR_LAUNCH_FAILED)".into(),
        ))
    };
    for (error, expected) in [
        (error, "LAUNCH_FAILED"),
        (out_of_memory, "CUDA_ERROR_OUT_OF_MEMORY"),
    ] {
        let model = Queued {
            fake: Fake { before: |_| Ok(()) },
            after: Arc::new(move |tokens| if tokens == 4 { Err(error()) } else { Ok(()) }),
            quick: Arc::default(),
        };
        let mut forward = Forward::new(&model, CUDA_7, &[Layer::Last], TextScope::All);
        let mut rows = 0;
        let mut deliver = |delivered| {
            if let Delivered::Vectors { rows: own, .. } = delivered {
                rows += own.len();
            }
            Ok(())
        };
        forward.start(texts(&[3]), &mut deliver).unwrap();
        forward.start(texts(&[4]), &mut deliver).unwrap();
        let error = forward
            .start(texts(&[5]), &mut deliver)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("cuda:7: ") && error.contains(expected),
            "{error}"
        );
        assert_eq!(rows, 1);
    }
}

#[test]
fn what_fits_goes_at_once() {
    let seen = run(vec![texts(&[3, 4, 5])], 12);
    assert_eq!(seen.tried, [12]);
    assert_eq!(seen.rows, [1000, 1001, 1002]);
}

#[test]
fn a_batch_that_does_not_fit_gives_the_same_in_parts() {
    let lengths = [9, 1, 2, 8, 3, 3, 7, 1, 1, 5];
    let whole = run(vec![texts(&lengths)], usize::MAX);
    for most in 9..40 {
        let parts = run(vec![texts(&lengths)], most);
        assert!(parts.failures.is_empty());
        assert_eq!(parts.rows, whole.rows, "{most}");
        assert!(
            parts.tried.len() < 2 * lengths.len(),
            "{most}: {:?}",
            parts.tried
        );
        assert_eq!(
            parts.joined(),
            run(vec![texts(&lengths)], usize::MAX).joined()
        );
    }
}

#[test]
fn the_cut_is_nearest_to_half_and_remembered() {
    let batch = || texts(&[5, 5, 5, 5]);
    let seen = run(vec![batch(), batch(), texts(&[2, 3, 9])], 12);
    // 20 do not fit, 10 do; the later batches are cut before they are tried.
    assert_eq!(seen.tried, [20, 10, 10, 10, 10, 5, 9]);
    // 1 + 8 | 9 + 1 is nearer to half than 1 | 18 or 18 | 1.
    let seen = run(vec![texts(&[1, 8, 9, 1])], 10);
    assert_eq!(seen.tried, [19, 9, 10]);
}

#[test]
fn attempts_in_vain_are_few_over_a_whole_run() {
    let batches: Vec<Batch> = (0..50).map(|_| texts(&[4; 64])).collect();
    let seen = run(batches, 5);
    let vain = seen.tried.iter().filter(|&&tokens| tokens > 5).count();
    assert_eq!(vain, 6, "256 is halved six times");
    assert_eq!(seen.rows.len(), 50 * 64);
}

#[test]
fn a_sample_that_does_not_fit_alone_is_one_failure() {
    let seen = run(vec![texts(&[3, 50, 4, 4])], 10);
    assert_eq!(seen.rows, [1000, 1002, 1003]);
    let [failure] = &seen.failures[..] else {
        panic!("{:?}", seen.failures);
    };
    assert_eq!((failure.row, failure.id.as_str()), (1001, "s1"));
    assert!(failure.reason.contains("50 tokens"), "{}", failure.reason);
    // Tried with others, then alone, and never again.
    assert_eq!(seen.tried, [61, 53, 3, 50, 8]);
    // Where nothing fits, every sample is tried once alone.
    let seen = run(vec![texts(&[3, 4, 5])], 1);
    assert!(seen.rows.is_empty() && seen.vectors.is_empty());
    assert_eq!(seen.failures.len(), 3);
    assert!(seen.tried.len() < 6, "{:?}", seen.tried);
}

/// The passes of protocol `separate`: some samples have several.
fn separate() -> Batch {
    use Place::{Content as T, Image as I, Video as V};
    let mut batch = Batch::default();
    batch.push(
        1,
        "a".into(),
        vec![input(10, &[T, T, T]), input(20, &[I; 6])],
    );
    batch.push(2, "b".into(), vec![input(30, &[T; 4])]);
    batch.push(
        3,
        "c".into(),
        vec![
            input(40, &[T]),
            input(50, &[I; 2]),
            input(60, &[V, V, V, V]),
        ],
    );
    batch
}

#[test]
fn passes_of_a_sample_stay_together_and_go_alone_when_they_must() {
    let whole = run(vec![separate()], 100);
    assert_eq!(whole.tried, [20]);
    let whole = whole.joined();
    assert_eq!(whole.tokens, [[3, 6, 0], [4, 0, 0], [1, 2, 4]]);
    for most in 6..20 {
        let parts = run(vec![separate()], most);
        assert_eq!(parts.rows, [1, 2, 3], "{most}");
        assert_eq!(parts.joined(), whole, "{most}");
    }
    let parts = run(vec![separate()], 5);
    assert_eq!(parts.rows, [2, 3]);
    assert!(parts.failures[0].reason.contains("its 6 tokens"));
}

#[test]
fn other_errors_are_not_tried_again() {
    let calls = Mutex::new(0);
    let model = Fake {
        before: |_| {
            *calls.lock().unwrap() += 1;
            Err(VlmError::Tensor(candle_core::Error::Cuda(
                "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access\")".into(),
            )))
        },
    };
    let mut forward = Forward::new(&model, CUDA_7, &[Layer::Last], TextScope::All);
    let error = forward.start(texts(&[3, 4]), &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("ILLEGAL_ADDRESS"), "{error}");
    assert_eq!(*calls.lock().unwrap(), 1);
}

#[test]
fn what_counts_as_full_memory() {
    let cublas = || candle_core::Error::Cuda("CublasError(CUBLAS_STATUS_ALLOC_FAILED)".into()).bt();
    assert!(VlmError::Tensor(cublas()).is_out_of_memory());
    assert!(VlmError::Tensor(cublas().context("gemm")).is_out_of_memory());
    assert!(out_of_memory().is_out_of_memory());
    let failed = candle_core::Error::Cuda("CublasError(CUBLAS_STATUS_EXECUTION_FAILED)".into());
    assert!(!VlmError::Tensor(failed).is_out_of_memory());
}
