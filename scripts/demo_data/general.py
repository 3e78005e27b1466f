"""General: outdoor scenes in place of photographs, and things on a table."""

import numpy as np
from PIL import Image, ImageDraw

from .common import COLOURS, NUMBERS, Dataset, Sample, grain, pick, plural, some

SIZES = [(320, 240), (240, 320), (400, 300), (300, 300), (360, 200), (280, 210), (384, 256)]


def shade(top: tuple[int, ...], bottom: tuple[int, ...], width: int, height: int) -> Image.Image:
    """A vertical gradient."""
    mix = np.linspace(0, 1, height)[:, None, None]
    levels = (1 - mix) * np.array(top) + mix * np.array(bottom)
    return Image.fromarray(np.broadcast_to(levels, (height, width, 3)).astype(np.uint8).copy())


def scene(rng: np.random.Generator, width: int, height: int) -> tuple[Image.Image, dict]:
    """A meadow under the sky: trees, houses, birds, sun or moon; with what is in it."""
    night = bool(rng.random() < 0.3)
    facts = {
        "night": night,
        "trees": int(rng.integers(1, 6)),
        "houses": int(rng.integers(0, 3)),
        "birds": 0 if night else int(rng.integers(0, 5)),
        "roof": pick(rng, ["red", "blue", "orange", "purple"]),
        "side": pick(rng, ["left", "right"]),
        "lake": bool(rng.random() < 0.4),
    }
    sky = ((12, 18, 48), (52, 60, 98)) if night else ((88, 150, 226), (206, 226, 244))
    picture = shade(*sky, width, height)
    draw = ImageDraw.Draw(picture)
    unit, ground = min(width, height) / 10, int(height * 0.6)
    x = width * (0.18 if facts["side"] == "left" else 0.82)
    draw.ellipse((x - unit, unit * 0.6, x + unit, unit * 2.6), fill=(236, 236, 214) if night else (255, 214, 72))
    dim = 0.45 if night else 1.0

    def tone(*rgb: int) -> tuple[int, ...]:
        return tuple(int(v * dim) for v in rgb)

    draw.rectangle((0, ground, width, height), fill=tone(96, 158, 74))
    draw.polygon([(0, ground), (width * 0.3, ground - unit * 1.4), (width * 0.65, ground)], fill=tone(82, 136, 70))
    if facts["lake"]:
        draw.ellipse((width * 0.2, height * 0.86, width * 0.8, height * 0.99), fill=tone(64, 120, 190))
    slots = facts["trees"] + facts["houses"]
    kinds = some(rng, ["tree"] * facts["trees"] + ["house"] * facts["houses"], slots)
    for i, kind in enumerate(kinds):
        x = width * (i + 0.5) / slots + rng.uniform(-0.1, 0.1) * unit
        base = ground + unit * rng.uniform(0.6, 1.6)
        w = min(unit * 0.9, width / slots * 0.42)
        if kind == "tree":
            draw.rectangle((x - w * 0.15, base - w, x + w * 0.15, base), fill=tone(104, 70, 40))
            draw.ellipse((x - w * 0.8, base - w * 2.6, x + w * 0.8, base - w * 0.8), fill=tone(40, 110, 50))
        else:
            draw.rectangle((x - w, base - w * 1.2, x + w, base), fill=tone(232, 222, 200))
            roof = [(x - w * 1.2, base - w * 1.2), (x + w * 1.2, base - w * 1.2), (x, base - w * 2.2)]
            draw.polygon(roof, fill=tone(*COLOURS[facts["roof"]]))
            draw.rectangle((x - w * 0.2, base - w * 0.6, x + w * 0.2, base), fill=tone(90, 60, 40))
    for i in range(facts["birds"]):
        x, y, w = width * (0.35 + 0.09 * i), unit * rng.uniform(0.8, 3.2), unit * 0.28
        draw.line([(x - w, y - w / 2), (x, y), (x + w, y - w / 2)], fill=(30, 30, 30), width=2)
    return grain(picture, rng, 4), facts


def describe(facts: dict) -> str:
    things = [plural(facts["trees"], "tree")]
    if facts["houses"]:
        things.append(plural(facts["houses"], "house") + f" with {facts['roof']} roof" + ("s" if facts["houses"] > 1 else ""))
    light = "At night, under the moon" if facts["night"] else "On a sunny day"
    text = f"{light}, {' and '.join(things)} stand on a green meadow."
    if facts["lake"]:
        text += " In the foreground there is a small lake."
    if facts["birds"]:
        text += f" {plural(facts['birds'], 'bird').capitalize()} can be seen in the sky."
    return text


def scene_turns(rng: np.random.Generator, facts: dict) -> list[str]:
    light = "moon" if facts["night"] else "sun"
    asked = [
        ("How many trees are there in the picture?", NUMBERS[facts["trees"]].capitalize() + "."),
        ("Is it day or night?", "It is night." if facts["night"] else "It is day."),
        (f"On which side of the picture is the {light}?", f"The {light} is on the {facts['side']}."),
        ("Is there any water?", "Yes, there is a lake in the foreground." if facts["lake"] else "No, there is no water."),
        ("Describe the image in one or two sentences.", describe(facts)),
        ("Are there more houses than trees?", "Yes." if facts["houses"] > facts["trees"] else "No."),
    ]
    if facts["houses"]:
        asked.append(("What is the colour of the roofs?\nAnswer with a single word.", facts["roof"].capitalize()))
    if not facts["night"]:
        asked.append(("How many birds are flying?", f"There are {facts['birds']} birds in the sky." if facts["birds"] != 1 else "There is one bird in the sky."))
    return [text for pair in some(rng, asked, int(rng.integers(1, 4))) for text in pair]


def table(rng: np.random.Generator, width: int, height: int) -> tuple[Image.Image, list[tuple[str, str]]]:
    """Coloured things in a row on a table; returns (colour, shape) from left to right."""
    picture = shade((226, 220, 208), (196, 186, 170), width, height)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height * 0.6, width, height), fill=(150, 108, 70))
    count = int(rng.integers(2, 6))
    things = [(colour, pick(rng, ["ball", "box", "cone", "cup"])) for colour in some(rng, [c for c in COLOURS if c not in ("white", "brown")], count)]
    for i, (colour, shape) in enumerate(things):
        r = min(width / count, height) * rng.uniform(0.2, 0.32)
        x, base, fill = width * (i + 0.5) / count, height * 0.78, COLOURS[colour]
        draw.ellipse((x - r * 1.1, base - r * 0.2, x + r * 1.1, base + r * 0.2), fill=(116, 82, 52))
        if shape == "ball":
            draw.ellipse((x - r, base - 2 * r, x + r, base), fill=fill)
            draw.ellipse((x - r * 0.5, base - r * 1.7, x - r * 0.1, base - r * 1.3), fill=(250, 250, 250))
        elif shape == "box":
            draw.rectangle((x - r, base - 1.8 * r, x + r, base), fill=fill)
        elif shape == "cone":
            draw.polygon([(x - r, base), (x + r, base), (x, base - 2.4 * r)], fill=fill)
        else:
            draw.polygon([(x - r, base - 1.7 * r), (x + r, base - 1.7 * r), (x + r * 0.7, base), (x - r * 0.7, base)], fill=fill)
            draw.arc((x + r * 0.6, base - 1.4 * r, x + r * 1.5, base - 0.5 * r), -90, 100, fill=fill, width=4)
    return picture, things


def table_turns(rng: np.random.Generator, things: list[tuple[str, str]]) -> list[str]:
    names = [f"{colour} {shape}" for colour, shape in things]
    i = int(rng.integers(len(things) - 1))
    colour, shape = pick(rng, things)
    balls = sum(kind == "ball" for _, kind in things)
    order = ["A", "B", "C", "D"]
    options = some(rng, [c for c in COLOURS if c != colour], 3) + [colour]
    options = some(rng, options, 4)
    asked = [
        ("How many objects are on the table?", f"There are {NUMBERS[len(things)]} objects on the table."),
        (f"What is directly to the right of the {names[i]}?", f"The {names[i + 1]}."),
        ("List the objects from left to right.", ", ".join(names).capitalize() + "."),
        ("Is there a ball?", f"Yes, {plural(balls, 'ball')}." if balls else "No, there is no ball."),
        ("What is the leftmost object?", f"It is a {names[0]}."),
    ]
    if sum(kind == shape for _, kind in things) == 1:
        choices = "\n".join(f"{letter}. {option}" for letter, option in zip(order, options, strict=True))
        question = f"What is the colour of the {shape}?\n{choices}\nAnswer with the option's letter from the given choices directly."
        asked.append((question, order[options.index(colour)]))
    return [text for pair in some(rng, asked, int(rng.integers(1, 4))) for text in pair]


def datasets(rng: np.random.Generator):
    scenes = []
    for i in range(24):
        width, height = (1024, 768) if i == 5 else (720, 960) if i == 17 else pick(rng, SIZES)
        picture, facts = scene(rng, width, height)
        scenes.append(Sample(scene_turns(rng, facts), [picture], "jpg"))
    yield Dataset("scenes", scenes)

    tables = []
    for _ in range(18):
        picture, things = table(rng, *pick(rng, SIZES))
        tables.append(Sample(table_turns(rng, things), [picture]))
    for _ in range(4):
        pair = [table(rng, *pick(rng, SIZES)) for _ in range(2)]
        counts = [len(things) for _, things in pair]
        answer = "Both show the same number." if counts[0] == counts[1] else f"The {'first' if counts[0] > counts[1] else 'second'} one."
        tables.append(Sample(["Which picture shows more objects?", f"{answer} There are {counts[0]} and {counts[1]}."], [p for p, _ in pair]))
    yield Dataset("tabletop", tables, lines=True)
