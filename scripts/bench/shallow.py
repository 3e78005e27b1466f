"""A random checkpoint with a family's true widths and fewer layers, made and saved by transformers itself.

The config is the family's tiny fixture's with the widths changed; tokenizer, template and preprocessor are copied from it,
so the vocabulary is the fixture's few hundred rows. With few layers the share of the work that is the tower's is not that of
the published model; every layer costs what it costs there. The families with a CLIP tower leave its last layer's output
unused: transformers runs that layer, which is 1 of 12 here and 1 of 24 as published.
"""

import json
import math
import shutil
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.initialization import no_init_weights

from .families import Depth, Family

FILES = ["chat_template.json", "preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"]
MROPE_SECTION = [16, 24, 24]  # pairs of the 128 channels of a head for time, row and column
WINDOWED = 8  # every so many layers of Qwen2.5-VL's tower, attention is not windowed

# How much of its input a layer that writes to the stream puts there; every other linear has 1.
GAINS = {
    ".self_attn.o_proj.weight": 0.05,
    ".self_attn.out_proj.weight": 0.5,
    ".attn.proj.weight": 0.5,
    ".mlp.fc2.weight": 0.5,
    ".mlp.down_proj.weight": 0.05,
    "projector.linear_1.weight": 0.5,
    "projector.linear_2.weight": 0.05,
    "merger.mlp.2.weight": 0.05,
}
TOWER_DOWN = 0.5  # Qwen2.5-VL's tower names its last linear as language models do


def config_of(family: Family, depth: Depth) -> dict:
    config = json.loads((family.fixture / "config.json").read_text(encoding="utf-8"))
    text = config.get("text_config", config)  # Qwen's published config is flat
    text |= {**family.text, "num_hidden_layers": depth.text}
    if "max_window_layers" in text:
        text["max_window_layers"] = depth.text
    if "rope_scaling" in text:
        text["rope_scaling"]["mrope_section"] = MROPE_SECTION
    vision = config["vision_config"]
    vision |= {**family.vision, ("depth" if "depth" in vision else "num_hidden_layers"): depth.tower}
    if "fullatt_block_indexes" in vision:
        vision["fullatt_block_indexes"] = list(range(WINDOWED - 1, depth.tower, WINDOWED))
    return config


def spread(name: str, shape: torch.Size) -> tuple[float, float]:
    """Standard deviation and mean of a tensor: the stream starts at 0.03 a channel, as in trained models, and stays sane."""
    if name.endswith(".bias"):
        return 0.02, 0.0
    if name.endswith("class_embedding"):
        return 1.0, 0.0
    if name.endswith("position_embedding.weight"):
        return 0.3, 0.0
    if name.endswith(("embed_tokens.weight", "image_newline")):
        return 0.03, 0.0
    if len(shape) == 1:
        return 0.1, 1.0  # a norm
    gain = next((gain for end, gain in GAINS.items() if name.endswith(end)), 1.0)
    if name.endswith(".mlp.down_proj.weight") and ".visual." in name:
        gain = TOWER_DOWN
    return gain / math.sqrt(math.prod(shape[1:])), 0.0


def make(folder: Path, family: Family, depth: Depth, dtype: str) -> None:
    """Write the checkpoint unless it is there."""
    if folder.exists():
        return
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / "config.json").write_text(json.dumps(config_of(family, depth)), encoding="utf-8")
    with no_init_weights():
        model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(part), dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            std, mean = spread(name, tensor.shape)
            tensor.normal_(mean, std, generator=generator)
    if dtype == "bf16":
        model = model.to(torch.bfloat16)
    model.save_pretrained(part, max_shard_size="1GB")
    for name in FILES:
        if (family.fixture / name).exists():
            shutil.copy(family.fixture / name, part / name)
    # Renamed last: its presence says that the checkpoint is whole.
    part.rename(folder)
