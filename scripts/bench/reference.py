"""One run of transformers as a user who cares for speed would write it; its own process, so that its peak memory is its own.

The base model without the LM head and without a KV cache, SDPA attention, batch 1 (padding makes the CPU slower), mean
pooling per modality. Linears are torch's own, or oneDNN's with packed weights.

    python -m bench.reference CHECKPOINT ROWS.json OUT.npz --linears onednn|default --dtype f32|bf16 --threads N --resampler R
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
from fixtures.pictures import decode
from fixtures.prompts import conversation, pictures_of
from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil


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
        processor.image_processor = LlavaOnevisionImageProcessorPil.from_pretrained(args.checkpoint)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    whole = LlavaOnevisionForConditionalGeneration.from_pretrained(args.checkpoint, dtype=dtype, attn_implementation="sdpa")
    model = whole.model.eval().requires_grad_(False)
    del whole
    if args.linears == "onednn":
        pack_linears(model)
    loaded = time.perf_counter()

    rows = json.loads(args.rows.read_text(encoding="utf-8"))
    vectors: dict[str, list[np.ndarray]] = {"text": [], "image": []}
    counts: dict[str, list[int]] = {"text": [], "image": []}
    with torch.inference_mode():
        for row in rows:
            prompt = processor.apply_chat_template(conversation(row), tokenize=False)
            images = [decode(args.rows.parent / file) for file in pictures_of(row)]
            inputs = processor(text=[prompt], images=[images] if images else None, return_tensors="pt")
            if images:
                inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
            hidden = model(**inputs, use_cache=False).last_hidden_state[0]
            image = inputs["input_ids"][0] == processor.image_token_id
            for name, mask in (("text", ~image), ("image", image)):
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
