use std::sync::Mutex;

use super::*;
use crate::prompt::{Place, Tokens};
use crate::vlm::testing::{Fake, out_of_memory};

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
    /// Tokens of every pass that was tried.
    tried: Vec<usize>,
}

impl Seen {
    fn joined(self) -> PooledBatch {
        PooledBatch::joined(self.vectors)
    }
}

/// Passes batches through a device that holds so many tokens.
fn run(batches: &[Batch], most: usize) -> Seen {
    let tried = Mutex::new(Vec::new());
    let model = Fake {
        before: |tokens| {
            tried.lock().unwrap().push(tokens);
            (tokens <= most).then_some(()).ok_or_else(out_of_memory)
        },
    };
    let mut seen = Seen::default();
    let mut forward = Forward::new(&model, "cuda:7", &[Layer::Last], TextScope::All);
    for batch in batches {
        let failures = forward.run(batch, |rows, pooled| {
            seen.rows.extend(rows);
            seen.vectors.push(PooledBatch {
                tokens: pooled.tokens.clone(),
                width: pooled.width,
                layers: pooled.layers.clone(),
            });
        });
        seen.failures.extend(failures.unwrap());
    }
    seen.tried = tried.into_inner().unwrap();
    seen
}

#[test]
fn what_fits_goes_at_once() {
    let seen = run(&[texts(&[3, 4, 5])], 12);
    assert_eq!(seen.tried, [12]);
    assert_eq!(seen.rows, [1000, 1001, 1002]);
}

#[test]
fn a_batch_that_does_not_fit_gives_the_same_in_parts() {
    let lengths = [9, 1, 2, 8, 3, 3, 7, 1, 1, 5];
    let whole = run(&[texts(&lengths)], usize::MAX);
    for most in 9..40 {
        let parts = run(&[texts(&lengths)], most);
        assert!(parts.failures.is_empty());
        assert_eq!(parts.rows, whole.rows, "{most}");
        assert!(
            parts.tried.len() < 2 * lengths.len(),
            "{most}: {:?}",
            parts.tried
        );
        assert_eq!(parts.joined(), run(&[texts(&lengths)], usize::MAX).joined());
    }
}

#[test]
fn the_cut_is_nearest_to_half_and_remembered() {
    let batch = || texts(&[5, 5, 5, 5]);
    let seen = run(&[batch(), batch(), texts(&[2, 3, 9])], 12);
    // 20 do not fit, 10 do; the later batches are cut before they are tried.
    assert_eq!(seen.tried, [20, 10, 10, 10, 10, 5, 9]);
    // 1 + 8 | 9 + 1 is nearer to half than 1 | 18 or 18 | 1.
    let seen = run(&[texts(&[1, 8, 9, 1])], 10);
    assert_eq!(seen.tried, [19, 9, 10]);
}

#[test]
fn attempts_in_vain_are_few_over_a_whole_run() {
    let batches: Vec<Batch> = (0..50).map(|_| texts(&[4; 64])).collect();
    let seen = run(&batches, 5);
    let vain = seen.tried.iter().filter(|&&tokens| tokens > 5).count();
    assert_eq!(vain, 6, "256 is halved six times");
    assert_eq!(seen.rows.len(), 50 * 64);
}

#[test]
fn a_sample_that_does_not_fit_alone_is_one_failure() {
    let seen = run(&[texts(&[3, 50, 4, 4])], 10);
    assert_eq!(seen.rows, [1000, 1002, 1003]);
    let [failure] = &seen.failures[..] else {
        panic!("{:?}", seen.failures);
    };
    assert_eq!((failure.row, failure.id.as_str()), (1001, "s1"));
    assert!(failure.reason.contains("50 tokens"), "{}", failure.reason);
    // Tried with others, then alone, and never again.
    assert_eq!(seen.tried, [61, 53, 3, 50, 8]);
    // Where nothing fits, every sample is tried once alone.
    let seen = run(&[texts(&[3, 4, 5])], 1);
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
    let whole = run(&[separate()], 100);
    assert_eq!(whole.tried, [20]);
    let whole = whole.joined();
    assert_eq!(whole.tokens, [[3, 6, 0], [4, 0, 0], [1, 2, 4]]);
    for most in 6..20 {
        let parts = run(&[separate()], most);
        assert_eq!(parts.rows, [1, 2, 3], "{most}");
        assert_eq!(parts.joined(), whole, "{most}");
    }
    let parts = run(&[separate()], 5);
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
    let mut forward = Forward::new(&model, "cuda:7", &[Layer::Last], TextScope::All);
    let error = forward.run(&texts(&[3, 4]), |_, _| {}).unwrap_err();
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
