"""Samples as training data has them: JPEG pictures of 480 x 640 to 1080 x 1920, conversations of 50 to 1,500 tokens, texts
alone, and clips of 16 to 32 frames that are folders of JPEGs. Written as LLaVA JSON, one file for each kind, `mixed`, and
`warm`, a few of each.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from tokenizers import Tokenizer

from .samples import CLIP_SIZE, picture, text

# (width, height)
SIZES = [(640, 480), (480, 640), (800, 600), (1024, 768), (768, 1024), (1280, 720), (1000, 1000), (1920, 1080), (1080, 1920)]
# Most pictures of training data are of the first three.
CHANCES = np.array([8, 4, 4, 2, 1, 2, 1, 1, 1]) / 24
FRAMES = (16, 24, 32)
# Tokens of the text in a sample of each kind, fewest and most; spread evenly over their logarithm.
TOKENS = {"image": (50, 600), "text": (50, 1500), "video": (50, 300)}
KINDS = ("image", "text", "video")


class Writer:
    """Conversations of a wanted number of tokens."""

    def __init__(self, tokenizer: Path, rng: np.random.Generator) -> None:
        self.tokenizer, self.rng = Tokenizer.from_file(str(tokenizer)), rng
        per_word = len(self.tokenizer.encode(text(rng, 2000)).ids) / 2000
        self.words = lambda tokens: max(2, round(tokens / per_word))

    def turns(self, kind: str, placeholder: str) -> list[dict]:
        fewest, most = np.log(TOKENS[kind])
        words = self.words(np.exp(self.rng.uniform(fewest, most)))
        asked = max(1, words // 4)
        said = [text(self.rng, asked), text(self.rng, words - asked)]
        return [{"from": "human", "value": placeholder + said[0]}, {"from": "gpt", "value": said[1]}]


def make(folder: Path, tokenizer: Path, counts: dict[str, int], small: bool) -> None:
    """Write the samples unless they are there. `small`: pictures of a quarter of the sides and clips of a few frames, to try a script."""
    done = folder / "counts.json"
    wanted = {"counts": counts, "small": small}
    if done.exists() and json.loads(done.read_text(encoding="utf-8")) == wanted:
        return
    done.unlink(missing_ok=True)
    rng = np.random.Generator(np.random.PCG64(11))
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(tokenizer, rng)
    shrink = 4 if small else 1
    # A few scenes are drawn, and many files cut out of them: drawing each would take longer than the benchmark.
    scenes = {size: [picture(rng, size[0] // shrink, size[1] // shrink) for _ in range(2)] for size in (*SIZES, CLIP_SIZE)}

    def jpeg(size: tuple[int, int], shift: int, path: Path) -> None:
        levels = np.asarray(scenes[size][shift % 2])
        Image.fromarray(np.roll(levels, 7 * shift, axis=1)).save(path, quality=85)

    rows: dict[str, list[dict]] = {kind: [] for kind in KINDS}
    for i in range(counts.get("image", 0)):
        name = f"{i:04}.jpg"
        jpeg(SIZES[rng.choice(len(SIZES), p=CHANCES)], i, folder / name)
        rows["image"].append({"id": f"image{i}", "image": name, "conversations": writer.turns("image", "<image>\n")})
    for i in range(counts.get("text", 0)):
        rows["text"].append({"id": f"text{i}", "conversations": writer.turns("text", "")})
    for i in range(counts.get("video", 0)):
        name = f"clip{i:03}"
        (folder / name).mkdir(exist_ok=True)
        frames = FRAMES[i % len(FRAMES)] // (4 if small else 1)
        for k in range(frames):
            jpeg(CLIP_SIZE, 2 * (10 * i + k), folder / name / f"{k:03}.jpg")
        rows["video"].append({"id": name, "video": name, "conversations": writer.turns("video", "<video>\n")})
    # As a run meets them: two pictures for each text, and few clips.
    taken = {"image": counts.get("image", 0) // 2, "text": counts.get("text", 0) // 4, "video": counts.get("video", 0) // 4}
    rows["mixed"] = [row for kind, count in taken.items() for row in rows[kind][:count]]
    rng.shuffle(rows["mixed"])
    rows["warm"] = [row for kind in KINDS for row in rows[kind][:2]]
    for kind, of in rows.items():
        (folder / f"{kind}.json").write_text(json.dumps(of, indent=1), encoding="utf-8")
    done.write_text(json.dumps(wanted), encoding="utf-8")
