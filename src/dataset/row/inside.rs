//! Media that a container holds itself, and which of them a row means by a path.
//!
//! A row may call them by their names, or by the paths that they had before they were packed, of which the last part is
//! still the same. A path that could mean two of them, or that two paths could share, means none.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use super::MediaRef;
use crate::dataset::data_uri;
use crate::dataset::named::Named;

/// Media that a container holds itself. Where there are any of a kind, the row's own keys of that kind are not looked at.
#[derive(Clone, Debug, Default)]
pub(in crate::dataset) struct Inside {
    /// Pictures, in their order.
    pub(in crate::dataset) images: Vec<Named>,
    /// Videos, in their order.
    pub(in crate::dataset) videos: Vec<Named>,
    /// What their names start with before a dot, and rows may leave out; empty where there is no such thing.
    pub(in crate::dataset) key: String,
}

/// For each path that a row writes, which of the names it means, if any.
///
/// In this order: the whole name (where several are called so, one after another), the base name, and what follows the
/// key and a dot, in whatever case.
pub(in crate::dataset) fn meant(names: &[&str], key: &str, written: &[&str]) -> Vec<Option<usize>> {
    let (mut whole, mut bases, mut endings) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (i, name) in names.iter().enumerate() {
        let called: &mut VecDeque<usize> = whole.entry(plain(name)).or_default();
        called.push_back(i);
        only(&mut bases, base(name), i);
        let ending = name
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix('.'));
        if let Some(ending) = ending.filter(|_| !key.is_empty()) {
            only(&mut endings, ending.to_lowercase(), i);
        }
    }
    // Two paths of one base name were two files.
    let mut paths = HashMap::new();
    for path in written {
        if !whole.contains_key(plain(path)) {
            only(&mut paths, base(path), plain(path));
        }
    }
    let by_base = |path: &str| {
        let base = base(path);
        paths.get(base)?.as_ref()?;
        match bases.get(base) {
            Some(found) => *found,
            None => *endings.get(&base.to_lowercase())?,
        }
    };
    let one = |path: &&str| match whole.get_mut(plain(path)) {
        Some(called) if called.len() > 1 => called.pop_front(),
        Some(called) => called.front().copied(),
        None => by_base(path),
    };
    written.iter().map(one).collect()
}

/// Notes a value under a key that has no other.
fn only<K: std::hash::Hash + Eq, V: PartialEq>(map: &mut HashMap<K, Option<V>>, key: K, value: V) {
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(Some(value));
        }
        Entry::Occupied(mut there) => {
            if there.get().as_ref() != Some(&value) {
                there.insert(None);
            }
        }
    }
}

fn plain(path: &str) -> &str {
    path.trim_start_matches("./")
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The media of messages whose container holds some itself: `shown` are their places in the texts, each with its own
/// source or without one.
///
/// A path means the one that is called so, and lies below the media root where none is. A place without a source takes
/// the next that is not called by a path. Where every place has a path, as many as there are media, and none of them is
/// called so, the paths are those from before the packing, and the order counts. What is left over stays at the end,
/// and is found to be too much.
pub(super) fn placed<'a>(
    shown: Vec<Option<MediaRef<'a>>>,
    held: Vec<Named>,
    key: &str,
) -> Vec<MediaRef<'a>> {
    let path = |own: &Option<MediaRef<'a>>| match own {
        Some(MediaRef::Written(path)) if !data_uri::is_one(path) => Some(path.clone()),
        _ => None,
    };
    let paths: Vec<Option<Cow<'a, str>>> = shown.iter().map(path).collect();
    let written: Vec<&str> = paths.iter().flatten().map(Cow::as_ref).collect();
    let names: Vec<&str> = held.iter().map(|named| named.name.as_str()).collect();
    let found = meant(&names, key, &written);
    let names_none = found.iter().all(Option::is_none);
    if names_none && written.len() == shown.len() && written.len() == held.len() {
        return held.into_iter().map(MediaRef::Inside).collect();
    }
    let mut is_called = vec![false; held.len()];
    for i in found.iter().flatten() {
        is_called[*i] = true;
    }
    let mut found = found.into_iter();
    let mut rest = held
        .iter()
        .zip(&is_called)
        .filter(|(_, is_called)| !**is_called)
        .map(|(named, _)| MediaRef::Inside(named.clone()));
    let mut all = Vec::with_capacity(shown.len());
    for (own, path) in shown.into_iter().zip(&paths) {
        let called = path.as_ref().and_then(|_| found.next().flatten());
        let media = match called {
            Some(i) => Some(MediaRef::Inside(held[i].clone())),
            None => own.or_else(|| rest.next()),
        };
        all.extend(media);
    }
    all.extend(rest);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_what_they_can_only_mean() {
        let names = ["f/k.a.png", "f/k.B.png", "g/k.c.png", "h/k.c.png"];
        for (written, expected) in [
            (vec!["f/k.B.png", "./f/k.a.png"], vec![Some(1), Some(0)]),
            (vec!["k.B.png", "old/k.a.png"], vec![Some(1), Some(0)]),
            (vec!["b.png", "old/A.PNG"], vec![Some(1), Some(0)]),
            // Once more, of two files, of two members, of none.
            (vec!["k.a.png", "k.a.png"], vec![Some(0), Some(0)]),
            (vec!["x/k.a.png", "y/k.a.png"], vec![None, None]),
            (vec!["h/k.c.png", "k.c.png"], vec![Some(3), None]),
            (vec!["", "k", "png", "z.png"], vec![None; 4]),
        ] {
            assert_eq!(meant(&names, "f/k", &written), expected, "{written:?}");
        }
        assert_eq!(meant(&["a.png"], "", &["png", "a.png"]), [None, Some(0)]);
        let twice = ["x.png", "u.png", "x.png"];
        let written = ["x.png", "x.png", "u.png", "x.png"];
        let expected = [Some(0), Some(2), Some(1), Some(2)];
        assert_eq!(meant(&twice, "", &written), expected);
    }
}
