# PROVENANCE
"""The mixture for MosaicML Streaming.

    from madmix_mosaic import mixture
    train = mixture(batch_size=8)

`mds` is to name a dataset's folder or URL of MDS shards, made of its `rows` with streaming.MDSWriter.
"""

import os

from streaming import Stream, StreamingDataset

SEED = 0
SOURCES = []


def mixture(**options):
    """The sources as one dataset; `options` are those of `streaming.StreamingDataset`."""
    options.setdefault("shuffle", True)
    options.setdefault("shuffle_seed", SEED)
    return StreamingDataset(streams=[stream(source) for source in SOURCES], **options)


def stream(source):
    """A source with its share: `choose`, a number of samples an epoch, or `proportion`."""
    mds = source["mds"]
    share = {key: source[key] for key in ("choose", "proportion") if key in source}
    if mds is not None and "://" in mds:
        return Stream(remote=mds, **share)
    if mds is None or not os.path.isfile(os.path.join(mds, "index.json")):
        raise ValueError(
            f"dataset {source['dataset']!r}: {mds!r} is no folder of MDS shards; write {source['rows']!r} into one with "
            "streaming.MDSWriter and name it under `mds`"
        )
    return Stream(local=mds, **share)
