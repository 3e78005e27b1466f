"""What a transformers processor takes for a row's pictures and clips."""

from pathlib import Path

import numpy as np
import torch
from fixtures.pictures import decode
from fixtures.prompts import clips_of, pictures_of
from transformers.video_utils import VideoMetadata

from .families import FAMILIES, FOLDER_FPS


def thinned(files: list[Path], most: int | None) -> list[Path]:
    """At most so many of them, spread evenly from the first on."""
    kept = min(len(files), most or len(files))
    return [files[k * len(files) // kept] for k in range(kept)]


def media_of(row: dict, folder: Path, family: str, max_frames: int | None = None) -> dict:
    """The processor's arguments for a row's pictures and clips; clips of more frames are thinned evenly."""
    # Qwen's `size` counts pixels in spite of its keys.
    sizes = {
        kind: {"size": {"shortest_edge": fewest, "longest_edge": most}}
        for kind, (fewest, most) in FAMILIES[family].pixels.items()
    }
    media = {}
    if images := [decode(folder / file) for file in pictures_of(row)]:
        # LLaVA-OneVision tells a sample's several pictures from the nesting.
        media["images"] = [images] if family == "llava-onevision" else images
        media["images_kwargs"] = sizes.get("image", {})
    if clips := [thinned(sorted((folder / clip).iterdir()), max_frames) for clip in clips_of(row)]:
        frames = [np.stack([np.asarray(decode(file)) for file in files]) for files in clips]
        media["videos"] = [torch.from_numpy(clip).permute(0, 3, 1, 2) for clip in frames]
        about = [
            VideoMetadata(total_num_frames=len(files), fps=FOLDER_FPS, frames_indices=list(range(len(files)))) for files in clips
        ]
        media["videos_kwargs"] = {"do_sample_frames": False, "video_metadata": about, **sizes.get("video", {})}
    return media
