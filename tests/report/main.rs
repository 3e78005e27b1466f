//! What people read: the tables for the terminal and the page.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic, too")]

mod browser;
mod chromium;
mod hostile;
mod limits;
mod markup;
mod page;
mod samples;
mod terminal;
