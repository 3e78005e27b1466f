//! Well-formed markup by construction: names of elements and attributes are written in this crate, and every text and
//! value is escaped on its way in. There is no way to put a string in as markup.

use std::fmt::{self, Display, Write as _};

use crate::printable::printable;

/// Elements that HTML closes by themselves.
const VOID: [&str; 5] = ["br", "col", "img", "link", "meta"];
/// Elements after which a line ends, so that the file can be read and compared.
const LINES: [&str; 18] = [
    "caption", "details", "div", "figure", "g", "h2", "h3", "head", "img", "li", "nav", "p",
    "rect", "section", "style", "svg", "title", "tr",
];

/// An element with its attributes and content. It is well-formed as XML, too.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    name: &'static str,
    attributes: String,
    content: Vec<Content>,
}

/// What is between an element's tags.
#[derive(Clone, Debug)]
enum Content {
    /// Escaped text, or a style sheet.
    Written(String),
    Child(Tag),
}

/// An element without attributes and content.
pub(super) fn tag(name: &'static str) -> Tag {
    Tag {
        name,
        attributes: String::new(),
        content: Vec::new(),
    }
}

impl Tag {
    /// With an attribute.
    pub(super) fn set(mut self, attribute: &'static str, value: impl Display) -> Self {
        let _ = write!(self.attributes, " {attribute}=\"");
        escape(&value.to_string(), &mut self.attributes);
        self.attributes.push('"');
        self
    }

    /// With text after what it has.
    pub(super) fn text(mut self, text: impl Display) -> Self {
        let mut written = String::new();
        escape(&text.to_string(), &mut written);
        self.content.push(Content::Written(written));
        self
    }

    /// With a child after what it has.
    pub(super) fn push(mut self, child: Self) -> Self {
        self.content.push(Content::Child(child));
        self
    }

    /// With children after what it has.
    pub(super) fn extend(self, children: impl IntoIterator<Item = Self>) -> Self {
        children.into_iter().fold(self, Self::push)
    }

    /// A style sheet: the one content that is not escaped, so it has to be a constant.
    pub(super) fn style(sheet: &'static str) -> Self {
        let mut style = tag("style");
        style.content.push(Content::Written(sheet.to_owned()));
        style
    }
}

impl Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            attributes,
            content,
        } = self;
        if VOID.contains(name) {
            write!(f, "<{name}{attributes}/>")?;
        } else {
            write!(f, "<{name}{attributes}>")?;
            for part in content {
                match part {
                    Content::Written(text) => f.write_str(text)?,
                    Content::Child(child) => child.fmt(f)?,
                }
            }
            write!(f, "</{name}>")?;
        }
        if LINES.contains(name) {
            f.write_char('\n')?;
        }
        Ok(())
    }
}

/// Appends the text as both HTML and XML read it, in content as in quoted values. What does not print, or turns the
/// direction of writing, is shown as its escape.
fn escape(text: &str, out: &mut String) {
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no place for them.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values_cannot_leave_their_place() {
        let hostile = "</p>\" onload='x'&lt;\n\0\u{202e}\u{ffff}";
        let shown = "&lt;/p&gt;&quot; onload=&#39;x&#39;&amp;lt;\\n\\u{0}\\u{202e}\u{fffd}";
        assert_eq!(
            tag("p").set("title", hostile).text(hostile).to_string(),
            format!("<p title=\"{shown}\">{shown}</p>\n")
        );
    }

    #[test]
    fn only_void_elements_close_themselves() {
        let cell = tag("td").push(tag("br"));
        assert_eq!(
            tag("tr").extend([cell, tag("td")]).to_string(),
            "<tr><td><br/></td><td></td></tr>\n"
        );
    }
}
