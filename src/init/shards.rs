//! Numbered files that are one dataset: `a-000000.tar`, `a-000001.tar`, …; `train-00000-of-00004.parquet`.

use super::names;

/// Files of a folder that are one dataset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// What stands before their numbers; the whole stem of a single file.
    pub(super) prefix: String,
    /// Their ending.
    pub(super) ending: &'static str,
    /// Their names, in their order.
    pub(super) files: Vec<String>,
    /// One name or a pattern for all of them.
    pub(super) pattern: String,
    /// How many numbers between the first and the last have no file.
    pub(super) missing: u64,
}

/// A name cut at its number.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Cut {
    prefix: String,
    /// From behind the number on.
    rest: String,
    /// Digits of the number.
    width: usize,
    number: u64,
}

/// The groups among the files of a folder; names that are no dataset's by their ending are not looked at.
pub(super) fn groups(files: &[String]) -> Vec<Group> {
    let mut cuts: Vec<(Cut, &String)> = Vec::new();
    let mut groups = Vec::new();
    for name in files {
        let Some(ending) = names::ending(name) else {
            continue;
        };
        match cut(name, ending) {
            Some(cut) => cuts.push((cut, name)),
            None => groups.push(single(name, ending)),
        }
    }
    let same = |a: &Cut, b: &Cut| (&a.prefix, &a.rest, a.width) == (&b.prefix, &b.rest, b.width);
    cuts.sort_by(|(a, _), (b, _)| {
        (&a.prefix, &a.rest, a.width, a.number).cmp(&(&b.prefix, &b.rest, b.width, b.number))
    });
    for group in cuts.chunk_by(|(a, _), (b, _)| same(a, b)) {
        let (first, last) = (&group[0].0, &group[group.len() - 1].0);
        let ending = names::ending(group[0].1).unwrap_or_default();
        if let [(_, name)] = group {
            let mut alone = single(name, ending);
            if first.rest.starts_with("-of-") {
                alone.prefix.clone_from(&first.prefix);
            }
            groups.push(alone);
            continue;
        }
        let Cut {
            prefix,
            rest,
            width,
            ..
        } = first;
        let missing = last.number - first.number + 1 - group.len() as u64;
        // Of a folder that exists names stand for themselves, and so have what surrounds a pattern to.
        let pattern = match missing {
            0 => format!(
                "{}{{{:0width$}..{:0width$}}}{}",
                without_braces(prefix),
                first.number,
                last.number,
                without_braces(rest),
                width = *width
            ),
            _ => format!(
                "{}{}{}",
                without_braces(&glob::Pattern::escape(prefix)),
                "[0-9]".repeat(*width),
                without_braces(&glob::Pattern::escape(rest))
            ),
        };
        groups.push(Group {
            prefix: prefix.clone(),
            ending,
            files: group.iter().map(|(_, name)| (*name).clone()).collect(),
            pattern,
            missing,
        });
    }
    groups.sort_by(|a, b| a.pattern.cmp(&b.pattern));
    groups
}

/// A name in which braces and backslashes stand for themselves.
fn without_braces(name: &str) -> String {
    name.replace('\\', "\\\\")
        .replace('{', "\\{")
        .replace('}', "\\}")
}

fn single(name: &str, ending: &'static str) -> Group {
    Group {
        prefix: names::stem(name).to_owned(),
        ending,
        files: vec![name.to_owned()],
        pattern: name.to_owned(),
        missing: 0,
    }
}

/// Cuts a name of a numbered file. `ocr_2020.json` is not one: only archives are numbered without telling of how many.
fn cut(name: &str, ending: &str) -> Option<Cut> {
    let stem = &name[..name.len() - ending.len()];
    let (stem, of) = match stem.rsplit_once("-of-") {
        Some((stem, of)) if !of.is_empty() && of.bytes().all(|byte| byte.is_ascii_digit()) => {
            (stem, &name[stem.len()..name.len() - ending.len()])
        }
        _ => (stem, ""),
    };
    if of.is_empty() && ![".tar", ".tar.gz", ".tgz"].contains(&ending) {
        return None;
    }
    let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &stem[prefix.len()..];
    Some(Cut {
        prefix: prefix.to_owned(),
        rest: format!("{of}{}", &name[name.len() - ending.len()..]),
        width: number.len(),
        number: number.parse().ok()?,
    })
}

/// A group that is kept aside for testing while the folder has one for training.
pub(super) fn held_out<'a>(group: &Group, groups: &'a [Group]) -> Option<&'a Group> {
    let word = |group: &Group| {
        group
            .prefix
            .trim_end_matches(['-', '_', '.'])
            .to_lowercase()
    };
    if !names::is_held_out(&word(group)) {
        return None;
    }
    groups
        .iter()
        .find(|other| other.ending == group.ending && word(other).starts_with("train"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<(String, String, usize, u64)> {
        let files: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let groups = groups(&files).into_iter();
        groups
            .map(|group| {
                (
                    group.prefix,
                    group.pattern,
                    group.files.len(),
                    group.missing,
                )
            })
            .collect()
    }

    fn group(
        prefix: &str,
        pattern: &str,
        files: usize,
        missing: u64,
    ) -> (String, String, usize, u64) {
        (prefix.into(), pattern.into(), files, missing)
    }

    #[test]
    fn numbered_files_are_one() {
        assert_eq!(
            of(&[
                "a-000002.tar",
                "a-000000.tar",
                "a-000001.tar",
                "b.tar",
                "c.json",
                "x.png"
            ]),
            [
                group("a-", "a-{000000..000002}.tar", 3, 0),
                group("b", "b.tar", 1, 0),
                group("c", "c.json", 1, 0),
            ]
        );
        assert_eq!(
            of(&["00000.tar", "00001.tar", "00004.tar"]),
            [group("", "[0-9][0-9][0-9][0-9][0-9].tar", 3, 2)]
        );
        assert_eq!(
            of(&[
                "train-00000-of-00002.parquet",
                "train-00001-of-00002.parquet",
                "test-00000-of-00001.parquet"
            ]),
            [
                group("test-", "test-00000-of-00001.parquet", 1, 0),
                group("train-", "train-{00000..00001}-of-00002.parquet", 2, 0),
            ]
        );
    }

    #[test]
    fn years_are_no_numbers_of_shards() {
        assert_eq!(
            of(&["ocr_2020.json", "ocr_2021.json", "x-of-y.json"]),
            [
                group("ocr_2020", "ocr_2020.json", 1, 0),
                group("ocr_2021", "ocr_2021.json", 1, 0),
                group("x-of-y", "x-of-y.json", 1, 0),
            ]
        );
        assert_eq!(of(&["99999999999999999999999.tar"]).len(), 1);
    }

    #[test]
    fn tests_are_held_out_beside_training_data() {
        let names = ["train.json", "val.json", "test.parquet"].map(String::from);
        let groups = groups(&names);
        let out: Vec<_> = groups
            .iter()
            .map(|group| held_out(group, &groups).is_some())
            .collect();
        assert_eq!(out, [false, false, true]);
    }
}
