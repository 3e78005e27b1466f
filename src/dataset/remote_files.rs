//! The files of a dataset that lies in a bucket or on a web server.

use super::DatasetProblem;
use super::files::DataFile;
use crate::blob::{self, Blob, Found};

/// Ends of names that data files have; a folder also holds pictures, and what people wrote about them.
const DATA: [&str; 8] = [
    ".json",
    ".jsonl",
    ".ndjson",
    ".parquet",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".jsonl.gz",
];

/// The most files that braces may stand for.
const MOST: usize = 1 << 20;

/// The files that a URL names, in the order of their rows: itself; the data files below a folder, which ends with `/`;
/// those that match a pattern with `*`; or those that braces stand for, `{a,b}` and `{000..099}`.
pub(super) fn remote_files(url: &str) -> Result<Vec<DataFile>, DatasetProblem> {
    let all = expanded(url).ok_or_else(|| DatasetProblem::BadPattern {
        key: "path",
        reason: format!("its braces stand for more than {MOST} files"),
    })?;
    // Names start where the URLs begin to differ.
    let fixed = url.find(['{', '*']).unwrap_or(url.len());
    let folder = url[..fixed].rfind('/').map_or(0, |slash| slash + 1);
    let mut files = Vec::new();
    for one in &all {
        if one.contains('*') {
            files.extend(
                blob::list(one)?
                    .into_iter()
                    .map(|found| file(&found.url, folder)),
            );
        } else if one.ends_with('/') {
            let found = blob::list(one)?.into_iter().filter(is_data);
            files.extend(found.map(|found| file(&found.url, folder)));
        } else {
            files.push(file(one, folder));
        }
    }
    if files.is_empty() {
        return Err(DatasetProblem::NoFile);
    }
    Ok(files)
}

fn file(url: &str, folder: usize) -> DataFile {
    let name = url.get(folder..).unwrap_or(url);
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

fn is_data(found: &Found) -> bool {
    let hidden = |part: &str| part.starts_with(['.', '_']);
    let name = found.name.to_lowercase();
    DATA.iter().any(|end| name.ends_with(end)) && !name.split('/').any(hidden)
}

/// What braces stand for, the last changing first as a shell does it; `None` if that is too much.
fn expanded(text: &str) -> Option<Vec<String>> {
    let braces = text.find('{').and_then(|open| {
        let close = open + text[open..].find('}')?;
        let inside = choices(&text[open + 1..close])?;
        Some((&text[..open], inside, &text[close + 1..]))
    });
    let Some((before, inside, after)) = braces else {
        return Some(vec![text.to_owned()]);
    };
    let rest = expanded(after)?;
    if inside.len().checked_mul(rest.len())? > MOST {
        return None;
    }
    let one = |choice: &String| {
        let ends = rest.iter().map(move |rest| format!("{choice}{rest}"));
        ends.map(|end| format!("{before}{end}")).collect::<Vec<_>>()
    };
    Some(inside.iter().flat_map(one).collect())
}

/// `a,b` or `000..099`; other braces are part of a name.
fn choices(inside: &str) -> Option<Vec<String>> {
    if let Some((first, last)) = inside.split_once("..") {
        let number = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| plain)
        };
        let (from, to) = (number(first)?, number(last)?);
        let digits = if first.starts_with('0') || last.starts_with('0') {
            first.len().max(last.len())
        } else {
            1
        };
        // One more than is allowed, so that the caller sees that it is too much.
        let to = to.min(from.saturating_add(MOST as u64));
        return (from <= to).then(|| (from..=to).map(|n| format!("{n:0digits$}")).collect());
    }
    let choices = inside.split(',').map(str::to_owned);
    inside.contains(',').then(|| choices.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_files() {
        let all = |text| expanded(text).unwrap();
        assert_eq!(all("s3://b/x"), ["s3://b/x"]);
        assert_eq!(
            all("{08..11}.tar"),
            ["08.tar", "09.tar", "10.tar", "11.tar"]
        );
        assert_eq!(all("{9..10}"), ["9", "10"]);
        assert_eq!(all("a{b,c}-{0..1}"), ["ab-0", "ab-1", "ac-0", "ac-1"]);
        for name in ["a{b}", "{a..b}", "{5..3}", "{", "}{"] {
            assert_eq!(all(name), [name]);
        }
        assert_eq!(expanded("{0..2000000}"), None);
        assert_eq!(expanded("{0..2000}{0..2000}"), None);
    }

    #[test]
    fn files_that_are_named() {
        let names = |url| -> Vec<String> {
            let files = remote_files(url).unwrap();
            files.into_iter().map(|file| file.name).collect()
        };
        assert_eq!(names("s3://b/a/x.jsonl"), ["x.jsonl"]);
        assert_eq!(names("https://h/a/x.jsonl?token=1"), ["x.jsonl"]);
        assert_eq!(
            names("gs://b/{a,c}/{0..1}.tar"),
            ["a/0.tar", "a/1.tar", "c/0.tar", "c/1.tar"]
        );
    }

    #[test]
    fn what_of_a_folder_is_data() {
        let is = |name: &str| {
            is_data(&Found {
                name: name.into(),
                url: String::new(),
                bytes: 1,
            })
        };
        for name in ["a.json", "a/b.JSONL", "train-0.parquet", "0.tar"] {
            assert!(is(name), "{name}");
        }
        for name in ["a.png", "README.md", ".x/a.json", "_tmp/0.tar", "json"] {
            assert!(!is(name), "{name}");
        }
    }
}
