//! MixAtlas: what labels, proxies and searches do, without the command line.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod regmix;
mod surrogate;
