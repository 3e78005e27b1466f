#!/usr/bin/env python3
"""Make configs/demo: six small domains as MaD-Mix uses them, drawn and written by this script.

Nothing is taken from anywhere: the pictures are drawn, the questions are asked about what was drawn, so the answers are
true, and the data may be used freely. LLaVA JSON and JSONL, PNG and JPEG, one and two pictures a row, clips as folders of
frames, one to three turns.
The files are the same on every run with the same Pillow (made with Pillow 13 and numpy 2).

    python scripts/make_demo_data.py [--out configs/demo]
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from demo_data import documents, general, language, mathematics, ocr, video
from demo_data.common import Dataset
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SEED = 2602
# The place of a domain seeds it: a new one comes last.
DOMAINS = {
    "general": general,
    "doc_chart": documents,
    "math": mathematics,
    "ocr": ocr,
    "language": language,
    "video": video,
}
README = """\
# The demo's data

Six domains as in MaD-Mix: scenes and things on a table, charts and receipts, geometry and graphs, signs and lines of
text, conversations without pictures, and clips, each a folder of frames, of shapes that move and screens that change.
Drawn and written by `scripts/make_demo_data.py`, from nothing else, so it may be used freely, under the licence of this
repository or without any. `configs/demo.toml` reads it.

{table}
"""


def write_clip(frames: list[Image.Image], folder: Path) -> None:
    """A folder of numbered frames with a palette each: they have few colours."""
    folder.mkdir(parents=True)
    for i, frame in enumerate(frames):
        palette = frame.convert("RGB").quantize(32, dither=Image.Dither.NONE)
        palette.save(folder / f"{i}.png", optimize=True)


def write(dataset: Dataset, folder: Path, prefix: str) -> tuple[int, int, int]:
    """The annotation file beside a folder of its pictures and clips; returns (rows, pictures, clips)."""
    images = folder / dataset.name
    rows, count, clips = [], 0, 0
    for i, sample in enumerate(dataset.samples):
        row: dict = {"id": f"{prefix}_{dataset.name}_{i:03}"}
        files = []
        for j, picture in enumerate(sample.pictures):
            images.mkdir(parents=True, exist_ok=True)
            name = f"{dataset.name}/{i:03}{'ab'[j] if len(sample.pictures) > 1 else ''}.{sample.kind}"
            picture.convert("RGB").save(folder / name, **({"quality": 82} if sample.kind == "jpg" else {"optimize": True}))
            files.append(name)
        count += len(files)
        if files:
            row["image"] = files[0] if len(files) == 1 else files
        shown = ["<image>"] * len(files)
        if sample.clip:
            row["video"] = f"{dataset.name}/{i:03}"
            write_clip(sample.clip, folder / row["video"])
            shown.append(sample.clip_mark)
            clips += 1
        row["conversations"] = []
        for j, text in enumerate(sample.turns):
            # Most rows begin with the placeholder; some ask first, as real files do.
            if j == 0 and shown:
                marks = "\n".join(shown)
                text = f"{text}\n{marks}" if len(shown) == 1 and i % 9 == 4 else f"{marks}\n{text}"
            row["conversations"].append({"from": ("human", "gpt")[j % 2], "value": text})
        assert len(sample.turns) % 2 == 0
        rows.append(row)
    if dataset.lines:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{dataset.name}.jsonl").write_text(text, encoding="utf-8")
    else:
        (folder / f"{dataset.name}.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return len(rows), count, clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "configs" / "demo")
    out = parser.parse_args().out
    table = ["| domain | dataset | rows | pictures | clips |", "|---|---|---|---|---|"]
    for i, (domain, module) in enumerate(DOMAINS.items()):
        folder = out / domain
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for dataset in module.datasets(np.random.Generator(np.random.PCG64([SEED, i]))):
            rows, pictures, clips = write(dataset, folder, domain)
            suffix = "jsonl" if dataset.lines else "json"
            table.append(f"| {domain} | `{domain}/{dataset.name}.{suffix}` | {rows} | {pictures} | {clips} |")
    (out / "README.md").write_text(README.format(table="\n".join(table)), encoding="utf-8")
    print("\n".join(table))
    print(f"{sum(path.stat().st_size for path in out.rglob('*') if path.is_file()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
