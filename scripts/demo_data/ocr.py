"""General OCR: words on signs, and single lines of text, some of them very wide."""

import numpy as np
from PIL import Image, ImageDraw

from .common import COLOURS, Dataset, Sample, centred, font, grain, pick

SIGNS = [
    ("OPEN", "DAILY 9-18"), ("NO PARKING", "AT ANY TIME"), ("CITY LIBRARY", "CLOSED MONDAYS"), ("FRESH FISH", "FROM THE HARBOUR"),
    ("PLATFORM 7", "TRAINS TO NORTH"), ("CAUTION", "WET FLOOR"), ("EXIT 24", "AIRPORT 3 km"), ("MUSEUM", "FREE ENTRY ON SUNDAYS"),
    ("SALE", "UP TO 40% OFF"), ("ROOM 318", "PLEASE KNOCK"), ("BUS 62", "EVERY 12 MINUTES"), ("COFFEE", "TO GO 2.80"),
    ("SWIMMING POOL", "DEPTH 1.35 m"), ("GATE B12", "BOARDING 14:45"), ("DO NOT FEED", "THE DUCKS"), ("BAKERY", "SINCE 1974"),
    ("TEL. 555-0142", "ASK FOR MAX"), ("LOST CAT", "REWARD 50"), ("ELEVATOR", "MAX. 630 KG"), ("HOTEL ASTER", "3 ROOMS LEFT"),
]  # fmt: skip
LINES = [
    "The ferry leaves at half past seven.", "Please return the key to the front desk.", "Order no. 20391-B", "www.example.org/tickets",
    "Ingredients: water, sugar, lemon juice (3%), salt", "Handle with care", "2 + 2 = 4", "f(x) = 3x - 7",
    "All trains between the central station and the harbour are delayed by about twenty minutes this morning.",
    "Best before 08/2027", "Serial: QX7-1188-ZP", "To be, or not to be, that is the question", "Total distance 42.195 km",
    "Invoice date: 14 May 2025; due within 30 days; reference 77-4102; please quote the number with every payment you make.",
    "naïve façade, déjà vu", "Password: correct horse battery", "Meet me by the old oak at noon", "Batch 0067 / Line 3",
]  # fmt: skip


def sign(rng: np.random.Generator, top: str, bottom: str) -> tuple[Image.Image, str]:
    """A slightly turned sign before a wall; returns its colour."""
    colour = pick(rng, ["blue", "green", "red", "black", "purple"])
    width, height = pick(rng, [(320, 200), (280, 220), (360, 180), (240, 240)])
    board = Image.new("RGB", (int(width * 0.84), int(height * 0.7)), COLOURS[colour])
    draw = ImageDraw.Draw(board)
    draw.rectangle((4, 4, board.width - 5, board.height - 5), outline="white", width=2)
    for text, y, share in ((top, 0.36, 0.82), (bottom, 0.72, 0.78)):
        size = 40.0
        while font(size).getlength(text) > board.width * share:
            size *= 0.92
        centred(draw, (board.width / 2, board.height * y), text, size, fill="white")
    turned = board.convert("RGBA").rotate(float(rng.uniform(-7, 7)), Image.Resampling.BICUBIC, expand=True)
    wall = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(150, 215, 3)))
    wall = grain(wall, rng, 6)
    wall.paste(turned, ((width - turned.width) // 2, (height - turned.height) // 2), turned)
    return wall, colour


def line(rng: np.random.Generator, text: str) -> Image.Image:
    size = pick(rng, [18, 22, 28])
    picture = Image.new("RGB", (int(font(size).getlength(text)) + 2 * size, 2 * size), (252, 250, 240))
    ImageDraw.Draw(picture).text((size, size), text, fill=(24, 24, 60), font=font(size), anchor="lm")
    return picture


def datasets(rng: np.random.Generator):
    signs = []
    for i, (top, bottom) in enumerate(SIGNS):
        picture, colour = sign(rng, top, bottom)
        asked = [
            ["What does the sign say?", f"{top} {bottom}"],
            ["What is written in the first line?", top, "And in the second?", bottom],
            ["Read all text in the image, line by line.", f"{top}\n{bottom}"],
            ["What colour is the sign, and what is written on it?", f'It is a {colour} sign that reads "{top} - {bottom}".'],
            [f"How many words are on the sign?\nReference OCR token: {top} {bottom}", str(len(f"{top} {bottom}".split()))],
        ]
        signs.append(Sample(asked[i % len(asked)], [picture], "jpg"))
    yield Dataset("signs", signs)

    asks = ["What is the text in the picture?", "Read the line.", "Transcribe the text.", "OCR this image section by section."]
    yield Dataset("text_lines", [Sample([pick(rng, asks), text], [line(rng, text)]) for text in LINES], lines=True)
