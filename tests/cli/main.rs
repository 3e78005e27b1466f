//! The program as its users meet it: every test starts the binary in a folder of its own and looks at the exit code,
//! at what it prints, and at the files it leaves.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod atlas_label;
mod atlas_run;
mod atlas_search;
mod broken_pictures;
mod cache;
mod cache_command;
mod centroids;
mod compare;
mod config_mistakes;
mod cuda;
mod damage;
mod data_mistakes;
mod demo;
mod devices;
mod export;
#[cfg(feature = "cuda")]
mod fake_driver;
mod faults;
mod growth;
mod help;
mod import;
mod init;
mod interruption;
mod memory;
mod models;
mod old_files;
mod other_run;
mod plan;
mod plan_findings;
mod project;
mod ranks;
mod report;
mod same_bytes;
mod samples;
mod solve;
mod status;
mod stop_when;
mod video;
