use super::*;
use crate::atlas::surrogate::Gp;
use crate::atlas::testing::{PlainGp, grid};
use crate::config::{Benchmark, Goal, Search};

fn space() -> Space {
    let spaces = Space::searched(&grid(), &Search::default());
    spaces.unwrap().swap_remove(0)
}

fn benchmark(name: &str, goal: Goal) -> Benchmark {
    Benchmark {
        name: name.into(),
        goal,
        weight: 1.0,
    }
}

fn searcher<'a>(space: &'a Space, benchmarks: &'a [Benchmark], rule: Rule) -> Searcher<'a> {
    Searcher {
        space,
        benchmarks,
        combine: Combine::Weighted,
        fit: &PlainGp,
        rule,
        initial: 6,
        distance_penalty: 0.0,
        seed: 3,
    }
}

/// Larger the nearer a point is to the target.
fn run(point: &[f64], target: &[f64]) -> Run {
    let squared: f64 = point
        .iter()
        .zip(target)
        .map(|(a, b)| (a.sqrt() - b.sqrt()).powi(2))
        .sum();
    let metrics = [("loss", 2.0 + squared), ("accuracy", 60.0 - 10.0 * squared)];
    Run {
        point: point.to_vec(),
        metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

fn so_far(told: &[Run]) -> SoFar {
    SoFar {
        told: told.to_vec(),
        ..SoFar::default()
    }
}

fn looped(searcher: &Searcher<'_>, target: &[f64], rounds: usize, batch: usize) -> SoFar {
    let mut so_far = SoFar::default();
    for _ in 0..rounds {
        for proposal in searcher.propose(&so_far, batch).unwrap() {
            so_far.told.push(run(&proposal.point, target));
        }
    }
    so_far
}

#[test]
fn the_loop_finds_the_best_mixture() {
    let (space, target) = (space(), [0.05, 0.6, 0.05, 0.3]);
    for (rule, goal, name) in [
        (Rule::Ucb, Goal::Min, "loss"),
        (Rule::Ei, Goal::Max, "accuracy"),
    ] {
        let benchmarks = [benchmark(name, goal)];
        let searcher = searcher(&space, &benchmarks, rule);
        let so_far = looped(&searcher, &target, 6, 4);
        let best = searcher.best(&searcher.learn(&so_far).unwrap(), &so_far);
        let best = best.unwrap();
        assert!(distance(&best, &target) < 0.05, "{rule:?}: {best:?}");
    }
}

#[test]
fn a_batch_does_not_pile_up_and_sees_what_is_pending() {
    let (space, target) = (space(), [0.05, 0.6, 0.05, 0.3]);
    let benchmarks = [benchmark("loss", Goal::Min)];
    let searcher = searcher(&space, &benchmarks, Rule::Ucb);
    let mut so_far = looped(&searcher, &target, 2, 4);
    let batch = searcher.propose(&so_far, 6).unwrap();
    for (i, a) in batch.iter().enumerate() {
        assert_eq!(a.by, "ucb");
        assert!(a.predicted["loss"].deviation > 0.0);
        for b in &batch[..i] {
            assert!(distance(&a.point, &b.point) > 0.03, "{batch:?}");
        }
    }
    // As one batch, so one after the other.
    so_far.pending.push(batch[0].point.clone());
    let next = searcher.propose(&so_far, 1).unwrap();
    assert!(distance(&next[0].point, &batch[0].point) > 0.03);
    assert_eq!(
        searcher.propose(&so_far, 2).unwrap(),
        searcher.propose(&so_far, 2).unwrap()
    );
}

#[test]
fn what_failed_is_not_proposed_again_and_not_learnt_from() {
    let (space, target) = (space(), [0.05, 0.6, 0.05, 0.3]);
    let benchmarks = [benchmark("loss", Goal::Min)];
    for rule in [Rule::Ucb, Rule::Random] {
        let searcher = searcher(&space, &benchmarks, rule);
        let mut so_far = looped(&searcher, &target, 2, 4);
        for _ in 0..5 {
            let point = searcher.propose(&so_far, 1).unwrap().swap_remove(0).point;
            let near = |other: &Vec<f64>| distance(&point, other) <= FAILED;
            assert!(!so_far.failed.iter().any(near));
            so_far.failed.push(point);
        }
    }
}

#[test]
fn nothing_is_learnt_before_there_is_enough() {
    let space = space();
    let benchmarks = [benchmark("loss", Goal::Min)];
    let searcher = searcher(&space, &benchmarks, Rule::Ucb);
    let mut so_far = SoFar::default();
    let first = searcher.propose(&so_far, 12).unwrap();
    assert!(
        first
            .iter()
            .all(|proposal| proposal.by == DESIGN && proposal.predicted.is_empty())
    );
    assert_eq!(first[0].point, space.today());
    so_far
        .pending
        .extend(first[2..].iter().map(|proposal| proposal.point.clone()));
    so_far.told = first[..2]
        .iter()
        .map(|proposal| run(&proposal.point, &[0.25; 4]))
        .collect();
    assert_eq!(searcher.propose(&so_far, 1).unwrap()[0].by, DESIGN);
    let error = searcher.learn(&so_far).err().unwrap();
    assert!(error.is_too_few());
    so_far.told[0].metrics.clear();
    let error = searcher.learn(&so_far).err().unwrap().to_string();
    assert!(error.contains("\"loss\""), "{error}");
}

#[test]
fn the_worst_benchmark_counts_where_that_is_asked_for() {
    let space = space();
    // Two benchmarks that want opposite things, and one of them has all the weight.
    let told: Vec<Run> = (0..12)
        .map(|i| {
            let share = 0.05 + 0.07 * f64::from(i);
            let point = vec![share, 1.0 - share, 0.0, 0.0];
            let metrics = [("a", share), ("b", -share * share)];
            Run {
                point,
                metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
            }
        })
        .collect();
    let mut benchmarks = [benchmark("a", Goal::Max), benchmark("b", Goal::Max)];
    benchmarks[0].weight = 100.0;
    let mut searcher = searcher(&space, &benchmarks, Rule::Mean);
    let extreme = vec![vec![0.8, 0.2, 0.0, 0.0], vec![0.4, 0.6, 0.0, 0.0]];
    let weighted = searcher.learn(&so_far(&told)).unwrap();
    let worth = searcher.worth(&weighted, &told, &extreme);
    assert!(worth[0] > worth[1]);
    searcher.combine = Combine::Worst;
    let worst = searcher.learn(&so_far(&told)).unwrap();
    let at = |objective: &Objective, i: usize| {
        let standings = objective.standings(&extreme[i]);
        standings
            .iter()
            .map(|standing| standing.difference)
            .collect::<Vec<_>>()
    };
    // Against today's (0.1, 0.2, 0.4, 0.3) b loses and a gains, the more the further.
    let gains: Vec<Belief> = (0..2).map(|i| worst.gain(&at(&worst, i))).collect();
    let beliefs = worst.beliefs(&extreme);
    for (gain, belief) in gains.iter().zip(&beliefs) {
        assert!(
            (gain.mean - belief.mean).abs() < 1e-9
                && (gain.deviation - belief.deviation).abs() < 1e-9
        );
    }
    assert!(beliefs[1].mean > beliefs[0].mean);
    let chance = worst.chance(&at(&worst, 0));
    let each = worst.better(&at(&worst, 0));
    assert!((chance - each[0] * each[1]).abs() < 1e-12);
}

#[test]
fn moments_of_the_weighted_mean_are_exact() {
    let space = space();
    let told = looped(
        &searcher(&space, &[benchmark("loss", Goal::Min)], Rule::Random),
        &[0.25; 4],
        2,
        5,
    )
    .told;
    let one = [benchmark("loss", Goal::Min)];
    let two = [
        benchmark("loss", Goal::Min),
        benchmark("accuracy", Goal::Max),
    ];
    let point = vec![vec![0.3, 0.3, 0.2, 0.2]];
    let one = searcher(&space, &one, Rule::Ucb)
        .learn(&so_far(&told))
        .unwrap()
        .beliefs(&point)[0];
    let two = searcher(&space, &two, Rule::Ucb)
        .learn(&so_far(&told))
        .unwrap()
        .beliefs(&point)[0];
    // In units of their spread, the two are the same; taken to be independent, half of the variance is left.
    assert!((one.mean - two.mean).abs() < 1e-9);
    assert!((one.deviation - two.deviation * 2.0_f64.sqrt()).abs() < 1e-9);
}

#[test]
fn distance_from_todays_mixture_costs_what_was_asked() {
    let (space, target) = (space(), [0.05, 0.6, 0.05, 0.3]);
    let benchmarks = [benchmark("loss", Goal::Min)];
    let mut searcher = searcher(&space, &benchmarks, Rule::Mean);
    let so_far = looped(&searcher, &target, 2, 5);
    let objective = searcher.learn(&so_far).unwrap();
    let far = |searcher: &Searcher<'_>| {
        let best = searcher.best(&objective, &so_far).unwrap();
        distance(&best, space.today())
    };
    let free = far(&searcher);
    let points = vec![space.today().to_vec(), target.to_vec()];
    let before = searcher.worth(&objective, &so_far.told, &points);
    searcher.distance_penalty = 20.0;
    let after = searcher.worth(&objective, &so_far.told, &points);
    let cost = 20.0 * objective.spread() * distance(&target, space.today());
    assert!((before[0] - after[0]).abs() < 1e-12 && (before[1] - after[1] - cost).abs() < 1e-9);
    assert!(far(&searcher) < 0.2 * free);
}

#[test]
fn the_design_fills_space_where_today_is_near_the_shares_by_size() {
    let mut near = grid();
    // By size it is 0.2, 0.3, 0.3, 0.2.
    for (cell, today) in near.cells.iter_mut().zip([0.202, 0.3, 0.298, 0.2]) {
        cell.today = today;
    }
    let space = Space::searched(&near, &Search::default())
        .unwrap()
        .swap_remove(0);
    let benchmarks = [benchmark("loss", Goal::Min)];
    let mut searcher = searcher(&space, &benchmarks, Rule::Ucb);
    searcher.initial = 16;
    let least = |proposals: &[Proposal]| {
        let pairs = proposals.iter().enumerate().flat_map(|(i, a)| {
            let before = proposals[..i].iter();
            before.map(|b| space.distance(&a.point, &b.point))
        });
        pairs.fold(f64::INFINITY, f64::min)
    };
    let design = searcher.propose(&SoFar::default(), 16).unwrap();
    assert_eq!(design[0].point, space.today());
    assert_eq!(design[1].point, space.uniform_point());
    assert!(least(&design[2..]) > 0.1, "{}", least(&design[2..]));
}

#[test]
fn where_there_is_hardly_any_room_something_is_tried_almost_twice() {
    let bounds = ["chart × ocr", "chart × vqa", "photo × caption"];
    let search = Search {
        bounds: bounds
            .map(|of| crate::config::Bound {
                of: of.into(),
                min: 0.2,
                max: 0.2 + 1e-4,
            })
            .into(),
        ..Search::default()
    };
    let space = Space::searched(&grid(), &search).unwrap().swap_remove(0);
    let benchmarks = [benchmark("loss", Goal::Min)];
    for rule in [Rule::Ucb, Rule::Random, Rule::Uniform] {
        let searcher = searcher(&space, &benchmarks, rule);
        let mut so_far = looped(&searcher, &[0.25; 4], 2, 5);
        assert_eq!(so_far.told.len(), 10, "{rule:?}");
        // Nothing is left where what there is failed.
        so_far.failed.push(space.uniform_point());
        assert!(searcher.propose(&so_far, 1).is_err(), "{rule:?}");
    }
}

#[test]
fn a_benchmark_that_never_changes_does_not_count() {
    let (space, target) = (space(), [0.05, 0.6, 0.05, 0.3]);
    let one = [benchmark("loss", Goal::Min)];
    let mut told = looped(&searcher(&space, &one, Rule::Random), &target, 2, 5).told;
    for value in [0.1, 0.237, 0.43] {
        for run in &mut told {
            run.metrics.insert("same".into(), value);
        }
        let two = [benchmark("loss", Goal::Min), benchmark("same", Goal::Max)];
        let mut searcher = searcher(&space, &two, Rule::Mean);
        searcher.fit = &Gp;
        let objective = searcher.learn(&so_far(&told)).unwrap();
        let best = searcher.best(&objective, &so_far(&told)).unwrap();
        let belief = objective.beliefs(std::slice::from_ref(&best))[0];
        assert!(
            belief.mean.abs() < 10.0 && belief.deviation < 10.0,
            "{belief:?}"
        );
        assert!(distance(&best, &target) < 0.2, "{best:?}");
    }
}

#[test]
fn intervals_of_runs_hold_where_noise_differs() {
    let space = space();
    let mut chance = Chance::new(4);
    let mut draw = |n: u64| -> Vec<Run> {
        let of = |_| {
            let point = design::uniform(&space, &mut chance);
            // Where the metric is large, so is its noise.
            let value = (3.0 * point[0] + 0.2 * chance.normal()).exp();
            let metrics = [("perplexity".to_owned(), value)].into();
            Run { point, metrics }
        };
        (0..n).map(of).collect()
    };
    let (told, others) = (draw(120), draw(600));
    let benchmarks = [benchmark("perplexity", Goal::Min)];
    let mut searcher = searcher(&space, &benchmarks, Rule::Ucb);
    searcher.fit = &Gp;
    let objective = searcher.learn(&so_far(&told)).unwrap();
    let within = |runs: &[&Run]| {
        let held = runs.iter().filter(|run| {
            let said = objective.predicted(&run.point)["perplexity"];
            (run.metrics["perplexity"] - said.mean).abs() < 1.645 * said.deviation
        });
        held.count() as f64 / runs.len() as f64
    };
    // At either end, not only on the whole: with one noise for all, 99.7 % of the low ones would be within.
    let (low, high): (Vec<&Run>, Vec<&Run>) = others.iter().partition(|run| run.point[0] < 0.2);
    for (name, runs) in [("low", low), ("high", high)] {
        let held = within(&runs);
        assert!((0.78..0.97).contains(&held), "{name}: {held}");
    }
}
