//! MixAtlas: what labels, proxies and searches do, without the command line.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod builtin;
mod cells;
mod embed;
mod label;
mod proxy;
mod regmix;
mod runner;
mod space;
mod study;
mod surrogate;

#[path = "../support/places.rs"]
mod places;
