"""A project whose names try to break out of every syntax, and its exports."""

import json
import subprocess

AWKWARD = "it's \"q\" \\ 日本 😀 #: \n# x"
BUDGET = 20_003

# Domain, weight, and its datasets: name, file, rows, and how many of those its filter keeps.
DOMAINS = [
    (AWKWARD, 0.5, [(AWKWARD, "a b.jsonl", 4000, None), ("rare", "rare.json", 5, None)]),
    ("b", 0.349, [("b(c,d)", "b.json", 7000, None)]),
    ("c", 0.151, [("50%", "c.jsonl", 200, 50)]),
    ("unused", 0.0, [("unused", "unused.jsonl", 10, None)]),
]


def row(file, i):
    """A text, a picture, or two pictures; every fourth row is of `data_source` "kept"."""
    image = [None, "a b.jpg", ["a b.jpg", "日本.jpg"]][i % 3]
    text = ["q", "<image>\nq", "<image><image>q"][i % 3]
    turns = [{"from": "human", "value": text}, {"from": "gpt", "value": "\u2028\"a\" 😀\n"}]
    source = "kept" if i % 4 == 0 else "left"
    found = {"id": f"{file} {i}", "image": image, "conversations": turns, "data_source": source}
    return {key: value for key, value in found.items() if value is not None}


def quoted(text):
    """A string of TOML."""
    return json.dumps(text, ensure_ascii=False)


def make(root):
    """Writes data, config and mixture."""
    # No `$`, `*`, `?` or `[`: datasets, which several trainers load files with, takes them for patterns.
    data = root / "it's \"q\" \\ 日本 😀 #"
    (data / "media").mkdir(parents=True)
    (data / "other").mkdir()
    config = ['output = "run"', "[model]", 'checkpoint = "none"']
    mixture = []
    for domain, weight, datasets in DOMAINS:
        config += ["[[domain]]", f"name = {quoted(domain)}"]
        sizes = [kept or rows for _, _, rows, kept in datasets]
        for name, file, rows, kept in datasets:
            lines = [json.dumps(row(file, i), ensure_ascii=False) for i in range(rows)]
            text = "\n".join(lines) if file.endswith(".jsonl") else "[" + ",\n".join(lines) + "]"
            (data / file).write_text(text + "\n", encoding="utf-8")
            media = data / ("other" if file == "rare.json" else "media")
            config += ["[[domain.dataset]]", f"name = {quoted(name)}", f"path = {quoted(str(data / file))}"]
            config += [f"media_root = {quoted(str(media))}"]
            if kept:
                config += ['filter = { data_source = ["kept"] }']
        parts = [
            {"name": name, "size": size, "weight": weight * size / sum(sizes)}
            for (name, *_), size in zip(datasets, sizes)
        ]
        mixture.append(
            {"name": domain, "weight": weight, "size": sum(sizes), "human": None, "modalities": ["text", "image"],
             "scores": {}, "alpha": None, "datasets": parts}
        )
    provenance = {"checkpoint": "a\nb", "fingerprint": "0123", "samples": 1024, "madmix": "0.1.0"}
    (root / "config.toml").write_text("\n".join(config), encoding="utf-8")
    (root / "mixture.json").write_text(
        json.dumps({"format": 1, "method": "mad-mix", "lambda": 10.0, "domains": mixture, "baselines": {},
                    "provenance": provenance})
    )


def export(madmix, root, trainer, budget):
    """The folder and the plan of an export; a reason where the trainer cannot say the mixture."""
    out = root / ("budget é" if budget else "shares é") / trainer
    command = [madmix, "export", root / "mixture.json", "--config", root / "config.toml", "--to", trainer]
    command += ["--out", out, "--seed", "7", "--json"]
    if budget:
        command += ["--budget", str(budget)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        return None, done.stderr.strip()
    return out, json.loads(done.stdout)


def trainers(madmix):
    """The names of all trainers."""
    listed = subprocess.run([madmix, "export", "--list"], capture_output=True, encoding="utf-8", check=True)
    return [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
