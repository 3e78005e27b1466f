"""What the benchmark knows of each checkpoint family: true widths, fixture, kinds of work, and limits of pixels."""

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER_FPS = 2.0  # frames of a second in a clip that is a folder


@dataclass(frozen=True)
class Depth:
    """Layers of the language model and of the vision tower."""

    text: int
    tower: int


@dataclass(frozen=True)
class Family:
    """Where `published` is None, bench/checkpoint.py writes the whole model."""

    fixture: Path  # its config, tokenizer, template and preprocessor are taken
    kinds: tuple[str, ...] = ("image", "text")
    published: Depth | None = None
    made: Depth | None = None  # so many that f32 weights stay below 2.5 GB
    model: str = ""  # whose widths these are
    text: dict = field(default_factory=dict)
    vision: dict = field(default_factory=dict)
    # Per kind of media the fewest and the most pixels of a picture or frame, the same for both programs.
    pixels: dict[str, tuple[int, int]] = field(default_factory=dict)


FIXTURES = ROOT / "tests" / "fixtures"
CLIP_L = dict(hidden_size=1024, intermediate_size=4096, num_attention_heads=16, projection_dim=768)
QWEN_PIXELS = {"image": (56 * 56, 1280 * 28 * 28), "video": (56 * 56, 128 * 28 * 28)}
QWEN_KINDS = ("image", "text", "video")

FAMILIES = {
    "llava-onevision": Family(fixture=ROOT / "models" / "tiny-llava-onevision", kinds=("image", "text", "video")),
    "llava-1.5": Family(
        fixture=FIXTURES / "llava_1_5",
        model="LLaVA-1.5 7B",
        published=Depth(32, 24),
        made=Depth(2, 12),
        text=dict(hidden_size=4096, intermediate_size=11008, num_attention_heads=32),
        vision=CLIP_L,
    ),
    "llava-next": Family(
        fixture=FIXTURES / "llava_next_mistral",
        model="LLaVA-NeXT mistral-7b",
        published=Depth(32, 24),
        made=Depth(2, 12),
        text=dict(hidden_size=4096, intermediate_size=14336, num_attention_heads=32, num_key_value_heads=8),
        vision=CLIP_L,
    ),
    "qwen2-vl": Family(
        fixture=FIXTURES / "qwen2_vl",
        kinds=QWEN_KINDS,
        model="Qwen2-VL-2B",
        published=Depth(28, 32),
        made=Depth(7, 8),
        text=dict(hidden_size=1536, intermediate_size=8960, num_attention_heads=12, num_key_value_heads=2),
        vision=dict(embed_dim=1280, mlp_ratio=4, num_heads=16, hidden_size=1536),
        pixels=QWEN_PIXELS,
    ),
    "qwen2.5-vl": Family(
        fixture=FIXTURES / "qwen2_5_vl",
        kinds=QWEN_KINDS,
        model="Qwen2.5-VL-3B",
        published=Depth(36, 32),
        made=Depth(5, 8),
        text=dict(hidden_size=2048, intermediate_size=11008, num_attention_heads=16, num_key_value_heads=2),
        vision=dict(hidden_size=1280, intermediate_size=3420, num_heads=16, out_hidden_size=2048),
        pixels=QWEN_PIXELS,
    ),
}
