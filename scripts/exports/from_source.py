"""Trainers whose own code is read from a checkout of their repository.

Most cannot be imported without all that training needs. So only the functions that read a mixture are taken from their
files and executed; a row tells by its id which file it is of.
"""

import json
import math
import os
import random
import re
import subprocess
import types
from pathlib import Path

from .common import SIGMAS, count, only

QUIET = types.SimpleNamespace(info=lambda *_: None, warning=lambda *_: None)


class Nothing:
    """Stands for classes of which only the name is needed."""

    def __init__(self, *_, **__):
        pass


def names(export, rows):
    """How often each dataset comes, from rows that have ids like `b.json 17`."""
    by_file = {path.rsplit(".", 1)[0]: name for name, path in files(export).items()}
    return count(by_file[row["id"].rsplit(" ", 1)[0].rsplit(".", 1)[0]] for row in rows)


def files(export):
    """The file that each dataset's rows were written to first, by its name."""
    from .project import DOMAINS

    return {name: file for _, _, datasets in DOMAINS for name, file, _, _ in datasets}


def rounded(export, found, slack):
    """Numbers that may be off by so large a part of a dataset, and one row; without a budget no row comes twice."""
    one_pass = min(dataset["size"] / dataset["weight"] for dataset in export.used)
    for dataset in export.used:
        planned = dataset["count"] or one_pass * dataset["weight"]
        drawn_of_it = found.get(dataset["name"], 0)
        assert drawn_of_it > 0, f"{dataset['name']!r} is lost"
        assert abs(drawn_of_it - planned) <= slack * dataset["size"] + 1, f"{dataset['name']!r}: {drawn_of_it}, {planned}"


def short(root):
    """The commit of a checkout, where it is one."""
    git = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(git, capture_output=True, encoding="utf-8", check=False)
    top = subprocess.run([*git[:3], "rev-parse", "--show-toplevel"], capture_output=True, encoding="utf-8", check=False)
    own = done.returncode == 0 and Path(top.stdout.strip()) == Path(root).resolve()
    return f"at {done.stdout.strip()}" if own else "as checked out"


def llava_next(export):
    """`LazySupervisedDataset.__init__`, which reads and samples."""
    import yaml

    root = export.checkout("llava-next", "llava/train/train.py")
    given = {"json": json, "math": math, "random": random, "re": re, "yaml": yaml, "rank0_print": lambda *_: None}
    # `super(LazySupervisedDataset, self).__init__()` needs the name.
    given["LazySupervisedDataset"] = Nothing
    read = only(root / "llava/train/train.py", ["LazySupervisedDataset.__init__"], given)
    dataset = type("Dataset", (Nothing,), {})()
    getattr(read, "__init__")(dataset, str(export.folder / "mixture.yaml"), None, types.SimpleNamespace())
    found = names(export, dataset.list_data_dict)
    export.expect_counts(found) if export.budget else rounded(export, found, 0.005)
    return f"LLaVA-NeXT {short(root)}"


def qwen_vl(export):
    """`data_list` with the entries of madmix, then `LazySupervisedDataset.__init__`."""
    folder = "qwen-vl-finetune/qwenvl/data"
    root = export.checkout("qwen-vl-finetune", f"{folder}/__init__.py", f"{folder}/data_processor.py")
    given = {"re": re, "data_dict": {}}
    only(root / folder / "__init__.py", ["parse_sampling_rate", "data_list"], given)
    exec((export.folder / "madmix_data.py").read_text(encoding="utf-8"), given)  # noqa: S102
    given["data_dict"].update(given["DATASETS"])
    given |= {"json": json, "random": random, "rank0_print": lambda *_: None, "LazySupervisedDataset": Nothing}
    given |= {"update_processor_pixels": lambda processor, _: processor, "get_rope_index_25": None}
    read = only(root / folder / "data_processor.py", ["read_jsonl", "LazySupervisedDataset.__init__"], given)
    shell = f'. "{export.folder}/dataset_use.sh"; printf %s "$datasets"'
    use = subprocess.run(["sh", "-c", shell], capture_output=True, encoding="utf-8", check=True).stdout
    arguments = types.SimpleNamespace(dataset_use=use, model_type="qwen2.5vl", data_packing=False)
    processor = types.SimpleNamespace(tokenizer=None, image_processor=None)
    dataset = type("Dataset", (Nothing,), {"_get_item": None})()
    getattr(read, "__init__")(dataset, processor, arguments)
    assert all(Path(row["data_path"]).is_dir() for row in dataset.list_data_dict)
    rounded(export, names(export, dataset.list_data_dict), 0.005)
    return f"qwen-vl-finetune {short(root)}"


def internvl(export):
    """What `build_datasets` and `LazySupervisedDataset.__init__` do with an entry."""
    import numpy

    file = "internvl_chat/internvl/train/internvl_chat_finetune.py"
    root = export.checkout("internvl", file)
    given = {"json": json, "np": numpy, "logger": QUIET, "LazySupervisedDataset": Nothing}
    read = only(root / file, ["LazySupervisedDataset.__init__"], given)
    rows = []
    for name, entry in json.loads((export.folder / "meta.json").read_text(encoding="utf-8")).items():
        dataset = type("Dataset", (Nothing,), {})()
        tokenizer = types.SimpleNamespace(model_max_length=0)
        getattr(read, "__init__")(dataset, "", entry, tokenizer, None, name, 0, repeat_time=entry["repeat_time"])
        assert Path(dataset.root).is_dir()
        rows += map(json.loads, dataset.raw_data)
    found = names(export, rows)
    export.expect_counts(found) if export.budget else rounded(export, found, 1e-9)
    return f"InternVL {short(root)}"


def llama_factory(export):
    """`get_dataset_list`, `_load_single_dataset` without its last step, and `merge_dataset`."""
    import numpy
    import yaml
    from datasets import concatenate_datasets, interleave_datasets, load_dataset

    data = "src/llamafactory/data"
    root = export.checkout("llama-factory", f"{data}/parser.py", f"{data}/loader.py", f"{data}/data_utils.py")
    options = yaml.safe_load((export.folder / "mixture.yaml").read_text(encoding="utf-8"))
    # As DataArguments.__post_init__ splits them.
    split = [name.strip() for name in options["dataset"].split(",")]
    probabilities = options.get("interleave_probs")
    probabilities = probabilities and [float(part.strip()) for part in probabilities.split(",")]
    from dataclasses import dataclass
    from typing import Any

    given = {"dataclass": dataclass, "Any": Any, "json": json, "os": os, "np": numpy}
    given |= {"DATA_CONFIG": "dataset_info.json", "load_dataset": load_dataset}
    given |= {"concatenate_datasets": concatenate_datasets, "interleave_datasets": interleave_datasets}
    given["logger"] = types.SimpleNamespace(info_rank0=lambda *_: None, warning_rank0_once=lambda *_: None)
    given["FILEEXT2TYPE"] = {"json": "json", "jsonl": "json"}
    given["align_dataset"] = lambda dataset, *_: dataset.select_columns(["id", "conversations"])
    attributes(root / data / "parser.py", given)
    functions = only(root / data / "parser.py", ["get_dataset_list"], given)
    load = only(root / data / "loader.py", ["_load_single_dataset"], given)
    merge = only(root / data / "data_utils.py", ["merge_dataset"], given)
    model = types.SimpleNamespace(cache_dir=str(export.scratch), hf_hub_token=None)
    arguments = types.SimpleNamespace(
        dataset_dir=options["dataset_dir"], preprocessing_num_workers=None, streaming=False, max_samples=None,
        mix_strategy=options["mix_strategy"], interleave_probs=probabilities,
    )
    found = functions.get_dataset_list(split, options["dataset_dir"])
    numpy.random.seed(0)
    parts = [load._load_single_dataset(one, model, arguments, None) for one in found]
    for part, dataset in zip(parts, export.used):
        assert set(names(export, part)) == {dataset["name"]}
    merged = names(export, merge.merge_dataset(parts, arguments, seed=42))
    if export.budget:
        export.expect_counts(merged)
    else:
        drawn(export, merged)
    return f"LLaMA-Factory {short(root)}"


def attributes(path, given):
    """The dataclass of a dataset's description, whole."""
    import ast

    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "DatasetAttr"]
    given["Literal"] = __import__("typing").Literal
    exec(compile(ast.Module(body=classes, type_ignores=[]), str(path), "exec"), given)  # noqa: S102


def drawn(export, found):
    """Shares of a mixture that ends with the first dataset that is used up, and so may be short."""
    n = sum(found.values())
    for dataset in export.used:
        sigma = math.sqrt(dataset["weight"] * (1 - dataset["weight"]) / n)
        share = found.get(dataset["name"], 0) / n
        assert abs(share - dataset["weight"]) <= SIGMAS * sigma, f"{dataset['name']!r}: {share} of {n}"


def ms_swift(export):
    """`DatasetSyntax.parse` and `sample_dataset`, after bash has read the file."""
    import numpy
    from datasets import interleave_datasets, load_dataset

    folder = "swift/dataset"
    root = export.checkout("ms-swift", f"{folder}/dataset_syntax.py", f"{folder}/utils.py")
    script = 'source "$1"; printf "%s\\0" "$ROOT_IMAGE_DIR" "${DATASET_ARGS[@]}"'
    bash = ["bash", "-c", script, "bash", str(export.folder / "dataset_args.sh")]
    media, *words = subprocess.run(bash, capture_output=True, encoding="utf-8", check=True).stdout.split("\0")[:-1]
    assert Path(media).is_dir()
    options = {}
    for word in words:
        if word.startswith("--"):
            values = options.setdefault(word, [])
        else:
            values.append(word)
    given = {"os": os, "np": numpy, "logger": QUIET}
    class_of = only(root / folder / "dataset_syntax.py", ["DatasetSyntax._safe_split", "DatasetSyntax.parse"], given)

    class Syntax:
        _safe_split = staticmethod(class_of._safe_split)

        def __init__(self, dataset, subsets, dataset_sample, use_hf):
            self.dataset, self.subsets, self.sample, self.use_hf = dataset, subsets, dataset_sample, use_hf

    sample = only(root / folder / "utils.py", ["sample_dataset"], given).sample_dataset
    parts = []
    for word in options["--dataset"]:
        syntax = class_of.parse(Syntax, word)
        assert not syntax.subsets and syntax.use_hf is None and Path(syntax.dataset).is_file(), word
        # As DatasetLoader loads a file.
        kind = {"jsonl": "json"}.get(Path(syntax.dataset).suffix[1:], Path(syntax.dataset).suffix[1:])
        rows = load_dataset(kind, data_files=syntax.dataset, split="train", cache_dir=str(export.scratch))
        parts.append(sample(rows.select_columns(["id"]), syntax.sample, True, numpy.random.RandomState(42)))
    if export.budget:
        export.expect_counts(names(export, [row for part in parts for row in part]))
    else:
        probabilities = [float(word) for word in options["--interleave_prob"]]
        strategy = options["--stopping_strategy"][0]
        mixed = interleave_datasets(parts, probabilities, seed=42, stopping_strategy=strategy)
        drawn(export, names(export, mixed))
    return f"ms-swift {short(root)}"


def veomni(export):
    """The keys and lengths that `build_multisource_dataset` goes by."""
    import yaml

    root = export.checkout("veomni", "veomni/data/dataset.py")
    mixture = yaml.safe_load((export.folder / "mixture.yaml").read_text(encoding="utf-8"))
    source = (root / "veomni/data/dataset.py").read_text(encoding="utf-8")
    for key in mixture:
        assert f'"{key}"' in source or f"'{key}'" in source or key in source, f"VeOmni does not know {key}"
    weights = mixture["schedule"][0]["weights"]
    assert mixture["names"] == [dataset["name"] for dataset in export.used]
    assert mixture["sources"] == [dataset["path"] for dataset in export.used]
    assert weights == [dataset["weight"] for dataset in export.used]
    return f"VeOmni {short(root)}"
