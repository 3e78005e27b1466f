#!/usr/bin/env python3
"""Time `madmix extract` against transformers on the same files, and see that both find the same vectors.

The model is LLaVA-OneVision 0.5B at its true size with random weights, on the CPU. The peer is transformers as a careful
user would run it: base model, no cache, SDPA, batch 1, f32 with oneDNN linears (`--peers` adds torch's default linears and
bf16). Runs alternate, each in a process of its own with the same number of threads; figures are medians.

Seconds leave out loading the model where the program reports it: transformers always, madmix if its stderr holds
`loading took X s`. Otherwise madmix's wall time stands as it is, loading included, and the table says so. Peak memory is
the process's maximum resident set (memory-mapped weights count).

Needs transformers 5.23, torch 2.15 (CPU), torchvision, Pillow; about 4 GB of disk (f32) and 9 GB of memory.

    cargo build --release
    python scripts/bench_transformers.py --work ../madmix-bench
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent
PEERS = {"onednn": ("onednn", "f32"), "default": ("default", "f32"), "bf16": ("default", "bf16")}


def measured(command: list[str], threads: int, log: Path, extra: dict[str, str]) -> dict:
    """Run a command to its end: wall seconds, peak memory in bytes, what it printed."""
    env = os.environ | {key: str(threads) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")} | extra
    out, err = log.with_suffix(".out"), log.with_suffix(".err")
    began = time.perf_counter()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        child = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=env)
        # wait4 gives this child's own peak; getrusage(RUSAGE_CHILDREN) would give the highest of all so far.
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with {child.returncode}:\n{err.read_text(errors='replace')[-4000:]}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"wall": wall, "peak": peak, "out": out.read_text(errors="replace"), "err": err.read_text(errors="replace")}


def run_transformers(args: argparse.Namespace, kind: str, peer: str, log: Path) -> dict:
    linears, dtype = PEERS[peer]
    vectors = log.with_suffix(".npz")
    command = [sys.executable, "-m", "bench.reference", str(args.work / "checkpoint"), str(args.work / "data" / f"{kind}.json")]
    command += [str(vectors), "--linears", linears, "--dtype", dtype, "--threads", str(args.threads), "--resampler", args.resampler]
    ran = measured(command, args.threads, log, {"PYTHONPATH": str(SCRIPTS)})
    figures = json.loads(ran["out"].splitlines()[-1])
    return {**figures, "seconds": figures["work_seconds"], "peak": ran["peak"], "vectors": dict(np.load(vectors))}


def run_madmix(args: argparse.Namespace, kind: str, repeat: int, log: Path) -> dict:
    """One extraction into a fresh folder, with a seed and cache folder of its own, so that no shard is there already."""
    run = log.with_suffix(".run")
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    count = len(json.loads((args.work / "data" / f"{kind}.json").read_text(encoding="utf-8")))

    def quoted(path: Path) -> str:
        return json.dumps(str(path))

    config = run / "bench.toml"
    config.write_text(
        f"output = {quoted(run / 'out')}\n"
        f"[model]\ncheckpoint = {quoted(args.work / 'checkpoint')}\ndevice = \"cpu\"\ndtype = \"f32\"\n"
        f'[extract]\nsamples_per_dataset = {count}\nseed = {repeat}\nlayers = ["last"]\ntext_scope = "all"\n'
        f'[[domain]]\nname = "{kind}"\n[[domain.dataset]]\nname = "{kind}"\n'
        f"path = {quoted(args.work / 'data' / (kind + '.json'))}\nmedia_root = {quoted(args.work / 'data')}\n",
        encoding="utf-8",
    )
    extra = {"XDG_CACHE_HOME": str(run / "cache"), "NO_COLOR": "1"}
    ran = measured([str(args.madmix), "extract", str(config)], args.threads, log, extra)
    found = re.search(r"loading took ([0-9.]+) s", ran["err"] + ran["out"])
    vectors = read_shards(run / "out" / "shards", count)
    tokens = int(vectors["text.tokens"].sum() + vectors["image.tokens"].sum())
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
    for name in ("text", "image"):
        out.setdefault(f"{name}.tokens", np.zeros(count, np.uint32))
    return out


def apart(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> str:
    """Largest relative L2 distance over the samples, per modality, and whether the token counts are the same."""
    out = []
    for name in ("text", "image"):
        here = theirs[f"{name}.tokens"] > 0
        if not here.any():
            continue
        if not np.array_equal(ours[f"{name}.tokens"], theirs[f"{name}.tokens"]):
            out.append(f"{name}: token counts differ")
            continue
        a, b = ours[f"{name}.last"][here].astype(np.float64), theirs[f"{name}.last"][here].astype(np.float64)
        out.append(f"{name} {np.max(np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)):.1e}")
    return ", ".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the checkpoint, the data and the runs")
    parser.add_argument("--madmix", type=Path, default=ROOT / "target" / "release" / "madmix")
    parser.add_argument("--tiny", action="store_true", help="use models/tiny-llava-onevision: to try the script itself")
    parser.add_argument("--images", type=int, default=6, help="image-text samples (default 6, about 21,500 tokens)")
    parser.add_argument("--texts", type=int, default=16, help="text samples (default 16, about 11,700 tokens)")
    parser.add_argument("--image-words", type=int, default=200, help="words in an image-text sample")
    parser.add_argument("--text-words", type=int, default=315, help="words in a text sample, on average")
    parser.add_argument("--kinds", nargs="+", choices=["image", "text"], default=["image", "text"])
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=["onednn"])
    parser.add_argument("--resampler", choices=["torchvision", "pillow"], default="torchvision", help="transformers' resizing")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="how the checkpoint is saved")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    args.work = args.work.resolve()

    tiny = ROOT / "models" / "tiny-llava-onevision"
    if args.tiny:
        shutil.copytree(tiny, args.work / "checkpoint", dirs_exist_ok=True)
    else:
        from bench import checkpoint

        checkpoint.make(args.work / "checkpoint", tiny, args.dtype)
    from bench import samples

    samples.make(args.work / "data", args.images, args.texts, args.image_words, args.text_words)
    with_madmix = args.madmix.exists()
    if not with_madmix:
        print(f"no {args.madmix}: only transformers is timed", file=sys.stderr)

    # Read the weights once, so that the first run does not pay for a cold disk.
    for path in (args.work / "checkpoint").glob("*.safetensors"):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass

    (args.work / "runs").mkdir(exist_ok=True)
    runs: dict[tuple[str, str], list[dict]] = {}
    for kind in args.kinds:
        for repeat in range(args.repeats):
            for who in (["madmix"] if with_madmix else []) + args.peers:
                log = args.work / "runs" / f"{kind}-{who}-{repeat}"
                run = run_madmix(args, kind, repeat, log) if who == "madmix" else run_transformers(args, kind, who, log)
                runs.setdefault((kind, who), []).append(run)
                print(f"{kind} {who} {repeat + 1}/{args.repeats}: {run['seconds']:.1f} s", file=sys.stderr)

    print(f"\n{args.threads} threads, {args.repeats} runs each, medians; load averages {os.getloadavg()}")
    print("| work | program | samples | tokens | seconds | samples/s | tokens/s | madmix is faster by | peak memory |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (kind, who), done in runs.items():
        seconds = statistics.median(run["seconds"] for run in done)
        ours = runs.get((kind, "madmix"))
        ratio = "" if who == "madmix" or not ours else f"{seconds / statistics.median(run['seconds'] for run in ours):.2f}"
        name = "madmix" if who == "madmix" else f"transformers, {' '.join(reversed(PEERS[who]))}"
        if done[0]["load_seconds"] is None:
            name += " (loading included)"
        samples_done, tokens = done[0]["samples"], done[0]["tokens"]
        peak = max(run["peak"] for run in done) / 1e9
        print(
            f"| {kind} | {name} | {samples_done} | {tokens} | {seconds:.1f} | {samples_done / seconds:.3f} | "
            f"{tokens / seconds:.0f} | {ratio} | {peak:.1f} GB |"
        )
    for kind in args.kinds:
        for who in args.peers if with_madmix else []:
            distance = apart(runs[kind, "madmix"][0]["vectors"], runs[kind, who][0]["vectors"])
            print(f"{kind}: pooled vectors of madmix and transformers ({who}) differ by at most: {distance}")


if __name__ == "__main__":
    main()
