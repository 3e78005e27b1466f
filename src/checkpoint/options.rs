//! Where checkpoints come from: the hub's settings, read from the environment in this one place.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// How far a long step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done.
    pub step: Step,
    /// The file's name.
    pub file: &'a str,
    /// Bytes done of this file.
    pub done: u64,
    /// Bytes in this file.
    pub total: u64,
}

/// A long step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetching from the hub.
    Download,
    /// Reading for the fingerprint.
    Hash,
}

/// Hears of progress, from any thread. Commands draw bars with it.
pub type OnProgress = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// Settings of [`Checkpoint::open`](super::Checkpoint::open).
#[derive(Clone)]
pub struct OpenOptions {
    /// The hub's cache, in the layout that all Hugging Face tools share.
    pub cache: PathBuf,
    /// Base address of the hub.
    pub endpoint: String,
    /// Access token for gated and private repositories.
    pub token: Option<String>,
    /// Use only what is in the cache.
    pub offline: bool,
    /// Hears of downloads and hashing.
    pub progress: OnProgress,
}

impl fmt::Debug for OpenOptions {
    /// Leaves the token out, so that no log shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("cache", &self.cache)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl OpenOptions {
    /// No token, online, the public hub, no progress.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            endpoint: "https://huggingface.co".into(),
            token: None,
            offline: false,
            progress: Arc::new(|_| {}),
        }
    }

    /// As the process's environment says: `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH`,
    /// `HF_ENDPOINT`, `HF_HUB_OFFLINE`, with the meaning that Hugging Face's own tools give them.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), from any source of variables. An empty variable counts as unset.
    pub fn from_lookup(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            variable(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty())
        };
        let caches = || {
            get("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
                .unwrap_or_else(std::env::temp_dir)
        };
        let home = get("HF_HOME").map_or_else(|| caches().join("huggingface"), PathBuf::from);
        let cache = get("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from);
        let mut options = Self::new(cache);
        if let Some(endpoint) = get("HF_ENDPOINT") {
            endpoint
                .trim_end_matches('/')
                .clone_into(&mut options.endpoint);
        }
        options.token = get("HF_TOKEN").or_else(|| {
            let file = get("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
            let token = fs_err::read_to_string(file).ok()?.trim().to_owned();
            (!token.is_empty()).then_some(token)
        });
        options.offline = get("HF_HUB_OFFLINE")
            .is_some_and(|v| ["1", "ON", "YES", "TRUE"].contains(&v.to_uppercase().as_str()));
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> OpenOptions {
        OpenOptions::from_lookup(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_have_their_usual_meaning() {
        let options = from(&[
            ("HF_HOME", "/h"),
            ("HF_TOKEN", " secret\n"),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_HUB_OFFLINE", "true"),
        ]);
        assert_eq!(options.cache, PathBuf::from("/h/hub"));
        assert_eq!(options.token.as_deref(), Some("secret"));
        assert_eq!(options.endpoint, "http://mirror");
        assert!(options.offline);
        assert!(!format!("{options:?}").contains("secret"));
        assert_eq!(
            from(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]).cache,
            PathBuf::from("/c")
        );
        assert_eq!(
            from(&[("XDG_CACHE_HOME", "/x")]).cache,
            PathBuf::from("/x/huggingface/hub")
        );
        assert!(!from(&[("HF_HUB_OFFLINE", "0")]).offline);
    }

    #[test]
    fn the_token_file_is_read() {
        let home = tempfile::tempdir().unwrap();
        fs_err::write(home.path().join("token"), "from-file\n").unwrap();
        let options = from(&[("HF_HOME", home.path().to_str().unwrap()), ("HF_TOKEN", "")]);
        assert_eq!(options.token.as_deref(), Some("from-file"));
    }
}
