"""The true-size LLaVA-OneVision 0.5B checkpoint with random weights, in the published layout."""

import json
import math
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

VISION = dict(hidden_size=1152, num_attention_heads=16, num_hidden_layers=26, intermediate_size=4304, image_size=384, patch_size=14)
TEXT = dict(hidden_size=896, num_attention_heads=14, num_key_value_heads=2, num_hidden_layers=24, intermediate_size=4864)
ROWS = 152000
FILES = ["chat_template.json", "preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json", "video_preprocessor_config.json"]


def shapes():
    """(file, name, shape, std, mean) of every tensor. The scales keep 24 random layers well-behaved."""
    d, inner, patch = VISION["hidden_size"], VISION["intermediate_size"], VISION["patch_size"]
    vision = "vision_tower.vision_model"

    def linear(file, name, out, fan_in, gain, bias=True):
        yield file, f"{name}.weight", (out, fan_in), gain / math.sqrt(fan_in), 0.0
        if bias:
            yield file, f"{name}.bias", (out,), 0.02, 0.0

    def norm(file, name, width, bias):
        yield file, f"{name}.weight", (width,), 0.1, 1.0
        if bias:
            yield file, f"{name}.bias", (width,), 0.02, 0.0

    yield 0, f"{vision}.embeddings.patch_embedding.weight", (d, 3, patch, patch), 1 / math.sqrt(3 * patch * patch), 0.0
    yield 0, f"{vision}.embeddings.patch_embedding.bias", (d,), 0.02, 0.0
    yield 0, f"{vision}.embeddings.position_embedding.weight", ((VISION["image_size"] // patch) ** 2, d), 0.3, 0.0
    for i in range(VISION["num_hidden_layers"]):
        layer = f"{vision}.encoder.layers.{i}"
        yield from norm(0, f"{layer}.layer_norm1", d, True)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(0, f"{layer}.self_attn.{name}", d, d, 0.5 if name == "out_proj" else 1.0)
        yield from norm(0, f"{layer}.layer_norm2", d, True)
        yield from linear(0, f"{layer}.mlp.fc1", inner, d, 1.0)
        yield from linear(0, f"{layer}.mlp.fc2", d, inner, 0.5)
    yield from norm(0, f"{vision}.post_layernorm", d, True)

    h, inner = TEXT["hidden_size"], TEXT["intermediate_size"]
    kv = TEXT["num_key_value_heads"] * h // TEXT["num_attention_heads"]
    yield from linear(1, "multi_modal_projector.linear_1", h, d, 0.5)
    yield from linear(1, "multi_modal_projector.linear_2", h, h, 0.05)
    yield 1, "image_newline", (h,), 0.03, 0.0
    yield 1, "language_model.model.embed_tokens.weight", (ROWS, h), 0.03, 0.0
    for i in range(TEXT["num_hidden_layers"]):
        layer = f"language_model.model.layers.{i}"
        yield from norm(1, f"{layer}.input_layernorm", h, False)
        yield from linear(1, f"{layer}.self_attn.q_proj", h, h, 1.0)
        yield from linear(1, f"{layer}.self_attn.k_proj", kv, h, 1.0)
        yield from linear(1, f"{layer}.self_attn.v_proj", kv, h, 1.0)
        yield from linear(1, f"{layer}.self_attn.o_proj", h, h, 0.05, bias=False)
        yield from norm(1, f"{layer}.post_attention_layernorm", h, False)
        yield from linear(1, f"{layer}.mlp.gate_proj", inner, h, 1.0, bias=False)
        yield from linear(1, f"{layer}.mlp.up_proj", inner, h, 1.0, bias=False)
        yield from linear(1, f"{layer}.mlp.down_proj", h, inner, 0.05, bias=False)
    yield from norm(1, "language_model.model.norm", h, False)


def make(folder: Path, tiny: Path, dtype: str) -> None:
    """Write the checkpoint unless it is there. Tokenizer, template and processor are the tiny checkpoint's."""
    if (folder / "model.safetensors.index.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(tiny / name, folder / name)
    config = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    config["torch_dtype"] = config["text_config"]["torch_dtype"] = {"f32": "float32", "bf16": "bfloat16"}[dtype]
    config["text_config"] |= {**TEXT, "max_window_layers": TEXT["num_hidden_layers"], "vocab_size": ROWS}
    config["vision_config"] |= VISION
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    generator = torch.Generator().manual_seed(0)
    files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    where, total = {}, 0
    for part, file in enumerate(files):
        tensors = {}
        for at, name, shape, std, mean in shapes():
            if at == part:
                tensor = torch.empty(shape).normal_(mean, std, generator=generator)
                tensors[name] = tensor.to(torch.bfloat16) if dtype == "bf16" else tensor
                where[name] = file
                total += tensors[name].nbytes
        save_file(tensors, str(folder / file), metadata={"format": "pt"})
        del tensors
    # Written last: its presence says that the checkpoint is whole.
    index = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index) + "\n", encoding="utf-8")
