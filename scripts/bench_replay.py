#!/usr/bin/env python3
"""Searches over a table of finished runs: madmix beside LightGBM, the regressor of RegMix, and chance.

    scripts/bench_replay.py --madmix target/release/madmix --mixtures A.csv --metrics B.csv --metric pile_cc

`madmix atlas replay --json` says which rows each of its searches started from; LightGBM starts from the same, is trained
on what it has seen before every choice, and takes the row that it expects most of. It has 300 trees, a learning rate of
0.05 and leaves of at least 3 rows, as its default of 20 learns nothing from so few runs.

Needs numpy and lightgbm; ran under numpy 2.5 and lightgbm 4.7.0.
"""

import argparse
import csv
import json
import subprocess
from concurrent.futures import ProcessPoolExecutor

import numpy as np


def table(paths):
    rows = {}
    for number, path in enumerate(paths):
        with open(path, newline="") as file:
            reader = csv.reader(file)
            names = next(reader)[1:]
            for row in reader:
                rows[number, row[0]] = [float(value) for value in row[1:]]
    return names, rows


def tree_search(job):
    points, losses, start, runs = job
    import lightgbm

    seen = list(start)
    while len(seen) < min(runs, len(points)):
        model = lightgbm.LGBMRegressor(
            n_estimators=300, learning_rate=0.05, min_child_samples=3, random_state=42, n_jobs=1, verbose=-1
        )
        model.fit(points[seen], losses[seen])
        expected = model.predict(points)
        expected[seen] = np.inf
        seen.append(int(np.argmin(expected)))
    return seen


def summary(losses, searches, within):
    best = losses.min()
    needed = []
    for seen in searches:
        near = np.flatnonzero(losses[seen] <= best + within * abs(best))
        needed.append(near[0] + 1 if len(near) else np.inf)
    return [float(np.quantile(needed, q, method="higher")) for q in (0.25, 0.5, 0.75)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--madmix", default="target/release/madmix")
    parser.add_argument("--mixtures", action="append", required=True)
    parser.add_argument("--metrics", action="append", required=True)
    parser.add_argument("--metric", action="append", required=True)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--within", type=float, default=0.01)
    parser.add_argument("--goal", choices=["min", "max"], default="min")
    parser.add_argument("--strategy", action="append", default=[])
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()
    _, mixtures = table(options.mixtures)
    names, metrics = table(options.metrics)
    keys = [key for key in mixtures if key in metrics]
    points = np.array([mixtures[key] for key in keys])
    points /= points.sum(axis=1, keepdims=True)
    print(f"{'metric':40} {'strategy':12} {'quartile':>8} {'median':>8} {'quartile':>8}")
    for metric in options.metric:
        column = [i for i, name in enumerate(names) if metric in name]
        assert len(column) == 1, f"{metric} is in {len(column)} columns"
        losses = np.array([metrics[key][column[0]] for key in keys])
        losses = -losses if options.goal == "max" else losses
        command = [options.madmix, "atlas", "replay", "--json", "--metric", metric, "--goal", options.goal]
        for mixture, file in zip(options.mixtures, options.metrics):
            command += ["--mixtures", mixture, "--metrics", file]
        for key in ("starts", "seeds", "runs", "within"):
            command += [f"--{key}", str(getattr(options, key))]
        for strategy in options.strategy:
            command += ["--strategy", strategy]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        searches = {name: replayed["seen"] for name, replayed in found["strategies"].items()}
        starts = [seen[: options.starts] for seen in next(iter(searches.values()))]
        with ProcessPoolExecutor(options.processes) as pool:
            jobs = [(points, losses, start, options.runs) for start in starts]
            searches["lightgbm"] = list(pool.map(tree_search, jobs))
        for name, each in searches.items():
            low, median, high = summary(losses, each, options.within)
            print(f"{metric:40} {name:12} {low:8.0f} {median:8.0f} {high:8.0f}", flush=True)


if __name__ == "__main__":
    main()
