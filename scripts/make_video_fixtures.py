"""Makes tests/fixtures/media/video_sampling.json: the frames that the reference implementations take of a clip.

Needs Python 3.11, numpy, torch (CPU) and transformers 5.23; the file records the exact versions. Run from the root of
the repository:

    python scripts/make_video_fixtures.py

Rows are [total frames, frames a second, argument, indices], with null for indices where the reference refuses:

* `plain_num_frames`, `plain_fps`: `sample_frames` of transformers' LLaVA-OneVision video processor;
* `qwen_num_frames`, `qwen_fps`: that of its Qwen2-VL video processor. For some pairs `torch.arange` goes one step too
  far there and yields `total` itself, with which no clip can be indexed; it is left out, and `beyond_the_end` counts how
  often that was so;
* `llava_next_file`, `llava_next_folder`: the arithmetic of LLaVA-NeXT's `llava/train/train.py`, by numpy.
"""

import json
import random
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.models.llava_onevision.video_processing_llava_onevision import LlavaOnevisionVideoProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.video_utils import VideoMetadata

OUT = Path("tests/fixtures/media/video_sampling.json")
RATES = [1.0, 10.0, 12.5, 23.976023976023978, 24.0, 25.0, 30000 / 1001, 30.0, 59.94, 60.0]
beyond_the_end = 0


def sampled(processor, total, rate, **wanted):
    global beyond_the_end
    try:
        indices = processor.sample_frames(VideoMetadata(total_num_frames=total, fps=rate), **wanted).tolist()
    except (ValueError, ZeroDivisionError):
        return None
    if indices[-1] == total:
        beyond_the_end += 1
        indices.pop()
    return indices


def llava_next_file(total, fps):
    # The reference divides by the step without the lower bound, and fails for clips slower than half a frame a second.
    indices = list(range(0, total, max(1, round(fps))))
    if len(indices) > 32:
        indices = np.linspace(0, total - 1, 32, dtype=int).tolist()
    return indices


def main():
    assert transformers.__version__.startswith("5.23."), transformers.__version__
    plain, qwen = LlavaOnevisionVideoProcessor(), Qwen2VLVideoProcessor()
    rng = random.Random(0)
    names = ("plain_num_frames", "qwen_num_frames", "plain_fps", "qwen_fps", "llava_next_file", "llava_next_folder")
    rows = {name: [] for name in names}

    pairs = [(t, n) for t in (1, 2, 3, 4, 5, 7, 10, 17) for n in range(1, t + 2)]
    pairs += [(t, rng.randint(1, 40)) for t in [rng.randint(18, 5000) for _ in range(80)]]
    pairs += [(rng.randint(10**6, 10**9), rng.randint(1, 40)) for _ in range(5)]
    for total, n in pairs:
        rows["plain_num_frames"].append([total, 24.0, n, sampled(plain, total, 24.0, num_frames=n)])
        # torch.arange counts in f64 as well, but its steps add up: only totals of real clips are compared.
        if total < 10**6:
            rows["qwen_num_frames"].append([total, 24.0, n, sampled(qwen, total, 24.0, num_frames=n)])

    clips = [(t, rng.choice(RATES), f) for t in (1, 2, 3, 4, 5, 9, 48, 241) for f in (0.01, 0.5, 1.0, 2.0, 61.0)]
    clips += [(rng.randint(1, 3000), rng.choice(RATES), rng.choice([0.1, 0.25, 1 / 3, 0.5, 1.0, 2.0])) for _ in range(100)]
    clips += [(20_000, 10.0, 1.0)]
    for total, fps, wanted in clips:
        for name, processor in (("plain_fps", plain), ("qwen_fps", qwen)):
            indices = sampled(processor, total, fps, fps=wanted)
            if total < 10_000 or name == "qwen_fps":
                rows[name].append([total, fps, wanted, indices])

    for total in [1, 2, 24, 31, 32, 33, 900, 929, 930, 931, 959, 960, 961] + [rng.randint(1, 20_000) for _ in range(60)]:
        for fps in (rng.choice(RATES), rng.choice([0.3, 0.5, 1.5, 2.5, 24.5, 25.5])):
            rows["llava_next_file"].append([total, fps, None, llava_next_file(total, fps)])
    for total in [*range(1, 40), *(rng.randint(40, 10**6) for _ in range(40))]:
        rows["llava_next_folder"].append([total, 2.0, None, np.linspace(0, total - 1, 10, dtype=int).tolist()])

    made_with = {m.__name__: m.__version__.split("+")[0] for m in (transformers, torch, np)}
    head = {"made_with": made_with, "beyond_the_end": beyond_the_end}
    lines = [json.dumps(head)[1:-1]]
    for name, these in rows.items():
        body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in these)
        lines.append(f'"{name}": [\n{body}\n]')
    OUT.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
