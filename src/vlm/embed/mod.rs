//! One vector for a picture: what the concepts of the atlas are clusters of.
//!
//! Three kinds of models give it, each in the space that it was trained for:
//!
//! * CLIP: the class token behind the last norm, projected (`CLIPModel.get_image_features` of transformers);
//! * SigLIP: the pooling head over the patches (`SiglipModel.get_image_features`);
//! * the vision tower of a vision-language model, alone: the mean of its patches. LLaVA's in front of the projector, of
//!   the whole picture as one tile; Qwen-VL's behind the merger.
//!
//! All are a [`Model`](super::Model) whose inputs are pictures without text, so that whatever makes shards of hidden states makes
//! shards of embeddings too. A sample's vector for pictures is the mean of the unit vectors of its pictures, that for
//! clips of the unit vectors of its frames (of Qwen-VL of two frames each), and what [`PooledBatch`](super::PooledBatch) calls tokens is how
//! many these are. Layers mean nothing here: all that are asked for are the same.

mod embedder;
mod head;
mod processor;
mod source;
mod text;
mod units;

pub use source::Source;
pub use text::TextModel;
pub(super) use units::Units;
