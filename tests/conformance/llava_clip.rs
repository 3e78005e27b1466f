//! LLaVA-1.5 and LLaVA-NeXT as transformers saves them, with a language model of each kind.

use madmix::media::{Orientation, Resampler};

use crate::checkpoints::Folder;
use crate::family::Family;
use crate::llava::saved_otherwise;
use crate::reference::folder;

pub(crate) const V1_5: Family = Family {
    name: "LLaVA-1.5",
    fixtures: "llava_1_5",
    media: "llava_onevision",
    checkpoint: || Folder::Kept(folder("llava_1_5")),
    twins: saved_otherwise,
    orientation: Orientation::Apply,
    resamplers: &[
        (Resampler::Torchvision, "torchvision"),
        (Resampler::Pillow, "pillow"),
    ],
    other_pixels: &[],
};

pub(crate) const NEXT_LLAMA: Family = Family {
    name: "LLaVA-NeXT with Llama",
    fixtures: "llava_next_llama",
    checkpoint: || Folder::Kept(folder("llava_next_llama")),
    ..V1_5
};

pub(crate) const NEXT_MISTRAL: Family = Family {
    name: "LLaVA-NeXT with Mistral",
    fixtures: "llava_next_mistral",
    checkpoint: || Folder::Kept(folder("llava_next_mistral")),
    ..V1_5
};

pub(crate) const NEXT_QWEN2: Family = Family {
    name: "LLaVA-NeXT with Qwen2",
    fixtures: "llava_next_qwen2",
    checkpoint: || Folder::Kept(folder("llava_next_qwen2")),
    ..V1_5
};
