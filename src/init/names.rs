//! What a dataset is called after.

use std::path::Path;

/// Names of files and folders that say nothing of what is in them.
const GENERIC: &[&str] = &[
    "annotation",
    "annotations",
    "conversations",
    "data",
    "dataset",
    "datasets",
    "default",
    "files",
    "images",
    "instruct",
    "json",
    "jsonl",
    "jsons",
    "llava",
    "main",
    "messages",
    "meta",
    "metadata",
    "parquet",
    "part",
    "parts",
    "samples",
    "sft",
    "shard",
    "shards",
    "split",
    "train",
    "training",
    "wds",
    "webdataset",
];

/// Parts of a dataset that nothing is trained on.
const HELD_OUT: &[&str] = &[
    "dev",
    "eval",
    "test",
    "testing",
    "val",
    "valid",
    "validation",
];

/// Endings of annotation files, the longest first.
const ENDINGS: &[&str] = &[
    ".jsonl.gz",
    ".ndjson.gz",
    ".json.gz",
    ".parquet",
    ".tar.gz",
    ".ndjson",
    ".jsonl",
    ".json",
    ".tar",
    ".tgz",
];

/// Whether a name of a file or folder says nothing of what is in it.
pub(super) fn is_generic(name: &str) -> bool {
    GENERIC.contains(&name.to_lowercase().as_str())
}

/// Whether a name is that of a part for testing.
pub(super) fn is_held_out(name: &str) -> bool {
    HELD_OUT.contains(&name.to_lowercase().as_str())
}

/// Whether a file may be a dataset's by its ending.
pub(super) fn ending(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let found = ENDINGS.iter().find(|ending| lower.ends_with(*ending));
    found.copied().filter(|ending| lower.len() > ending.len())
}

/// What a file's name says without its ending and without the mark of LLaVA-Video-178K.
pub(super) fn stem(name: &str) -> &str {
    let stem = &name[..name.len() - ending(name).map_or(0, str::len)];
    match stem.strip_suffix("_processed") {
        Some(stem) if !stem.is_empty() => stem,
        _ => stem,
    }
}

/// What a dataset is called: what its file says, or where that says nothing, a folder that does.
pub(super) fn chosen(stem: &str, folder: &Path) -> String {
    let own = stem.trim_end_matches(['-', '_', '.']);
    if !own.is_empty() && !is_generic(own) {
        return own.to_owned();
    }
    let said = folder
        .ancestors()
        .filter_map(|folder| folder.file_name()?.to_str())
        .find(|name| !is_generic(name));
    match said {
        Some(said) => said.to_owned(),
        None if own.is_empty() => "data".to_owned(),
        None => own.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_and_marks_are_cut() {
        for (name, expected) in [
            ("a.json", "a"),
            ("a.b.JSONL.gz", "a.b"),
            ("0_30_s_nextqa_oe_qa_processed.json", "0_30_s_nextqa_oe_qa"),
            (
                "ai2d(cauldron,llava_format).parquet",
                "ai2d(cauldron,llava_format)",
            ),
            ("_processed.json", "_processed"),
            ("图表.tar", "图表"),
        ] {
            assert!(ending(name).is_some());
            assert_eq!(stem(name), expected);
        }
        for name in ["a.txt", ".json", "json", "a.gz"] {
            assert_eq!(ending(name), None, "{name}");
        }
    }

    #[test]
    fn folders_name_what_files_do_not() {
        let folder = Path::new("/all/ai2d(gpt4v)/data");
        assert_eq!(chosen("train-", folder), "ai2d(gpt4v)");
        assert_eq!(chosen("cats", folder), "cats");
        assert_eq!(chosen("", folder), "ai2d(gpt4v)");
        assert_eq!(chosen("train", Path::new("/data")), "train");
        assert_eq!(chosen("", Path::new("/")), "data");
    }
}
