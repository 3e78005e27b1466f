//! `MixAtlas`: what the parts of the atlas do, each against a reference or by its behaviour.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod cells;
mod embed;
mod label;

#[path = "../support/places.rs"]
mod places;
