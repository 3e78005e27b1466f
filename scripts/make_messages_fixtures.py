#!/usr/bin/env python3
"""Make tests/fixtures/messages: rows of messages as ms-swift writes them, and what it and transformers make of them.

- ms_swift.jsonl is written by ms-swift's own JsonlWriter; the rows are of the kinds that its documentation of custom
  datasets shows. ms_swift.expected.json has for each of them what ms-swift's preprocessor and template inputs read: the
  system prompt, the turns with their placeholders, and the media.
- parts.json has conversations whose contents are lists of parts, and the prompts that transformers' Jinja environment
  makes of them with the chat templates of the checkpoints in tests/fixtures.

Needs ms-swift 4.6, transformers 5.23 and datasets; the versions are written into the files.

    python scripts/make_messages_fixtures.py
"""

import copy
import json
from importlib.metadata import version
from pathlib import Path

from datasets import Dataset
from swift.dataset.preprocessor import AutoPreprocessor
from swift.template.template_inputs import StdTemplateInputs
from swift.utils import JsonlWriter
from transformers.utils.chat_template_utils import render_jinja_template

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"
OUT = FIXTURES / "messages"
# One pixel.
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def user(content: object) -> dict:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict:
    return {"role": "assistant", "content": content}


ROWS = [
    {"messages": [user("What is the capital of Zhejiang?"), assistant("Hangzhou.")]},
    {"messages": [{"role": "system", "content": "Be brief."}, user("1+1?"), assistant("2"), user("2+2?"), assistant("4")]},
    {"messages": [user("<image>What is this?"), assistant("A cat.")], "images": ["a/1.jpg"]},
    {"messages": [user("<image><image>Which differs?"), assistant("The first.")], "images": ["1.jpg", "2.jpg"]},
    {"messages": [user("<video>What happens?"), assistant("It rains.")], "videos": ["1.mp4"]},
    {"messages": [user("<video>and <image>?"), assistant("é 雨")], "images": ["1.jpg"], "videos": ["1.mp4"]},
    {"messages": [user("<video>?"), assistant("Yes.")], "videos": [["f/1.jpg", "f/2.jpg"]]},
    {"messages": [user("<image>?"), assistant("Yes.")], "images": [{"bytes": None, "path": "1.jpg"}]},
    {"messages": [user("<image>?"), assistant("Yes.")], "images": [PNG]},
    {"messages": [user("q"), assistant("good")], "rejected_response": "bad"},
    {"messages": [user("q"), {"role": "assistant", "content": "a", "loss": False}], "channel": "x"},
    {
        "messages": [
            user([{"type": "image", "image": "1.jpg"}, {"type": "text", "text": "What?"}]),
            assistant("A cat."),
            user([{"type": "text", "text": "And "}, {"type": "text", "text": "this?"}, {"type": "image_url", "image_url": {"url": "2.jpg"}}]),
            assistant("A dog."),
        ]
    },
    {"messages": [user([{"type": "video", "video": "1.mp4"}, {"type": "text", "text": "What?"}]), assistant("Rain.")]},
    {"messages": [user([{"type": "image"}, {"type": "text", "text": "What?"}]), assistant("x")], "images": ["1.jpg"]},
    {"query": "<image>What?", "response": "A cat.", "history": [["a", "b"], ["c", "d"]], "system": "s", "images": ["1.jpg"]},
    {"query": "q", "response": "r"},
]

CONVERSATIONS = [
    [user([{"type": "image", "image": "1.jpg"}, {"type": "text", "text": "What?"}])],
    [user([{"type": "text", "text": "Look:"}, {"type": "image", "image": "1.jpg"}, {"type": "text", "text": " what?"}])],
    [user([{"type": "text", "text": "1\n"}, {"type": "image", "image": "1.jpg"}, {"type": "text", "text": "\n\n2"}])],
    [user([{"type": "image", "image": "1.jpg"}, {"type": "image", "image": "2.jpg"}, {"type": "text", "text": "\nWhich?\n"}])],
    [user([{"type": "text", "text": "What?"}, {"type": "image", "image": "1.jpg"}])],
    [user([{"type": "image", "image": "1.jpg"}])],
]


def read_by_ms_swift(row: dict) -> dict:
    row = copy.deepcopy(row)
    if "messages" not in row:
        row = AutoPreprocessor()(Dataset.from_list([row]))[0]
    inputs = StdTemplateInputs.from_dict({key: row[key] for key in ("messages", "images", "videos") if row.get(key)})
    path = lambda image: image["path"] if isinstance(image, dict) else image
    return {
        "system": inputs.system,
        "messages": [[message["role"], message["content"]] for message in inputs.messages],
        "images": [path(image) for image in inputs.images],
        "videos": inputs.videos,
    }


def rendered() -> list[dict]:
    cases = []
    for checkpoint in ["llava_1_5", "llava_next_mistral", "llava_next_qwen2", "qwen2_vl", "qwen2_5_vl"]:
        template = json.loads((FIXTURES / checkpoint / "chat_template.json").read_text())["chat_template"]
        for turns in CONVERSATIONS:
            messages = [*turns, {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}]
            prompts, _ = render_jinja_template([messages], chat_template=template)
            cases.append({"checkpoint": checkpoint, "messages": messages, "prompt": prompts[0]})
    return cases


def main() -> None:
    versions = {name: version(name) for name in ("ms-swift", "transformers", "datasets")}
    for name, wanted in (("ms-swift", "4.6."), ("transformers", "5.23.")):
        assert versions[name].startswith(wanted), f"{name} {versions[name]} is installed, the fixtures need {wanted}*"
    OUT.mkdir(exist_ok=True)
    rows = OUT / "ms_swift.jsonl"
    rows.unlink(missing_ok=True)
    JsonlWriter(str(rows)).append(copy.deepcopy(ROWS))
    expected = {"versions": versions, "rows": [read_by_ms_swift(row) for row in ROWS]}
    dump = lambda value: json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    (OUT / "ms_swift.expected.json").write_text(dump(expected))
    (OUT / "parts.json").write_text(dump({"versions": versions, "cases": rendered()}))


if __name__ == "__main__":
    main()
