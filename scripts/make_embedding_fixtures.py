#!/usr/bin/env python3
"""Make tests/fixtures/atlas: tiny CLIP and SigLIP checkpoints, pictures, and what transformers makes of them.

The reference is Hugging Face transformers 5.23 on the CPU in float32 with eager attention (torch 2.15, torchvision 0.29,
Pillow 13, sentencepiece 0.2). Weights are random and large enough that no layer is close to the identity. The versions
that made the files are written into them.

- pictures/: PNG files of several shapes.
- clip/, siglip/: config.json, model.safetensors, preprocessor_config.json, tokenizer.json as published checkpoints have
  them, and reference.safetensors: `levels` [n, side, side, 3] as the image processor resizes the pictures, `image` [n, d]
  by get_image_features, `ids` [words, length] and `text` [words, d] by get_text_features. Of CLIP also `gelu.*` with the
  activation of OpenCLIP's models, of SigLIP also `bilinear.*` with the resampling of SigLIP 2.
- towers.safetensors: of the repository's tiny LLaVA-OneVision, LLaVA-1.5 and Qwen2-VL the mean over the patches of each
  picture at the layer that the model takes, in front of the projector; of Qwen2-VL behind the merger.
- cases.json: the names of the pictures and the texts, in the order of the rows.

    python scripts/make_embedding_fixtures.py
"""

import io
import json
import os
import re
import string
from collections import Counter
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import PIL
import sentencepiece
import torch
import torchvision
import transformers
from fixtures.pictures import scene
from PIL import Image
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, SiglipConfig, SiglipModel

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "fixtures" / "atlas"
WANTED = (("transformers", "5.23."), ("torch", "2.15."), ("torchvision", "0.29."), ("PIL", "13."), ("sentencepiece", "0.2."))
# name -> (height, width, seed)
PICTURES = {
    "wide": (31, 90, 1),
    "tall": (77, 40, 2),
    "small": (9, 12, 3),
    "square": (48, 48, 4),
    "tile": (32, 32, 5),
}
TEXTS = [f"a photo of a {word}" for word in ("chart", "Bar Chart", "street sign", "cat", "map, drawn by hand", "x-ray")]
TEXTS.append(" ".join(["a photo of a very long list of words"] * 12))
CORPUS = TEXTS + ["a picture of a dog and a diagram", "a screenshot of a table with numbers 0 1 2 3 4 5 6 7 8 9"]
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]


def check_versions() -> dict[str, str]:
    modules = {module.__name__: module for module in (torch, torchvision, transformers, PIL, sentencepiece)}
    versions = {name: module.__version__.split("+")[0] for name, module in modules.items()}
    for name, wanted in WANTED:
        if not versions[name].startswith(wanted):
            raise SystemExit(f"{name} {versions[name]} is installed, the fixtures need {wanted}*")
    return versions


def fill(model: torch.nn.Module, seed: int) -> None:
    """Random weights from numpy, so that they do not depend on torch's generator."""
    rng = np.random.Generator(np.random.PCG64(seed))
    with torch.no_grad():
        for name, tensor in sorted(model.state_dict().items()):
            if not tensor.is_floating_point():
                continue
            if name.endswith("norm.weight") or "norm1.weight" in name or "norm2.weight" in name:
                values = 1.0 + 0.2 * rng.standard_normal(tensor.shape)
            elif name.endswith("bias") or "embedding" in name or "logit" in name:
                values = 0.3 * rng.standard_normal(tensor.shape)
            else:
                fan_in = int(np.prod(tensor.shape[1:])) or 1
                values = 1.5 / np.sqrt(fan_in) * rng.standard_normal(tensor.shape)
            tensor.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def merges(words: list[str], count: int) -> list[tuple[str, str]]:
    """The most frequent pairs one after the other, ties by name: the trainer of tokenizers breaks them at random."""
    spelled = [[*word[:-1], f"{word[-1]}</w>"] for word in words]
    found = []
    for _ in range(count):
        pairs = Counter(pair for pieces in spelled for pair in pairwise(pieces))
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        found.append(best)
        for pieces in spelled:
            for i in range(len(pieces) - 2, -1, -1):
                if tuple(pieces[i : i + 2]) == best:
                    pieces[i : i + 2] = ["".join(best)]
    return found


def clip_tokenizer(folder: Path) -> CLIPTokenizer:
    """CLIP's tokenizer over a vocabulary of its own."""
    text = " ".join(CORPUS).lower()
    characters = sorted(set(text) - {" "})
    merged = merges(re.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]+", text), 40)
    pieces = characters + [f"{character}</w>" for character in characters] + ["".join(pair) for pair in merged]
    pieces = list(dict.fromkeys(pieces)) + ["<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merged, model_max_length=20)
    tokenizer.save_pretrained(folder)
    return tokenizer


def siglip_tokenizer(folder: Path) -> sentencepiece.SentencePieceProcessor:
    """A tiny sentencepiece model, and the same as a tokenizer.json, as it is published. (transformers' own class wants
    protobuf, and does no more than `siglip_ids`.)
    """
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.lower() for line in CORPUS]),
        model_writer=written,
        vocab_size=70,
        hard_vocab_limit=False,
        pad_id=-1,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        normalization_rule_name="identity",
        model_type="unigram",
        num_threads=1,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    pieces = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]
    fast = Tokenizer(models.Unigram(pieces, unk_id=processor.unk_id(), byte_fallback=False))
    fast.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " ")])
    fast.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    fast.decoder = decoders.Metaspace()
    fast.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", processor.eos_id())]
    )
    fast.add_special_tokens(["</s>", "<unk>"])
    fast.save(str(folder / "tokenizer.json"))
    write_json(
        folder / "tokenizer_config.json",
        {"eos_token": "</s>", "model_max_length": 24, "pad_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "SiglipTokenizer"},
    )
    return processor


def siglip_ids(processor: sentencepiece.SentencePieceProcessor, text: str, length: int) -> list[int]:
    """As `SiglipTokenizer` with padding="max_length": punctuation goes, the end is `</s>`, and so is the padding."""
    text = " ".join(text.translate(str.maketrans("", "", string.punctuation)).split()).lower()
    ids = processor.encode(text)[: length - 1] + [processor.eos_id()]
    return ids + [processor.eos_id()] * (length - len(ids))


def levels(processor: object, pictures: list[Image.Image]) -> torch.Tensor:
    """The pictures as the processor resizes and crops them, in levels."""
    found = processor(images=pictures, do_rescale=False, do_normalize=False, return_tensors="pt")["pixel_values"]
    return found.permute(0, 2, 3, 1).round().to(torch.uint8)


def reference(model, processor, pictures: list[Image.Image], ids: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        image = model.get_image_features(pixel_values=pixels).pooler_output
        text = model.get_text_features(**ids).pooler_output
    return {
        "levels": levels(processor, pictures).numpy(),
        "image": image.numpy(),
        "ids": ids["input_ids"].numpy().astype(np.uint32),
        "text": text.numpy(),
    }


def save(folder: Path, model: torch.nn.Module, processor: object, tensors: dict[str, np.ndarray]) -> None:
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    settings = json.loads(processor.to_json_string())
    write_json(folder / "preprocessor_config.json", settings)
    save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, folder / "reference.safetensors")


def make_clip(pictures: list[Image.Image]) -> None:
    folder = OUT / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = clip_tokenizer(folder)
    config = CLIPConfig(
        text_config={
            "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3,
            "max_position_embeddings": 20, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id, "projection_dim": 20,
        },
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
            "image_size": 32, "patch_size": 8, "projection_dim": 20,
        },
        projection_dim=20,
        attn_implementation="eager",
    )
    model = CLIPModel(config).eval()
    fill(model, 1)
    processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_mean=MEAN, image_std=STD
    )
    ids = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    found = reference(model, processor, pictures, dict(ids))
    other = CLIPConfig.from_dict(config.to_dict())
    other.text_config.hidden_act = other.vision_config.hidden_act = "gelu"
    open_clip = CLIPModel(other).eval()
    open_clip.load_state_dict(model.state_dict())
    others = reference(open_clip, processor, pictures, dict(ids))
    found |= {f"gelu.{name}": others[name] for name in ("image", "text")}
    save(folder, model, processor, found)


def make_siglip(pictures: list[Image.Image]) -> None:
    folder = OUT / "siglip"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = siglip_tokenizer(folder)
    config = SiglipConfig(
        text_config={
            "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3,
            "max_position_embeddings": 24, "vocab_size": tokenizer.get_piece_size(), "projection_size": 32,
        },
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
            "image_size": 28, "patch_size": 7,
        },
        attn_implementation="eager",
    )
    model = SiglipModel(config).eval()
    fill(model, 2)
    processor = transformers.SiglipImageProcessor(
        size={"height": 28, "width": 28}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=3
    )
    ids = torch.tensor([siglip_ids(tokenizer, text, 24) for text in TEXTS])
    found = reference(model, processor, pictures, {"input_ids": ids})
    processor.resample = 2
    others = reference(model, processor, pictures, {"input_ids": ids})
    found |= {f"bilinear.{name}": others[name] for name in ("levels", "image")}
    processor.resample = 3
    save(folder, model, processor, found)


def tower_means(checkpoint: Path, pictures: list[Image.Image]) -> np.ndarray:
    """Mean features of the tower of a LLaVA model over each picture as a single tile."""
    model = transformers.AutoModelForImageTextToText.from_pretrained(checkpoint, attn_implementation="eager").eval()
    config = model.config
    tower = model.model.vision_tower
    processor = transformers.AutoImageProcessor.from_pretrained(checkpoint)
    side = config.vision_config.image_size
    clip = config.vision_config.model_type == "clip_vision_model"
    if clip:
        pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    else:
        squash = transformers.SiglipImageProcessor(
            size={"height": side, "width": side}, image_mean=processor.image_mean, image_std=processor.image_std, resample=3
        )
        pixels = squash(images=pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        states = tower(pixels, output_hidden_states=True).hidden_states[config.vision_feature_layer]
    return states[:, 1 if clip else 0 :].mean(dim=1).numpy()


def qwen_means(checkpoint: Path, pictures: list[Image.Image]) -> np.ndarray:
    """Mean tokens of Qwen2-VL's tower over each picture."""
    model = transformers.AutoModelForImageTextToText.from_pretrained(checkpoint, attn_implementation="eager").eval()
    processor = transformers.AutoImageProcessor.from_pretrained(checkpoint)
    means = []
    for picture in pictures:
        inputs = processor(images=[picture], return_tensors="pt")
        with torch.no_grad():
            seen = model.model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"]).pooler_output
        means.append(torch.cat(list(seen)).mean(dim=0))
    return torch.stack(means).numpy()


def make_towers(pictures: list[Image.Image]) -> None:
    means = {
        "llava_onevision": tower_means(ROOT / "models" / "tiny-llava-onevision", pictures),
        "llava_1_5": tower_means(ROOT / "tests" / "fixtures" / "llava_1_5", pictures),
        "qwen2_vl": qwen_means(ROOT / "tests" / "fixtures" / "qwen2_vl", pictures),
    }
    save_file({name: np.ascontiguousarray(mean) for name, mean in means.items()}, OUT / "towers.safetensors")


def main() -> None:
    versions = check_versions()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    folder = OUT / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for name, (height, width, seed) in PICTURES.items():
        pictures.append(scene(height, width, seed))
        pictures[-1].save(folder / f"{name}.png", optimize=True)
    make_clip(pictures)
    make_siglip(pictures)
    make_towers(pictures)
    write_json(OUT / "cases.json", {"versions": versions, "pictures": list(PICTURES), "texts": TEXTS})
    for part in ("clip", "siglip", "pictures"):
        size = sum(path.stat().st_size for path in (OUT / part).rglob("*") if path.is_file())
        print(f"{part}: {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
