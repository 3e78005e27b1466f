"""One run of transformers on a GPU as a user who cares for speed would write it, in a process of its own.

The base model without the head and without a KV cache, in bf16; flash_attention_2 where the package is installed, else
SDPA. The processor runs in the workers of a DataLoader, ahead of the card, into pinned memory. Batches hold samples of one
kind that are about as long, so that little is padded; how many, each kind's first run finds out on a part of the samples.
Hidden states are averaged on the card, and come back once, at the end.

    python -m bench.gpu_reference FAMILY CHECKPOINT DATA OUT --device cuda --kinds image text --sizes '{"image": 8}'

Prints one line of JSON; OUT is a folder for the vectors of each kind. Runs with transformers 5.17 to 5.23.
"""

import argparse
import importlib.util
import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
import transformers
from fixtures.prompts import clips_of, conversation, pictures_of
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModelForImageTextToText, AutoProcessor

from . import card
from .flops import counter
from .media import media_of
from .pooling import MODALITIES, masks

SIZES = (1, 2, 4, 8, 16, 32)
TRIED = 32  # samples that a batch size is tried on
GAIN = 1.03  # a larger batch has to be better by so much


def rough(row: dict, folder: Path) -> tuple:
    """What tells how long a sample is, without reading it: kind, frames, pixels, characters."""
    clips = tuple(len(list((folder / clip).iterdir())) for clip in clips_of(row))
    sizes = [Image.open(folder / file).size for file in pictures_of(row)]
    pixels = sum(width * height for width, height in sizes)
    return clips, pixels > 0, pixels, sum(len(turn["value"]) for turn in row["conversations"])


def batches(keys: list[tuple], size: int) -> list[list[int]]:
    """Rows of one kind, and clips of one length, that are about as long; the longest first, so that memory shows at once."""
    out: list[list[int]] = []
    for i in sorted(range(len(keys)), key=lambda i: keys[i], reverse=True):
        if out and len(out[-1]) < size and keys[out[-1][0]][:2] == keys[i][:2]:
            out[-1].append(i)
        else:
            out.append([i])
    return out


def joined(media: list[dict]) -> dict:
    """The media of several samples as a processor takes them."""
    out: dict = {}
    for of in media:
        for key in ("images", "videos"):
            out.setdefault(key, []).extend(of.get(key, []))
        for key in of.keys() & {"images_kwargs", "videos_kwargs"}:
            about = out.setdefault(key, {}).get("video_metadata", []) + of[key].get("video_metadata", [])
            out[key] = {**of[key], **({"video_metadata": about} if about else {})}
    return {key: value for key, value in out.items() if value}


class Batches(Dataset):
    """What the model takes, made in a worker."""

    def __init__(self, rows: list[dict], folder: Path, family: str, processor: object, dtype: torch.dtype, parts: list[list[int]]) -> None:
        self.rows, self.folder, self.family = rows, folder, family
        self.processor, self.dtype, self.parts = processor, dtype, parts

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> tuple[list[int], dict, torch.Tensor, list[tuple[list[int], int]]]:
        at = self.parts[index]
        rows = [self.rows[i] for i in at]
        prompts = [self.processor.apply_chat_template(conversation(row), tokenize=False) for row in rows]
        media = joined([media_of(row, self.folder, self.family) for row in rows])
        inputs = dict(self.processor(text=prompts, return_tensors="pt", padding=True, **media))
        inputs.pop("video_metadata", None)
        ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
        of = masks(ids, self.processor)
        of["text"] &= mask
        for key, value in inputs.items():
            if value.is_floating_point():
                inputs[key] = value.to(self.dtype)
        work = list(zip(self.towers(rows, inputs), mask.sum(1).tolist(), strict=True))
        return at, inputs, torch.stack([of[name] for name in MODALITIES]), work

    def towers(self, rows: list[dict], inputs: dict) -> list[list[int]]:
        """Tower positions of each sample that see each other."""
        seen = [len(pictures_of(row)) + len(clips_of(row)) for row in rows]
        grids = [inputs[key].tolist() for key in ("image_grid_thw", "video_grid_thw") if key in inputs]
        if grids:
            own = iter([[h * w] * t for grid in grids for t, h, w in grid])
            return [[n for _ in range(count) for n in next(own)] for count in seen]
        if not any(seen):
            return [[] for _ in rows]
        side = self.processor.image_processor.size["height"] // 14
        if "pixel_values_videos" in inputs:
            return [[side**2] * inputs["pixel_values_videos"].shape[1] * count for count in seen]
        # Tiles that pad a picture to the number of the batch's largest are zero.
        tiles = iter((inputs["pixel_values"].flatten(2).abs().amax(2) > 0).sum(1).tolist())
        return [[side**2] * sum(next(tiles) for _ in range(count)) for count in seen]


class Run:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.on_cpu = args.device == "cpu"
        self.dtype = torch.float32 if self.on_cpu else torch.bfloat16
        self.attention = "sdpa" if self.on_cpu or not importlib.util.find_spec("flash_attn") else "flash_attention_2"
        self.processor = AutoProcessor.from_pretrained(args.checkpoint)
        whole = AutoModelForImageTextToText.from_pretrained(args.checkpoint, dtype=self.dtype, attn_implementation=self.attention)
        self.model = whole.model.eval().requires_grad_(False).to(args.device)
        self.counter = counter(args.checkpoint)

    def loader(self, rows: list[dict], parts: list[list[int]]) -> DataLoader:
        data = Batches(rows, self.args.data, self.args.family, self.processor, self.dtype, parts)
        workers = min(self.args.workers, len(parts))
        return DataLoader(
            data, batch_size=None, num_workers=workers, pin_memory=not self.on_cpu, prefetch_factor=4 if workers else None
        )

    def passed(self, loader: DataLoader) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor, list, float]]:
        """Rows, their mean vectors [3, rows, d] and token counts on the device, their work, and how long the batch was waited for."""
        wanted = iter(loader)
        while True:
            began = time.perf_counter()
            batch = next(wanted, None)
            if batch is None:
                return
            at, inputs, mask, work = batch
            waited = time.perf_counter() - began
            inputs = {key: value.to(self.args.device, non_blocking=True) for key, value in inputs.items()}
            mask = mask.to(self.args.device, non_blocking=True)
            if hasattr(self.model, "rope_deltas"):
                self.model.rope_deltas = None  # Qwen: what the last batch left behind
            hidden = self.model(**inputs, use_cache=False).last_hidden_state.float()
            counts = mask.sum(2)
            sums = torch.einsum("mbn,bnd->mbd", mask.float(), hidden)
            yield at, sums / counts.clamp(min=1)[..., None], counts, work, waited

    def run(self, rows: list[dict], parts: list[list[int]], out: Path | None) -> dict:
        card.synchronize(self.args.device)
        began, before = time.perf_counter(), processor_seconds()
        order, means, counts, work, waited = [], [], [], [], 0.0
        loader = self.loader(rows, parts)
        for at, mean, count, of, wait in self.passed(loader):
            order += at
            work += of
            means.append(mean)
            counts.append(count)
            waited += wait
        means, counts = torch.cat(means, 1).cpu().numpy(), torch.cat(counts, 1).cpu().numpy()
        seconds = time.perf_counter() - began
        cpu = processor_seconds() - before
        if out is not None:
            back = np.argsort(order)
            own = {f"{name}.last": means[i][back] for i, name in enumerate(MODALITIES)}
            np.savez(out, **own, **{f"{name}.tokens": counts[i][back] for i, name in enumerate(MODALITIES)})
        flops = sum(self.counter.sample(towers, tokens) for towers, tokens in work)
        return {
            "samples": len(order), "tokens": sum(tokens for _, tokens in work), "flops": flops, "seconds": seconds,
            "waited": waited, "cpu": cpu,
        }

    def tuned(self, rows: list[dict], keys: list[tuple]) -> tuple[int, dict[int, float | str]]:
        """The batch size that is fastest on some samples of all lengths, and what each gave in samples a second."""
        ordered = sorted(range(len(rows)), key=lambda i: keys[i])
        chosen = sorted({*ordered[:: max(1, len(rows) // TRIED)], ordered[-1]})
        some, their = [rows[i] for i in chosen], [keys[i] for i in chosen]
        found: dict[int, float | str] = {}
        best = SIZES[0]
        for size in SIZES:
            if size > len(some):
                break
            try:
                ran = self.run(some, batches(their, size), None)
            except torch.OutOfMemoryError:
                found[size] = "out of memory"
                torch.cuda.empty_cache()
                break
            found[size] = ran["samples"] / ran["seconds"]
            if found[size] > GAIN * found[best]:
                best = size
            elif found[size] < found[best] / 1.3:
                break  # padding costs more than it gives
        return best, found


def processor_seconds() -> float:
    """Of this process and of its workers that ended."""
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in own)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("family")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", required=True)
    parser.add_argument("--kinds", nargs="+", required=True)
    parser.add_argument("--sizes", type=json.loads, default={}, help="batch sizes that are known, by kind")
    parser.add_argument("--workers", type=int, required=True)
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    run = Run(args)
    figures: dict = {
        "load_seconds": time.perf_counter() - began,
        "attention": run.attention,
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "image_processor": type(run.processor.image_processor).__name__,
        "kinds": {},
    }
    with torch.inference_mode():
        for kind in args.kinds:
            rows = json.loads((args.data / f"{kind}.json").read_text(encoding="utf-8"))
            keys = [rough(row, args.data) for row in rows]
            run.run(rows, batches(keys, 1)[:2], None)  # warm up
            size, tried = (args.sizes[kind], {}) if kind in args.sizes else run.tuned(rows, keys)
            if not run.on_cpu:
                torch.cuda.reset_peak_memory_stats(args.device)
            ran = run.run(rows, batches(keys, size), args.out / f"{kind}.npz")
            ran |= {"size": size, "tried": tried}
            if not run.on_cpu:
                ran["peak"] = torch.cuda.max_memory_reserved(args.device)
            figures["kinds"][kind] = ran
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
