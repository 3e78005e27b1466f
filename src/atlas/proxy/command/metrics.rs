//! The numbers that a command leaves behind: JSON, lines of JSON, or CSV, told from the content.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::atlas::trial::LARGEST;
use crate::printable::printable;

/// Bytes of a file of metrics; lmms-eval's with all of its settings have some hundred thousand.
const MAX_BYTES: u64 = 64 << 20;
/// How many names are listed in a message.
const LISTED: usize = 12;

/// All numbers of a file by their names; those that are none of this world (`NaN`, `null`, infinite) are NaN.
type Numbers = BTreeMap<String, f64>;

/// Why metrics cannot be read, in words for a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// There are numbers, and a benchmark is not among their names.
    #[error("{0}")]
    Lacking(String),
    /// Anything else.
    #[error("{0}")]
    Unusable(String),
}

/// Reads the metrics of a run: all that are finite, and those of `benchmarks` among them.
///
/// # Errors
/// The file is not there or nothing that is known, or a benchmark is missing or not finite.
pub(crate) fn read<'a>(
    path: &Path,
    benchmarks: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, f64>, Unread> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbers = text(path)
        .and_then(|text| parse(&text))
        .map_err(|problem| Unread::Unusable(format!("{name}: {problem}")))?;
    let mut lacking = Vec::new();
    for benchmark in benchmarks {
        match numbers.get(benchmark) {
            Some(value) if value.is_finite() => {}
            Some(_) => {
                let words = format!("{name}: \"{benchmark}\" is not a finite number");
                return Err(Unread::Unusable(words));
            }
            None => lacking.push(format!("\"{benchmark}\"")),
        }
    }
    if !lacking.is_empty() {
        let words = format!("{name} has no {}; {}", lacking.join(", "), listed(&numbers));
        return Err(if numbers.is_empty() {
            Unread::Unusable(words)
        } else {
            Unread::Lacking(words)
        });
    }
    let finite = numbers.into_iter().filter(|(_, value)| value.is_finite());
    Ok(finite.collect())
}

fn text(path: &Path) -> Result<String, String> {
    let metadata = match fs_err::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err("the command left no such file".into());
        }
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.is_file() {
        return Err("it is no file".into());
    }
    let mut bytes = Vec::new();
    fs_err::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8".into())
}

fn listed(numbers: &Numbers) -> String {
    if numbers.is_empty() {
        return "there are no numbers in it".into();
    }
    let names: Vec<_> = numbers
        .keys()
        .take(LISTED)
        .map(|name| printable(name))
        .collect();
    let more = match numbers.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("it has {}{more}", names.join(", "))
}

fn parse(text: &str) -> Result<Numbers, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if !text.starts_with('{') {
        return csv(text);
    }
    let mut numbers = Numbers::new();
    let json = without_constants(text);
    // Lines are values one after the other, and so is one value that spans them. The last word counts.
    for value in serde_json::Deserializer::from_str(&json).into_iter() {
        let value: Value = value.map_err(|error| format!("it is no JSON: {error}"))?;
        // lmms-eval keeps its settings beside the results, and numbers are among them.
        let results = value.get("results").filter(|results| results.is_object());
        collect("", results.unwrap_or(&value), &mut numbers);
    }
    Ok(numbers)
}

/// A number, or NaN where no run gives such a one.
fn finite(value: f64) -> f64 {
    if value.abs() <= LARGEST {
        value
    } else {
        f64::NAN
    }
}

fn collect(prefix: &str, value: &Value, numbers: &mut Numbers) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                // lm-eval and lmms-eval write METRIC,FILTER; `none` is no filter.
                let key = key.strip_suffix(",none").unwrap_or(key);
                let name = match prefix {
                    "" => key.to_owned(),
                    prefix => format!("{prefix}/{key}"),
                };
                collect(&name, value, numbers);
            }
        }
        Value::Number(number) => {
            numbers.insert(
                prefix.to_owned(),
                finite(number.as_f64().unwrap_or(f64::NAN)),
            );
        }
        Value::Null => {
            numbers.insert(prefix.to_owned(), f64::NAN);
        }
        Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
    }
}

/// JSON with `null` for the constants that Python writes and JSON has not.
fn without_constants(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        match c {
            '\\' if quoted => len += rest[1..].chars().next().map_or(0, char::len_utf8),
            '"' => quoted = !quoted,
            _ if quoted => {}
            _ => {
                let constants = ["NaN", "-Infinity", "Infinity"];
                if let Some(constant) = constants.iter().find(|&&word| rest.starts_with(word)) {
                    out.push_str("null");
                    rest = &rest[constant.len()..];
                    continue;
                }
            }
        }
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    out
}

/// A header and rows, of which the last counts; or rows of a name and a number.
fn csv(text: &str) -> Result<Numbers, String> {
    let rows: Vec<Vec<String>> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(fields)
        .collect();
    let number = |field: &str| field.trim().parse::<f64>().ok().map(finite);
    let Some((header, values)) = rows.split_first() else {
        return Err("it is empty".into());
    };
    let is_name = |field: &String| !field.trim().is_empty() && number(field).is_none();
    let pair = |row: &Vec<String>| row.len() == 2 && is_name(&row[0]);
    // Two columns may be either; where the first is of names throughout, they are names.
    if rows.iter().all(pair) && (rows.len() > 2 || number(&rows[rows.len() - 1][1]).is_some()) {
        let pairs = rows
            .iter()
            .filter_map(|row| Some((row[0].trim().to_owned(), number(&row[1])?)));
        return Ok(pairs.collect());
    }
    let Some(last) = values.last() else {
        return Err("it is neither JSON nor CSV with a header and a row".into());
    };
    if !header.iter().all(is_name) {
        return Err("it is neither JSON nor CSV with a header".into());
    }
    if last.len() != header.len() {
        return Err(format!(
            "its last row has {} fields, and its header {}",
            last.len(),
            header.len()
        ));
    }
    let named = header.iter().zip(last);
    Ok(named
        .filter_map(|(name, field)| {
            let value = match field.trim() {
                "" => f64::NAN,
                field => number(field)?,
            };
            Some((name.trim().to_owned(), value))
        })
        .collect())
}

/// The fields of a line, which may be quoted; a quoted line break is not known here.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, f64)> {
        parse(text).unwrap().into_iter().collect()
    }

    fn pairs(pairs: &[(&str, f64)]) -> Vec<(String, f64)> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value))
            .collect()
    }

    #[test]
    fn metrics_are_read_of_every_form() {
        let expected = pairs(&[("a", 0.5), ("b", -2.0)]);
        for text in [
            "{\"a\": 0.5, \"b\": -2, \"note\": \"x\", \"ok\": true}",
            "{\"a\": 7}\n{\"a\": 0.5}\n\n{\"b\": -2}\n",
            "a,b\n1,2\n0.5,-2\n",
            "\u{feff}\"a\",b\r\n0.5,-2.0\r\n",
            "name,value\na,0.5\nb,-2\n",
            "a,0.5\nb,-2",
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn what_lmms_eval_writes_is_named_by_task_and_metric() {
        let text = r#"{"results": {"mmmu_val": {"alias": "mmmu_val", "mmmu_acc,none": 0.31, "mmmu_acc_stderr,none": "N/A"},
            "gqa": {"exact_match,strict": 0.5}}, "n-shot": {"gqa": 0}, "config": {"batch_size": 1}}"#;
        let expected = pairs(&[("gqa/exact_match,strict", 0.5), ("mmmu_val/mmmu_acc", 0.31)]);
        assert_eq!(found(text), expected);
    }

    #[test]
    fn numbers_that_are_none_are_found_as_such() {
        for text in [
            r#"{"a": NaN, "b\"NaN": 1}"#,
            r#"{"a": -Infinity, "b\"NaN": 1}"#,
            r#"{"a": null, "b\"NaN": 1}"#,
            "a,\"b\"\"NaN\",c\nnan,1,x\n",
            "a,\"b\"\"NaN\"\n,1\n",
        ] {
            let found = found(text);
            assert_eq!(found.len(), 2, "{text}: {found:?}");
            assert!(!found[0].1.is_finite(), "{text}");
            assert_eq!(found[1], ("b\"NaN".to_owned(), 1.0), "{text}");
        }
        assert_eq!(found("{\"a\": \"x\\\\\", \"b\": 2}"), pairs(&[("b", 2.0)]));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (text, word) in [
            ("", "empty"),
            ("{\"a\": 1", "no JSON"),
            ("hello", "neither"),
            ("1,2\n3,4", "header"),
            ("a,b,c\n1,2\n", "2 fields"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(word), "{text}: {problem}");
        }
    }

    #[test]
    fn benchmarks_have_to_be_there_and_finite() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.json");
        let read = |text: &str| {
            fs_err::write(&path, text).unwrap();
            super::read(&path, ["a"].into_iter()).map_err(|error| error.to_string())
        };
        let problem = super::read(&path, ["a"].into_iter())
            .unwrap_err()
            .to_string();
        assert!(problem.contains("left no such file"), "{problem}");
        fs_err::write(&path, "{\"b\": 1}").unwrap();
        let two = super::read(&path, ["a", "b", "d"].into_iter()).unwrap_err();
        assert!(
            matches!(&two, Unread::Lacking(words) if words.contains("no \"a\", \"d\"; it has b")),
            "{two}"
        );
        let problem = read("{\"b\": 1, \"c\": {\"d\": 2}}").unwrap_err();
        assert!(problem.contains("no \"a\"; it has b, c/d"), "{problem}");
        assert!(read("{\"a\": NaN}").unwrap_err().contains("finite"));
        for text in ["{\"a\": 1e200}", "a,b\n-1e101,1\n"] {
            assert!(read(text).unwrap_err().contains("finite"), "{text}");
        }
        let metrics = read("{\"a\": 1.5, \"b\": NaN}").unwrap();
        assert_eq!(metrics, BTreeMap::from([("a".to_owned(), 1.5)]));
    }
}
