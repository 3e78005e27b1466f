"""Every file of YAML and JSON by its parser, and Megatron-Energon."""

import json
from itertools import islice

from .common import DRAWS, count, version


def parsers(export):
    """Whether the files are whole to the parsers of their languages; not what they mean."""
    package = version("PyYAML")
    import yaml

    for path in export.folder.rglob("*"):
        if path.suffix in (".yaml", ".yml"):
            assert yaml.safe_load(path.read_text(encoding="utf-8")), path
        elif path.suffix == ".json":
            assert json.loads(path.read_text(encoding="utf-8")), path
        elif path.suffix == ".py":
            compile(path.read_text(encoding="utf-8"), str(path), "exec")
    return package


def energon(export):
    """As Energon loads it: files of rows indexed by its own preparation, rows cooked to their dataset's name."""
    package = version("megatron-energon")
    import yaml
    from megatron.energon import Cooker, DefaultTaskEncoder, TextSample, WorkerConfig, basic_sample_keys, stateless
    from megatron.energon import get_loader, get_train_dataset
    from megatron.energon.flavors.jsonl.jsonl_prepare import JsonlPreparator

    path = export.folder / "mixture.yaml"
    blend = list(yaml.safe_load(path.read_text(encoding="utf-8"))["splits"]["train"].values())[0]
    assert [entry["path"] for entry in blend] == [dataset["path"] for dataset in export.used]
    assert [entry["subflavors"]["domain"] for entry in blend] == [dataset["domain"] for dataset in export.used]
    for entry, dataset in zip(blend, export.used):
        assert entry["aux"]["media"] == "filesystem://" + dataset["media_root"]
        assert JsonlPreparator.prepare_dataset(entry["path"]) == dataset["size"]

    @stateless
    def cook(sample, media):
        assert sample["json"]["conversations"] and media is not None, sample
        return TextSample(**basic_sample_keys(sample), text=sample["__subflavors__"]["dataset"])

    class Encoder(DefaultTaskEncoder):
        cookers = [Cooker(cook)]

    found = get_train_dataset(
        str(path),
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
        batch_size=1,
        shuffle_buffer_size=100,
        max_samples_per_sequence=None,
        task_encoder=Encoder(),
        repeat=not export.budget,
    )
    names = (name for batch in get_loader(found) for name in batch.text)
    if export.budget:
        export.expect_counts(count(names))
    else:
        export.expect_shares(count(islice(names, DRAWS)))
    return package
