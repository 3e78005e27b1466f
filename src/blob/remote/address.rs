//! What a URL says.

use std::io;

use object_store::path::Path;
use reqwest::Url;

use super::fault::{of_object, shown};

/// Whose protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Amazon S3, and what speaks like it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A web server.
    Http,
}

/// An object, or a folder of such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) kind: Kind,
    /// The whole URL; may hold a signature.
    pub(super) url: String,
    /// What a client is made for: the URL up to the bucket, of a web server without a path.
    pub(super) store: String,
    /// The object in the bucket, or on the server.
    pub(super) path: Path,
}

impl Address {
    pub(super) fn of(url: &str) -> io::Result<Self> {
        let refused = |reason: String| {
            of_object(
                io::ErrorKind::InvalidInput,
                format!("{}: {reason}", shown(url)),
            )
        };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| refused("not a URL".into()))?;
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "s3" | "s3a" => Kind::S3,
            "gs" => Kind::Gcs,
            "az" | "abfs" | "abfss" => Kind::Azure,
            "http" | "https" => Kind::Http,
            _ => {
                return Err(refused(format!(
                    "{scheme}:// is not read here; s3://, gs://, az://, abfss://, http:// and https:// are"
                )));
            }
        };
        let (store, path) = if kind == Kind::Http {
            let mut base = Url::parse(url).map_err(|error| refused(error.to_string()))?;
            let path = Path::from_url_path(base.path());
            base.set_path("/");
            base.set_fragment(None);
            (base.to_string(), path)
        } else {
            // A key may hold whatever it likes, so that it is taken as it is written: no escapes, no query.
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(refused("the bucket is missing".into()));
            }
            let parts = key.split('/').filter(|part| !["", "."].contains(part));
            let path = Path::parse(parts.collect::<Vec<_>>().join("/"));
            (format!("{scheme}://{bucket}"), path)
        };
        Ok(Self {
            kind,
            url: url.to_owned(),
            store,
            path: path.map_err(|error| refused(error.to_string()))?,
        })
    }

    /// As messages show it.
    pub(super) fn shown(&self) -> String {
        shown(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> (Kind, String, String) {
        let address = Address::of(url).unwrap();
        (address.kind, address.store, address.path.to_string())
    }

    #[test]
    fn buckets_and_keys() {
        let abfss = "abfss://c@account.dfs.core.windows.net";
        for (url, kind, store, path) in [
            ("s3://b/a/k.json", Kind::S3, "s3://b", "a/k.json"),
            ("s3a://b/k", Kind::S3, "s3a://b", "k"),
            ("gs://b/a b#1%20.png", Kind::Gcs, "gs://b", "a b#1%20.png"),
            ("az://c/k?x", Kind::Azure, "az://c", "k?x"),
            (&format!("{abfss}/a/k"), Kind::Azure, abfss, "a/k"),
            ("s3://b/./a//k/", Kind::S3, "s3://b", "a/k"),
            ("s3://b", Kind::S3, "s3://b", ""),
            (
                "https://h:1/a%20b?s=1#f",
                Kind::Http,
                "https://h:1/?s=1",
                "a b",
            ),
        ] {
            assert_eq!(of(url), (kind, store.to_owned(), path.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (url, why) in [
            ("ftp://h/f", "ftp:// is not read"),
            ("s3:///k", "bucket"),
            ("s3://b/../k", ".."),
            ("http://", "host"),
        ] {
            let error = Address::of(url).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{url}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
