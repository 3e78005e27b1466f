//! A config: no text may do worse than an error, and one that is taken must survive being written out.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use madmix::config::Config;

fuzz_target!(|text: &str| {
    let path = Path::new("mix.toml");
    if let Ok(config) = Config::parse(text, path) {
        let written = config.to_toml();
        let again = Config::parse(&written, path).expect("a config that was written out is one");
        assert_eq!(again.to_toml(), written);
    }
});
