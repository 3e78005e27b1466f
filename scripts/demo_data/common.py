"""What the domains share: samples, datasets, colours, the one font, and a little paper grain."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLOURS = {
    "red": (205, 52, 46),
    "green": (56, 142, 60),
    "blue": (38, 92, 190),
    "yellow": (240, 200, 40),
    "orange": (236, 124, 38),
    "purple": (124, 66, 160),
    "black": (30, 30, 34),
    "white": (246, 246, 242),
    "gray": (132, 136, 140),
    "brown": (121, 82, 52),
}
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@dataclass
class Sample:
    """One row: pictures with the file type they are saved as, a clip frame by frame, and alternating human and gpt turns."""

    turns: list[str]
    pictures: list[Image.Image] = field(default_factory=list)
    kind: str = "png"
    clip: list[Image.Image] = field(default_factory=list)
    clip_mark: str = "<video>"


@dataclass
class Dataset:
    """`lines` says whether the annotations are JSONL or one JSON array."""

    name: str
    samples: list[Sample]
    lines: bool = False


def font(size: float) -> ImageFont.ImageFont:
    """Pillow's built-in font, which scales and may be used freely."""
    return ImageFont.load_default(size=size)


def pick(rng: np.random.Generator, items):
    items = list(items)
    return items[int(rng.integers(len(items)))]


def some(rng: np.random.Generator, items, count: int) -> list:
    """`count` different items, in random order."""
    items = list(items)
    return [items[i] for i in rng.permutation(len(items))[:count]]


def grain(picture: Image.Image, rng: np.random.Generator, strength: int) -> Image.Image:
    """The picture with noise of +-strength levels, the same in every channel, as a sensor's."""
    levels = np.asarray(picture).astype(np.int16)
    noise = rng.integers(-strength, strength + 1, (picture.height, picture.width, 1), dtype=np.int16)
    return Image.fromarray(np.clip(levels + noise, 0, 255).astype(np.uint8))


def centred(draw: ImageDraw.ImageDraw, xy: tuple[float, float], text: str, size: float, fill="black") -> None:
    draw.text(xy, text, fill=fill, font=font(size), anchor="mm")


def plural(count: int, noun: str) -> str:
    return f"{NUMBERS[count]} {noun}{'' if count == 1 else 's'}"
