#!/usr/bin/env python3
"""Writes tests/fixtures/atlas/gp.json: the posterior of scikit-learn's Gaussian process at fixed hyperparameters.

Needs scikit-learn >= 1.7 and numpy >= 2.0; the versions used are recorded in the file.

    python scripts/make_atlas_fixtures.py
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

assert int(np.__version__.split(".")[0]) >= 2, "numpy >= 2.0 is needed"

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "atlas"


def case(name, seed, runs, shares, signal, noise, mean):
    """Runs at mixtures from sparse to even, a coordinate that is 0 in some, and mixtures that were not run."""
    rng = np.random.default_rng(seed)
    points = rng.dirichlet(np.full(shares, 0.4), size=runs + 12)
    points[::5, 0] = 0.0
    points /= points.sum(axis=1, keepdims=True)
    seen, unseen = points[:runs], points[runs:]
    # One that was run is asked for, too.
    unseen[0] = seen[0]
    lengths = np.exp(rng.normal(0.3, 0.6, size=shares))
    values = 3.0 * seen[:, 0] - np.log(0.05 + seen[:, 1]) + rng.normal(0.0, 0.1, size=runs)
    kernel = ConstantKernel(signal) * Matern(length_scale=lengths, nu=2.5) + ConstantKernel(mean)
    process = GaussianProcessRegressor(kernel=kernel, alpha=noise, optimizer=None)
    process.fit(np.sqrt(seen), values)
    means, deviations = process.predict(np.sqrt(unseen), return_std=True)
    _, covariance = process.predict(np.sqrt(unseen), return_cov=True)
    return {
        "name": name,
        "signal": signal,
        "noise": noise,
        "mean": mean,
        "lengths": lengths.tolist(),
        "points": seen.tolist(),
        "values": values.tolist(),
        "at": unseen.tolist(),
        "means": means.tolist(),
        "deviations": deviations.tolist(),
        "covariance": covariance.tolist(),
        "log_marginal_likelihood": float(process.log_marginal_likelihood_value_),
    }


def main():
    cases = [
        case("one", 1, 1, 3, 1.0, 0.1, 1.0),
        case("few", 2, 9, 4, 0.7, 1e-3, 4.0),
        case("noisy", 3, 40, 6, 2.0, 0.5, 0.5),
        # More than a block of the Cholesky factor.
        case("many", 4, 150, 17, 1.3, 0.02, 10.0),
    ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "cases": cases}
    (FOLDER / "gp.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
