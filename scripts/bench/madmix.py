"""One run of madmix: its config file, its vectors."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np

from .families import FOLDER_FPS, Family
from .process import measured

MODALITIES = ("text", "image", "video")


def toml(key: str, value: object) -> str:
    """A line of TOML; strings, numbers and lists of strings are written as in JSON."""
    return f"{key} = {json.dumps(str(value) if isinstance(value, Path) else value)}\n"


def config_text(family: Family, kind: str, checkpoint: Path, data: Path, out: Path, count: int, seed: int) -> str:
    """The extraction of one dataset; pictures and frames are limited as bench/reference.py limits them."""
    text = toml("output", out) + toml("cache", "off")
    text += "[model]\n" + toml("checkpoint", checkpoint) + toml("device", "cpu") + toml("dtype", "f32")
    text += "[extract]\n" + toml("samples_per_dataset", count) + toml("seed", seed)
    text += toml("layers", ["last"]) + toml("text_scope", "all")
    for section, of in (("media", "image"), ("video", "video")):
        lines = ""
        if section == "video" and kind == "video":
            lines += toml("sampling", "every") + toml("folder_fps", FOLDER_FPS)
        if of in family.pixels:
            fewest, most = family.pixels[of]
            lines += toml("min_pixels", fewest) + toml("max_pixels", most)
        if lines:
            text += f"[{section}]\n{lines}"
    text += "[[domain]]\n" + toml("name", kind)
    text += "[[domain.dataset]]\n" + toml("name", kind) + toml("path", data / f"{kind}.json") + toml("media_root", data)
    return text


def run(madmix: Path, family: Family, kind: str, checkpoint: Path, data: Path, threads: int, seed: int, log: Path) -> dict:
    """One extraction into a fresh folder, with a seed and a hub cache of its own, so that no shard is there already."""
    folder = log.with_name(log.name + ".run")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = len(json.loads((data / f"{kind}.json").read_text(encoding="utf-8")))
    config = folder / "bench.toml"
    config.write_text(config_text(family, kind, checkpoint, data, folder / "out", count, seed), encoding="utf-8")
    extra = {"XDG_CACHE_HOME": str(folder / "cache"), "NO_COLOR": "1"}
    ran = measured([str(madmix), "extract", str(config)], threads, log, extra)
    found = re.search(r"loading took ([0-9.]+) s", ran["err"] + ran["out"])
    vectors = read_shards(folder / "out" / "shards", count)
    tokens = int(sum(vectors[f"{name}.tokens"].sum() for name in MODALITIES))
    load = float(found.group(1)) if found else None
    seconds = ran["wall"] - (load or 0.0)
    return {"seconds": seconds, "load_seconds": load, "peak": ran["peak"], "samples": count, "tokens": tokens, "vectors": vectors}


def read_shards(folder: Path, count: int) -> dict[str, np.ndarray]:
    """madmix's vectors in the order of the dataset's rows."""
    from safetensors import safe_open

    found: dict[str, dict[int, np.ndarray]] = {}
    rows: set[int] = set()
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(str(path), "np") as shard:
            failures = json.loads((shard.metadata() or {}).get("madmix", "{}")).get("failures")
            if failures:
                sys.exit(f"{path} reports failures: {failures}")
            tensors = {key: shard.get_tensor(key) for key in shard.keys()}
        for i, row in enumerate(tensors["row"].tolist()):
            rows.add(row)
            for key in tensors.keys() - {"row"}:
                found.setdefault(key, {})[row] = tensors[key][i]
    if rows != set(range(count)):
        sys.exit(f"{folder} holds {len(rows)} of {count} rows")
    out = {key: np.stack([values[row] for row in range(count)]) for key, values in found.items()}
    for name in MODALITIES:
        out.setdefault(f"{name}.tokens", np.zeros(count, np.uint32))
    return out


def apart(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> str:
    """Largest relative L2 distance over the samples, per modality, and whether the token counts are the same."""
    out = []
    for name in MODALITIES:
        if not np.array_equal(ours[f"{name}.tokens"], theirs[f"{name}.tokens"]):
            out.append(f"{name}: token counts differ")
            continue
        here = theirs[f"{name}.tokens"] > 0
        if here.any():
            a, b = ours[f"{name}.last"][here].astype(np.float64), theirs[f"{name}.last"][here].astype(np.float64)
            out.append(f"{name} {np.max(np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)):.1e}")
    return ", ".join(out)
