#!/usr/bin/env python3
"""Time `madmix extract` against transformers on one GPU, on the same samples, and see that both find the same vectors.

Models at their true size with random weights in bf16, made here in seconds: LLaVA-OneVision 0.5B and 7B, Qwen2-VL 2B. Samples
of realistic shapes: JPEG pictures of 480 x 640 to 1080 x 1920, conversations of 50 to 1,500 tokens, texts alone, clips of 16
to 32 frames as folders; each kind by itself, and mixed. The peer is bench/gpu_reference.py: bf16, flash_attention_2 if it is
installed or else SDPA, the base model, batches of like samples whose size is tuned, its own preprocessing in worker
processes with pinned memory, pooling on the card. Runs alternate, each in a process of its own; figures are medians.

Seconds leave out loading, for both. madmix's are those of the extraction as it says them; "whole" adds all else that its
process does but for loading: opening the device, measuring the samples, publishing. FLOPs are counted (bench/flops.py), and
their share is of the rate of a large matrix product measured on the same card. Waiting is the time in which the program
had nothing to give to the device. Memory is nvidia-smi's.

Needs torch with CUDA, torchvision, transformers 5.17 to 5.23, Pillow, numpy, safetensors; no network. Some 4 GB of disk and
of GPU memory for the small models, 17 and 40 GB for the 7B. One model fits into a command of ten minutes (`--minutes`).

    cargo build --release --features cuda,flash-attn
    python scripts/bench_gpu.py --work ../madmix-bench --models onevision-0.5b
    python scripts/bench_gpu.py --work ../madmix-bench --transformers here= --transformers other=/path/to/site-packages
    python scripts/bench_gpu.py --work ../madmix-bench --device cpu --tiny        # tries the script itself
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from bench import flops, madmix, realistic
from bench.card import MemoryWatch
from bench.models import MODELS
from bench.process import measured

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent
KINDS = [*realistic.KINDS, "mixed"]
COUNTS = {"image": 384, "text": 384, "video": 48}
COUNTS_OF = {"onevision-7b": {"image": 128, "text": 128, "video": 16}}
TINY_COUNTS = {"image": 6, "text": 8, "video": 4}
# How far two programs may be apart: bf16 moves each by up to 2e-2 (scripts/bench_bf16.py).
APART = {"cpu": 1e-4, "cuda": 4e-2}


class Bench:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.threads = len(os.sched_getaffinity(0))
        self.dtype = "f32" if args.device == "cpu" else "bf16"
        self.began = time.monotonic()
        self.peers = dict(label.split("=", 1) for label in args.transformers or ["transformers="])
        self.figures: dict = {"arguments": {key: str(value) for key, value in vars(args).items()}, "models": {}}

    def log(self, *parts: object) -> Path:
        folder = self.args.work / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "-".join(map(str, parts))

    def python(self, module: str, arguments: list[object], log: Path, site: str = "") -> dict:
        """Run a module of these scripts in a process of its own; what its last line says."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        path = os.pathsep.join([*([site] if site else []), str(SCRIPTS)])
        with MemoryWatch(self.args.device) as memory:
            ran = measured(command, self.threads, log, {"PYTHONPATH": path})
        return {**json.loads(ran["out"].splitlines()[-1]), "device_peak": memory.most, "host_peak": ran["peak"]}

    def run_madmix(self, model: str, kind: str, folder: Path, data: Path, seed: int, options: tuple[str, ...] = ()) -> dict:
        log = self.log(model, kind, "madmix", seed, *options)
        family = MODELS[model].whole
        with MemoryWatch(self.args.device) as memory:
            ran = madmix.run(
                self.args.madmix, family, kind, folder, data, self.threads, seed, log, self.args.device, self.dtype, options
            )
        said = madmix.said(ran["log"])
        ran |= {"whole": ran["seconds"], "seconds": said.get("extraction", ran["seconds"]), "waited": said.get("waited")}
        ran["device_peak"] = memory.most or said.get("device_peak")
        return ran

    def run_peer(self, model: str, label: str, folder: Path, data: Path, repeat: int, sizes: dict) -> dict:
        out = self.log(model, label, repeat)
        arguments = [MODELS[model].family, folder, data, out, "--device", self.args.device, "--workers", self.args.workers]
        arguments += ["--kinds", *self.args.kinds, "--sizes", json.dumps(sizes)]
        ran = self.python("bench.gpu_reference", arguments, self.log(model, label, repeat, "log"), self.peers[label])
        for kind, of in ran["kinds"].items():
            of["vectors"] = dict(np.load(out / f"{kind}.npz"))
            of["device_peak"] = of.get("peak") and max(of["peak"], 0)
        return ran

    def model(self, model: str) -> None:
        folder = self.args.work / (f"{model}-tiny" if self.args.tiny else model)
        prepared = self.python(
            "bench.prepare", [model, folder, "--device", self.args.device, *(["--tiny"] if self.args.tiny else [])], self.log(model, "prepare")
        )
        rate = prepared["flops_per_second"]
        counts = {kind: getattr(self.args, kind) or self.default(model)[kind] for kind in realistic.KINDS}
        data = self.args.work / f"data-{model}"
        realistic.make(data, folder / "tokenizer.json", counts, self.args.tiny)
        say(f"{model} on {prepared['card']}: {rate / 1e12:.3g} TFLOP/s in large matrix products; ready in {self.elapsed():.0f} s")
        if self.args.madmix.exists():
            self.run_madmix(model, "warm", folder, data, 0)  # kernels are compiled at their first use
        runs: dict[tuple[str, str], list[dict]] = {}
        sizes: dict[str, dict] = {label: {} for label in self.peers}
        versions: dict[str, dict] = {}
        for repeat in range(self.args.repeats):
            started = time.monotonic()
            if self.args.madmix.exists():
                for kind in self.args.kinds:
                    ran = self.run_madmix(model, kind, folder, data, repeat)
                    runs.setdefault((kind, "madmix"), []).append(ran)
                    say(f"{model} {kind} madmix {repeat + 1}: {ran['samples'] / ran['seconds']:.2f} samples/s")
            for label in self.peers:
                ran = self.run_peer(model, label, folder, data, repeat, sizes[label])
                versions[label] = {key: ran[key] for key in ("versions", "attention", "image_processor", "load_seconds")}
                for kind, of in ran["kinds"].items():
                    sizes[label][kind] = of["size"]
                    runs.setdefault((kind, label), []).append(of)
                    tried = f", of {of['tried']}" if of["tried"] else ""
                    say(f"{model} {kind} {label} {repeat + 1}: {of['samples'] / of['seconds']:.2f} samples/s, batches of {of['size']}{tried}")
            took = time.monotonic() - started
            if self.elapsed() + took > 60 * self.args.minutes:
                say(f"{repeat + 1} of {self.args.repeats} repeats fit into {self.args.minutes} minutes")
                break
        self.report(model, prepared, versions, runs)
        if self.args.profile and self.args.madmix.exists():
            for kind in self.args.kinds:
                log = self.run_madmix(model, kind, folder, data, 99, ("--profile",))["log"]
                lines = log[log.index("where the forward passes' time went:") :].splitlines()
                last = next(i for i, line in enumerate(lines) if line.startswith("all, "))
                print(f"\n{model}, {kind}: " + "\n".join(lines[: last + 1]))

    def default(self, model: str) -> dict[str, int]:
        return TINY_COUNTS if self.args.tiny else COUNTS_OF.get(model, COUNTS)

    def report(self, model: str, prepared: dict, versions: dict, runs: dict[tuple[str, str], list[dict]]) -> None:
        rate = prepared["flops_per_second"]
        rows = []
        for (kind, who), done in runs.items():
            peers = [of for (other, label), of in runs.items() if other == kind and label != "madmix"]
            total = peers[0][0]["flops"] if peers else None
            seconds = statistics.median(run["seconds"] for run in done)
            row = {
                "kind": kind,
                "program": who,
                "runs": len(done),
                "samples": done[0]["samples"],
                "tokens": done[0]["tokens"],
                "seconds": seconds,
                "samples_per_second": done[0]["samples"] / seconds,
                "tokens_per_second": done[0]["tokens"] / seconds,
                "flops": total,
                "share_of_rate": total / seconds / rate if total else None,
                "waited": median(run.get("waited") for run in done),
                "device_peak": max((run["device_peak"] for run in done if run["device_peak"]), default=None),
                "cpu_seconds": statistics.median(run["cpu"] for run in done),
                "all_seconds": [run["seconds"] for run in done],
            }
            if who == "madmix":
                row["whole"] = statistics.median(run["whole"] for run in done)
                row["apart"] = {
                    label: madmix.apart(done[0]["vectors"], of[0]["vectors"]) for (k, label), of in runs.items() if k == kind and label != who
                }
                row["faster_by"] = {
                    label: statistics.median(run["seconds"] for run in of) / seconds
                    for (k, label), of in runs.items()
                    if k == kind and label != who
                }
            rows.append(row)
        self.figures["models"][model] = {"prepared": prepared, "versions": versions, "rows": rows}
        self.args.out.write_text(json.dumps(self.figures, indent=1) + "\n", encoding="utf-8")
        show(model, prepared, versions, rows)
        self.check(rows)

    def check(self, rows: list[dict]) -> None:
        bound = APART["cpu" if self.args.device == "cpu" else "cuda"]
        for row in rows:
            for label, apart in row.get("apart", {}).items():
                far = [name for name, error in apart.items() if error is None or error > bound]
                if far:
                    say(f"WARNING: {row['kind']}: {', '.join(far)} of madmix and {label} are further apart than {bound:.0e}")
                    self.figures["differ"] = True

    def elapsed(self) -> float:
        return time.monotonic() - self.began


def median(values: object) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def show(model: str, prepared: dict, versions: dict, rows: list[dict]) -> None:
    print(f"\n{model}, {prepared['card']}, {prepared['flops_per_second'] / 1e12:.3g} TFLOP/s measured")
    for label, of in versions.items():
        print(f"{label}: {of['versions']}, {of['attention']}, {of['image_processor']}")
    print("| work | program | runs | samples | tokens | seconds | samples/s | tokens/s | share of rate | waited | memory | host CPU |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")

    def some(value: float | None, form: str, scale: float = 1.0) -> str:
        return "" if value is None else format(value * scale, form)

    for row in rows:
        print(
            f"| {row['kind']} | {row['program']} | {row['runs']} | {row['samples']} | {row['tokens']} | {row['seconds']:.2f} | "
            f"{row['samples_per_second']:.2f} | {row['tokens_per_second']:.0f} | {some(row['share_of_rate'], '.1f', 100)} % | "
            f"{some(row['waited'], '.2f')} s | {some(row['device_peak'], '.1f', 2**-30)} GiB | {row['cpu_seconds']:.0f} s |"
        )
    for row in rows:
        for label, ratio in row.get("faster_by", {}).items():
            apart = madmix.in_words(row["apart"][label])
            print(f"{row['kind']}: madmix is faster than {label} by {ratio:.2f} (whole: {row['whole']:.2f} s); vectors differ by at most: {apart}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints, data and runs")
    parser.add_argument("--madmix", type=Path, default=ROOT / "target" / "release" / "madmix")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=["onevision-0.5b"])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--tiny", action="store_true", help="tiny checkpoints and samples: to try the script itself")
    parser.add_argument("--image", type=int, help="image-text samples (default 384; 128 for the 7B)")
    parser.add_argument("--text", type=int, help="text samples (default 384; 128 for the 7B)")
    parser.add_argument("--video", type=int, help="clips (default 48; 16 for the 7B)")
    parser.add_argument("--transformers", action="append", metavar="LABEL=FOLDER", help="a peer, with packages of FOLDER before all others")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="the peer's DataLoader processes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=8.0, help="no repeat is begun that would not end by then")
    parser.add_argument("--profile", action="store_true", help="afterwards, where madmix's time goes")
    parser.add_argument("--out", type=Path, help="all figures as JSON (default: bench_gpu.json in --work)")
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    args.out = args.out or args.work / "bench_gpu.json"
    if not args.madmix.exists():
        say(f"no {args.madmix}: only transformers is timed")
    flops.check()
    bench = Bench(args)
    for model in args.models:
        bench.model(model)
    if bench.figures.get("differ"):
        sys.exit("the vectors differ by more than rounding")


if __name__ == "__main__":
    main()
