# PROVENANCE
"""The mixture for WebDataset.

    from madmix_webdataset import mixture
    train = mixture()

It never ends. `shards` are the datasets' files as madmix knows them: where those are no tars, name the tars that you
made of them instead, say "/data/a-{000000..000063}.tar".
"""

import webdataset

SOURCES = []


def mixture(**options):
    """Samples by chance: each next one is of a source that is drawn by the probabilities.

    Shards are drawn with replacement, by every worker of every node for itself: a source that came to its end would end
    the mixture. `options` are those of `webdataset.WebDataset`.
    """
    fixed = {"resampled": True, "shardshuffle": False, "nodesplitter": None, "workersplitter": None}
    parts = [webdataset.WebDataset(tars(source), **fixed, **options) for source in SOURCES]
    return webdataset.RandomMix(parts, probs=[source["probability"] for source in SOURCES])


def tars(source):
    """The shards of a source."""
    shards = source["shards"]
    urls = [shards] if isinstance(shards, str) else list(shards)
    for url in urls:
        if not url.endswith((".tar", ".tar.gz", ".tgz")) and not url.startswith("pipe:"):
            raise ValueError(
                f"dataset {source['dataset']!r}: {url!r} is no tar; write its rows and media into tars with "
                "webdataset.ShardWriter and name them under `shards`"
            )
    return shards
