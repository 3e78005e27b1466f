"""Language: text-only conversations and instructions."""

import numpy as np

from .common import Dataset, Sample, pick, some

CAPITALS = {
    "France": "Paris", "Japan": "Tokyo", "Norway": "Oslo", "Peru": "Lima", "Kenya": "Nairobi", "Canada": "Ottawa", "Italy": "Rome",
    "Egypt": "Cairo", "Chile": "Santiago", "Poland": "Warsaw", "Austria": "Vienna", "Portugal": "Lisbon",
}  # fmt: skip
FRENCH = {"the house": "la maison", "a book": "un livre", "good morning": "bonjour", "the sea": "la mer", "thank you": "merci", "a tree": "un arbre"}
EXPLAIN = [
    (
        "Why does ice float on water?",
        "Ice floats because it is less dense than liquid water. When water freezes, its molecules arrange themselves in an open "
        "lattice that takes up more room than the liquid. The same mass therefore fills a larger volume, and the ice is pushed up.",
    ),
    (
        "What is the difference between weather and climate?",
        "Weather is the state of the atmosphere at a place and time: today's rain, tomorrow's sun. Climate is the pattern of weather "
        "over decades. One cold week says little about the climate of a region.",
    ),
    (
        "Explain what a hash table is to a beginner.",
        "A hash table stores pairs of keys and values. A function turns every key into a number, and that number says in which slot "
        "the value is kept. Looking something up takes about the same time however many entries there are.\n\n"
        "Two keys may land in the same slot. Then the table keeps both there, or tries the next slot.",
    ),
    (
        "How can I fall asleep more easily?",
        "1. Go to bed at the same time every day.\n2. Avoid screens and coffee in the evening.\n3. Keep the room dark and cool.\n"
        "4. If you cannot sleep, get up and read something dull until you feel tired.",
    ),
    (
        "Write a short poem about the sea.",
        "The tide comes in, the tide goes out,\nit does not care what we're about;\nit takes a shell, it leaves a stone,\n"
        "and hums a tune that is its own.",
    ),
    (
        "What are prime numbers, and is 91 one of them?",
        "A prime number is a whole number greater than 1 that only 1 and itself divide. 91 is not prime, since $91 = 7 \\times 13$.",
    ),
]
PYTHON = [
    ("reverses a string", "def reverse(text):\n    return text[::-1]"),
    ("counts the vowels in a word", 'def vowels(word):\n    return sum(letter in "aeiou" for letter in word.lower())'),
    ("returns the largest of three numbers", "def largest(a, b, c):\n    return max(a, b, c)"),
    ("checks whether a number is even", "def is_even(n):\n    return n % 2 == 0"),
    ("computes the factorial of n", "def factorial(n):\n    return 1 if n < 2 else n * factorial(n - 1)"),
]


def arithmetic(rng: np.random.Generator) -> list[str]:
    a, b, c = (int(v) for v in rng.integers(2, 30, 3))
    if rng.random() < 0.5:
        return [f"Compute {a} * {b} + {c}.", f"{a} * {b} = {a * b}, and {a * b} + {c} = {a * b + c}. The answer is {a * b + c}."]
    per = b * 10
    return [
        f"A train travels at {per} km/h for {c} hours. How far does it go?",
        f"Distance is speed times time: {per} km/h x {c} h = {per * c} km.",
        "And in half of that time?",
        f"Half as far: {per * c / 2:g} km.",
    ]


def sorting(rng: np.random.Generator) -> list[str]:
    words = some(rng, ["pear", "apple", "fig", "cherry", "plum", "grape", "lemon", "mango", "kiwi", "date"], int(rng.integers(4, 8)))
    longest = max(sorted(words), key=len)
    turns = [f"Sort these words alphabetically: {', '.join(words)}.", ", ".join(sorted(words)) + "."]
    return turns + ["Which of them is the longest?", f'"{longest}" has {len(longest)} letters.'] if rng.random() < 0.5 else turns


def capital(rng: np.random.Generator) -> list[str]:
    turns = []
    for i, country in enumerate(some(rng, CAPITALS, int(rng.integers(1, 4)))):
        turns += [f"What is the capital of {country}?" if i == 0 else f"And of {country}?", f"The capital of {country} is {CAPITALS[country]}."]
    return turns


def translate(rng: np.random.Generator) -> list[str]:
    return [text for english in some(rng, FRENCH, 2) for text in (f'Translate "{english}" into French.', f'"{FRENCH[english]}"')]


def code(rng: np.random.Generator) -> list[str]:
    task, program = pick(rng, PYTHON)
    return [f"Write a Python function that {task}.", f"```python\n{program}\n```"]


def datasets(rng: np.random.Generator):
    makers = [arithmetic, sorting, capital, translate]
    yield Dataset("dialogues", [Sample(makers[i % 4](rng)) for i in range(22)])
    instructions = [Sample(list(pair)) for pair in EXPLAIN]
    instructions += [Sample([text for pair in some(rng, EXPLAIN, 2) for text in pair]) for _ in range(4)]
    instructions += [Sample(code(rng) + arithmetic(rng)) for _ in range(4)] + [Sample(code(rng)) for _ in range(6)]
    yield Dataset("instructions", instructions, lines=True)
