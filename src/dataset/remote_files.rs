//! The files of a dataset that lies in a bucket or on a web server.

use std::collections::HashSet;
use std::ffi::OsStr;

use super::listing::{DataFile, Listing, is_data};
use super::{DatasetProblem, braces, natural};
use crate::blob::{self, Blob, Found};

/// The files that a URL names, in the order of their rows: itself; the data files below a folder, which ends with `/`;
/// those that match a pattern with `*`; or those that braces stand for, `{a,b}` and `{000..099}`.
pub(super) fn remote_files(url: &str) -> Result<Listing, DatasetProblem> {
    // Of a web server a name may hold braces.
    let all = if url.contains('{') {
        braces::expand(url).map_err(|problem| DatasetProblem::BadPath {
            reason: problem.reason(),
        })?
    } else {
        vec![url.to_owned()]
    };
    let start = start_of_names(url);
    let (mut files, mut taken) = (Vec::new(), HashSet::new());
    let mut add = |url: &str| {
        if taken.insert(url.to_owned()) {
            files.push(file(url, start));
        }
    };
    for one in &all {
        if !one.contains('*') && !one.ends_with('/') {
            add(one);
            continue;
        }
        let mut found = blob::list(one)?;
        found.sort_by(|a, b| natural::compare(&a.name, &b.name));
        if one.ends_with('/') {
            found.retain(is_data_object);
        }
        for found in &found {
            add(&found.url);
        }
    }
    if files.is_empty() {
        return Err(DatasetProblem::NoFile);
    }
    Ok(Listing {
        files,
        missing: Vec::new(),
        folder: folder(url).into(),
    })
}

/// The folder that the files of a URL lie in.
pub(super) fn folder(url: &str) -> &str {
    url[..start_of_names(url)].trim_end_matches('/')
}

/// Names start where the URLs begin to differ.
fn start_of_names(url: &str) -> usize {
    let fixed = url.find(['{', '*']).unwrap_or(url.len());
    url[..fixed].rfind('/').map_or(0, |slash| slash + 1)
}

fn file(url: &str, start: usize) -> DataFile {
    let name = url.get(start..).unwrap_or(url);
    let is_web = url.starts_with("http");
    DataFile {
        name: match name.split_once('?') {
            Some((name, _)) if is_web => name,
            _ => name,
        }
        .to_owned(),
        blob: Blob::Url(url.to_owned()),
    }
}

fn is_data_object(found: &Found) -> bool {
    let hidden = |part: &str| part.starts_with(['.', '_']);
    is_data(OsStr::new(&found.name)) && !found.name.split('/').any(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_named() {
        let names = |url| -> Vec<String> {
            let files = remote_files(url).unwrap().files;
            files.into_iter().map(|file| file.name).collect()
        };
        assert_eq!(names("s3://b/a/x.jsonl"), ["x.jsonl"]);
        assert_eq!(names("https://h/a/x.jsonl?token=1"), ["x.jsonl"]);
        assert_eq!(
            names("gs://b/{a,c}/{0..1}.tar"),
            ["a/0.tar", "a/1.tar", "c/0.tar", "c/1.tar"]
        );
        assert!(matches!(
            remote_files("s3://b/{a"),
            Err(DatasetProblem::BadPath { .. })
        ));
    }

    #[test]
    fn media_start_from_the_folder() {
        let folder = |url| remote_files(url).unwrap().folder;
        assert_eq!(folder("s3://b/a/x.jsonl").to_str(), Some("s3://b/a"));
        assert_eq!(folder("s3://b/a/{0..1}/x.tar").to_str(), Some("s3://b/a"));
    }

    #[test]
    fn what_of_a_folder_is_data() {
        let is = |name: &str| {
            is_data_object(&Found {
                name: name.into(),
                url: String::new(),
                bytes: 1,
            })
        };
        for name in [
            "a.json",
            "a/b.JSONL",
            "train-0.parquet",
            "0.tar",
            "a.jsonl.gz",
        ] {
            assert!(is(name), "{name}");
        }
        for name in ["a.png", "README.md", ".x/a.json", "_tmp/0.tar", "json"] {
            assert!(!is(name), "{name}");
        }
    }
}
