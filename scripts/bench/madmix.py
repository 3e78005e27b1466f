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


def config_text(
    family: Family, kind: str, checkpoint: Path, data: Path, out: Path, count: int, seed: int, device: str = "cpu", dtype: str = "f32"
) -> str:
    """The extraction of one dataset; pictures and frames are limited as bench/reference.py limits them."""
    text = toml("output", out) + toml("cache", "off")
    text += "[model]\n" + toml("checkpoint", checkpoint) + toml("device", device) + toml("dtype", dtype)
    text += "[extract]\n" + toml("samples_per_dataset", count) + toml("seed", seed)
    text += toml("layers", ["last"]) + toml("text_scope", "all")
    for section, of in (("media", "image"), ("video", "video")):
        lines = ""
        if section == "video" and kind not in ("image", "text"):
            lines += toml("sampling", "every") + toml("folder_fps", FOLDER_FPS)
        if of in family.pixels:
            fewest, most = family.pixels[of]
            lines += toml("min_pixels", fewest) + toml("max_pixels", most)
        if lines:
            text += f"[{section}]\n{lines}"
    text += "[[domain]]\n" + toml("name", kind)
    text += "[[domain.dataset]]\n" + toml("name", kind) + toml("path", data / f"{kind}.json") + toml("media_root", data)
    return text


def run(
    madmix: Path,
    family: Family,
    kind: str,
    checkpoint: Path,
    data: Path,
    threads: int,
    seed: int,
    log: Path,
    device: str = "cpu",
    dtype: str = "f32",
    options: tuple[str, ...] = (),
) -> dict:
    """One extraction into a fresh folder, with a seed and a hub cache of its own, so that no shard is there already."""
    folder = log.with_name(log.name + ".run")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = len(json.loads((data / f"{kind}.json").read_text(encoding="utf-8")))
    config = folder / "bench.toml"
    config.write_text(config_text(family, kind, checkpoint, data, folder / "out", count, seed, device, dtype), encoding="utf-8")
    extra = {"XDG_CACHE_HOME": str(folder / "cache"), "NO_COLOR": "1"}
    ran = measured([str(madmix), "extract", *options, str(config)], threads, log, extra)
    found = re.search(r"loading took ([0-9.]+) s", ran["err"] + ran["out"])
    vectors = read_shards(folder / "out" / "shards", count)
    tokens = int(sum(vectors[f"{name}.tokens"].sum() for name in MODALITIES))
    load = float(found.group(1)) if found else None
    seconds = ran["wall"] - (load or 0.0)
    return {
        "seconds": seconds,
        "load_seconds": load,
        "peak": ran["peak"],
        "cpu": ran["cpu"],
        "samples": count,
        "tokens": tokens,
        "vectors": vectors,
        "log": ran["err"] + ran["out"],
    }


def said(log: str) -> dict[str, float]:
    """What a run said of itself, as far as it did: seconds of the extraction alone, seconds waited for samples, peak memory in bytes."""
    found = {
        "extraction": re.search(r"extracted [0-9,]+ samples,.* in ([0-9.]+) s", log),
        "waited": re.search(r"waited ([0-9.,]+) s for samples", log),
        "device_peak": re.search(r"peak memory ([0-9.]+) (?:of [0-9.]+ )?GiB", log),
    }
    out = {name: float(match[1].replace(",", "")) for name, match in found.items() if match}
    if "device_peak" in out:
        out["device_peak"] *= 2**30
    return out


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


def apart(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> dict[str, float | None]:
    """Per modality that is there the largest relative L2 distance over the samples; None where token counts differ."""
    out: dict[str, float | None] = {}
    for name in MODALITIES:
        if not np.array_equal(ours[f"{name}.tokens"], theirs[f"{name}.tokens"]):
            out[name] = None
            continue
        here = theirs[f"{name}.tokens"] > 0
        if here.any():
            a, b = ours[f"{name}.last"][here].astype(np.float64), theirs[f"{name}.last"][here].astype(np.float64)
            out[name] = float(np.max(np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)))
    return out


def in_words(apart: dict[str, float | None]) -> str:
    return ", ".join(f"{name}: token counts differ" if error is None else f"{name} {error:.1e}" for name, error in apart.items())
