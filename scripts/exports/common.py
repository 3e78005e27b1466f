"""What every check of an export needs."""

import ast
import collections
import importlib.metadata
import importlib.util
import math
import sys
import types
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
# One check in a hundred thousand fails by chance.
SIGMAS = 4.5
DRAWS = 20_000


class Skipped(Exception):
    """The trainer's code is not here."""


@dataclass
class Export:
    """What `madmix export` wrote for a trainer: the folder, and the plan as `--json` printed it."""

    folder: Path
    plan: dict
    scratch: Path
    checkouts: dict

    @property
    def budget(self):
        return self.plan["budget"]

    @property
    def used(self):
        """The datasets that something is drawn of, with their domains."""
        return [
            {**dataset, "domain": domain["name"]}
            for domain in self.plan["domains"]
            for dataset in domain["datasets"]
            if dataset["weight"] > 0 and dataset["count"] != 0
        ]

    def expect_counts(self, found):
        """Of each dataset exactly so many, by name."""
        expected = {dataset["name"]: dataset["count"] for dataset in self.used}
        assert dict(found) == expected, f"drew {dict(found)}, planned {expected}"

    def expect_shares(self, found):
        """Of each dataset as many as its weight says, to SIGMAS standard deviations."""
        n = sum(found.values())
        assert n >= DRAWS * 0.9, f"only {n} were drawn"
        names = {dataset["name"] for dataset in self.used}
        assert set(found) <= names, f"unknown: {set(found) - names}"
        for dataset in self.used:
            weight, share = dataset["weight"], found.get(dataset["name"], 0) / n
            sigma = math.sqrt(weight * (1 - weight) / n)
            assert abs(share - weight) <= SIGMAS * sigma, f"{dataset['name']!r}: {share:.5f} of {n}, planned {weight:.5f}"

    def checkout(self, name, *paths):
        """The root of a checkout of a project's repository that has these files."""
        root = self.checkouts.get(name)
        if root is None:
            raise Skipped(f"needs --checkout {name}=PATH")
        for path in paths:
            assert (root / path).is_file(), f"{root} has no {path}: another version?"
        return root


def version(package):
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        raise Skipped(f"{package} is not installed") from None


def load(path):
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count(names):
    return dict(collections.Counter(names))


def only(path, names, given):
    """Executes the definitions with these names, `Class.method` or `function`, of a file whose imports are not here."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    space = types.SimpleNamespace()
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    found[f"{node.name}.{method.name}"] = method
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
    for name in names:
        node = found[name]
        # Annotations name what is not imported.
        for inner in ast.walk(node):
            if isinstance(inner, ast.FunctionDef):
                inner.returns = None
                inner.decorator_list = []
                for argument in inner.args.args + inner.args.kwonlyargs:
                    argument.annotation = None
        # `super().__init__()` needs the class cell that a lone function has not.
        module = ast.Module(body=[node], type_ignores=[])
        exec(compile(module, str(path), "exec"), given)  # noqa: S102
        last = name.split(".")[-1]
        setattr(space, last, given[last])
    return space
