"""Makes tests/fixtures/dataset/webdataset: archives as webdataset's own writers make them, and what webdataset reads of them.

Needs Python 3.11 with webdataset 1.0.2, braceexpand 0.1.7, numpy and Pillow; `view.json` records the exact versions. Run
from the root of the repository:

    python scripts/make_webdataset_fixtures.py

`view.json` holds, per archive, the samples as `webdataset.WebDataset` yields them, in order: the key, the SHA-256 of
every member by its ending, and the JSON's text; and, per brace pattern, what `braceexpand` makes of it (null where it
refuses).
"""

import hashlib
import io
import json
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import webdataset as wds
from braceexpand import UnbalancedBracesError, braceexpand

OUT = Path("tests/fixtures/dataset/webdataset")

PATTERNS = [
    "a{000..003}.tar", "{a,b}", "{a}", "{}", "a{b", "a}b", "{a,{b,c}d}e", "{3..1}", "{1..10..4}", "{01..10..4}", "{a..e}",
    "{a..e..2}", "{e..a}", "{-1..1}", "{-01..1}", "{a,b}{1..2}", "\\{a,b\\}", "{a,}", "x{1..2", "{1..b}", "{a,b}}", "{{a,b}",
    "{a,b\\,c}", "${a,b}", "{0..007}", "{1..3..0}", "{,a}", "a{{1,2},3}b", "{{a}}", "{x{1..2}}", "{1.0..2}", "", "plain",
    "{a,b}/{000..001}-{x,y}.tar", "{1..3..-2}", "{3..1..2}", "{1..2..3..4}", "{a,b..c}", "{ab..c}", "{a/1,b/2}.tar", "{08..11}",
    "(a,b)", "a{,,}b", "{1..1}", "{99..101}", "\\a", "{a\\}b,c}",
]


def turns(question, answer):
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def picture(seed):
    """8 x 6 pixels that differ by seed."""
    y, x, c = np.meshgrid(np.arange(6), np.arange(8), np.arange(3), indexing="ij")
    return ((x * 20 + y * 30 + c * 40 + seed * 17) % 256).astype(np.uint8)


def samples():
    """One of every kind that webdataset users write."""
    yield {"__key__": "plain", "jpg": picture(1), "json": {"id": "own id", "conversations": turns("<image>\nWhat?", "A cat.")}}
    yield {"__key__": "folder.v1/keyed", "png": picture(2), "json": {"image": "train/before/packing.png", "conversations": turns("<image>", "a")}}
    yield {"__key__": "many", **{f"img{i}.jpg": picture(i) for i in (1, 2, 10)}, "json": {"conversations": turns("<image><image><image>", "three")}}
    yield {
        "__key__": "ordered", "img1.jpg": picture(4), "img2.jpg": picture(5),
        "json": {"image": ["ordered.img2.jpg", "ordered.img1.jpg"], "conversations": turns("<image> and <image>", "two")},
    }
    yield {"__key__": "captioned", "webp": b"no picture at all", "txt": "A caption.\n", "cls": 3}
    yield {"__key__": "caption-in-json", "jpg": picture(6), "json": {"caption": "Another caption.", "width": 8, "height": 6}}
    yield {"__key__": "energon", "jpg": picture(7), "json": turns("<image>\nWhat?", "bare turns")}
    yield {"__key__": "clip", "mp4": b"not really a video", "json": {"video": "clip.mp4", "conversations": turns("<image>\nWhat happens?", "b")}}
    yield {"__key__": "words", "json": {"conversations": turns("Only text?", "Yes.")}}
    yield {"__key__": "labelled", "jpg": picture(8), "cls": 1}
    yield {"__key__": "outside", "json": {"image": "elsewhere/1.jpg", "conversations": turns("<image>", "c")}}


def long_samples():
    for length in (20, 99, 120, 300):
        key = f"{'d' * 40}/{'e' * 40}/" + "é" * (length // 4) + "k" * length
        yield {"__key__": key, "jpg": picture(length), "json": {"conversations": turns("<image>", str(length))}}


def numbered(count):
    for i in range(count):
        yield {"__key__": f"{i:04}", "jpg": picture(i), "json": {"data_source": f"s{i % 2}", "conversations": turns("<image>\nWhich?", str(i))}}


def write(name, some, **options):
    # Nothing of the machine, and no times.
    with wds.TarWriter(str(OUT / name), user="", group="", mtime=0, **options) as writer:
        for sample in some:
            writer.write(sample)


def with_tarfile(name, form, some):
    with tarfile.open(OUT / name, "w", format=form) as archive:
        for key, data in some:
            member = tarfile.TarInfo(key)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def members(some):
    """The members that webdataset's writer would write."""
    for sample in some:
        sample = dict(sample)
        key = sample.pop("__key__")
        for ending, value in sample.items():
            data = json.dumps(value).encode() if ending == "json" else value.tobytes()
            yield f"{key}.{ending}", data


def view(path):
    found = []
    for sample in wds.WebDataset(str(path), shardshuffle=False, handler=wds.reraise_exception):
        data = {ending: value for ending, value in sample.items() if isinstance(value, bytes)}
        found.append({
            "key": sample["__key__"],
            "members": {ending: hashlib.sha256(value).hexdigest() for ending, value in data.items()},
            "json": data["json"].decode() if "json" in data else None,
        })
    return found


def expanded(pattern):
    try:
        return list(braceexpand(pattern))
    except UnbalancedBracesError:
        return None


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    write("kinds.tar", samples())
    write("kinds.tgz", samples(), compress=True)
    write("long.tar", long_samples())
    with_tarfile("long_gnu.tar", tarfile.GNU_FORMAT, members(long_samples()))
    with_tarfile("ustar.tar", tarfile.USTAR_FORMAT, members([{**sample, "__key__": "p" * 90 + "/" + sample["__key__"]} for sample in numbered(2)]))
    with wds.ShardWriter(str(OUT / "shard-%06d.tar"), maxcount=3, user="", group="", mtime=0, verbose=0) as writer:
        for sample in numbered(7):
            writer.write(sample)
    archives = sorted(path for path in OUT.iterdir())
    # gzip writes the time into its header.
    for path in archives:
        if path.suffix == ".tgz":
            data = bytearray(path.read_bytes())
            data[4:8] = bytes(4)
            path.write_bytes(data)
    manifest = {
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in ("webdataset", "braceexpand", "numpy", "pillow")}},
        "archives": {path.name: view(path) for path in archives},
        "braces": {pattern: expanded(pattern) for pattern in PATTERNS},
    }
    (OUT / "view.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
