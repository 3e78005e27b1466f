"""Fills corpus/TARGET from the repository's fixtures and configs. Python 3.10 and later, no packages.

A fuzzer that starts from sound inputs reaches in a minute what takes it days from nothing.
"""

import json
import pathlib
import shutil

HERE = pathlib.Path(__file__).parent
REPOSITORY = HERE.parent.parent
FIXTURES = REPOSITORY / "tests" / "fixtures"
LARGEST = 64 << 10


def corpus(target: str) -> pathlib.Path:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def copy(target: str, files) -> None:
    for file in files:
        if file.is_file() and file.stat().st_size <= LARGEST:
            shutil.copy(file, corpus(target) / "-".join(file.relative_to(REPOSITORY).parts))


def turns(*texts: str) -> list:
    speakers = ["human", "gpt"]
    return [{"from": speakers[i % 2], "value": text} for i, text in enumerate(texts)]


def rows() -> None:
    samples = [
        {"id": "1", "image": "a.jpg", "conversations": turns("<image>\nWhat?", "A cat.")},
        {"id": 2, "images": [["a.jpg"], "b/c.png"], "conversations": turns("<image> <image>", "Two.")},
        {"video": "v.mp4", "conversations": turns("<image>\nWhen?", "Now.")},
        {"data_source": "x", "image": None, "conversations": [{"role": "system", "content": "S"}, *turns("\u00e9\"\\", "")]},
    ]
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    folder = corpus("rows")
    (folder / "lines").write_text(lines)
    (folder / "list").write_text(json.dumps(samples, indent=1))
    (folder / "nested").write_text("\ufeff" + json.dumps([samples[:2], [], [samples[2:]]]))


def templates() -> None:
    found = {}
    for file in [*FIXTURES.glob("*/*.json"), *REPOSITORY.glob("models/*/*.json")]:
        if file.name in ("chat_template.json", "tokenizer_config.json"):
            found[file] = json.loads(file.read_text()).get("chat_template")
    for case in json.loads((FIXTURES / "chat_templates" / "cases.json").read_text())["templates"].values():
        found[len(found)] = case
    for number, template in enumerate(set(filter(lambda t: isinstance(t, str), found.values()))):
        (corpus("template") / str(number)).write_text(template)


copy("config", [*REPOSITORY.glob("configs/*.toml"), *REPOSITORY.glob("models/*.toml")])
copy("picture", FIXTURES.glob("media/*"))
copy("shard", FIXTURES.glob("store/*"))
rows()
templates()
for folder in sorted((HERE / "corpus").iterdir()):
    print(f"{folder.name}: {len(list(folder.iterdir()))} seeds")
