//! L-BFGS (Nocedal 1980): the minimum of a smooth function of some tens of variables.

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// Halvings of a step before it is given up.
const HALVINGS: usize = 30;

/// The share of the decrease that the slope promises which a step has to give (Armijo).
const DECREASE: f64 = 1e-4;

/// Relative decrease below which the search ends.
const TOLERANCE: f64 = 1e-7;

/// A point, its value and its gradient.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) x: Vec<f64>,
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
}

/// A step, the change of the gradient along it, and the reciprocal of their product.
struct Step {
    x: Vec<f64>,
    gradient: Vec<f64>,
    rho: f64,
}

/// Goes down from `start`, for at most so many iterations. `f` gives value and gradient, and `None` where it has none,
/// where the search then doesn't go; the result is `None` when `start` is such a point.
pub(super) fn minimise(
    f: impl Fn(&[f64]) -> Option<(f64, Vec<f64>)>,
    start: Vec<f64>,
    iterations: usize,
) -> Option<Point> {
    let at = |x: Vec<f64>| {
        let (value, gradient) = f(&x)?;
        let finite = value.is_finite() && gradient.iter().all(|g| g.is_finite());
        finite.then_some(Point { x, value, gradient })
    };
    let mut point = at(start)?;
    let mut steps = VecDeque::new();
    for _ in 0..iterations {
        let Some(next) = descend(&at, &point, &steps) else {
            if steps.is_empty() {
                break;
            }
            // What is remembered doesn't fit here any more.
            steps.clear();
            continue;
        };
        let decrease = point.value - next.value;
        let x = difference(&next.x, &point.x);
        let gradient = difference(&next.gradient, &point.gradient);
        let product = dot(&x, &gradient);
        if product > 1e-10 * dot(&gradient, &gradient) {
            if steps.len() == MEMORY {
                steps.pop_front();
            }
            let rho = product.recip();
            steps.push_back(Step { x, gradient, rho });
        }
        point = next;
        if decrease <= TOLERANCE * point.value.abs().max(1.0) {
            break;
        }
    }
    Some(point)
}

/// A lower point along the direction that the steps so far suggest.
fn descend(
    at: &impl Fn(Vec<f64>) -> Option<Point>,
    point: &Point,
    steps: &VecDeque<Step>,
) -> Option<Point> {
    let direction = direction(&point.gradient, steps);
    let slope = dot(&direction, &point.gradient);
    if slope >= 0.0 {
        return None;
    }
    // Without a memory nothing is known of the scale: the first step has length 1 at most.
    let mut length = if steps.is_empty() {
        dot(&direction, &direction).sqrt().recip().min(1.0)
    } else {
        1.0
    };
    for _ in 0..HALVINGS {
        let x = point.x.iter().zip(&direction);
        if let Some(next) = at(x.map(|(x, d)| x + length * d).collect())
            && next.value <= point.value + DECREASE * length * slope
        {
            return Some(next);
        }
        length *= 0.5;
    }
    None
}

/// −Hg, for the inverse Hessian H that the steps suggest (the two-loop recursion).
fn direction(gradient: &[f64], steps: &VecDeque<Step>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let factor = step.rho * dot(&step.x, &q);
        add(&mut q, -factor, &step.gradient);
        factors.push(factor);
    }
    if let Some(last) = steps.back() {
        let scale = (last.rho * dot(&last.gradient, &last.gradient)).recip();
        for q in &mut q {
            *q *= scale;
        }
    }
    for (step, factor) in steps.iter().zip(factors.into_iter().rev()) {
        let other = step.rho * dot(&step.gradient, &q);
        add(&mut q, factor - other, &step.x);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley, in pairs.
    fn valley(x: &[f64]) -> (f64, Vec<f64>) {
        let mut value = 0.0;
        let mut gradient = vec![0.0; x.len()];
        for i in (0..x.len()).step_by(2) {
            let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
            value += a * a + 100.0 * b * b;
            gradient[i] = -2.0 * a - 400.0 * x[i] * b;
            gradient[i + 1] = 200.0 * b;
        }
        (value, gradient)
    }

    #[test]
    fn finds_the_end_of_a_valley() {
        let end = minimise(|x| Some(valley(x)), vec![-1.2, 1.0, 0.3, -2.0], 300).unwrap();
        assert!(end.x.iter().all(|x| (x - 1.0).abs() < 1e-3), "{end:?}");
    }

    #[test]
    fn stays_where_the_function_is() {
        // The minimum of x − log x lies at 1; left of 0 there is nothing.
        let f = |x: &[f64]| (x[0] > 0.0).then(|| (x[0] - x[0].ln(), vec![1.0 - x[0].recip()]));
        let end = minimise(f, vec![1e-3], 100).unwrap();
        assert!((end.x[0] - 1.0).abs() < 1e-3, "{end:?}");
        assert!(minimise(f, vec![-1.0], 100).is_none());
        assert!(minimise(|_| Some((f64::NAN, vec![0.0])), vec![1.0], 9).is_none());
    }
}
