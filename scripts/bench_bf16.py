#!/usr/bin/env python3
"""How far bf16 alone moves mean vectors, and a mixture made from them: what a bound on bf16 has to leave room for.

Every family's conformance samples go through transformers on the CPU from the same pixels and token ids: in f32, in f32
with weights rounded to bf16, and in bf16. Distances of the last from the two others are relative L2 of each pooled vector
at every hidden state, as tests/conformance has them. Then the demo's samples do, and its weights are found from all three
(MaD-Mix, lambda 10). A published checkpoint is in bf16 as it is, so that the second distance is what matters there.

Needs transformers 5.23, torch 2.15, torchvision, Pillow, numpy; five minutes on two cores, no GPU.

    python scripts/bench_bf16.py
"""

import json
import os
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers
from bench.media import media_of
from bench.pooling import MODALITIES, masks
from fixtures.pictures import decode
from fixtures.prompts import clips_of, conversation, pictures_of
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.video_utils import VideoMetadata

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
TINY = ROOT / "models" / "tiny-llava-onevision"
# Folder of cases, checkpoint. LLaVA-NeXT's own layout is the first model under other names.
FAMILIES = {
    "llava_onevision": TINY,
    **{name: FIXTURES / name for name in ("llava_1_5", "llava_next_llama", "llava_next_mistral", "llava_next_qwen2")},
    **{name: FIXTURES / name for name in ("qwen2_vl", "qwen2_5_vl")},
}
MEDIA = FIXTURES / "llava_onevision"
LAMBDA = 10.0


class Thrice:
    """A checkpoint in f32, rounded to bf16 but run in f32, and in bf16."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)

        def load(dtype: torch.dtype) -> torch.nn.Module:
            return AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").model.eval()

        rounded = load(torch.float32)
        for parameter in rounded.parameters():
            parameter.data = parameter.data.bfloat16().float()
        self.models = [load(torch.float32), rounded, load(torch.bfloat16)]

    def pooled(self, prompt: str, media: dict) -> list[dict[str, list[np.ndarray]]]:
        """For each model and each modality that is there, the mean of every hidden state."""
        inputs = dict(self.processor(text=[prompt], return_tensors="pt", **media))
        inputs.pop("video_metadata", None)
        at = masks(inputs["input_ids"][0], self.processor)
        out = []
        for model in self.models:
            own = {key: value.to(model.dtype) if value.is_floating_point() else value for key, value in inputs.items()}
            if hasattr(model, "rope_deltas"):
                model.rope_deltas = None
            with torch.inference_mode():
                states = model(**own, use_cache=False, output_hidden_states=True).hidden_states
            out.append({name: [s[0][mask].float().mean(0).double().numpy() for s in states] for name, mask in at.items() if mask.any()})
        return out


def media_of_case(case: dict, family: str, processor: object) -> dict:
    """The processor's arguments for the pictures and the chosen frames of a case."""
    row, settings, media = case["row"], case.get("settings", {}), {}
    sizes = {}
    if family.startswith("qwen"):
        size = processor.image_processor.size
        edges = {"shortest_edge": "min_pixels", "longest_edge": "max_pixels"}
        sizes = {"size": {edge: settings.get(key, size[edge]) for edge, key in edges.items()}}
    if images := [decode(MEDIA / file) for file in pictures_of(row)]:
        media |= {"images": [images] if family == "llava_onevision" else images, "images_kwargs": sizes}
    if clips := clips_of(row):
        frames, about = [], []
        for folder, clip in zip(clips, case["videos"], strict=True):
            files = sorted((MEDIA / folder).iterdir())
            frames.append(torch.from_numpy(np.stack([np.asarray(decode(files[i])) for i in clip["frames"]])).permute(0, 3, 1, 2))
            fps = settings.get("folder_fps", 2.0)
            about.append(VideoMetadata(total_num_frames=len(files), fps=fps, frames_indices=list(clip["frames"])))
        media |= {"videos": frames, "videos_kwargs": {"do_sample_frames": False, "video_metadata": about, **sizes}}
    return media


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def family_errors(name: str, folder: Path) -> None:
    models = Thrice(folder)
    errors: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    left_out = 0
    cases = json.loads((FIXTURES / name / "cases.json").read_text(encoding="utf-8"))["cases"]
    for case in cases:
        if name == "llava_onevision" and len({len(video["frames"]) for video in case.get("videos", [])}) > 1:
            left_out += 1  # transformers cannot stack clips of different lengths
            continue
        full, rounded, half = models.pooled(case["prompt"], media_of_case(case, name, models.processor))
        for modality, states in half.items():
            for layer, (found, *expected) in enumerate(zip(states, full[modality], rounded[modality], strict=True)):
                errors[f"{modality}.{layer}"].append((*(apart(found, other) for other in expected), case["name"]))
    every = np.array([error[:2] for of in errors.values() for error in of])
    beyond = (every > 2e-2).sum(axis=0)
    print(f"\n{name}: {len(every)} vectors of {len(cases) - left_out} cases")
    print(f"  of f32         median {np.median(every[:, 0]):.1e}, worst {every[:, 0].max():.1e}, {beyond[0]} beyond 2e-2")
    print(f"  of rounded f32 median {np.median(every[:, 1]):.1e}, worst {every[:, 1].max():.1e}, {beyond[1]} beyond 2e-2")
    for kind in sorted(errors):
        medians = np.median([error[:2] for error in errors[kind]], axis=0)
        worst, _, case = max(errors[kind])
        most = max(error[1] for error in errors[kind])
        print(f"  {kind:10} f32: median {medians[0]:.1e} worst {worst:.1e} ({case}); rounded: {medians[1]:.1e} {most:.1e}")


def mixture(datasets: list[list[list[dict[str, np.ndarray]]]]) -> np.ndarray:
    """Weights from samples by domain and dataset, as the README's table has MaD-Mix."""
    kernels, present = [], []
    for modality in MODALITIES:
        centroids = []
        for domain in datasets:
            means = [np.mean(own, axis=0) for of in domain if (own := [s[modality] for s in of if modality in s])]
            centroids.append(np.mean(means, axis=0) if means else None)
        width = next(len(c) for c in centroids if c is not None)
        x = np.stack([np.zeros(width) if c is None else c for c in centroids])
        kernels.append(x @ x.T)
        present.append([c is not None for c in centroids])
    delta = np.sum(present, axis=0)
    alpha = np.linalg.solve(sum(kernels) + LAMBDA * np.eye(len(delta)), delta)
    scores = sum(kernels) @ alpha
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def demo() -> None:
    config = tomllib.loads((ROOT / "configs" / "demo.toml").read_text(encoding="utf-8"))
    models = Thrice(TINY)
    found: list[list[list[list[dict]]]] = [[], [], []]
    for domain in config["domain"]:
        for of in found:
            of.append([])
        for dataset in domain["dataset"]:
            path = ROOT / "configs" / dataset["path"]
            text = path.read_text(encoding="utf-8")
            rows = [json.loads(line) for line in text.splitlines() if line] if path.suffix == ".jsonl" else json.loads(text)
            for of in found:
                of[-1].append([])
            for row in rows:
                prompt = models.processor.apply_chat_template(conversation(row), tokenize=False)
                media = media_of(row, ROOT / "configs" / dataset.get("media_root", "."), "llava-onevision", config["video"]["max_frames"])
                for of, pooled in zip(found, models.pooled(prompt, media), strict=True):
                    of[-1][-1].append({modality: states[-1] for modality, states in pooled.items()})
    full, rounded, half = (100 * mixture(of) for of in found)
    print("\nthe demo, weight % from f32, from f32 with rounded weights, and from bf16")
    for domain, *weights in zip(config["domain"], full, rounded, half, strict=True):
        print(f"  {domain['name']:18} " + " ".join(f"{weight:7.3f}" for weight in weights))
    for name, other in (("f32", full), ("rounded f32", rounded)):
        print(f"  bf16 is at most {np.abs(half - other).max():.4f} percentage points from {name}")


def main() -> None:
    for module, wanted in ((transformers, "5.23."), (torch, "2.15.")):
        if not module.__version__.startswith(wanted):
            sys.exit(f"{module.__name__} {module.__version__} is installed, the fixtures are of {wanted}*")
    torch.set_num_threads(2)
    transformers.utils.logging.disable_progress_bar()
    for name, folder in FAMILIES.items():
        family_errors(name, folder)
    demo()


if __name__ == "__main__":
    main()
