"""The samples of the benchmark as LLaVA JSON: pictures of usual sizes and clips with short texts, longer texts alone."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

# (width, height): 6 of them make about 18,900 image tokens.
SIZES = [(640, 480), (512, 512), (640, 427), (480, 640), (600, 600), (640, 480)]
CLIP_SIZE = (640, 360)
CLIP_WORDS = 60
WORDS = (
    "the picture shows a red circle on left and blue square right of table how many people are there in this image two women "
    "one man is lying grass behind it white house what colour largest shape yellow triangle middle answer question using single "
    "word or phrase value for march highest according to total was number visitors month text says open daily closed sunday area "
    "half base times height find angle solve first hence write function that returns sum list explain why sky light sun scattered"
).split()


def text(rng: np.random.Generator, words: int) -> str:
    out = []
    while words > 0:
        count = min(words, int(rng.integers(6, 18)))
        sentence = " ".join(WORDS[i] for i in rng.integers(0, len(WORDS), count))
        out.append(sentence[0].upper() + sentence[1:] + ".")
        words -= count
    return " ".join(out)


def picture(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    levels = np.stack([(x * 200 // width), (y * 200 // height), (x + y) * 200 // (width + height)], axis=-1)
    image = Image.fromarray(levels.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = int(rng.integers(0, width - 40)), int(rng.integers(0, height - 40))
        box = (left, top, left + int(rng.integers(20, width // 3)), top + int(rng.integers(20, height // 3)))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(box, fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    noise = rng.integers(-6, 7, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(image).astype(np.int16) + noise, 0, 255).astype(np.uint8))


def make(folder: Path, images: int, texts: int, image_words: int, text_words: int) -> None:
    """image.json with PNGs beside it, and text.json."""
    rng = np.random.Generator(np.random.PCG64(7))
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(images):
        name = f"{i:03}.png"
        picture(rng, *SIZES[i % len(SIZES)]).save(folder / name)
        question, answer = text(rng, image_words // 3), text(rng, image_words - image_words // 3)
        turns = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
        rows.append({"id": f"image{i}", "image": name, "conversations": turns})
    (folder / "image.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    rows = []
    for i in range(texts):
        words = int(text_words * rng.uniform(0.5, 1.5))
        turns = [{"from": "human", "value": text(rng, words // 3)}, {"from": "gpt", "value": text(rng, words - words // 3)}]
        rows.append({"id": f"text{i}", "conversations": turns})
    (folder / "text.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def make_clips(folder: Path, clips: int, frames: int) -> None:
    """video.json with a folder of PNGs for each clip: a picture that moves sideways over its own edge."""
    rng = np.random.Generator(np.random.PCG64(8))
    rows = []
    for i in range(clips):
        name = f"clip{i}"
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
        scene = np.asarray(picture(rng, *CLIP_SIZE))
        for k in range(frames):
            Image.fromarray(np.roll(scene, 12 * k, axis=1)).save(folder / name / f"{k:03}.png")
        question, answer = text(rng, CLIP_WORDS // 3), text(rng, CLIP_WORDS - CLIP_WORDS // 3)
        turns = [{"from": "human", "value": f"<video>\n{question}"}, {"from": "gpt", "value": answer}]
        rows.append({"id": name, "video": name, "conversations": turns})
    (folder / "video.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
