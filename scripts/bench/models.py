"""The models of the GPU benchmark at their true size, with random weights, in the layout that transformers saves.

A checkpoint is made on the device in bf16: config, tokenizer, template and preprocessor are the family's tiny fixture's,
with the published widths, depths and vocabulary. Tokens of the text are the fixture's few hundred, which changes nothing:
there is no head, and a row of the embedding is a row.
"""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from . import checkpoint
from .families import FAMILIES, Depth, Family
from .shallow import FILES, config_of, spread

ALL_FILES = [*FILES, "video_preprocessor_config.json"]


@dataclass(frozen=True)
class Model:
    family: str
    whole: Family  # with the published widths
    depth: Depth
    vocabulary: int


def onevision(text: dict, depth: int, vocabulary: int) -> Model:
    family = dataclasses.replace(FAMILIES["llava-onevision"], text=text, vision=checkpoint.VISION)
    return Model("llava-onevision", family, Depth(depth, checkpoint.VISION["num_hidden_layers"]), vocabulary)


MODELS = {
    "onevision-0.5b": onevision(checkpoint.TEXT, 24, 152000),
    "qwen2-vl-2b": Model("qwen2-vl", FAMILIES["qwen2-vl"], FAMILIES["qwen2-vl"].published, 151936),
    "onevision-7b": onevision(
        dict(hidden_size=3584, num_attention_heads=28, num_key_value_heads=4, intermediate_size=18944), 28, 152128
    ),
}


def make(folder: Path, model: Model, device: str) -> None:
    """Write the checkpoint unless it is there."""
    if folder.exists():
        return
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    config = config_of(model.whole, model.depth)
    config.get("text_config", config)["vocab_size"] = model.vocabulary
    for of in (config, config.get("text_config", {})):
        for key in of.keys() & {"dtype", "torch_dtype"}:
            of[key] = "bfloat16"
    (part / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with torch.device("meta"):
        made = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(part), dtype=torch.bfloat16)
    # What is no parameter is computed again when the checkpoint is loaded, and not saved.
    made = made.to_empty(device=device)
    made.tie_weights()
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, tensor in made.named_parameters():
            std, mean = spread(name, tensor.shape)
            tensor.normal_(mean, std, generator=generator)
    made.save_pretrained(part, max_shard_size="4GB")
    for name in ALL_FILES:
        if (model.whole.fixture / name).exists():
            shutil.copy(model.whole.fixture / name, part / name)
    # Renamed last: its presence says that the checkpoint is whole.
    part.rename(folder)


def make_tiny(folder: Path, model: Model) -> None:
    """The family's tiny checkpoint, to try a script."""
    shutil.copytree(model.whole.fixture, folder, dirs_exist_ok=True)
