#!/usr/bin/env python3
"""Make tests/fixtures: pictures, rows and what the reference implementations make of them.

The reference is Hugging Face transformers 5.23 on the CPU in float32 with eager attention (torch 2.15, torchvision
0.29, Pillow 13), run with models/tiny-llava-onevision. The versions that made the files are written into them.

- llava_onevision/: the published Hugging Face layout. Token ids, tiles, u8 levels, pooled vectors.
- llava_1_5/, llava_next_llama/, llava_next_mistral/, llava_next_qwen2/: the published layouts of LLaVA-1.5 and
  LLaVA-NeXT, each with its own tiny checkpoint.
- llava_next/: the layout that LLaVA-NeXT's training code writes, with its own prompt and preprocessing.
- qwen2_vl/, qwen2_5_vl/: the published layouts with tiny checkpoints of their own. Grids, M-RoPE positions by two
  rules, and the same as above. Needs the Python of a transformers 4.57 for the older rule: --older-python.
- chat_templates/: conversations rendered by transformers' Jinja environment with templates of several kinds.

    python scripts/make_fixtures.py [--older-python PATH] [PART ...]
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import PIL
import tokenizers
import torch
import torchvision
import transformers
from fixtures import llava, next_layout, onevision_clips, qwen_vl, templates

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = ROOT / "models" / "tiny-llava-onevision"
PARTS = {
    "llava_onevision": onevision_clips.make,
    "llava_next": next_layout.make,
    **llava.PARTS,
    "qwen2_vl": qwen_vl.make,
    "qwen2_5_vl": qwen_vl.make,
    "chat_templates": templates.make,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; default: all")
    parser.add_argument("--older-python", metavar="PATH", help="a Python with transformers 4.57, for the Qwen parts")
    args = parser.parse_args()
    parts = args.parts or list(PARTS)
    unknown = set(parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if args.older_python is None and any(PARTS[part] is qwen_vl.make for part in parts):
        parser.error("the Qwen parts need --older-python")

    versions = {module.__name__: module.__version__ for module in (torch, torchvision, transformers, tokenizers, PIL)}
    for module, wanted in (("transformers", "5.23."), ("torch", "2.15."), ("torchvision", "0.29."), ("PIL", "13.")):
        if not versions[module].startswith(wanted):
            parser.error(f"{module} {versions[module]} is installed, the fixtures need {wanted}*")
    versions = {name: version.split("+")[0] for name, version in versions.items()}
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(min(2, os.cpu_count() or 1))

    for part in parts:
        out = ROOT / "tests" / "fixtures" / part
        out.mkdir(parents=True, exist_ok=True)
        if PARTS[part] is qwen_vl.make:
            qwen_vl.make(out, versions, args.older_python)
        else:
            PARTS[part](CHECKPOINT, out, versions)
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        print(f"{part}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
