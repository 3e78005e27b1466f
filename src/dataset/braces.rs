//! Brace patterns: `shard-{000000..000099}.tar` and `{train,val}.json`, as bash and the Python package braceexpand (which
//! webdataset uses) read them.

/// How deep braces may lie in each other.
const MAX_DEPTH: usize = 64;

/// The most names that one pattern may stand for.
const MAX_NAMES: usize = 1 << 20;

/// Why a pattern stands for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadBraces {
    /// A brace without its partner.
    Unbalanced,
    /// More than [`MAX_NAMES`].
    TooMany,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl BadBraces {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unbalanced => {
                "a brace has no partner; write `\\{` or `\\}` for one that is part of a name"
                    .to_owned()
            }
            Self::TooMany => format!("it stands for more than {MAX_NAMES} names"),
            Self::TooDeep => format!("more than {MAX_DEPTH} braces lie in each other"),
        }
    }
}

/// The names that a pattern stands for, in its order. Braces around neither a list nor a range stand for themselves, and
/// `\` takes the meaning from what follows it.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, BadBraces> {
    let mut depth = 0_usize;
    for (_, letter) in marks(pattern) {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(BadBraces::TooDeep);
        }
    }
    expand_shallow(pattern)
}

fn expand_shallow(pattern: &str) -> Result<Vec<String>, BadBraces> {
    if !pattern.contains(['{', '}', '\\']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}', '\\']) {
        append(&mut names, &[rest[..at].to_owned()])?;
        let tail = &rest[at + 1..];
        rest = match &rest[at..=at] {
            "\\" => {
                let taken = tail.chars().next().map_or(0, char::len_utf8);
                append(&mut names, &[tail[..taken].to_owned()])?;
                &tail[taken..]
            }
            "{" => {
                let inside = inside(tail).ok_or(BadBraces::Unbalanced)?;
                append(&mut names, &group(inside)?)?;
                &tail[inside.len() + 1..]
            }
            _ => return Err(BadBraces::Unbalanced),
        };
    }
    append(&mut names, &[rest.to_owned()])?;
    Ok(names)
}

/// Each name with each ending.
fn append(names: &mut Vec<String>, endings: &[String]) -> Result<(), BadBraces> {
    if let [ending] = endings {
        for name in names {
            name.push_str(ending);
        }
        return Ok(());
    }
    if names.len().saturating_mul(endings.len()) > MAX_NAMES {
        return Err(BadBraces::TooMany);
    }
    let with = |name: &String| {
        endings
            .iter()
            .map(|ending| format!("{name}{ending}"))
            .collect::<Vec<_>>()
    };
    *names = names.iter().flat_map(with).collect();
    Ok(())
}

/// What stands between an opening brace, which is gone, and its partner.
fn inside(text: &str) -> Option<&str> {
    let mut open = 1;
    for (at, letter) in marks(text) {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(&text[..at]);
        }
    }
    None
}

/// The letters that no `\` takes the meaning from.
fn marks(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut is_plain = false;
    text.char_indices().filter(move |(_, letter)| {
        let counts = !is_plain;
        is_plain = counts && *letter == '\\';
        counts && !is_plain
    })
}

/// What a pair of braces stands for.
fn group(inside: &str) -> Result<Vec<String>, BadBraces> {
    if let Some(range) = range(inside) {
        return range;
    }
    let items = items(inside);
    if let [only] = items.as_slice() {
        let names = expand_shallow(only)?;
        return Ok(names
            .into_iter()
            .map(|name| format!("{{{name}}}"))
            .collect());
    }
    let mut names = Vec::new();
    for item in items {
        names.extend(expand_shallow(item)?);
        if names.len() > MAX_NAMES {
            return Err(BadBraces::TooMany);
        }
    }
    Ok(names)
}

/// The parts between the commas that are in no further braces.
fn items(inside: &str) -> Vec<&str> {
    let (mut open, mut start, mut items) = (0, 0, Vec::new());
    for (at, letter) in marks(inside) {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            ',' if open == 0 => {
                items.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&inside[start..]);
    items
}

/// `1..10`, `01..10`, `a..e`, each with a step behind it (`1..10..3`); `None` for what is none.
fn range(inside: &str) -> Option<Result<Vec<String>, BadBraces>> {
    let parts: Vec<_> = inside.split("..").collect();
    let (first, last, step) = match parts.as_slice() {
        [first, last] => (*first, *last, 1),
        [first, last, step] => (
            *first,
            *last,
            step.parse::<i64>().ok()?.unsigned_abs().max(1),
        ),
        _ => return None,
    };
    let letter = |text: &str| match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(i64::from(*letter)),
        _ => None,
    };
    if let (Some(from), Some(to)) = (letter(first), letter(last)) {
        // As braceexpand does: all letters, upper case before lower, without the marks between them in ASCII.
        let between = steps(from, to, step).filter_map(|number| u8::try_from(number).ok());
        let letters = between.filter(u8::is_ascii_alphabetic);
        return Some(Ok(letters
            .map(|letter| char::from(letter).to_string())
            .collect()));
    }
    let (from, to): (i64, i64) = (integer(first)?, integer(last)?);
    if from.abs_diff(to) / step >= MAX_NAMES as u64 {
        return Some(Err(BadBraces::TooMany));
    }
    let padded = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.len() > 1 && digits.starts_with('0')
    };
    let width = if padded(first) || padded(last) {
        first.len().max(last.len())
    } else {
        0
    };
    Some(Ok(steps(from, to, step)
        .map(|number| format!("{number:0width$}"))
        .collect()))
}

/// A whole number, with nothing but digits behind its sign.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// From one number to another, up or down.
fn steps(from: i64, to: i64, step: u64) -> impl Iterator<Item = i64> {
    let count = from.abs_diff(to) / step;
    let down = to < from;
    (0..=count).map(move |i| {
        let way = (i * step) as i64;
        if down { from - way } else { from + way }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What braceexpand makes of the same patterns (`scripts/make_webdataset_fixtures.py`).
    #[test]
    fn as_braceexpand() {
        #[derive(serde::Deserialize)]
        struct View {
            braces: BTreeMap<String, Option<Vec<String>>>,
        }
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/dataset/webdataset/view.json"
        );
        let view: View = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
        assert!(view.braces.len() > 40);
        for (pattern, expected) in view.braces {
            let expected = expected.ok_or(BadBraces::Unbalanced);
            assert_eq!(expand(&pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn patterns_without_end_are_refused() {
        for pattern in [
            "{0..99999999}",
            "{-9223372036854775808..9223372036854775807}",
            &"{a,b}".repeat(30),
        ] {
            assert_eq!(expand(pattern), Err(BadBraces::TooMany), "{pattern}");
        }
        let odd = "{0..99999999999999999999}";
        assert_eq!(expand(odd).unwrap(), [odd], "no number that fits");
    }
}
