"""Makes tests/fixtures/dataset/parquet: small files with the schemas that people publish, each irregularity in a row.

Needs datasets 5.2, pyarrow 26 and Pillow 13; manifest.json records the exact versions. Run from the root of the
repository:

    python scripts/make_parquet_fixtures.py

`onevision`, `cauldron`, `messages` and `paths` are written by `datasets` itself, the others by pyarrow. The manifest
holds of every file what `datasets` reads from it: the id, and the SHA-256 and path of every picture.
"""

import hashlib
import io
import json
import tempfile
from pathlib import Path

import datasets
import PIL
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from datasets import Dataset, Features, Image, List, Value
from PIL import Image as Pillow

OUT = Path("tests/fixtures/dataset/parquet")
ROWS_PER_GROUP = 5


def encoded(format, mode="RGB", size=(8, 6), **options):
    color = {"RGB": (200, 30, 90), "CMYK": (10, 200, 30, 40), "I;16": 40_000, "P": 3}[mode]
    buffer = io.BytesIO()
    Pillow.new(mode, size, color).save(buffer, format, **options)
    return buffer.getvalue()


def turns(*texts, first="human"):
    sides = ["human", "gpt"] if first == "human" else ["gpt", "human"]
    return [{"from": sides[i % 2], "value": text} for i, text in enumerate(texts)]


def picture(bytes, path):
    return {"bytes": bytes, "path": path}


PNG, JPEG, GIF = encoded("PNG"), encoded("JPEG"), encoded("GIF", "P")
FRAMES = encoded("GIF", "P", save_all=True, append_images=[Pillow.new("P", (8, 6), n) for n in (4, 5)])
ASKED = turns("<image>\nWhat?", "A cat.")

# id, image, conversations
ONEVISION = [
    ("plain", picture(PNG, "a.png"), ASKED),
    ("no-path", picture(PNG, None), ASKED),
    ("text-only", None, turns("Why?", "So.")),
    ("null-with-placeholder", None, ASKED),
    ("no-placeholder", picture(PNG, "a.png"), turns("What?", "A cat.")),
    ("placeholder-of-assistant", picture(PNG, "a.png"), turns("What?", "<image> a cat")),
    ("out-of-order", picture(PNG, "a.png"), turns("A cat.", "<image>What?", first="gpt")),
    ("gif-as-jpg", picture(GIF, "b.jpg"), ASKED),
    ("truncated-jpeg", picture(JPEG[: len(JPEG) // 2], "c.jpg"), ASKED),
    ("empty-bytes", picture(b"", "d.jpg"), ASKED),
    ("cmyk", picture(encoded("JPEG", "CMYK"), "e.jpg"), ASKED),
    ("sixteen-bit", picture(encoded("PNG", "I;16"), "f.png"), ASKED),
    ("strip", picture(encoded("PNG", size=(300, 1)), "g.png"), ASKED),
    ("animated", picture(FRAMES, "h.gif"), ASKED),
    ("no-turns", None, []),
    ("null-turns", None, None),
    ("null-value", None, [{"from": "human", "value": None}, {"from": "gpt", "value": "So."}]),
    ("null-turn", None, [None]),
    ("unknown-role", None, [{"from": "tool", "value": "x"}]),
    (None, picture(PNG, "/home/someone/a.png"), ASKED),
    ("after", picture(PNG, "z/a.png"), ASKED),
]
CAULDRON = [
    ([picture(PNG, None)], [{"user": "What?", "assistant": "A cat.", "source": "ai2d"}]),
    (
        [picture(PNG, None), picture(JPEG, "b.jpg")],
        [
            {"user": "First?", "assistant": "A.", "source": "nlvr2"},
            {"user": "Second?", "assistant": "B.", "source": "nlvr2"},
        ],
    ),
    ([], [{"user": "Why?", "assistant": "So.", "source": "text"}]),
    (None, [{"user": "Why?", "assistant": "So.", "source": "text"}]),
    ([None, picture(PNG, None)], [{"user": "What?", "assistant": "A cat.", "source": "ai2d"}]),
    ([picture(PNG, None)], [{"user": None, "assistant": "A cat.", "source": "ai2d"}]),
    ([picture(PNG, None)], []),
]
PARTS = [{"type": "image", "text": None}, {"type": "text", "text": "What?"}]
MESSAGES = [
    ("string", "<image>What?", [picture(PNG, "a.png")]),
    ("json", json.dumps([{"type": "image"}, {"type": "text", "text": "What?"}]), [picture(PNG, "a.png")]),
    ("brackets", "[sic] why?", None),
]


def digest(cell):
    """What a test compares: nothing for what shows nothing."""
    if cell is None or (cell["bytes"] is None and cell["path"] is None):
        return None
    bytes = cell["bytes"]
    return {"sha256": None if bytes is None else hashlib.sha256(bytes).hexdigest(), "path": cell["path"]}


def described(path):
    """What `datasets` reads."""
    with tempfile.TemporaryDirectory() as cache:
        table = Dataset.from_parquet(str(path), keep_in_memory=True, cache_dir=cache)
    for name, feature in table.features.items():
        if isinstance(feature, Image):
            table = table.cast_column(name, Image(decode=False))
        elif isinstance(feature, List) and isinstance(feature.feature, Image):
            table = table.cast_column(name, List(Image(decode=False)))
    rows = []
    for row in table:
        cells = row.get("images", row.get("image"))
        cells = cells if isinstance(cells, list) else [cells]
        rows.append({"id": row.get("id"), "media": [found for cell in cells if (found := digest(cell))]})
    return rows


def by_datasets(name, rows, features):
    path = OUT / f"{name}.parquet"
    table = Dataset.from_list(rows, features=Features(features))
    table.to_parquet(str(path), batch_size=ROWS_PER_GROUP)
    return {path.name: described(path)}


def conversations(n):
    return [turns(f"Question {i}?", f"Answer {i}.") for i in range(n)]


CONVERSATION = pa.struct([("from", pa.string()), ("value", pa.string())])


def by_pyarrow(name, columns, **options):
    """Of (name, type, cells)."""
    schema = pa.schema([(column, kind) for column, kind, _ in columns])
    table = pa.table({column: pa.array(cells, kind) for column, kind, cells in columns}, schema)
    pq.write_table(table, OUT / f"{name}.parquet", **options)


def nulls():
    """What `datasets` itself does not write."""
    cells = [
        picture(None, "a/0.png"),
        picture(None, None),
        picture(None, ""),
        picture(PNG, ""),
        picture(None, "../1.png"),
        picture(b"", None),
        None,
    ]
    asked = [turns("What?", "A cat.")] * len(cells)
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    turn = pa.list_(CONVERSATION)
    by_pyarrow("null_image", [("image", struct, cells), ("conversations", turn, asked)])
    by_pyarrow(
        "null_images",
        [
            ("images", pa.list_(struct), [cells[:2], [None], [], None, [cells[3], cells[0]]]),
            ("conversations", turn, asked[:5]),
            ("data_source", pa.string(), ["a", None, "b", "a", None]),
        ],
    )


def types():
    """The same rows in every type that columns of text and of pictures have."""
    turn = lambda text: pa.list_(pa.struct([("from", text), ("value", text)]))
    ids = [f"row-{i}" for i in range(4)]
    said = [turns("<image>\nWhat?", "A cat.")] * 4
    pictures = [PNG, JPEG, PNG, GIF]
    structs = [picture(bytes, f"{i}.png") for i, bytes in enumerate(pictures)]
    struct = lambda bytes, text: pa.struct([("bytes", bytes), ("path", text)])
    large, view = pa.large_string(), pa.string_view()
    by_pyarrow(
        "type_large",
        [
            ("id", large, ids),
            ("image", struct(pa.large_binary(), large), structs),
            ("conversations", pa.large_list(turn(large).value_type), said),
        ],
    )
    by_pyarrow(
        "type_view",
        [
            ("id", view, ids),
            ("image", pa.binary_view(), pictures),
            ("conversations", view, [json.dumps(turns) for turns in said]),
        ],
    )
    dictionary = pa.dictionary(pa.int32(), pa.string())
    by_pyarrow(
        "type_dictionary",
        [("id", dictionary, ids), ("image", pa.binary(), pictures), ("conversations", turn(pa.string()), said)],
    )
    by_pyarrow(
        "type_list_of_binary",
        [
            ("id", pa.int64(), [7, -1, 2**62, None]),
            ("images", pa.list_(pa.large_binary()), [[bytes] for bytes in pictures]),
            ("conversations", turn(pa.string()), said),
        ],
    )
    by_pyarrow(
        "type_json",
        [
            ("id", pa.uint16(), [1, 2, 3, 65535]),
            ("image", pa.string(), ["a/0.png", "../1.png", None, ""]),
            ("conversations", pa.string(), [json.dumps(said[0]), json.dumps(said[0]), json.dumps(turns("a", "b")), "[{"]),
        ],
    )


class Keys(pe.KmsClient):
    """Holds no secret: it is there so that a file is encrypted."""

    def __init__(self, _):
        super().__init__()

    def wrap_key(self, key, _):
        return key.hex()

    def unwrap_key(self, key, _):
        return bytes.fromhex(key)


def files():
    written = by_datasets(
        "onevision",
        [
            {"id": id, "image": image, "conversations": said, "data_source": f"source({i % 3},x)"}
            for i, (id, image, said) in enumerate(ONEVISION)
        ],
        {
            "id": Value("string"),
            "image": Image(),
            "conversations": List({"from": Value("string"), "value": Value("string")}),
            "data_source": Value("string"),
        },
    )
    written |= by_datasets(
        "cauldron",
        [{"images": images, "texts": texts} for images, texts in CAULDRON],
        {
            "images": List(Image()),
            "texts": List({"user": Value("string"), "assistant": Value("string"), "source": Value("string")}),
        },
    )
    messages = lambda content: [{"role": "user", "content": content}, {"role": "assistant", "content": "So."}]
    written |= by_datasets(
        "messages",
        [{"id": id, "messages": messages(content), "images": images} for id, content, images in MESSAGES],
        {
            "id": Value("string"),
            "messages": List({"role": Value("string"), "content": Value("string")}),
            "images": List(Image()),
        },
    )
    part = {"type": Value("string"), "text": Value("string")}
    written |= by_datasets(
        "messages_parts",
        [
            {"messages": [{"role": "user", "content": PARTS}], "images": [picture(PNG, "a.png")]},
            {"messages": [{"role": "user", "content": PARTS[1:]}], "images": None},
        ],
        {"messages": List({"role": Value("string"), "content": List(part)}), "images": List(Image())},
    )
    nulls()
    types()

    # Pages of a few rows each, in several row groups, with and without what helps to find them.
    many = conversations(60)
    rows = [
        ("id", pa.int32(), range(60)),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]), [None] * 60),
        ("conversations", pa.list_(CONVERSATION), many),
        ("data_source", pa.string(), [f"s{i // 20}" for i in range(60)]),
    ]
    small = {"row_group_size": 25, "data_page_size": 64, "write_batch_size": 4, "use_dictionary": False}
    by_pyarrow("pages_v1", rows, compression="none", **small)
    by_pyarrow("pages_v2", rows, data_page_version="2.0", compression="snappy", **small)
    by_pyarrow("pages_index", rows, write_page_index=True, compression="zstd", **small)
    few = [("id", pa.string(), ["a", "b"]), ("conversations", pa.list_(CONVERSATION), conversations(2))]
    for codec in ("gzip", "lz4", "brotli"):
        by_pyarrow(f"codec_{codec}", few, compression=codec)
    by_pyarrow("no_turns", [("url", pa.string(), ["a"]), ("caption", pa.string(), ["b"])])
    by_pyarrow("no_rows", [(name, kind, []) for name, kind, _ in few])

    factory = pe.CryptoFactory(Keys)
    keys = pe.EncryptionConfiguration(footer_key="k", column_keys={"k": ["id"]})
    encryption = factory.file_encryption_properties(pe.KmsConnectionConfig(), keys)
    by_pyarrow("encrypted", few, encryption_properties=encryption)
    return written


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.parquet"):
        old.unlink()
    written = files()
    versions = {"datasets": datasets.__version__, "pyarrow": pa.__version__, "Pillow": PIL.__version__}
    manifest = {"versions": versions, "files": written}
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
