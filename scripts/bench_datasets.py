"""Opens large datasets and reads random rows of them, with madmix and with the libraries that wrote them.

    python scripts/bench_datasets.py [--folder FOLDER] [--only NAME,…]

Needs datasets 5.2, pyarrow 26 and webdataset 1.0, and cargo. Run from the root of the repository. The files (several gigabytes) are
written below FOLDER, a temporary one by default, and used again when they are there. Prints per file and reader: seconds
to open, seconds to read 1,000 random rows, and the peak of resident memory. Both read from a warm cache: each file is
read once before.
"""

import argparse
import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READ = 1_000
SEED = 0
THEIRS = "--theirs"
SHARDS, SAMPLES = 1_000, 1_000


def text(row, words=150):
    """Some 900 characters, other ones for every row."""
    draw = random.Random(row)
    return " ".join(f"{draw.getrandbits(20):x}" for _ in range(words))


def conversation(row, mark=""):
    return [{"from": "human", "value": mark + text(2 * row, 30)}, {"from": "gpt", "value": text(2 * row + 1, 120)}]


def table(rows, picture_bytes):
    """Rows as LLaVA-OneVision-Data has them. Pictures are noise, which is as hard to pack as they are."""
    import pyarrow as pa

    draw = random.Random(0)
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    turn = pa.struct([("from", pa.string()), ("value", pa.string())])
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("image", struct),
            ("conversations", pa.list_(turn)),
            ("data_source", pa.string()),
        ]
    )
    for start in range(0, rows, 10_000):
        numbers = range(start, min(start + 10_000, rows))
        picture = lambda row: {"bytes": draw.randbytes(picture_bytes), "path": f"{row}.jpg"} if picture_bytes else None
        mark = "<image>\n" if picture_bytes else ""
        yield pa.table(
            {
                "id": [str(row) for row in numbers],
                "image": pa.array([picture(row) for row in numbers], struct),
                "conversations": pa.array([conversation(row, mark) for row in numbers], pa.list_(turn)),
                "data_source": [f"s{row % 10}" for row in numbers],
            },
            schema,
        )


def write_parquet(path, rows, picture_bytes, rows_per_group, page_index):
    import pyarrow.parquet as pq

    if path.exists():
        return
    parts = table(rows, picture_bytes)
    first = next(parts)
    part = path.with_suffix(".part")
    with pq.ParquetWriter(part, first.schema, write_page_index=page_index) as writer:
        held = [first]
        for more in parts:
            held.append(more)
            if sum(len(table) for table in held) >= rows_per_group:
                flush(writer, held, rows_per_group)
        flush(writer, held, rows_per_group)
    part.rename(path)


def flush(writer, held, rows_per_group):
    import pyarrow as pa

    if held:
        writer.write_table(pa.concat_tables(held), row_group_size=rows_per_group)
        held.clear()


def ours(path):
    """By the test `figures_of_a_file`, which prints them."""
    environment = dict(os.environ, MADMIX_DATASET=str(path.resolve()), MADMIX_READ=str(READ))
    command = ["cargo", "test", "--test", "dataset", "figures_of_a_file", "--", "--ignored", "--nocapture"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = re.search(r"^figures: (.*)$", done.stdout + done.stderr, re.M)
    if done.returncode or not found:
        sys.exit(done.stdout + done.stderr)
    return json.loads(found[1])


def theirs(path):
    """In a process of its own, for its memory."""
    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
        command = [sys.executable, __file__, THEIRS, str(path), cache]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def figures_of_datasets(path, cache):
    import resource

    import datasets

    datasets.disable_progress_bars()
    start = time.perf_counter()
    rows = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=cache)
    opened = time.perf_counter() - start
    start = time.perf_counter()
    order = random.Random(SEED).sample(range(len(rows)), READ)
    ordered = time.perf_counter() - start
    start = time.perf_counter()
    for row in rows.select(order):
        assert row["conversations"]
    read = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"open": opened, "order": ordered, "read": read, "peak_mib": peak}))


def warm(path):
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def parquet(folder, chosen):
    """Text alone and with pictures, in small row groups and in those of pyarrow's defaults."""
    for name, rows, picture_bytes, rows_per_group, page_index in [
        ("text_1000", 2_000_000, 0, 1_000, False),
        ("text_default", 2_000_000, 0, 1 << 20, False),
        ("text_default_indexed", 2_000_000, 0, 1 << 20, True),
        ("pictures_20kb", 20_000, 20_000, 1_000, False),
        ("pictures_20kb_indexed", 20_000, 20_000, 1_000, True),
        ("pictures_100kb", 5_000, 100_000, 1_000, False),
    ]:
        if chosen and name not in chosen:
            continue
        path = folder / f"{name}.parquet"
        write_parquet(path, rows, picture_bytes, rows_per_group, page_index)
        warm(path)
        for reader in (ours, theirs):
            print(name, f"{path.stat().st_size / 1e9:.2f} GB", reader.__name__, rounded(reader(path)), flush=True)


def write_shard(path):
    """Samples of a picture of 2 KiB and a row."""
    import tarfile

    if path.exists():
        return
    part = path.with_suffix(".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
        for sample in range(SAMPLES):
            row = json.dumps({"data_source": "bench", "conversations": conversation(sample, "<image>\n")}).encode()
            for ending, data in ("jpg", bytes([sample % 251]) * 2048), ("json", row):
                member = tarfile.TarInfo(f"{sample:06}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    part.rename(path)


def figures_of_webdataset(pattern):
    """It reads in order only, so to meet any samples takes a pass over all."""
    import resource

    import webdataset

    start = time.perf_counter()
    wanted = set(random.Random(SEED).sample(range(SHARDS * SAMPLES), READ))
    kept = []
    for number, sample in enumerate(webdataset.WebDataset(pattern, shardshuffle=False)):
        if number in wanted:
            kept.append((json.loads(sample["json"]), sample["jpg"]))
    assert len(kept) == READ
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"pass": time.perf_counter() - start, "peak_mib": peak}))


def webdataset(folder, chosen):
    """A thousand shards. Of webdataset it is one pass over all of them."""
    name = "shards"
    if chosen and name not in chosen:
        return
    folder = folder / name
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{shard:06}.tar" for shard in range(SHARDS)]
    for path in paths:
        write_shard(path)
        warm(path)
    pattern = folder / f"{{000000..{SHARDS - 1:06}}}.tar"
    size = sum(path.stat().st_size for path in paths)
    for reader in (ours, theirs):
        print(name, f"{size / 1e9:.2f} GB", reader.__name__, rounded(reader(pattern)), flush=True)


def rounded(figures):
    return {name: round(figure, 3) for name, figure in figures.items()}


def main():
    if sys.argv[1:2] == [THEIRS]:
        path, cache = sys.argv[2:]
        return figures_of_webdataset(path) if path.endswith(".tar") else figures_of_datasets(path, cache)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", type=lambda names: names.split(","), default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        parquet(folder, arguments.only)
        webdataset(folder, arguments.only)


if __name__ == "__main__":
    main()
