#!/usr/bin/env python3
"""Time what opening datasets and choosing samples from them costs the libraries that people use for it.

Needs Python 3.11 with webdataset 1.0.2. madmix's own figures come from the ignored tests of tests/dataset/scale.rs:

    python scripts/bench_datasets.py webdataset --work ../madmix-bench
    MADMIX_BENCH_SHARDS=../madmix-bench/shards cargo test --release --test dataset thousand_shards -- --ignored --nocapture
"""

import argparse
import io
import json
import resource
import sys
import tarfile
import time
from pathlib import Path

SHARDS, SAMPLES, CHOSEN = 1000, 1000, 1000


def make_shards(folder: Path) -> None:
    """Write the shards unless they are there: a picture of 2 KiB and a row in every sample."""
    folder.mkdir(parents=True, exist_ok=True)
    turns = [{"from": "human", "value": "<image>\n" + "What is this? " * 40}, {"from": "gpt", "value": "a"}]
    text = json.dumps({"data_source": "bench", "conversations": turns}).encode()
    for shard in range(SHARDS):
        path = folder / f"shard-{shard:06}.tar"
        if path.exists():
            continue
        part = path.with_suffix(".part")
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
            for sample in range(SAMPLES):
                for ending, data in (("jpg", bytes([sample % 251]) * 2048), ("json", text)):
                    member = tarfile.TarInfo(f"{shard:06}{sample:06}.{ending}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
        part.rename(path)


def webdataset(work: Path) -> None:
    """One pass over all shards, which is what it takes webdataset to have met any 1,000 samples."""
    import webdataset as wds

    folder = work / "shards"
    make_shards(folder)
    chosen = {i * 997 % (SHARDS * SAMPLES) for i in range(CHOSEN)}
    started = time.perf_counter()
    kept = []
    for number, sample in enumerate(wds.WebDataset(str(folder / f"shard-{{000000..{SHARDS - 1:06}}}.tar"), shardshuffle=False)):
        if number in chosen:
            kept.append((json.loads(sample["json"]), sample["jpg"]))
    seconds = time.perf_counter() - started
    assert len(kept) == CHOSEN and number + 1 == SHARDS * SAMPLES
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"webdataset {wds.__version__}: one pass over {number + 1:,} samples {seconds:.1f} s, at most {peak:.0f} MiB", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["webdataset"])
    parser.add_argument("--work", type=Path, required=True, help="folder for what is read")
    arguments = parser.parse_args()
    {"webdataset": webdataset}[arguments.what](arguments.work)


if __name__ == "__main__":
    main()
