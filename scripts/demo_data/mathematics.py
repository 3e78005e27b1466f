"""Math/Reasoning: figures with given lengths and angles, and graphs of functions, each with a worked answer."""

import math

import numpy as np
from PIL import Image, ImageDraw

from .common import Dataset, Sample, centred, font, pick, some

INK = (20, 24, 40)


def canvas(rng: np.random.Generator) -> tuple[Image.Image, ImageDraw.ImageDraw, int, int]:
    width, height = pick(rng, [(260, 220), (300, 240), (240, 240), (340, 220), (220, 280)])
    picture = Image.new("RGB", (width, height), "white")
    return picture, ImageDraw.Draw(picture), width, height


def right_triangle(rng: np.random.Generator) -> Sample:
    a, b, c = pick(rng, [(3, 4, 5), (6, 8, 10), (5, 12, 13), (8, 15, 17), (9, 12, 15)])
    picture, draw, width, height = canvas(rng)
    scale = min((width - 80) / b, (height - 70) / a)
    corner, right, top = (40, height - 35), (40 + b * scale, height - 35), (40, height - 35 - a * scale)
    draw.line([corner, right, top, corner], fill=INK, width=2)
    draw.rectangle((corner[0], corner[1] - 10, corner[0] + 10, corner[1]), outline=INK)
    for (x, y), name in ((corner, "C"), (right, "A"), (top, "B")):
        centred(draw, (x - 12 if x == corner[0] else x + 12, y), name, 14)
    centred(draw, ((corner[0] + right[0]) / 2, height - 20), str(b), 14)
    centred(draw, (22, (corner[1] + top[1]) / 2), str(a), 14)
    if rng.random() < 0.5:
        question = "Triangle ABC has a right angle at C. Find the length of AB."
        answer = f"By the Pythagorean theorem $AB = \\sqrt{{{a}^2 + {b}^2}} = \\sqrt{{{c * c}}} = {c}$.\nAnswer: {c}"
    else:
        question = "What is the area of the right triangle in the figure?"
        answer = f"The legs are {a} and {b}, so the area is $\\frac{{1}}{{2}} \\cdot {a} \\cdot {b} = {a * b / 2:g}$."
    return Sample([question, answer], [picture])


def angles(rng: np.random.Generator) -> Sample:
    alpha, beta = int(rng.integers(6, 17)) * 5, int(rng.integers(6, 15)) * 5
    gamma = 180 - alpha - beta
    picture, draw, width, height = canvas(rng)
    left, right = (30.0, height - 40.0), (width - 30.0, height - 40.0)
    base = right[0] - left[0]
    rise = math.tan(math.radians(alpha)) * math.tan(math.radians(beta))
    x = base * math.tan(math.radians(beta)) / (math.tan(math.radians(alpha)) + math.tan(math.radians(beta)))
    y = base * rise / (math.tan(math.radians(alpha)) + math.tan(math.radians(beta)))
    flat = min(1.0, (height - 80) / y)
    top = (left[0] + x, left[1] - y * flat)
    draw.line([left, right, top, left], fill=INK, width=2)
    centred(draw, (left[0] + 30, left[1] - 10), f"{alpha}°", 13)
    centred(draw, (right[0] - 30, right[1] - 10), f"{beta}°", 13)
    centred(draw, (top[0], top[1] + 26), "x", 15)
    letters = ["A", "B", "C", "D"]
    options = some(rng, [gamma, gamma + 10, gamma - 5, gamma + 25], 4)
    choices = "\n".join(f"{letter}: {value}°" for letter, value in zip(letters, options, strict=True))
    question = f"The figure is not drawn to scale. Find the angle x.\nChoices:\n{choices}"
    answer = f"The angles of a triangle add up to 180°, so x = 180° - {alpha}° - {beta}° = {gamma}°. The answer is {letters[options.index(gamma)]}."
    return Sample([question, answer], [picture])


def circle(rng: np.random.Generator) -> Sample:
    radius = int(rng.integers(2, 13))
    picture, draw, width, height = canvas(rng)
    x, y, r = width / 2, height / 2, min(width, height) * 0.36
    draw.ellipse((x - r, y - r, x + r, y + r), outline=INK, width=2)
    draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=INK)
    diameter = bool(rng.random() < 0.5)
    draw.line((x - r if diameter else x, y, x + r, y), fill=INK, width=2)
    centred(draw, (x + (0 if diameter else r / 2), y - 10), str(2 * radius if diameter else radius), 14)
    given = f"The diameter is {2 * radius}, so the radius is {radius}. " if diameter else f"The radius is {radius}. "
    turns = [
        "What is the area of the circle? Leave your answer in terms of $\\pi$.",
        f"{given}$A = \\pi r^2 = {radius * radius}\\pi$",
        "And its circumference?",
        f"$2 \\pi r = {2 * radius}\\pi$",
    ]
    return Sample(turns[: pick(rng, [2, 4])], [picture])


def boxes(rng: np.random.Generator) -> Sample:
    w, h = (int(v) for v in rng.integers(3, 15, 2))
    picture, draw, width, height = canvas(rng)
    scale = min((width - 90) / w, (height - 70) / h)
    draw.rectangle((45, 25, 45 + w * scale, 25 + h * scale), outline=INK, width=2)
    centred(draw, (45 + w * scale / 2, 38 + h * scale), f"{w} cm", 13)
    centred(draw, (22, 25 + h * scale / 2), f"{h} cm", 13)
    if rng.random() < 0.5:
        return Sample(["Compute the perimeter of the rectangle.", f"$2({w} + {h}) = {2 * (w + h)}$ cm"], [picture])
    return Sample(["Compute the area of the rectangle.", f"${w} \\times {h} = {w * h}$ cm$^2$"], [picture])


def plot(rng: np.random.Generator) -> Sample:
    """A straight line or a parabola on a grid from -6 to 6."""
    picture = Image.new("RGB", (280, 280), "white")
    draw = ImageDraw.Draw(picture)

    def at(x: float, y: float) -> tuple[float, float]:
        return 140 + 22 * x, 140 - 22 * y

    for i in range(-6, 7):
        draw.line([at(i, -6.3), at(i, 6.3)], fill=(222, 226, 232))
        draw.line([at(-6.3, i), at(6.3, i)], fill=(222, 226, 232))
    draw.line([at(0, -6.3), at(0, 6.3)], fill=INK)
    draw.line([at(-6.3, 0), at(6.3, 0)], fill=INK)
    for i in (-5, 5):
        centred(draw, (at(i, 0)[0], 149), str(i), 11)
        draw.text((136, at(0, i)[1]), str(i), fill="black", font=font(11), anchor="rm")
    xs = np.linspace(-6.3, 6.3, 200)
    if rng.random() < 0.5:
        m, b = pick(rng, [-2, -1, 1, 2]), int(rng.integers(-4, 5))
        ys = m * xs + b
        slope = {1: "x", -1: "-x"}.get(m, f"{m}x")
        equation = slope + (f" + {b}" if b > 0 else f" - {-b}" if b < 0 else "")
        asked = [
            ("What is the equation of the line?", f"The slope is {m} and the line meets the y-axis at {b}: $y = {equation}$."),
            ("What is the y-intercept of the line?", f"{b}"),
            ("Is the function increasing or decreasing?", "Increasing." if m > 0 else "Decreasing."),
        ]
    else:
        p, q, s = int(rng.integers(-3, 4)), int(rng.integers(-3, 4)), pick(rng, [-1, 1])
        ys = s * (xs - p) ** 2 + q
        crossing = "none" if s * q > 0 else "one" if q == 0 else "two"
        asked = [
            ("Where is the vertex of the parabola?", f"At $({p}, {q})$."),
            ("Does the parabola open upwards or downwards?", "Upwards." if s > 0 else "Downwards."),
            ("How many times does the graph meet the x-axis?", f"{crossing.capitalize()}."),
        ]
    points = [at(x, y) for x, y in zip(xs, ys, strict=True) if abs(y) <= 6.3]
    draw.line(points, fill=(200, 40, 40), width=2)
    return Sample([text for pair in some(rng, asked, int(rng.integers(1, 3))) for text in pair], [picture])


def datasets(rng: np.random.Generator):
    makers = [right_triangle, angles, circle, boxes]
    yield Dataset("geometry", [makers[i % 4](rng) for i in range(24)])
    yield Dataset("graphs", [plot(rng) for _ in range(18)], lines=True)
