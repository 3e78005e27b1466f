"""Time `madmix plan` over many samples with pictures, from a warm cache, and say what of it is reading pictures.

Makes a project in --work: LLaVA rows of about a hundred words, each with a picture of its own name; the names are hard links
to a few thousand distinct pictures of camera size, so that the files differ for the program and the disk is not filled.
Needs Python 3.12 and Pillow 11 or later.
"""

import argparse
import json
import os
import random
import re
import subprocess
import time
from pathlib import Path

from PIL import Image

WORDS = "the of a picture shows red blue two small large near table house river under sky with people and many signs".split()
CONFIG = """output = "run"
[model]
checkpoint = "{checkpoint}"
device = "cpu"
[extract]
samples_per_dataset = 1000000
max_failure_rate = 0.0
"""
DATASETS = 10


def pictures(folder: Path, count: int, side: int) -> list[Path]:
    """Distinct pictures; noise in the middle, so that the files have the size of photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:05}.jpg" for i in range(count)]
    rng = random.Random(0)
    for i, path in enumerate(paths):
        if path.exists():
            continue
        noise = Image.frombytes("RGB", (64, 48), rng.randbytes(64 * 48 * 3))
        noise.resize((side + i % 97, side * 3 // 4)).save(path, quality=90)
    return paths


def project(work: Path, checkpoint: Path, samples: int, distinct: int, side: int) -> Path:
    sources = pictures(work / "distinct", distinct, side)
    rng = random.Random(1)
    config = CONFIG.format(checkpoint=checkpoint)
    each = samples // DATASETS
    for d in range(DATASETS):
        folder = work / f"d{d}"
        folder.mkdir(exist_ok=True)
        with (work / f"d{d}.jsonl").open("w", encoding="utf-8") as out:
            for i in range(each):
                name = folder / f"{i:06}.jpg"
                if not name.exists():
                    os.link(sources[(d * each + i) % distinct], name)
                words = " ".join(rng.choices(WORDS, k=90))
                turns = [{"from": "human", "value": f"<image>\nWhat is in picture {d}.{i}?"}, {"from": "gpt", "value": words}]
                out.write(json.dumps({"id": f"{d}-{i}", "image": f"d{d}/{i:06}.jpg", "conversations": turns}) + "\n")
        config += f'[[domain]]\nname = "D{d}"\n[[domain.dataset]]\npath = "d{d}.jsonl"\n'
    path = work / "mix.toml"
    path.write_text(config, encoding="utf-8")
    return path


def timed(command: list[str]) -> tuple[float, str, str]:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout, done.stderr


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where the project is made; kept for the next time")
    parser.add_argument("--madmix", type=Path, default=root / "target/release/madmix")
    parser.add_argument("--checkpoint", type=Path, default=root / "models/tiny-llava-onevision")
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--distinct", type=int, default=2_000)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    work = args.work.resolve()
    config = project(work, args.checkpoint.resolve(), args.samples, args.distinct, args.side)
    for _ in range(args.runs):
        seconds, out, log = timed([str(args.madmix), "plan", str(config), "--json", "--verbose"])
        total = json.loads(out)["total"]
        peak = re.search(r"peak memory: ([\d.]+) MiB", log)
        print(f"{seconds:.1f} s, {total['measured'] / seconds:.0f} samples/s, {total['tokens']} tokens, {peak and peak[1]} MiB")


if __name__ == "__main__":
    main()
