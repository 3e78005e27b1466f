//! Extraction settings as canonical JSON: equal settings have equal text, hence one fingerprint.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Settings that a shard depends on, as compact JSON with the keys of every object sorted.
///
/// The text travels inside each shard, so that a refusal can name the very field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings(String);

impl Settings {
    /// Takes the canonical text of anything serde can write.
    ///
    /// # Errors
    /// When `settings` has no JSON form (for example a map whose keys are not strings).
    pub fn new(settings: &impl Serialize) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(settings)?;
        value.sort_all_objects();
        Ok(Self(value.to_string()))
    }

    /// Takes text that [`Settings::new`] wrote, byte for byte: floats in it must not pass through a parser.
    pub(super) fn from_canonical(json: &str) -> Self {
        Self(json.to_owned())
    }

    /// The canonical JSON.
    pub fn json(&self) -> &str {
        &self.0
    }

    /// BLAKE3 of the canonical JSON, 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        blake3::hash(self.0.as_bytes()).to_hex().to_string()
    }

    /// The fields by their path (`video.fps`), each value as JSON.
    pub fn fields(&self) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        if let Ok(settings) = serde_json::from_str(&self.0) {
            add_fields("", &settings, &mut fields);
        }
        fields
    }

    /// One line per field that differs between these settings (a shard's) and `wanted` (the config's), such as
    /// `` settings `layers`: ["last"] in the shard, ["last","12"] in the config ``.
    pub(super) fn differences(&self, wanted: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let parsed = (
            serde_json::from_str(&self.0),
            serde_json::from_str(&wanted.0),
        );
        if let (Ok(found), Ok(wanted)) = parsed {
            compare("", Some(&found), Some(&wanted), &mut lines);
        }
        if lines.is_empty() && self != wanted {
            // Numbers closer than a parser can tell.
            lines.push(format!(
                "settings: {} in the shard, {} in the config",
                self.0, wanted.0
            ));
        }
        lines
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn add_fields(path: &str, value: &Value, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                add_fields(&below(path, key), value, fields);
            }
        }
        value => {
            fields.insert(path.to_owned(), value.to_string());
        }
    }
}

fn compare(path: &str, found: Option<&Value>, wanted: Option<&Value>, lines: &mut Vec<String>) {
    match (found, wanted) {
        (Some(Value::Object(found)), Some(Value::Object(wanted))) => {
            let only_wanted = wanted.keys().filter(|key| !found.contains_key(*key));
            for key in found.keys().chain(only_wanted) {
                compare(&below(path, key), found.get(key), wanted.get(key), lines);
            }
        }
        (found, wanted) if found == wanted => {}
        (found, wanted) => {
            let text = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
            lines.push(format!(
                "settings `{path}`: {} in the shard, {} in the config",
                text(found),
                text(wanted)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_order_does_not_change_the_fingerprint_but_values_do() {
        let a = Settings::new(&json!({"seed": 0, "a": {"y": 1, "x": 2}})).unwrap();
        let b = Settings::new(&json!({"a": {"x": 2, "y": 1}, "seed": 0})).unwrap();
        let c = Settings::new(&json!({"a": {"x": 2, "y": 1}, "seed": 1})).unwrap();
        assert_eq!(a.json(), r#"{"a":{"x":2,"y":1},"seed":0}"#);
        assert_eq!(a.fingerprint(), b.fingerprint());
        assert_ne!(a.fingerprint(), c.fingerprint());
    }

    #[test]
    fn differences_name_the_field_and_both_values() {
        let old =
            Settings::new(&json!({"layers": ["last"], "image": {"max": 9}, "gone": 1})).unwrap();
        let new = Settings::new(&json!({"layers": ["last", "12"], "image": {"max": 8}, "new": 2}))
            .unwrap();
        assert_eq!(
            old.differences(&new),
            [
                "settings `gone`: 1 in the shard, absent in the config",
                "settings `image.max`: 9 in the shard, 8 in the config",
                r#"settings `layers`: ["last"] in the shard, ["last","12"] in the config"#,
                "settings `new`: absent in the shard, 2 in the config",
            ]
        );
        assert!(old.differences(&old).is_empty());
    }

    #[test]
    fn a_difference_no_parser_can_see_is_still_reported() {
        let a = Settings::from_canonical(r#"{"x":0.1}"#);
        let b = Settings::from_canonical(r#"{"x":0.10000000000000000001}"#);
        assert_eq!(a.differences(&b).len(), 1);
    }
}
