"""Which positions are of which modality, as both programs average them."""

import torch

MODALITIES = ("text", "image", "video")


def masks(ids: torch.Tensor, processor: object) -> dict[str, torch.Tensor]:
    """For token ids of any shape, by modality which of them are its positions."""
    image = ids == processor.image_token_id
    of_video = getattr(processor, "video_token_id", None)
    video = torch.zeros_like(image) if of_video is None else ids == of_video
    return {"text": ~(image | video), "image": image, "video": video}
