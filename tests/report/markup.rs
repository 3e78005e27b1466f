//! A reader of markup that takes nothing but what is well-formed: every element closed in its order, every value quoted,
//! every `<` and `&` of text escaped. What it takes, HTML and XML read alike.

/// A page, read.
pub(crate) struct Page {
    /// Each element's name and attributes, in the order of the page.
    pub(crate) elements: Vec<(String, Vec<(String, String)>)>,
    /// The text of each element that holds text, with the element's name.
    pub(crate) texts: Vec<(String, String)>,
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(page: &str) -> Self {
        let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
        let mut found = Self {
            elements: Vec::new(),
            texts: Vec::new(),
        };
        let mut open: Vec<String> = Vec::new();
        while let Some(start) = rest.find('<') {
            let inside = open.last().cloned().unwrap_or_default();
            let text = unescape(&rest[..start]);
            if !text.trim().is_empty() {
                assert!(!inside.is_empty(), "text outside of all elements: {text:?}");
                found.texts.push((inside, text));
            }
            let end = start + rest[start..].find('>').expect("an end of a tag");
            let inner = &rest[start + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = inner.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "closed out of order");
                continue;
            }
            let (inner, void) = inner
                .strip_suffix('/')
                .map_or((inner, false), |inner| (inner, true));
            let (name, attributes) = inner.split_once(' ').unwrap_or((inner, ""));
            assert!(
                name.chars().all(|c| c.is_ascii_alphanumeric()),
                "an element {name:?}"
            );
            assert_eq!(
                void,
                ["br", "col", "link", "meta"].contains(&name),
                "how {name} closes"
            );
            found
                .elements
                .push((name.to_owned(), read_attributes(attributes)));
            if !void {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
        assert!(rest.trim().is_empty(), "after the end: {rest:?}");
        found
    }

    /// The texts of the elements of that name.
    pub(crate) fn texts_of(&self, name: &str) -> Vec<&str> {
        let texts = self.texts.iter().filter(|(inside, _)| inside == name);
        texts.map(|(_, text)| text.as_str()).collect()
    }

    /// The values of an attribute, of all elements.
    pub(crate) fn values_of(&self, attribute: &str) -> Vec<&str> {
        let attributes = self.elements.iter().flat_map(|(_, attributes)| attributes);
        let values = attributes.filter(|(name, _)| name == attribute);
        values.map(|(_, value)| value.as_str()).collect()
    }
}

fn read_attributes(mut text: &str) -> Vec<(String, String)> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !text.is_empty() {
        let (name, after) = text.split_once("=\"").expect("a quoted value");
        let (value, after) = after.split_once('"').expect("the end of a value");
        let name = name.trim_start();
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "attribute {name:?}"
        );
        assert!(
            attributes.iter().all(|(other, _)| other != name),
            "{name} twice"
        );
        attributes.push((name.to_owned(), unescape(value)));
        text = after;
    }
    attributes
}

fn unescape(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, after) = part.split_once(';').expect("an entity");
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("entity {other:?}"),
        });
        plain.push_str(after);
    }
    let forbidden =
        |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{fffe}' | '\u{ffff}');
    assert!(!plain.contains(forbidden), "{plain:?}");
    plain
}
