#!/usr/bin/env python3
"""Writes tests/fixtures/mix/*.json: MaD-Mix, every other method and the aggregation, stated in plain numpy.

The statements follow the equations of arXiv 2602.07790 and 2505.24844 as they are printed, with a general solver and
explicit sums, and share nothing with the Rust code. Needs numpy >= 2.0; the version used is recorded in every file.

    python scripts/make_mix_fixtures.py
"""

import json
import pathlib

import numpy as np

assert int(np.__version__.split(".")[0]) >= 2, "numpy >= 2.0 is needed"

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "mix"


def write(name, content):
    """One fixture, with the version that made it."""
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps({"numpy": np.__version__, **content}) + "\n")


def hidden_like(rng, k, d, scale):
    """Centroids as language models give them: a large common direction and smaller differences."""
    common = rng.normal(size=d)
    return np.round(scale * (common + 0.4 * rng.normal(size=(k, d))), 4)


def mad_mix(views, lam):
    """The weights, scores per modality and dual variables of MaD-Mix."""
    k = len(next(iter(views.values()))["present"])
    kernels = {}
    delta = np.zeros(k)
    for name, view in views.items():
        x = np.array(view["matrix"])
        kernels[name] = np.array([[np.dot(x[i], x[j]) for j in range(k)] for i in range(k)])
        delta += np.array(view["present"], dtype=float)
    system = sum(kernels.values()) + lam * np.eye(k)
    alpha = np.linalg.solve(system, delta)
    assert np.abs(system @ alpha - delta).max() < 1e-11
    scores = {name: kernel @ alpha for name, kernel in kernels.items()}
    total = sum(scores.values())
    weights = np.exp(total) / np.exp(total).sum()
    return {
        "weights": weights.tolist(),
        "scores": {name: score.tolist() for name, score in scores.items()},
        "alpha": alpha.tolist(),
    }


def mad_mix_case(name, seed, k, widths, absent, lam, scale):
    """One case: `absent` lists (modality, domain) pairs that lack vectors."""
    rng = np.random.default_rng(seed)
    views = {}
    for modality, d in widths.items():
        x = hidden_like(rng, k, d, scale)
        present = [(modality, i) not in absent for i in range(k)]
        x[~np.array(present)] = 0.0
        views[modality] = {"matrix": x.tolist(), "present": present}
    write(name, {"lambda": lam, "views": views, "expected": mad_mix(views, lam)})


def gram(x, scaling):
    """Inner products of all pairs of rows; for unit-trace divided by their trace."""
    k = len(x)
    kernel = np.array([[np.dot(x[i], x[j]) for j in range(k)] for i in range(k)])
    return kernel / np.trace(kernel) if scaling == "unit-trace" else kernel


def softmax(scores):
    powers = np.exp(scores - np.max(scores))
    return powers / powers.sum()


def alone(view, lam, temperature, scaling):
    """The weights from one view, over the domains that have it alone; 0 for the others."""
    there = np.flatnonzero(view["present"])
    kernel = gram(np.array(view["matrix"])[there], scaling)
    scores = kernel @ np.linalg.solve(kernel + lam * np.eye(len(there)), np.ones(len(there)))
    weights = np.zeros(len(view["present"]))
    weights[there] = softmax(scores / temperature)
    return weights


def coupled(views, lam, temperature, scaling):
    """mad-mix and orthogonal."""
    kernels = [gram(np.array(view["matrix"]), scaling) for view in views.values()]
    delta = sum(np.array(view["present"], dtype=float) for view in views.values())
    inverse = np.linalg.inv(sum(kernels) + lam * np.eye(len(delta)))
    mad_mix = sum(kernel @ (inverse @ delta) for kernel in kernels)
    orthogonal = sum(delta * np.diag(kernel @ inverse) for kernel in kernels)
    return softmax(mad_mix / temperature), softmax(orthogonal / temperature)


def chameleon(view, lam, temperature, scaling):
    """Both stages: fine-tuning, pre-training."""
    there = np.flatnonzero(view["present"])
    k = len(there)
    centring = np.eye(k) - np.full((k, k), 1 / k)
    kernel = centring @ gram(np.array(view["matrix"])[there], scaling) @ centring
    leverages = np.diag(kernel @ np.linalg.inv(kernel + lam * k * np.eye(k)))
    leverages = leverages / leverages.sum() if k > 1 else np.zeros(1)
    weights = np.zeros((2, len(view["present"])))
    weights[0, there] = softmax(leverages / (0.2 * temperature))
    weights[1, there] = softmax(1 / (leverages + 1e-12) / (5 * temperature))
    return weights


def methods_case(name, seed, k, widths, absent, scale, settings):
    """All methods on the same centroids, for several (lambda, temperature, scaling)."""
    rng = np.random.default_rng(seed)
    views = {}
    for modality, d in widths.items():
        x = np.round(hidden_like(rng, k, d, scale), 2)
        present = [(modality, i) not in absent for i in range(k)]
        x[~np.array(present)] = 0.0
        views[modality] = {"matrix": x.tolist(), "present": present}
    fused = views.pop("fused")
    expected = []
    for lam, temperature, scaling in settings:
        of = {m: alone(view, lam, temperature, scaling) for m, view in views.items()}
        of["avg"] = sum(of.values()) / len(of)
        of["fused"] = alone(fused, lam, temperature, scaling)
        of["mad-mix"], of["orthogonal"] = coupled(views, lam, temperature, scaling)
        of["chameleon"], of["chameleon-pretrain"] = chameleon(fused, lam, temperature, scaling)
        expected.append({
            "lambda": lam, "temperature": temperature, "scaling": scaling,
            "weights": {method: weights.tolist() for method, weights in of.items()},
        })
    write(name, {"views": views, "fused": fused, "expected": expected})


def aggregation_case(name, seed):
    """Samples of three domains, and the domains' centroids under both aggregations."""
    rng = np.random.default_rng(seed)
    d = 4
    modalities = ["text", "image", "video"]
    plan = [  # domain, [(dataset, size, samples, modalities it may have)]
        ("General", [("a", 1000, 5, ["text", "image"]), ("b", 250, 3, ["text", "image"])]),
        ("Language", [("c", 40, 4, ["text"])]),
        ("Video", [("d", 7, 3, ["text", "video"]), ("e", 3, 2, ["image"])]),
    ]
    domains = []
    for domain, datasets in plan:
        listed = []
        for dataset, size, count, allowed in datasets:
            samples = []
            for s in range(count):
                sample = {}
                for m in allowed:
                    if s > 0 and rng.random() < 0.3:  # the first sample has all of them
                        continue
                    vector = rng.integers(-256, 256, size=d) / 64.0  # exact in float32
                    sample[m] = {"tokens": int(rng.integers(1, 900)), "vector": vector.tolist()}
                samples.append(sample)
            listed.append({"name": dataset, "size": size, "samples": samples})
        domains.append({"name": domain, "datasets": listed})

    def vectors_of(dataset, view):
        for sample in dataset["samples"]:
            if view in sample:
                yield np.array(sample[view]["vector"])
            elif view == "fused" and sample:
                tokens = [part["tokens"] for part in sample.values()]
                yield np.average([part["vector"] for part in sample.values()], axis=0, weights=tokens)

    expected = {}
    for aggregation in ["equal", "size"]:
        expected[aggregation] = {}
        for view in [*modalities, "fused"]:
            rows = []
            for domain in domains:
                means, weights = [], []
                for dataset in domain["datasets"]:
                    vectors = list(vectors_of(dataset, view))
                    if vectors:
                        means.append(np.mean(vectors, axis=0))
                        weights.append(dataset["size"] if aggregation == "size" else 1)
                rows.append(np.average(means, axis=0, weights=weights).tolist() if means else None)
            expected[aggregation][view] = rows
    write(name, {"d": d, "domains": domains, "expected": expected})


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    mad_mix_case("mad_mix_one_domain", 0, 1, {"text": 3}, set(), 10.0, 2.0)
    mad_mix_case("mad_mix_bimodal", 1, 5, {"text": 16, "image": 16}, {("image", 4)}, 10.0, 3.0)
    mad_mix_case(
        "mad_mix_trimodal", 2, 6, {"text": 24, "image": 24, "video": 24},
        {("image", 4), ("image", 5)} | {("video", i) for i in range(5)}, 10.0, 3.0,
    )
    mad_mix_case("mad_mix_widths_differ", 3, 4, {"text": 9, "image": 5}, {("text", 0)}, 1.0, 1.0)
    mad_mix_case("mad_mix_large_values", 4, 5, {"text": 64, "image": 64}, {("image", 2)}, 10.0, 40.0)
    mad_mix_case("mad_mix_more_domains_than_columns", 5, 30, {"text": 4, "image": 4}, {("image", 7)}, 100.0, 1.0)
    mad_mix_case("mad_mix_small_lambda", 6, 3, {"text": 8}, set(), 0.01, 0.5)
    aggregation_case("aggregation", 7)
    settings = [(10.0, 1.0, "none"), (10.0, 2.5, "none"), (0.3, 1.0, "none"), (0.05, 0.5, "unit-trace")]
    pair = {"text": 9, "image": 9, "fused": 9}
    methods_case("methods_bimodal", 11, 5, pair, {("image", 4)}, 1.0, settings)
    methods_case(
        "methods_trimodal", 12, 6, {"text": 8, "image": 8, "video": 8, "fused": 8},
        {("image", 4), ("image", 5)} | {("video", i) for i in range(5)}, 1.0, settings,
    )
    methods_case("methods_more_domains_than_columns", 13, 20, {"text": 3, "image": 4, "fused": 3},
                 {("image", 2), ("image", 11), ("text", 5), ("fused", 7)}, 1.0, settings)
    methods_case("methods_one_domain", 14, 1, {"text": 3, "fused": 3}, set(), 1.0, settings[1:])


if __name__ == "__main__":
    main()
