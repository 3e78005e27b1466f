"""The small project that is tortured: eight shards in two domains, a dataset with failures, about a second of work."""

import json
import re
import shutil
import struct
import time
import zlib
from pathlib import Path

from common import REPOSITORY, call, results

DATASETS = (("words", 200), ("letters", 130), ("mixed", 80))
CONFIG = """[model]
checkpoint = "{checkpoint}"
device = "cpu"
[extract]
samples_per_dataset = 100000
max_failure_rate = 0.2
batch_tokens = 2048
[[domain]]
name = "Text"
human = 60
dataset = [{{ path = "words.jsonl" }}, {{ path = "letters.jsonl" }}]
[[domain]]
name = "Mixed"
human = 40
dataset = [{{ path = "mixed.jsonl" }}]
"""


class Project:
    """A config with its data, and how to run it into any folder. `quiet` holds the files of an undisturbed run.

    `scale` makes the data of the small project that much longer.
    """

    def __init__(self, madmix, work, config=None, scale=1):
        self.madmix, self.work = madmix, Path(work)
        self.text, self.beside = (CONFIG, self.work) if config is None else (None, Path(config).resolve().parent)
        if config is None:
            self.work.mkdir(exist_ok=True)
            write_data(self.work, scale)
        else:
            self.text = Path(config).read_text()
        self.configs = set()
        # Every shard is to be computed. A madmix from before there was a cache does not know the key.
        self.cache = 'cache = "off"' if "cache" in call([madmix, "--help"]).printed else ""
        started = time.monotonic()
        folder = self.work / "quiet"
        ended = self.run(folder)
        self.seconds = time.monotonic() - started
        if ended.code != 0:
            raise SystemExit(f"the undisturbed run failed:\n{ended.said}")
        self.quiet = results(folder)
        self.shards = sum(name.startswith("shards/") for name in self.quiet)

    def config(self, folder):
        """The config that writes to this folder, beside the original, so that its relative paths keep their meaning."""
        path = self.beside / f".torture-{folder.name}.toml"
        if path in self.configs:
            return path
        if self.text is CONFIG:
            text = CONFIG.format(checkpoint=REPOSITORY / "models/tiny-llava-onevision")
        else:
            text = re.sub(r"^(output|cache) *=.*\n", "", self.text, flags=re.MULTILINE)
        text = f'output = "{folder}"\n{self.cache}\n{text}'
        path.write_text(text)
        self.configs.add(path)
        return path

    def command(self, folder, subcommand="run", *more):
        return [self.madmix, subcommand, self.config(folder), *more]

    def run(self, folder, **more):
        return call(self.command(folder), **more)

    def solve(self, folder, **more):
        return call([self.madmix, "solve", folder], **more)

    def fresh(self, name, copy=None):
        """An empty place for a run, or one that begins as a copy of another."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        if copy is not None:
            shutil.copytree(copy, folder)
        return folder

    def remove_configs(self):
        for path in self.configs:
            path.unlink(missing_ok=True)


def write_data(folder, scale):
    for i in range(4):
        (folder / f"{i}.png").write_bytes(png(20, i * 60))
    for name, count in DATASETS:
        lines = [json.dumps(row(name, i)) for i in range(scale * count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def row(name, i):
    says = {"from": "human", "value": f"What is {name} {i}?"}
    answers = {"from": "gpt", "value": f"{i} " + "and then some " * (1 + i % 7)}
    picture = {}
    if name == "mixed" and i % 9 in (0, 4):
        # Every other picture is not there.
        picture["image"] = f"lost-{i}.png" if i % 9 else f"{i % 4}.png"
        says["value"] = "<image>\n" + says["value"]
    return {"id": f"{name}{i}", **picture, "conversations": [says, answers]}


def png(side, blue):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((x * 12, y * 12, blue)) for x in range(side)) for y in range(side)
    )
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
