#!/usr/bin/env python3
"""Time what a clip in a file costs `madmix`: its plan, and an extraction with the tiny checkpoint, against ffmpeg's decoding.

One clip of 30 s, 1920 x 1080, 30 frames a second, H.264 (ffmpeg's test picture with noise) stands in N rows. ffmpeg decodes
every frame to nothing on one thread; `madmix` takes a frame of every second (`sampling = "llava_next"`), with one worker
unless `--workers` says more, and every row reads the clip anew. Seconds are divided by the clips, and medians; processor
seconds are those of the program and of the ffmpeg that it starts. madmix's hold starting and loading the tiny checkpoint,
the extraction's also that model's forward pass (some 5,900 tokens a clip).

Needs ffmpeg and ffprobe on PATH, ffmpeg with libx264.

    cargo build --release
    python scripts/bench_video.py --work ../madmix-bench
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from bench.families import FAMILIES, ROOT
from bench.madmix import toml
from bench.process import measured

SECONDS, WIDTH, HEIGHT, FPS = 30, 1920, 1080, 30


def make_clip(path: Path) -> None:
    """Write the clip unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{path.name}")
    source = f"testsrc2=duration={SECONDS}:size={WIDTH}x{HEIGHT}:rate={FPS},noise=alls=8:allf=t:all_seed=7,format=yuv420p"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "veryfast", str(part)], check=True)
    part.rename(path)


def write_config(folder: Path, rows: Path, clips: int, workers: int) -> Path:
    text = toml("output", folder / "out") + toml("cache", "off")
    text += "[model]\n" + toml("checkpoint", FAMILIES["llava-onevision"].fixture) + toml("device", "cpu") + toml("dtype", "f32")
    text += "[extract]\n" + toml("samples_per_dataset", clips) + toml("max_failure_rate", 0.0) + toml("workers", workers)
    text += "[video]\n" + toml("sampling", "llava_next")
    text += "[[domain]]\n" + toml("name", "clips") + "[[domain.dataset]]\n" + toml("path", rows)
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the clip and the runs")
    parser.add_argument("--madmix", type=Path, default=ROOT / "target" / "release" / "madmix")
    parser.add_argument("--clips", type=int, default=8, help="rows, each with the same clip")
    parser.add_argument("--workers", type=int, default=1, help="madmix's threads that read clips; 0 is one per core")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="madmix's threads for the model")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    if not args.madmix.exists():
        sys.exit(f"no {args.madmix}: build it, or name another with --madmix")

    work = args.work.resolve() / "video"
    clip = work / "clip.mp4"
    make_clip(clip)
    turns = [{"from": "human", "value": "<video>\nWhat moves?"}, {"from": "gpt", "value": "The test picture."}]
    rows = work / "clips.json"
    rows.write_text(json.dumps([{"id": f"row{i}", "video": clip.name, "conversations": turns} for i in range(args.clips)]))

    decode = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", str(clip), "-f", "null", "-"]
    runs: dict[str, list[tuple[float, float]]] = {}
    for repeat in range(args.repeats):
        folder = work / f"run-{repeat}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        config = write_config(folder, rows, args.clips, args.workers)
        madmix, extra = str(args.madmix), {"XDG_CACHE_HOME": str(folder / "cache"), "NO_COLOR": "1"}
        for name, command, clips in (
            ("ffmpeg -threads 1, every frame", decode, 1),
            ("madmix plan", [madmix, "plan", str(config)], args.clips),
            ("madmix extract", [madmix, "extract", str(config)], args.clips),
        ):
            log = folder / name.split(",")[0].replace(" ", "-")
            ran = measured(command, args.threads, log, extra)
            runs.setdefault(name, []).append((ran["wall"] / clips, ran["cpu"] / clips))
            print(f"{name} {repeat + 1}/{args.repeats}: {ran['wall']:.2f} s for {clips} clips", file=sys.stderr)

    print(
        f"\n{SECONDS} s of {WIDTH} x {HEIGHT} at {FPS} a second, {clip.stat().st_size / 1e6:.1f} MB; {args.clips} rows, "
        f"{args.workers or 'all'} workers; medians of {args.repeats}; load averages {os.getloadavg()}"
    )
    print("| program | seconds per clip | processor seconds per clip |\n|---|---|---|")
    for name, done in runs.items():
        wall, cpu = (statistics.median(figures) for figures in zip(*done, strict=True))
        print(f"| {name} | {wall:.3f} | {cpu:.3f} |")


if __name__ == "__main__":
    main()
