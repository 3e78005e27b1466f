"""The trainers that madmix writes Python for, and the file of rows."""

import json
import os
import random
import tarfile
from io import BytesIO
from itertools import islice
from pathlib import Path

from .common import DRAWS, count, load, version


def jsonl(export):
    """Read as `datasets` reads it, and by lines."""
    package = version("datasets")
    from datasets import load_dataset

    path = export.folder / "mixture.jsonl"
    lines = [json.loads(line) for line in path.open(encoding="utf-8", newline="\n")]
    export.expect_counts(count(row["dataset"] for row in lines))
    for row in lines:
        images = row.get("image", [])
        images = [images] if isinstance(images, str) else images
        assert all(os.path.isabs(image) for image in images), row
    copy = export.scratch / "mixture.jsonl"
    copy.write_bytes(path.read_bytes())
    rows = load_dataset("json", data_files=str(copy), split="train", cache_dir=str(export.scratch / "cache"))
    export.expect_counts(count(rows["dataset"]))
    return package


def hf_datasets(export):
    package = version("datasets")
    module = load(export.folder / "madmix_hf_datasets.py")
    rows = module.mixture()
    export.expect_shares(count(rows["dataset"]))
    assert all(os.path.isabs(path) for path in rows[:10]["image"] for path in path or [])
    if export.budget:
        export.expect_counts(count(module.counted()["dataset"]))
    return package


def webdataset(export):
    """With two small tars for each dataset in place of its rows."""
    package = version("webdataset")
    module = load(export.folder / "madmix_webdataset.py")
    try:
        module.mixture()
    except ValueError as error:
        assert "is no tar" in str(error)
    else:
        raise AssertionError("rows were taken for tars")
    for number, source in enumerate(module.SOURCES):
        for shard in range(2):
            with tarfile.open(export.scratch / f"{number}-{shard}.tar", "w") as tar:
                for i in range(10):
                    text = json.dumps(source["dataset"]).encode()
                    member = tarfile.TarInfo(f"{i:03}.json")
                    member.size = len(text)
                    tar.addfile(member, BytesIO(text))
        source["shards"] = str(export.scratch / f"{number}-{{0..1}}.tar")
    random.seed(0)
    export.expect_shares(count(json.loads(sample["json"]) for sample in islice(module.mixture(), DRAWS)))
    return package


def mosaic(export):
    """With MDS shards of as many samples as each dataset has rows."""
    package = version("mosaicml-streaming")
    from streaming import MDSWriter

    module = load(export.folder / "madmix_mosaic.py")
    try:
        module.mixture(batch_size=1)
    except ValueError as error:
        assert "is no folder of MDS shards" in str(error)
    else:
        raise AssertionError("rows were taken for shards")
    sizes = {dataset["name"]: dataset["size"] for dataset in export.used}
    for number, source in enumerate(module.SOURCES):
        assert Path(source["rows"]).is_file(), source
        source["mds"] = str(export.scratch / f"mds{number}")
        with MDSWriter(out=source["mds"], columns={"dataset": "str"}) as writer:
            for _ in range(sizes[source["dataset"]]):
                writer.write({"dataset": source["dataset"]})
    if export.budget:
        rows = module.mixture(batch_size=1)
        assert len(rows) == export.budget
        export.expect_counts(count(row["dataset"] for row in rows))
    else:
        rows = module.mixture(batch_size=1, epoch_size=DRAWS)
        found = count(row["dataset"] for row in rows)
        for dataset in export.used:
            assert abs(found[dataset["name"]] - DRAWS * dataset["weight"]) <= 1, dataset
    return package
