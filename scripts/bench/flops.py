"""The floating-point operations that a sample needs, counted from widths, tower positions and tokens.

A multiply and an add are two. Matrix products alone count, attention's included: 4 · n · m · width for n queries that see m
keys (scores, and their product with the values), half of it where a position sees only those before it. Norms, activations
and the rotary embedding are left out: they are memory traffic. Padding is no work either, so that two programs that do the
same samples have done the same.
"""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Widths:
    """One of a model's two transformers."""

    width: int
    attention: int  # width of all query heads
    keys: int  # width of all key heads
    inner: int
    matrices: int  # of the MLP: 2, or 3 where it is gated
    layers: int

    def per_position(self) -> float:
        """Of all layers' linears."""
        linears = self.width * (2 * self.attention + 2 * self.keys) + self.matrices * self.width * self.inner
        return 2.0 * linears * self.layers

    def attended(self, positions: int, causal: bool) -> float:
        """Of all layers' attention over one sequence."""
        return (2.0 if causal else 4.0) * positions**2 * self.attention * self.layers


@dataclass(frozen=True)
class Counter:
    language: Widths
    tower: Widths
    pixels: int  # that a tower position is made of
    joins: float  # per tower position, between tower and language model

    def sample(self, towers: list[int], tokens: int) -> float:
        """`towers`: positions of each tile or slice that attention sees by itself; `tokens`: in the language model."""
        tower = sum(
            n * (self.tower.per_position() + 2.0 * self.pixels * self.tower.width + self.joins) + self.tower.attended(n, False)
            for n in towers
        )
        return tower + tokens * self.language.per_position() + self.language.attended(tokens, True)


def counter(folder: Path) -> Counter:
    """From a checkpoint's config: LLaVA with SigLIP, or Qwen2-VL."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text, vision = config.get("text_config", config), config["vision_config"]
    heads = text["num_attention_heads"]
    head = text["hidden_size"] // heads
    language = Widths(
        text["hidden_size"], heads * head, text["num_key_value_heads"] * head, text["intermediate_size"], 3, text["num_hidden_layers"]
    )
    if "embed_dim" in vision:
        d, merged = vision["embed_dim"], vision["embed_dim"] * vision["spatial_merge_size"] ** 2
        tower = Widths(d, d, d, int(d * vision["mlp_ratio"]), 2, vision["depth"])
        pixels = 3 * vision.get("temporal_patch_size", 2) * vision["patch_size"] ** 2
        joins = 2.0 * merged * (merged + language.width) / vision["spatial_merge_size"] ** 2
    else:
        d = vision["hidden_size"]
        tower = Widths(d, d, d, vision["intermediate_size"], 2, vision["num_hidden_layers"])
        pixels = 3 * vision["patch_size"] ** 2
        joins = 2.0 * language.width * (d + language.width)
    return Counter(language, tower, pixels, joins)


def check() -> None:
    """LLaVA-OneVision 0.5B: 0.64 TFLOP a tile, 0.72 GFLOP a token and 5.7 TFLOP for a picture of 480 x 640 without text."""
    language, tower = Widths(896, 896, 128, 4864, 3, 24), Widths(1152, 1152, 1152, 4304, 2, 26)
    onevision = Counter(language, tower, 3 * 14**2, 2.0 * 896 * (1152 + 896))
    tile = onevision.sample([729], 0)
    assert abs(tile / 1e12 - 0.64) < 0.01, tile
    assert abs(language.per_position() / 1e9 - 0.72) < 0.005
    assert abs(onevision.sample([729] * 5, 2929) / 1e12 - 5.7) < 0.05
