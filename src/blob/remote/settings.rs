//! What the environment says about reading objects.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::fault;

/// How much of the disk is used unless it is said.
const CACHE_GB: f64 = 32.0;
/// How long is tried unless it is said, in seconds.
const PATIENCE_S: f64 = 180.0;

#[derive(Debug)]
pub(super) struct Settings {
    /// The folder of the blocks that are kept.
    pub(super) cache: PathBuf,
    /// The most that these may take; nothing is kept at 0.
    pub(super) cache_bytes: u64,
    /// How long something that fails is tried again.
    pub(super) patience: Duration,
}

impl Settings {
    /// As the process's environment says: `MADMIX_REMOTE_CACHE`, `MADMIX_REMOTE_CACHE_GB`, `MADMIX_REMOTE_TIMEOUT` (in
    /// seconds).
    pub(super) fn from_env() -> io::Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(variable: impl Fn(&str) -> Option<String>) -> io::Result<Self> {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let number = |name: &str, otherwise: f64| match get(name) {
            None => Ok(otherwise),
            Some(text) => match text.trim().parse::<f64>() {
                Ok(number) if (0.0..1e9).contains(&number) => Ok(number),
                _ => Err(fault::of_machine(
                    io::ErrorKind::InvalidInput,
                    format!("{name} is {text:?}, expected a number such as {otherwise}"),
                )),
            },
        };
        let caches = || {
            get("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| get("HOME").map(|home| PathBuf::from(home).join(".cache")))
                .unwrap_or_else(std::env::temp_dir)
        };
        Ok(Self {
            cache: get("MADMIX_REMOTE_CACHE")
                .map_or_else(|| caches().join("madmix").join("remote"), PathBuf::from),
            cache_bytes: (number("MADMIX_REMOTE_CACHE_GB", CACHE_GB)? * 1e9) as u64,
            patience: Duration::from_secs_f64(number("MADMIX_REMOTE_TIMEOUT", PATIENCE_S)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> io::Result<Settings> {
        Settings::from_lookup(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name);
            pair.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_the_environment_says() {
        let settings = from(&[("HOME", "/h")]).unwrap();
        assert_eq!(settings.cache, PathBuf::from("/h/.cache/madmix/remote"));
        assert_eq!(settings.cache_bytes, 32_000_000_000);
        assert_eq!(settings.patience, Duration::from_mins(3));
        let settings = from(&[
            ("HOME", "/h"),
            ("XDG_CACHE_HOME", "/x"),
            ("MADMIX_REMOTE_CACHE_GB", "0.5"),
            ("MADMIX_REMOTE_TIMEOUT", " 7 "),
        ])
        .unwrap();
        assert_eq!(settings.cache, PathBuf::from("/x/madmix/remote"));
        assert_eq!(settings.cache_bytes, 500_000_000);
        assert_eq!(settings.patience, Duration::from_secs(7));
        let settings = from(&[("MADMIX_REMOTE_CACHE", "/c")]).unwrap();
        assert_eq!(settings.cache, PathBuf::from("/c"));
    }

    #[test]
    fn numbers_that_are_none() {
        for text in ["many", "-1", "nan", "inf"] {
            let error = from(&[("HOME", "/h"), ("MADMIX_REMOTE_CACHE_GB", text)]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let said = error.to_string();
            assert!(
                said.contains("MADMIX_REMOTE_CACHE_GB") && said.contains(text),
                "{said}"
            );
        }
    }
}
