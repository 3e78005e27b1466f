"""One run of transformers as a user who cares for speed would write it; its own process, so that its peak memory is its own.

The base model without the LM head and without a KV cache, SDPA attention, batch 1 (padding makes the CPU slower), mean
pooling per modality. Linears are torch's own, or oneDNN's with packed weights. Every frame of a clip is taken.

    python -m bench.reference FAMILY CHECKPOINT ROWS.json OUT.npz \\
        --linears onednn|default --dtype f32|bf16 --threads N --resampler torchvision|pillow
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers
from fixtures.prompts import conversation
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from .families import FAMILIES
from .media import media_of
from .pooling import MODALITIES, masks

# Frames have none of Pillow's in transformers.
PILLOW = {
    "llava-onevision": LlavaOnevisionImageProcessorPil,
    "llava-1.5": CLIPImageProcessorPil,
    "llava-next": LlavaNextImageProcessorPil,
    "qwen2-vl": Qwen2VLImageProcessorPil,
    "qwen2.5-vl": Qwen2VLImageProcessorPil,
}


class OneDnnLinear(torch.nn.Module):
    """A linear layer through oneDNN, its weight packed once: what torch.compile's freezing makes of a linear."""

    def __init__(self, linear: torch.nn.Linear):
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


def pack_linears(module: torch.nn.Module) -> None:
    """Replace every linear below `module`; the plain weight is freed as the packed one is made."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.Linear):
            setattr(module, name, OneDnnLinear(child))
        else:
            pack_linears(child)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("family", choices=list(FAMILIES))
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--linears", choices=["onednn", "default"], required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--resampler", choices=["torchvision", "pillow"], required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    transformers.utils.logging.disable_progress_bar()

    began = time.perf_counter()
    processor = AutoProcessor.from_pretrained(args.checkpoint)
    if args.resampler == "pillow":
        processor.image_processor = PILLOW[args.family].from_pretrained(args.checkpoint)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    whole = AutoModelForImageTextToText.from_pretrained(args.checkpoint, dtype=dtype, attn_implementation="sdpa")
    model = whole.model.eval().requires_grad_(False)
    del whole
    if args.linears == "onednn":
        pack_linears(model)
    loaded = time.perf_counter()

    rows = json.loads(args.rows.read_text(encoding="utf-8"))
    vectors: dict[str, list[np.ndarray]] = {name: [] for name in MODALITIES}
    counts: dict[str, list[int]] = {name: [] for name in MODALITIES}
    with torch.inference_mode():
        for row in rows:
            prompt = processor.apply_chat_template(conversation(row), tokenize=False)
            inputs = dict(processor(text=[prompt], return_tensors="pt", **media_of(row, args.rows.parent, args.family)))
            inputs.pop("video_metadata", None)
            for key in inputs.keys() & {"pixel_values", "pixel_values_videos"}:
                inputs[key] = inputs[key].to(dtype)
            if hasattr(model, "rope_deltas"):
                model.rope_deltas = None  # Qwen: what the last sample left behind
            hidden = model(**inputs, use_cache=False).last_hidden_state[0]
            for name, mask in masks(inputs["input_ids"][0], processor).items():
                count = int(mask.sum())
                mean = hidden[mask].float().mean(0) if count else torch.zeros(hidden.shape[-1])
                vectors[name].append(mean.numpy())
                counts[name].append(count)
    done = time.perf_counter()
    np.savez(args.out, **{f"{name}.last": np.stack(v) for name, v in vectors.items()}, **{f"{n}.tokens": c for n, c in counts.items()})
    figures = {
        "load_seconds": loaded - began,
        "work_seconds": done - loaded,
        "samples": len(rows),
        "tokens": sum(map(sum, counts.values())),
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
