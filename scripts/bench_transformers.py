#!/usr/bin/env python3
"""Time `madmix extract` against transformers on the same files, and see that both find the same vectors.

The model is LLaVA-OneVision 0.5B at its true size with random weights, on the CPU. `--family` takes another family: the true
widths of its published small model, but few layers (`--layers`, `--tower-layers`) and a vocabulary of a few hundred tokens,
so that weights stay below 2.5 GB. `--kinds video` is 2 clips that are folders of 8 frames, for the families that have clips.

The peer is transformers as a careful user would run it: base model, no cache, SDPA, batch 1, f32 with oneDNN linears
(`--peers` adds torch's default linears and bf16). Runs alternate, each in a process of its own with the same number of
threads; figures are medians.

Seconds leave out loading the model where the program reports it: transformers always, madmix if its stderr holds
`loading took X s`. Otherwise madmix's wall time stands as it is, loading included, and the table says so. Peak memory is
the process's maximum resident set (memory-mapped weights count).

Needs transformers 5.23, torch 2.15 (CPU), torchvision, Pillow; about 4 GB of disk (f32) and 9 GB of memory, for the other
families 2.5 GB and 7 GB.

    cargo build --release
    python scripts/bench_transformers.py --work ../madmix-bench
    python scripts/bench_transformers.py --work ../madmix-bench --family qwen2-vl --kinds image text video
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from pathlib import Path

import numpy as np
from bench import madmix
from bench.families import FAMILIES, Depth
from bench.process import measured

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent
PEERS = {"onednn": ("onednn", "f32"), "default": ("default", "f32"), "bf16": ("default", "bf16")}


def run_transformers(args: argparse.Namespace, checkpoint: Path, kind: str, peer: str, log: Path) -> dict:
    linears, dtype = PEERS[peer]
    vectors = log.with_name(log.name + ".npz")
    command = [sys.executable, "-m", "bench.reference", args.family, str(checkpoint), str(args.work / "data" / f"{kind}.json")]
    command += [str(vectors), "--linears", linears, "--dtype", dtype, "--threads", str(args.threads), "--resampler", args.resampler]
    ran = measured(command, args.threads, log, {"PYTHONPATH": str(SCRIPTS)})
    figures = json.loads(ran["out"].splitlines()[-1])
    return {**figures, "seconds": figures["work_seconds"], "peak": ran["peak"], "vectors": dict(np.load(vectors))}


def make_checkpoint(args: argparse.Namespace) -> tuple[Path, str]:
    """The folder, and what the table says of the model (nothing for the default one)."""
    family = FAMILIES[args.family]
    if args.tiny:
        folder = args.work / f"checkpoint-tiny-{args.family}"
        shutil.copytree(family.fixture, folder, dirs_exist_ok=True)
        return folder, f"{args.family}, tiny checkpoint"
    if family.published is None:
        from bench import checkpoint

        checkpoint.make(args.work / "checkpoint", family.fixture, args.dtype)
        return args.work / "checkpoint", ""
    from bench import shallow

    depth = Depth(args.layers or family.made.text, args.tower_layers or family.made.tower)
    folder = args.work / f"checkpoint-{args.family}-{depth.text}-{depth.tower}-{args.dtype}"
    shallow.make(folder, family, depth, args.dtype)
    whole = family.published
    return folder, (
        f"{args.family}: widths of {family.model}, {depth.text} of {whole.text} language layers, "
        f"{depth.tower} of {whole.tower} tower layers"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the checkpoint, the data and the runs")
    parser.add_argument("--madmix", type=Path, default=ROOT / "target" / "release" / "madmix")
    parser.add_argument("--family", choices=list(FAMILIES), default="llava-onevision")
    parser.add_argument("--layers", type=int, help="layers of the language model (not for llava-onevision, which is whole)")
    parser.add_argument("--tower-layers", type=int, help="layers of the vision tower (likewise)")
    parser.add_argument("--tiny", action="store_true", help="use the family's tiny checkpoint: to try the script itself")
    parser.add_argument("--images", type=int, default=6, help="image-text samples (default 6, about 21,500 tokens)")
    parser.add_argument("--texts", type=int, default=16, help="text samples (default 16, about 11,700 tokens)")
    parser.add_argument("--image-words", type=int, default=200, help="words in an image-text sample")
    parser.add_argument("--text-words", type=int, default=315, help="words in a text sample, on average")
    parser.add_argument("--clips", type=int, default=2, help="clips for the kind video")
    parser.add_argument("--frames", type=int, default=8, help="frames in a clip, 640 x 360 each")
    parser.add_argument("--kinds", nargs="+", choices=["image", "text", "video"], default=["image", "text"])
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=["onednn"])
    parser.add_argument("--resampler", choices=["torchvision", "pillow"], default="torchvision", help="transformers' resizing")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="how the checkpoint is saved")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    args.work = args.work.resolve()

    family = FAMILIES[args.family]
    if unknown := set(args.kinds) - set(family.kinds):
        parser.error(f"{args.family} has no {', '.join(unknown)}")
    if (args.layers or args.tower_layers) and (args.tiny or family.published is None):
        parser.error("--layers and --tower-layers are for the checkpoints that are made with fewer layers")

    checkpoint, about = make_checkpoint(args)
    from bench import samples

    samples.make(args.work / "data", args.images, args.texts, args.image_words, args.text_words)
    if "video" in args.kinds:
        samples.make_clips(args.work / "data", args.clips, args.frames)
    with_madmix = args.madmix.exists()
    if not with_madmix:
        print(f"no {args.madmix}: only transformers is timed", file=sys.stderr)

    # Read the weights once, so that the first run does not pay for a cold disk.
    for path in checkpoint.glob("*.safetensors"):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass

    (args.work / "runs").mkdir(exist_ok=True)
    runs: dict[tuple[str, str], list[dict]] = {}
    for kind in args.kinds:
        for repeat in range(args.repeats):
            for who in (["madmix"] if with_madmix else []) + args.peers:
                log = args.work / "runs" / f"{args.family}-{kind}-{who}-{repeat}"
                if who == "madmix":
                    run = madmix.run(args.madmix, family, kind, checkpoint, args.work / "data", args.threads, repeat, log)
                else:
                    run = run_transformers(args, checkpoint, kind, who, log)
                runs.setdefault((kind, who), []).append(run)
                print(f"{kind} {who} {repeat + 1}/{args.repeats}: {run['seconds']:.1f} s", file=sys.stderr)

    print(f"\n{args.threads} threads, {args.repeats} runs each, medians; load averages {os.getloadavg()}")
    if about:
        print(about)
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
            distance = madmix.in_words(madmix.apart(runs[kind, "madmix"][0]["vectors"], runs[kind, who][0]["vectors"]))
            print(f"{kind}: pooled vectors of madmix and transformers ({who}) differ by at most: {distance}")


if __name__ == "__main__":
    main()
