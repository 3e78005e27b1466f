use super::*;
use crate::atlas::chance::Chance;

/// Runs at random mixtures; the last share is 0 in all of them.
fn runs(n: usize, d: usize, seed: u64) -> Observations {
    let mut chance = Chance::new(seed);
    let mut even = vec![1.0 / (d - 1) as f64; d];
    even[d - 1] = 0.0;
    let points: Vec<Vec<f64>> = (0..n).map(|_| chance.dirichlet(&even, 3.0)).collect();
    let values = points
        .iter()
        .map(|point| -(0.05 + point[0]).ln() + point[1] + 0.05 * chance.normal())
        .collect();
    Observations { points, values }
}

#[test]
fn the_gradient_of_the_evidence_is_that_of_differences() {
    let observations = runs(30, 4, 1);
    let evidence = Evidence {
        coordinates: &roots(observations.points.iter(), 4),
        values: &observations.values,
    };
    let mut chance = Chance::new(5);
    let x: Vec<f64> = (0..8).map(|_| 0.5 * chance.normal()).collect();
    let (_, gradient) = evidence.evaluate(&x).unwrap();
    for i in 0..x.len() {
        let value = |step: f64| {
            let mut x = x.clone();
            x[i] += step;
            evidence.evaluate(&x).unwrap().0
        };
        let difference = (value(1e-5) - value(-1e-5)) / 2e-5;
        let off = (gradient[i] - difference).abs();
        assert!(off < 1e-5 * difference.abs().max(1.0), "{i}: {off}");
    }
}

#[test]
fn what_is_maximised_is_the_likelihood_and_the_priors() {
    // Two points of the search differ by as much as the likelihoods of their processes and the priors.
    let observations = runs(25, 4, 2);
    let warp = Warp::standard(&observations.values, 0.0).unwrap();
    let values: Vec<f64> = observations
        .values
        .iter()
        .map(|v| warp.standardised(*v))
        .collect();
    let evidence = Evidence {
        coordinates: &roots(observations.points.iter(), 4),
        values: &values,
    };
    let at = |x: &[f64]| {
        let h = evidence.hyperparameters(x);
        let warp = warp.skewed(h.skew);
        let process = GaussianProcess::warped(observations.clone(), h, warp).unwrap();
        let prior = 0.5 * x.iter().map(|x| x * x).sum::<f64>();
        evidence.evaluate(x).unwrap().0 + process.log_marginal_likelihood() - prior
    };
    let (here, there) = ([0.0; 8], [0.3, -0.5, 1.0, 0.2, -0.4, 0.6, 0.1, 0.9]);
    assert!((at(&here) - at(&there)).abs() < 1e-7);
}

#[test]
fn the_gradient_of_the_posterior_is_that_of_differences() {
    let process = GaussianProcess::learn(&runs(40, 5, 3), 0).unwrap();
    let point = [0.3, 0.2, 0.1, 0.35, 0.05];
    let (by_mean, by_variance) = process.gradient(&point).unwrap();
    for i in 0..5 {
        let at = |step: f64| {
            let mut point = point.to_vec();
            point[i] += step;
            let (mean, variance) = process.predict(&[point]);
            (mean[0], variance[0])
        };
        let (less, more) = (at(-1e-5), at(1e-5));
        let near = |found: f64, difference: f64| {
            let off = (found - difference / 2e-5).abs();
            assert!(
                off < 1e-4 * found.abs().max(0.1),
                "{i}: {found} {difference}"
            );
        };
        near(by_mean[i], more.0 - less.0);
        near(by_variance[i], more.1 - less.1);
    }
    let (by_mean, by_variance) = process.gradient(&[0.0, 0.0, 1.0, 0.0, 0.0]).unwrap();
    assert!(by_mean.iter().chain(&by_variance).all(|g| g.is_finite()));
}
