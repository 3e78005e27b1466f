#!/usr/bin/env python3
"""Make models/tiny-llava-onevision: a LLaVA-OneVision checkpoint of 1.4 MB with random weights.

The demo and the tests run on it. Everything but the widths is as in the published checkpoints: SigLIP on 384-pixel
tiles of 27 x 27 patches, all 36 pinpoints up to 2304 x 2304, Qwen2 with grouped-query attention and a tied head, a
byte-level BPE tokenizer with Qwen2's normaliser and pre-tokenizer, padded vocabulary rows, the file names and the
tensor names of the Hugging Face hub.

The weights are random but of healthy scale: the residual stream starts small and grows, attention is neither uniform
nor one-hot, activations reach the curved part of GELU. So a mistake in an implementation shows in the pooled vectors
about as strongly as in a trained model. `--check` measures that and fails if a mistake costs less than 1e-4.

Needs transformers 5.23, tokenizers, torch 2.15 and safetensors; the weights come from numpy's seeded PCG64, so they
do not depend on torch's generator. The files are the same on every run.

    python scripts/make_tiny_checkpoint.py [--out models/tiny-llava-onevision] [--check]
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260207

VISION = dict(hidden_size=48, num_attention_heads=3, num_hidden_layers=2, intermediate_size=96, image_size=384, patch_size=14)
TEXT = dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=4, intermediate_size=128)
BPE_ENTRIES = 1000  # before the special tokens
ROWS_MULTIPLE = 64  # the vocabulary matrix is padded to this, as the published 152000 rows for 151648 tokens
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
PINPOINTS = [[h * 384, w * 384] for h in range(1, 7) for w in range(1, 7)]
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Same strings as the published LLaVA-OneVision template: a space after the role, all images, all videos, then every
# text on a line of its own, no newline between the turns.
CHAT_TEMPLATE = """\
{#- One ChatML block per turn: pictures first, clips next, words last. -#}
{%- for turn in messages -%}
    {{- '<|im_start|>' ~ turn['role'] ~ ' ' -}}
    {%- for part in turn['content'] | selectattr('type', 'equalto', 'image') -%}
        {{- '<image>' -}}
    {%- endfor -%}
    {%- for part in turn['content'] | selectattr('type', 'equalto', 'video') -%}
        {{- '<video>' -}}
    {%- endfor -%}
    {#- Only what the assistant says is to be learnt. -#}
    {%- for part in turn['content'] | selectattr('type', 'equalto', 'text') -%}
        {%- if turn['role'] == 'assistant' -%}
            {% generation %}{{- '\\n' ~ part['text'] -}}{% endgeneration %}
        {%- else -%}
            {{- '\\n' ~ part['text'] -}}
        {%- endif -%}
    {%- endfor -%}
    {{- '<|im_end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""

# What the tokenizer is trained on: a little of everything that instruction data holds.
CORPUS = [
    "What is in the picture? The picture shows a red circle on the left and a blue square on the right of the table.",
    "How many people are there in this image? There are three people in the image: two women and one man.",
    "Describe the image in detail. In the foreground a brown dog is lying on the grass; behind it there is a white house.",
    "Is there a bicycle next to the tree? Yes, there is a green bicycle leaning against the tree.",
    "What colour is the largest shape? The largest shape is the yellow triangle in the middle of the picture.",
    "Answer the question using a single word or phrase. Please answer with the letter of the correct option from the given choices.",
    "Which bar is the highest in the chart? The bar for March is the highest, with a value of 48.5 percent.",
    "According to the table, what was the total in 2019? The total in 2019 was 1,234 and in 2020 it was 5,678.",
    "The chart shows the number of visitors by month. From January to June the number rises from 120 to 360.",
    "Read the text in the image. The text says: OPEN DAILY 9:00-17:00, CLOSED ON SUNDAY. CALL 555-0187 FOR TICKETS.",
    "Invoice number 00417. Date: 2024-03-15. Amount due: $89.90. Tax (19%): $14.35. Thank you for your order!",
    "Find the area of the triangle. The area of a triangle is half of the base times the height, so it is 24.",
    "In triangle ABC, angle A is 40 degrees and angle B is 65 degrees. What is angle C? 180 - 40 - 65 = 75 degrees.",
    "Solve for $x$: $\\frac{x+3}{2} = \\sqrt{16}$. First, $x + 3 = 8$, hence $x = 5$. The answer is \\boxed{5}.",
    "$$\\int_0^1 x^2 \\, dx = \\frac{1}{3}, \\quad \\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}, \\quad \\alpha + \\beta = \\gamma$$",
    "\\begin{align} a^2 + b^2 &= c^2 \\\\ \\sin^2\\theta + \\cos^2\\theta &= 1 \\end{align}",
    "Write a function that returns the sum of a list.\n\ndef total(values):\n    result = 0\n    for value in values:\n        result += value\n    return result\n",
    "{\"name\": \"apple\", \"price\": 1.25, \"tags\": [\"fruit\", \"green\"], \"in_stock\": true}",
    "| Month | Sales | Costs |\n|-------|-------|-------|\n| Jan   | 12.5  | 7.0   |\n| Feb   | 13.0  | 7.4   |\n",
    "Explain why the sky is blue. Light from the sun is scattered by the molecules of the air, and short waves are scattered more than long ones.",
    "Translate the sentence into French. Le chat noir dort sur la chaise près de la fenêtre où il fait déjà très chaud.",
    "Der Zug fährt um zwölf Uhr nach München; größere Gepäckstücke müssen früher aufgegeben werden.",
    "El niño pequeño comió una manzana en la montaña. ¿Dónde está la estación más próxima?",
    "Сколько людей на картинке? На картинке два человека и собака. Что написано на вывеске?",
    "图片里有什么？图片里有一只红色的猫和两个蓝色的球。请用一句话描述这张图片。这个三角形的面积是多少？",
    "この画像には何が写っていますか。赤い丸と青い四角が写っています。",
    "그림에 무엇이 있습니까? 그림에 빨간 원과 파란 사각형이 있습니다.",
    "ما الذي يظهر في الصورة؟ تظهر في الصورة سيارة حمراء وشجرة كبيرة.",
    "Τι δείχνει η εικόνα; Η εικόνα δείχνει ένα σπίτι και δύο δέντρα.",
    "Give three tips for staying healthy. 1. Eat plenty of vegetables. 2. Sleep for eight hours. 3. Walk every day.",
    "A: yes\nB: no\nC: maybe\nD: cannot be determined from the information that is given\nAnswer with the option's letter.",
    "It's a question that they've asked before; we'll answer it, but I'm not sure he'd agree. Don't worry, you're right.",
    "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. How vexingly quick daft zebras jump!",
    "Sure! Here is a short story. Once upon a time there was an old lighthouse keeper who counted every ship that passed.",
    "Which of the following statements about the diagram is true? The arrow points from the leaf to the caterpillar and then to the bird.",
    "😀 Great job! 👍 See https://example.com/docs/index.html?id=42&lang=en or write to info@example.org — thanks…",
]


def make_tokenizer(specials: list[str] = SPECIALS, words: list[str] = (), entries: int = BPE_ENTRIES) -> Tokenizer:
    """Train the byte-level BPE; special tokens come after its entries, as in Qwen2, and then added words that are not special."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=entries,
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in specials])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in words])
    if tokenizer.get_vocab_size() != entries + len(specials) + len(words):
        raise SystemExit(f"the corpus gave {tokenizer.get_vocab_size()} entries; add text to CORPUS")
    return tokenizer


def config(image_id: int, video_id: int, rows: int, start_id: int, end_id: int) -> dict:
    """config.json in the published form, which leaves out what equals the class default."""
    return {
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "ignore_index": -100,
        "image_grid_pinpoints": PINPOINTS,
        "image_token_index": image_id,
        "model_type": "llava_onevision",
        "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["Qwen2ForCausalLM"],
            "bos_token_id": start_id,
            "eos_token_id": end_id,
            **TEXT,
            "max_position_embeddings": 32768,
            "max_window_layers": TEXT["num_hidden_layers"],
            "model_type": "qwen2",
            "rope_theta": 1000000.0,
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
            "use_sliding_window": False,
            "vocab_size": rows,
        },
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_image_newline_parameter": True,
        "video_token_index": video_id,
        "vision_aspect_ratio": "anyres_max_9",
        "vision_config": {**VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
    }


def make_weights(rows: int) -> dict[str, np.ndarray]:
    """Random tensors under the hub's names. Scales are chosen so that mistakes show; see the module's docstring."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    tensors: dict[str, np.ndarray] = {}

    def put(name: str, shape: tuple[int, ...], std: float, mean: float = 0.0) -> None:
        tensors[name] = (mean + std * rng.standard_normal(shape)).astype(np.float32)

    def linear(name: str, out: int, fan_in: int, gain: float, bias: float | None = None, mean: float = 0.0) -> None:
        put(f"{name}.weight", (out, fan_in), gain / math.sqrt(fan_in))
        if bias is not None:
            put(f"{name}.bias", (out,), bias, mean)

    def norm(name: str, width: int, bias: float | None = None) -> None:
        put(f"{name}.weight", (width,), 0.2, mean=1.0)
        if bias is not None:
            put(f"{name}.bias", (width,), bias)

    d, inner, patch = VISION["hidden_size"], VISION["intermediate_size"], VISION["patch_size"]
    vision = "vision_tower.vision_model"
    put(f"{vision}.embeddings.patch_embedding.weight", (d, 3, patch, patch), 1.5 / math.sqrt(3 * patch * patch))
    put(f"{vision}.embeddings.patch_embedding.bias", (d,), 0.1)
    put(f"{vision}.embeddings.position_embedding.weight", ((VISION["image_size"] // patch) ** 2, d), 0.5)
    for i in range(VISION["num_hidden_layers"]):
        layer = f"{vision}.encoder.layers.{i}"
        norm(f"{layer}.layer_norm1", d, bias=0.1)
        for name, gain in (("q_proj", 1.3), ("k_proj", 1.3), ("v_proj", 1.0), ("out_proj", 1.0)):
            linear(f"{layer}.self_attn.{name}", d, d, gain, bias=0.1)
        norm(f"{layer}.layer_norm2", d, bias=0.1)
        # As in trained towers most units are off, near -2, where the two GELUs differ most.
        linear(f"{layer}.mlp.fc1", inner, d, 1.3, bias=0.3, mean=-1.5)
        linear(f"{layer}.mlp.fc2", d, inner, 4.0, bias=0.05)
    norm(f"{vision}.post_layernorm", d, bias=0.1)

    h, inner = TEXT["hidden_size"], TEXT["intermediate_size"]
    head = h // TEXT["num_attention_heads"]
    # The stream starts at about 0.04 a channel, as a trained Qwen2's does: there an RMSNorm's eps still matters.
    token = 0.04
    linear("multi_modal_projector.linear_1", h, d, 0.6, bias=0.3, mean=-1.5)
    linear("multi_modal_projector.linear_2", h, h, 3.0 * token, bias=token / 8)
    put("image_newline", (h,), token)

    lm = "language_model.model"
    put(f"{lm}.embed_tokens.weight", (rows, h), token)
    for i in range(TEXT["num_hidden_layers"]):
        layer = f"{lm}.layers.{i}"
        norm(f"{layer}.input_layernorm", h)
        linear(f"{layer}.self_attn.q_proj", h, h, 1.4, bias=0.3)
        linear(f"{layer}.self_attn.k_proj", TEXT["num_key_value_heads"] * head, h, 1.4, bias=0.3)
        linear(f"{layer}.self_attn.v_proj", TEXT["num_key_value_heads"] * head, h, 1.0, bias=0.1)
        linear(f"{layer}.self_attn.o_proj", h, h, token)
        norm(f"{layer}.post_attention_layernorm", h)
        linear(f"{layer}.mlp.gate_proj", inner, h, 1.4)
        linear(f"{layer}.mlp.up_proj", inner, h, 1.0)
        linear(f"{layer}.mlp.down_proj", h, inner, 1.5 * token)
    norm(f"{lm}.norm", h)
    return tensors


def added_tokens(tokenizer: Tokenizer, texts: list[str], plain: list[str] | None = None) -> dict[str, dict]:
    """`added_tokens_decoder` of tokenizer_config.json; all but `plain` are special."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    special = {text: text not in (plain or []) for text in texts}
    return {str(tokenizer.token_to_id(text)): {"content": text, **flags, "special": special[text]} for text in texts}


def qwen2_tokenizer_config(own: dict) -> dict:
    """tokenizer_config.json as Qwen2's tokenizer has it; `own` adds to it and overrides it."""
    common = {
        "add_prefix_space": False,
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 32768,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    return dict(sorted((common | own).items()))


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def make(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    ids = {text: tokenizer.token_to_id(text) for text in SPECIALS}
    rows = (tokenizer.get_vocab_size() // ROWS_MULTIPLE + 1) * ROWS_MULTIPLE
    tokenizer.save(str(out / "tokenizer.json"))
    own = {"added_tokens_decoder": added_tokens(tokenizer, SPECIALS), "processor_class": "LlavaOnevisionProcessor"}
    write_json(out / "tokenizer_config.json", qwen2_tokenizer_config(own))
    write_json(
        out / "config.json",
        config(ids["<image>"], ids["<video>"], rows, ids["<|endoftext|>"], ids["<|im_end|>"]),
    )
    pixels = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "LlavaOnevisionProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": 384, "width": 384},
    }
    write_json(
        out / "preprocessor_config.json",
        {
            **pixels,
            "do_pad": True,
            "image_grid_pinpoints": PINPOINTS,
            "image_processor_type": "LlavaOnevisionImageProcessor",
        },
    )
    write_json(
        out / "video_preprocessor_config.json",
        {**pixels, "video_processor_type": "LlavaOnevisionVideoProcessor"},
    )
    write_json(
        out / "processor_config.json",
        {
            "image_token": "<image>",
            "num_image_tokens": (VISION["image_size"] // VISION["patch_size"]) ** 2,
            "processor_class": "LlavaOnevisionProcessor",
            "video_token": "<video>",
            "vision_aspect_ratio": "anyres_max_9",
            "vision_feature_select_strategy": "full",
        },
    )
    write_json(out / "chat_template.json", {"chat_template": CHAT_TEMPLATE})
    save_file(make_weights(rows), str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "README.md").write_text(
        "A LLaVA-OneVision checkpoint with random weights, for the demo and the tests: the structure of the published\n"
        "checkpoints, 1.4 MB. It has learnt nothing. Made by `scripts/make_tiny_checkpoint.py`; free to use like the\n"
        "rest of this repository.\n",
        encoding="utf-8",
    )
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:>9}  {path.name}")


def check(folder: Path) -> None:
    """Load the folder in transformers and measure what common mistakes cost."""
    import torch
    import transformers
    from PIL import Image, ImageDraw
    from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration
    from transformers.activations import ACT2FN

    assert transformers.__version__.startswith("5.23."), transformers.__version__
    assert torch.__version__.startswith("2.15."), torch.__version__
    transformers.utils.logging.disable_progress_bar()

    def load() -> LlavaOnevisionForConditionalGeneration:
        model, info = LlavaOnevisionForConditionalGeneration.from_pretrained(
            folder, attn_implementation="eager", output_loading_info=True
        )
        for key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
            assert not info.get(key), (key, info[key])
        return model.eval()

    processor = AutoProcessor.from_pretrained(folder)
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    sample = "Ça va? été 12345 图片 \\frac{1}{2}  <image>\n\nis it's<|im_end|> ok\t\r\n end"
    assert processor.tokenizer(sample)["input_ids"] == raw.encode(sample).ids, "transformers reads other ids"

    y, x = np.mgrid[0:480, 0:640]
    levels = np.stack([x * 255 // 639, y * 255 // 479, (x + y) * 255 // 1118], axis=-1).astype(np.uint8)
    picture = Image.fromarray(levels)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 80, 260, 300), fill=(230, 40, 30))
    draw.rectangle((330, 150, 600, 420), fill=(20, 60, 200))
    conversation = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is in the picture?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A red circle and a blue square."}]},
    ]
    prompt = processor.apply_chat_template(conversation, tokenize=False)
    inputs = processor(text=[prompt], images=[[picture]], return_tensors="pt")
    image = inputs["input_ids"][0] == processor.image_token_id

    def pooled(model) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            states = model.model(**inputs, output_hidden_states=True, use_cache=False).hidden_states
        layers = {"middle": states[len(states) // 2][0], "last": states[-1][0]}
        return {
            f"{modality}.{layer}": hidden[mask].double().mean(0)
            for layer, hidden in layers.items()
            for modality, mask in (("text", ~image), ("image", image))
        }

    def siglip_erf(model):
        for layer in model.model.vision_tower.encoder.layers:
            layer.mlp.activation_fn = ACT2FN["gelu"]

    def projector_tanh(model):
        model.model.multi_modal_projector.act = ACT2FN["gelu_pytorch_tanh"]

    def eps(model):
        for module in model.model.language_model.modules():
            if hasattr(module, "variance_epsilon"):
                module.variance_epsilon = 1e-5

    def layer_norm_eps(model):
        for module in model.model.vision_tower.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = 1e-5

    def no_newline(model):
        model.model.image_newline.data.zero_()

    def theta(model):
        rotary = model.model.language_model.rotary_emb
        rotary.inv_freq = 1.0 / (1e4 ** (torch.arange(0, 16, 2).float() / 16))

    def no_bias(model):
        for layer in model.model.language_model.layers:
            for name in ("q_proj", "k_proj", "v_proj"):
                getattr(layer.self_attn, name).bias.data.zero_()

    def no_positions(model):
        model.model.vision_tower.embeddings.position_embedding.weight.data.zero_()

    def bf16(model):
        for parameter in model.parameters():
            parameter.data = parameter.data.bfloat16().float()

    right = pooled(load())
    with torch.no_grad():
        states = load().model(**inputs, output_hidden_states=True).hidden_states
    print("rms of the picture's features:", round(float(states[0][0][image].pow(2).mean().sqrt()), 3))
    print("rms of the stream by layer:", [round(float(s.pow(2).mean().sqrt()), 3) for s in states])
    print(f"{'mistake':34}" + "".join(f"{name:>14}" for name in right))
    worst = math.inf
    mistakes = [
        ("erf GELU in SigLIP", siglip_erf),
        ("tanh GELU in the projector", projector_tanh),
        ("RMSNorm eps 1e-5", eps),
        ("LayerNorm eps 1e-5", layer_norm_eps),
        ("newline vector left out", no_newline),
        ("rope theta 1e4", theta),
        ("no q/k/v bias", no_bias),
        ("no vision positions", no_positions),
        ("weights rounded to bf16", bf16),
    ]
    for name, spoil in mistakes:
        model = load()
        spoil(model)
        wrong = pooled(model)
        change = {key: float((wrong[key] - right[key]).norm() / right[key].norm()) for key in right}
        if name != "LayerNorm eps 1e-5":  # costs a tenth of the others in any model
            worst = min(worst, *change.values())
        print(f"{name:34}" + "".join(f"{value:14.2e}" for value in change.values()))
    # Not a mistake: how far f32 itself is from the truth. A tolerance must lie between this and the rows above.
    double = load().double()
    with torch.no_grad():
        inputs["pixel_values"] = inputs["pixel_values"].double()
        exact = pooled(double)
    noise = {key: float((exact[key] - right[key]).norm() / exact[key].norm()) for key in right}
    print(f"{'(f32 against f64)':34}" + "".join(f"{value:14.2e}" for value in noise.values()))
    if worst < 1e-4:
        sys.exit(f"a mistake costs only {worst:.1e}: it would hide in a tolerance; change the gains")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "tiny-llava-onevision")
    parser.add_argument("--check", action="store_true", help="measure what mistakes cost; needs torch and transformers")
    args = parser.parse_args()
    make(args.out)
    if args.check:
        check(args.out)


if __name__ == "__main__":
    main()
