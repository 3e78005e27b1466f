"""Video: shapes that move, and screens on which something changes; every clip is a handful of frames."""

import numpy as np
from PIL import Image, ImageDraw

from .common import COLOURS, NUMBERS, Dataset, Sample, centred, pick, plural, some

SIZES = [(96, 64), (80, 80), (64, 96), (96, 72), (72, 64)]
GROUNDS = [(232, 230, 220), (214, 226, 238), (222, 236, 216), (240, 226, 226)]
PAINTS = ["red", "green", "blue", "orange", "purple", "black"]
SHAPES = ["circle", "square", "triangle"]
# The direction's name, the way that it points, and the edge that it leads to.
WAYS = {
    "from left to right": (1, 0, "right"),
    "from right to left": (-1, 0, "left"),
    "upwards": (0, -1, "top"),
    "downwards": (0, 1, "bottom"),
}
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
PANEL = (44, 48, 56)
MARGIN = 0.16


def put(draw: ImageDraw.ImageDraw, shape: str, x: float, y: float, r: float, fill: tuple[int, ...]) -> None:
    x, y, r = round(x), round(y), round(r)
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    elif shape == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=fill)
    else:
        draw.polygon([(x - r, y + r), (x + r, y + r), (x, y - r)], fill=fill)


def along(way: str, share: float, lane: float) -> tuple[float, float]:
    """A place in the unit square, `share` of the way from edge to edge, in a lane beside it."""
    dx, dy, _ = WAYS[way]
    at = MARGIN + (1 - 2 * MARGIN) * (share if dx + dy > 0 else 1 - share)
    return (at, lane) if dx else (lane, at)


def film(rng: np.random.Generator, tracks: list[tuple[str, str, list[tuple[float, float]]]]) -> list[Image.Image]:
    """Frames with a (shape, colour, places) for each track, the places in the unit square."""
    width, height = pick(rng, SIZES)
    ground = pick(rng, GROUNDS)
    frames = []
    for places in zip(*(places for _, _, places in tracks), strict=True):
        frame = Image.new("RGB", (width, height), ground)
        draw = ImageDraw.Draw(frame)
        for (shape, colour, _), (x, y) in zip(tracks, places, strict=True):
            put(draw, shape, x * width, y * height, min(width, height) * 0.12, COLOURS[colour])
        frames.append(frame)
    return frames


def glide(rng: np.random.Generator) -> tuple[list[str], list[Image.Image]]:
    """One shape, from edge to edge: evenly, faster and faster, or slower and slower."""
    count, shape, colour, way = int(rng.integers(5, 9)), pick(rng, SHAPES), pick(rng, PAINTS), pick(rng, WAYS)
    pace = pick(rng, ["even", "faster", "slower"])
    shares = np.linspace(0, 1, count) ** {"even": 1.0, "faster": 2.0, "slower": 0.5}[pace]
    frames = film(rng, [(shape, colour, [along(way, share, 0.5) for share in shares])])
    asked = [
        (f"Which way does the {shape} move?", f"It moves {way}."),
        ("What moves in the video?", f"A {colour} {shape}." if colour != "orange" else f"An {colour} {shape}."),
        (
            "Does it keep its speed, or does it become faster or slower?",
            "It keeps its speed." if pace == "even" else f"It becomes {pace}.",
        ),
        (f"Near which edge of the picture does the {shape} end up?", f"The {WAYS[way][2]} edge."),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 4))) for text in pair], frames


def relay(rng: np.random.Generator) -> tuple[list[str], list[Image.Image]]:
    """Two shapes of which one moves after the other."""
    half = int(rng.integers(2, 4))
    names = list(zip(some(rng, SHAPES, 2), some(rng, PAINTS, 2), strict=True))
    way = pick(rng, WAYS)
    going, resting = np.linspace(0, 1, half + 1), np.ones(half)
    tracks = []
    for i, (shape, colour) in enumerate(names):
        shares = np.concatenate([going, resting]) if i == 0 else np.concatenate([0 * resting, going])
        tracks.append((shape, colour, [along(way, share, (0.28, 0.72)[i]) for share in shares]))
    first, second = (f"{colour} {shape}" for shape, colour in names)
    asked = [
        ("What happens first, and what happens then?", f"First the {first} moves {way}, then the {second} does the same."),
        (f"Which moves first, the {second} or the {first}?", f"The {first}."),
        (f"What does the {second} do while the {first} is moving?", "It rests and waits."),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 3))) for text in pair], film(rng, some(rng, tracks, 2))


def race(rng: np.random.Generator) -> tuple[list[str], list[Image.Image]]:
    """Two shapes that start together, of which one is twice as fast."""
    count, way = int(rng.integers(4, 7)), pick(rng, ["from left to right", "from right to left"])
    names = list(zip(some(rng, SHAPES, 2), some(rng, PAINTS, 2), strict=True))
    lanes = some(rng, [0.28, 0.72], 2)
    tracks = [
        (shape, colour, [along(way, share, lane) for share in np.linspace(0, far, count)])
        for (shape, colour), lane, far in zip(names, lanes, [1.0, 0.5], strict=True)
    ]
    fast, slow = (f"{colour} {shape}" for shape, colour in names)
    options = some(rng, [fast, slow, "both are equally fast"], 3)
    choices = "\n".join(f"{letter}. {option}" for letter, option in zip("ABC", options, strict=True))
    asked = [
        (
            f"Which one is faster?\n{choices}\nAnswer with the option's letter from the given choices directly.",
            "ABC"[options.index(fast)],
        ),
        ("Who wins the race?", f"The {fast}. The {slow} has come only half as far."),
        ("Describe the video.", f"Two shapes set off together and move {way}. The {fast} is twice as fast as the {slow}."),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 3))) for text in pair], film(rng, tracks)


def lamp(rng: np.random.Generator) -> tuple[list[str], list[Image.Image]]:
    """A lamp that is dark at first and lights up a number of times, for a frame each."""
    blinks, colour = int(rng.integers(1, 4)), pick(rng, ["red", "green", "yellow", "blue"])
    lit = [on for _ in range(blinks) for on in [False] * int(rng.integers(1, 3)) + [True]]
    lit = (lit + [False] * int(rng.integers(0, 2)))[:8]
    lit += [False] * (4 - len(lit))
    blinks = sum(lit)
    frames = []
    for on in lit:
        frame = Image.new("RGB", (64, 64), PANEL)
        draw = ImageDraw.Draw(frame)
        draw.ellipse((14, 14, 50, 50), outline=(150, 150, 150), width=3)
        draw.ellipse((20, 20, 44, 44), fill=COLOURS[colour] if on else (20, 20, 24))
        frames.append(frame)
    asked = [
        ("How often does the lamp light up?", "Once." if blinks == 1 else f"{NUMBERS[blinks].capitalize()} times."),
        ("What colour is the lamp's light?", colour.capitalize() + "."),
        ("Is the lamp on or off at the end?", "It is on." if lit[-1] else "It is off."),
        ("In which frame does the lamp light up for the first time?", f"In the {ORDINALS[lit.index(True)]} frame."),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 4))) for text in pair], frames


def display(numbers: list[int]) -> list[Image.Image]:
    """A number at a time on a dark screen."""
    frames = []
    for number in numbers:
        frame = Image.new("RGB", (80, 64), (16, 26, 20))
        centred(ImageDraw.Draw(frame), (40, 32), str(number), 36, fill=(120, 236, 140))
        frames.append(frame)
    return frames


def counter(rng: np.random.Generator) -> tuple[list[str], list[Image.Image]]:
    """Numbers that go up or down by the same step."""
    count, step, start = int(rng.integers(4, 8)), pick(rng, [1, 2, 5]), int(rng.integers(3, 60))
    numbers = [start + step * i for i in range(count)]
    up = bool(rng.random() < 0.5)
    numbers = numbers if up else numbers[::-1]
    asked = [
        ("Does the counter go up or down?", "It goes up." if up else "It goes down."),
        ("Which numbers are shown, in order?", ", ".join(map(str, numbers)) + "."),
        ("What is the last number?", str(numbers[-1])),
        ("By how much does the number change each time?", f"By {step}: {numbers[0]}, {numbers[1]}, and so on."),
        ("How many different numbers appear?", plural(count, "number").capitalize() + "."),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 4))) for text in pair], display(numbers)


def lights(rng: np.random.Generator) -> tuple[list[str], list[Image.Image]]:
    """A traffic light, each colour for one or two frames."""
    cycle = ["red", "green", "yellow"]
    start = int(rng.integers(3))
    order = [cycle[(start + i) % 3] for i in range(int(rng.integers(3, 5)))]
    shown = [colour for colour in order for _ in range(int(rng.integers(1, 3)))]
    frames = []
    for colour in shown:
        frame = Image.new("RGB", (64, 96), (196, 214, 232))
        draw = ImageDraw.Draw(frame)
        draw.rounded_rectangle((18, 6, 46, 90), 6, fill=PANEL)
        for i, name in enumerate(["red", "yellow", "green"]):
            y = 20 + 28 * i
            draw.ellipse((22, y - 10, 42, y + 10), fill=COLOURS[name] if name == colour else (24, 26, 30))
        frames.append(frame)
    before = pick(rng, order[:2])
    asked = [
        ("In which order do the colours light up?", ", then ".join(order).capitalize() + "."),
        (f"What follows {before}?", cycle[(cycle.index(before) + 1) % 3].capitalize() + "."),
        ("What does the traffic light show at first?", order[0].capitalize() + "."),
        ("How many times does the light change?", "Twice." if len(order) == 3 else f"{NUMBERS[len(order) - 1].capitalize()} times."),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 3))) for text in pair], frames


def datasets(rng: np.random.Generator):
    def sample(maker, i: int) -> Sample:
        turns, frames = maker(rng)
        # A few rows call a clip an image, as LLaVA-NeXT's files do.
        return Sample(turns, clip=frames, clip_mark="<image>" if i % 6 == 5 else "<video>")

    motion = [glide, relay, race, glide]
    yield Dataset("motion", [sample(motion[i % 4], i) for i in range(16)])
    screens = [lamp, counter, lights]
    yield Dataset("screens", [sample(screens[i % 3], i) for i in range(14)], lines=True)
