//! `madmix` finds the proportions in which a vision-language model should sample its training domains.
//!
//! It loads a mid-stage checkpoint, passes samples of every domain through it once, averages the hidden states per
//! modality, and couples the domains in one latent space (MaD-Mix, arXiv 2602.07790). The modules follow the data:
//!
//! ```text
//! config ─▶ checkpoint ─▶ dataset ─▶ media + prompt ─▶ vlm ─▶ extract ─▶ store ─▶ mix ─▶ report
//! ```
//!
//! One direction, no way back: [`mix`] knows nothing of models, [`vlm`] nothing of files, [`store`] nothing of
//! datasets, [`dataset`] nothing of pixels.

pub mod atlas;
pub mod blob;
pub mod checkpoint;
pub mod commands;
pub mod config;
pub mod dataset;
pub mod export;
pub mod extract;
pub mod init;
pub mod launch;
pub mod media;
pub mod mix;
pub mod modality;
mod printable;
pub mod prompt;
mod reason;
pub mod report;
pub mod store;
pub mod vlm;
mod wall;
