"""Doc/Chart/Screen: bar and line charts, receipts, tables and a page of text."""

import numpy as np
from PIL import Image, ImageDraw

from .common import COLOURS, Dataset, Sample, centred, font, pick, some

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
TOPICS = [
    ("Visitors per month", "visitors", MONTHS),
    ("Rainfall (mm)", "millimetres of rain", MONTHS),
    ("Sales by city", "sales", ["Oslo", "Lyon", "Porto", "Graz", "Turin", "Bergen", "Ghent"]),
    ("Votes by option", "votes", ["A", "B", "C", "D", "E", "F"]),
    ("Books read by class", "books", ["1a", "1b", "2a", "2b", "3a", "3b"]),
]
GOODS = ["Apples", "Bread", "Butter", "Cheese", "Coffee", "Eggs", "Honey", "Milk", "Noodles", "Olives", "Rice", "Soap", "Tea"]
SHOPS = ["CORNER MARKET", "GREEN GROCER", "HARBOUR STORE", "STATION KIOSK", "OLD MILL BAKERY"]


def chart(rng: np.random.Generator, width: int, height: int) -> tuple[Image.Image, str, str, dict[str, int], str]:
    title, unit, names = pick(rng, TOPICS)
    count = int(rng.integers(3, 7))
    start = int(rng.integers(0, len(names) - count + 1))
    data = dict(zip(names[start : start + count], (int(v) * 5 for v in rng.permutation(np.arange(4, 40))[:count]), strict=True))
    kind = pick(rng, ["bar", "bar", "line", "horizontal"])
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    small = max(9, min(width, height) / 22)
    centred(draw, (width / 2, small * 1.2), title, small * 1.3)
    colour = COLOURS[pick(rng, ["blue", "green", "orange", "purple", "red"])]
    left, top, right, bottom = small * 3.2, small * 2.8, width - small, height - small * 2
    high = max(data.values()) * 1.12
    if kind == "horizontal":
        left = small * 4.4
        step = (bottom - top) / count
        for i, (name, value) in enumerate(data.items()):
            y = top + step * (i + 0.5)
            end = left + (right - left - small * 2) * value / high
            draw.rectangle((left, y - step * 0.32, end, y + step * 0.32), fill=colour)
            draw.text((left - 4, y), name, fill="black", font=font(small), anchor="rm")
            draw.text((end + 4, y), str(value), fill="black", font=font(small), anchor="lm")
    else:
        step = (right - left) / count
        for grid in range(0, int(high), 50):
            y = bottom - (bottom - top) * grid / high
            draw.line((left, y, right, y), fill=(214, 214, 214))
            draw.text((left - 4, y), str(grid), fill="black", font=font(small * 0.9), anchor="rm")
        points = []
        for i, (name, value) in enumerate(data.items()):
            x, y = left + step * (i + 0.5), bottom - (bottom - top) * value / high
            points.append((x, y))
            if kind == "bar":
                draw.rectangle((x - step * 0.32, y, x + step * 0.32, bottom), fill=colour)
            else:
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
            centred(draw, (x, y - small * 0.7), str(value), small * 0.9)
            centred(draw, (x, bottom + small), name, small)
        if kind == "line":
            draw.line(points, fill=colour, width=2)
        draw.line((left, bottom, right, bottom), fill="black")
    return picture, title, unit, data, kind


def chart_turns(rng: np.random.Generator, title: str, unit: str, data: dict[str, int], kind: str) -> list[str]:
    names, values = list(data), list(data.values())
    most, least = max(data, key=data.get), min(data, key=data.get)
    a, b = some(rng, names, 2)
    mean = sum(values) / len(values)
    asked = [
        ("Which category has the highest value?", f"{most}, with {data[most]} {unit}."),
        ("Which one is the lowest?", f"{least} is the lowest, with {data[least]}."),
        (f"What is the value for {a}?", str(data[a])),
        (f"What is the difference between {a} and {b}?", f"|{data[a]} - {data[b]}| = {abs(data[a] - data[b])}"),
        ("What is the total of all values shown?", f"{' + '.join(map(str, values))} = {sum(values)}."),
        ("What is the average of the values? Round to one decimal.", f"{sum(values)} / {len(values)} = {mean:.1f}"),
        ("What is the title of the chart?", title),
        (f"How many categories are above {int(mean)}?", str(sum(v > int(mean) for v in values))),
        (
            "Convert the chart to a table.",
            "| Name | Value |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in data.items()),
        ),
        ("Is this a bar chart or a line chart?", "It is a line chart." if kind == "line" else "It is a bar chart."),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 4))) for text in pair]


def receipt(rng: np.random.Generator) -> tuple[Image.Image, dict]:
    goods = some(rng, GOODS, int(rng.integers(2, 7)))
    lines = [(name, int(rng.integers(1, 4)), int(rng.integers(40, 900))) for name in goods]
    total = sum(count * price for _, count, price in lines)
    facts = {
        "shop": pick(rng, SHOPS),
        "date": f"{2023 + int(rng.integers(3))}-{int(rng.integers(1, 13)):02}-{int(rng.integers(1, 29)):02}",
        "lines": lines,
        "total": total,
        "paid": (total + 499) // 500 * 500,
    }
    height = 150 + 20 * len(lines)
    picture = Image.new("RGB", (220, height), (250, 249, 244))
    draw = ImageDraw.Draw(picture)
    centred(draw, (110, 20), facts["shop"], 16)
    centred(draw, (110, 42), facts["date"], 12)
    draw.line((12, 56, 208, 56), fill="black")
    y = 68
    for name, count, price in lines:
        draw.text((14, y), f"{count} x {name}", fill="black", font=font(13), anchor="lm")
        draw.text((206, y), f"{count * price / 100:.2f}", fill="black", font=font(13), anchor="rm")
        y += 20
    draw.line((12, y - 6, 208, y - 6), fill="black")
    for label, amount in (("TOTAL", total), ("CASH", facts["paid"]), ("CHANGE", facts["paid"] - total)):
        y += 8 if label == "TOTAL" else 20
        draw.text((14, y), label, fill="black", font=font(14), anchor="lm")
        draw.text((206, y), f"{amount / 100:.2f}", fill="black", font=font(14), anchor="rm")
    return picture, facts


def receipt_turns(rng: np.random.Generator, facts: dict) -> list[str]:
    name, count, price = pick(rng, facts["lines"])
    items = sum(count for _, count, _ in facts["lines"])
    asked = [
        ("What is the total amount?", f"{facts['total'] / 100:.2f}"),
        ("On which date was this receipt issued?", facts["date"]),
        ("What is the name of the shop?", facts["shop"]),
        (f"How much was paid for {name.lower()}?", f"{count * price / 100:.2f} for {count}."),
        ("How many items were bought in all?", f"{items} items."),
        ("How much change was given?", f"{facts['paid'] / 100:.2f} - {facts['total'] / 100:.2f} = {(facts['paid'] - facts['total']) / 100:.2f}"),
    ]
    return [text for pair in some(rng, asked, int(rng.integers(1, 3))) for text in pair]


def league(rng: np.random.Generator) -> tuple[Image.Image, list[tuple[str, int, int, int]]]:
    teams = some(rng, ["Falcons", "Otters", "Comets", "Bears", "Herons", "Lynxes", "Ravens"], int(rng.integers(3, 7)))
    rows = [(team, *(int(v) for v in rng.integers(0, 12, 3))) for team in teams]
    head = ("Team", "Won", "Drawn", "Lost")
    picture = Image.new("RGB", (360, 34 + 26 * len(rows)), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 360, 28), fill=(218, 228, 240))
    for i, row in enumerate([head, *rows]):
        for j, cell in enumerate(row):
            draw.text((14 if j == 0 else 104 + 72 * j, 15 + 26 * i), str(cell), fill="black", font=font(14), anchor="lm" if j == 0 else "mm")
        draw.line((0, 29 + 26 * i, 360, 29 + 26 * i), fill=(160, 160, 160))
    return picture, rows


def league_turns(rng: np.random.Generator, rows: list[tuple[str, int, int, int]]) -> list[str]:
    team, won, drawn, lost = pick(rng, rows)
    best = max(row[1] for row in rows)
    asked = [
        (f"How many games did the {team} lose?", str(lost)),
        ("Which team won the most games?", " and ".join(row[0] for row in rows if row[1] == best)),
        (f"A win gives three points and a draw one. How many points do the {team} have?", f"3 x {won} + {drawn} = {3 * won + drawn}"),
        (f"How many games did the {team} play?", f"{won} + {drawn} + {lost} = {won + drawn + lost}"),
        ("How many teams are listed?", str(len(rows))),
    ]
    return [text for pair in some(rng, asked, 2) for text in pair]


def datasets(rng: np.random.Generator):
    charts = []
    for i in range(22):
        width, height = (1100, 420) if i == 7 else pick(rng, [(320, 240), (360, 260), (300, 300), (400, 240), (260, 340)])
        picture, *facts = chart(rng, width, height)
        charts.append(Sample(chart_turns(rng, *facts), [picture]))
    yield Dataset("charts", charts, lines=True)

    pages = []
    for i in range(20):
        if i % 2:
            picture, rows = league(rng)
            pages.append(Sample(league_turns(rng, rows), [picture]))
        else:
            picture, facts = receipt(rng)
            pages.append(Sample(receipt_turns(rng, facts), [picture], "jpg" if i % 4 else "png"))
    yield Dataset("receipts_tables", pages)
