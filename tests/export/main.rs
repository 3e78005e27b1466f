//! What is written for trainers: golden files, and the counts that each trainer would make of them.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod golden;
mod project;
mod trainers;
