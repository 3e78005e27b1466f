"""Makes tests/fixtures/atlas_label/*.safetensors: vectors, and what scikit-learn's KMeans makes of them.

    python scripts/make_atlas_label_fixtures.py

Needs numpy, Pillow, safetensors and scikit-learn 1.9.1. Two sets of unit vectors:

* `pictures`: the pictures of configs/demo, each as histograms of oriented gradients of its thumbnail (8 directions in 8 by 8
  fields) beside its colours (4 by 4), projected to their first 32 singular vectors
  (about zero and not the mean: embeddings of towers are not centred either)
* `blobs`: a mixture of eight von Mises-Fisher-like blobs (normal noise about unit means, made unit vectors) in 24
  dimensions, of different sizes, some of which overlap

Each with the labels of the best of 20 starts of KMeans, the inertia about the means, and the inertia about the means made
unit vectors, which is what spherical k-means has.
"""

from pathlib import Path

import numpy as np
import sklearn
from PIL import Image
from safetensors.numpy import save_file
from sklearn.cluster import KMeans

assert sklearn.__version__ == "1.9.1", sklearn.__version__
ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests/fixtures/atlas_label"


def units(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def features(path):
    picture = Image.open(path).convert("RGB").resize((64, 64), Image.Resampling.BOX)
    rgb = np.asarray(picture, dtype=np.float64) / 255
    grey = rgb.mean(axis=2)
    dy, dx = np.gradient(grey)
    strength, angle = np.hypot(dx, dy), np.mod(np.arctan2(dy, dx), np.pi)
    bins = np.minimum((angle / np.pi * 8).astype(int), 7)
    hog = [strength[i : i + 8, j : j + 8][bins[i : i + 8, j : j + 8] == b].sum()
           for i in range(0, 64, 8) for j in range(0, 64, 8) for b in range(8)]
    colours = rgb.reshape(4, 16, 4, 16, 3).mean(axis=(1, 3)).ravel()
    hog = np.sqrt(np.array(hog))
    return np.concatenate([hog / (np.linalg.norm(hog) + 1e-9), colours - 0.5])


def pictures():
    paths = sorted(p for p in (ROOT / "configs/demo").rglob("*") if p.suffix in {".png", ".jpg", ".jpeg", ".webp"})
    x = np.array([features(path) for path in paths])
    _, _, axes = np.linalg.svd(x, full_matrices=False)
    return units(x @ axes[:32].T).astype(np.float32)


def blobs():
    rng = np.random.default_rng(8)
    means = units(rng.normal(size=(8, 24)))
    means[1] = units((means[0] + 0.7 * means[1])[None])[0]
    sizes = [300, 200, 150, 120, 90, 60, 50, 30]
    x = np.concatenate([m + 0.16 * rng.normal(size=(n, 24)) for m, n in zip(means, sizes)])
    return units(x[rng.permutation(len(x))]).astype(np.float32)


def spherical(x, labels):
    total = 0.0
    for c in np.unique(labels):
        part = x[labels == c].astype(np.float64)
        total += 2 * len(part) - 2 * np.linalg.norm(part.sum(axis=0))
    return total


OUT.mkdir(parents=True, exist_ok=True)
for name, x, clusters in [("pictures", pictures(), 6), ("blobs", blobs(), 8)]:
    fit = KMeans(clusters, n_init=20, random_state=0, tol=0, max_iter=1000).fit(x)
    save_file(
        {
            "vectors": x,
            "labels": fit.labels_.astype(np.uint32),
            "inertia": np.array([fit.inertia_, spherical(x, fit.labels_)]),
        },
        OUT / f"{name}.safetensors",
        {"sklearn": sklearn.__version__, "clusters": str(clusters)},
    )
    print(name, x.shape, fit.inertia_, spherical(x, fit.labels_))
