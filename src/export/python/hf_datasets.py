# PROVENANCE
"""The mixture for Hugging Face datasets.

    from madmix_hf_datasets import mixture
    train = mixture()

Every row has `id`, `image` and `video` (lists of absolute paths, or None), `conversations` (a list of `from` and
`value`) and `dataset`. The rows are those of the folder `rows` beside this file.
"""

import glob
import os

import numpy
from datasets import Features, Value, concatenate_datasets, interleave_datasets, load_dataset

SEED = 0
STOPPING_STRATEGY = ""
SOURCES = []

HERE = os.path.dirname(os.path.abspath(__file__))
FEATURES = Features(
    {
        "id": Value("string"),
        "image": [Value("string")],
        "video": [Value("string")],
        "conversations": [{"from": Value("string"), "value": Value("string")}],
        "dataset": Value("string"),
    }
)


def load(source):
    """All rows of a source."""
    path = os.path.join(HERE, source["rows"])
    if os.path.expandvars(path) != path or "::" in path:
        raise ValueError(f"datasets cannot read {path!r}: rename the folder, without `$` and `::`")
    return load_dataset("json", data_files=[glob.escape(path)], features=FEATURES, split="train")


def mixture(stopping_strategy=STOPPING_STRATEGY, seed=SEED):
    """Rows by chance: each next one is of a source that is drawn by the probabilities."""
    parts = [load(source).shuffle(seed=seed) for source in SOURCES]
    return interleave_datasets(
        parts,
        probabilities=[source["probability"] for source in SOURCES],
        seed=seed,
        stopping_strategy=stopping_strategy,
    )


def counted(seed=SEED):
    """Rows by number: of each source exactly its count, in whole passes and a random rest, all shuffled."""
    return concatenate_datasets([draw(source, seed) for source in SOURCES]).shuffle(seed=seed)


def draw(source, seed):
    """As many rows of a source as its count."""
    if source["count"] is None:
        raise ValueError("there are no counts: export with --budget")
    rows = load(source)
    passes, rest = divmod(source["count"], len(rows))
    chosen = numpy.random.default_rng(seed).permutation(len(rows))[:rest]
    return rows.select(numpy.concatenate([numpy.arange(len(rows))] * passes + [chosen]))
