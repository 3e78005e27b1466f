"""What the GPU benchmark needs before it starts, in a process that gives the card back: a checkpoint, and the card's rate.

    python -m bench.prepare MODEL FOLDER --device cuda [--tiny]

Prints one line of JSON.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from . import card
from .models import MODELS, make, make_tiny


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=list(MODELS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", required=True)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    began = time.perf_counter()
    if args.tiny:
        make_tiny(args.folder, MODELS[args.model])
    else:
        make(args.folder, MODELS[args.model], args.device)
    made = time.perf_counter() - began
    rate = card.matrix_rate(args.device)
    print(json.dumps({"card": card.name(args.device), "flops_per_second": rate, "seconds": made, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
