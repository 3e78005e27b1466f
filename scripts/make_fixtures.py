#!/usr/bin/env python3
"""Make tests/fixtures: pictures, rows and what the reference implementations make of them.

The reference is Hugging Face transformers 5.23 on the CPU in float32 with eager attention (torch 2.15, torchvision
0.29, Pillow 13), run with models/tiny-llava-onevision. The versions that made the files are written into them.

- llava_onevision/: the published Hugging Face layout. Token ids, tiles, u8 levels, pooled vectors.
- llava_1_5/, llava_next_llama/, llava_next_mistral/, llava_next_qwen2/: the published layouts of LLaVA-1.5 and
  LLaVA-NeXT, each with its own tiny checkpoint.
- llava_next/: the layout that LLaVA-NeXT's training code writes, with its own prompt and preprocessing.
- chat_templates/: conversations rendered by transformers' Jinja environment with templates of several kinds.

    python scripts/make_fixtures.py [PART ...]
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
from fixtures import llava, next_layout, onevision_clips, templates

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = ROOT / "models" / "tiny-llava-onevision"
PARTS = {"llava_onevision": onevision_clips.make, "llava_next": next_layout.make, "chat_templates": templates.make}
PARTS |= llava.PARTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; default: all")
    args = parser.parse_args()
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")

    versions = {module.__name__: module.__version__ for module in (torch, torchvision, transformers, tokenizers, PIL)}
    for module, wanted in (("transformers", "5.23."), ("torch", "2.15."), ("torchvision", "0.29."), ("PIL", "13.")):
        if not versions[module].startswith(wanted):
            parser.error(f"{module} {versions[module]} is installed, the fixtures need {wanted}*")
    versions = {name: version.split("+")[0] for name, version in versions.items()}
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(min(2, os.cpu_count() or 1))

    for part in args.parts or PARTS:
        out = ROOT / "tests" / "fixtures" / part
        out.mkdir(parents=True, exist_ok=True)
        PARTS[part](CHECKPOINT, out, versions)
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        print(f"{part}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
