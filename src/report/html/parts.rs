//! What every section is built of: headings, paragraphs, figures, things to unfold.

use super::markup::{Tag, tag};

/// One section of the page.
pub(super) struct Section {
    /// The anchor.
    pub(super) id: &'static str,
    /// The heading, also in the list of contents.
    pub(super) title: &'static str,
    /// What follows the heading.
    pub(super) body: Vec<Tag>,
}

impl Section {
    /// The section as an element with its heading.
    pub(super) fn element(self) -> Tag {
        let heading = format!("{}-heading", self.id);
        tag("section")
            .set("id", self.id)
            .set("aria-labelledby", &heading)
            .push(tag("h2").set("id", heading).text(self.title))
            .extend(self.body)
    }
}

/// A paragraph.
pub(super) fn paragraph(text: &str) -> Tag {
    tag("p").text(text)
}

/// A smaller paragraph that explains.
pub(super) fn note(text: &str) -> Tag {
    tag("p").set("class", "note").text(text)
}

/// Content under a line that unfolds it.
pub(super) fn details(summary: &str, content: impl IntoIterator<Item = Tag>) -> Tag {
    tag("details")
        .push(tag("summary").text(summary))
        .extend(content)
}

/// A figure under its title: what is drawn, and its legend.
pub(super) fn figure(caption: &str, legend: Option<Tag>, drawing: Tag) -> Tag {
    tag("figure")
        .push(tag("figcaption").text(caption))
        .extend(legend)
        .push(drawing)
}

/// A drawing of fixed width, in a box that scrolls where the screen is narrower.
pub(super) fn scroll(label: &str, drawing: Tag) -> Tag {
    tag("div")
        .set("class", "scroll")
        .set("role", "region")
        .set("tabindex", 0)
        .set("aria-label", label)
        .push(drawing)
}

/// A legend: a sign, of that class, and what it means.
pub(super) fn legend<'a>(entries: impl IntoIterator<Item = (Sign, &'a str)>) -> Tag {
    let entry = |(sign, meaning): (Sign, &str)| tag("li").push(sign.draw()).text(meaning);
    tag("ul")
        .set("class", "legend")
        .extend(entries.into_iter().map(entry))
}

/// A sign in a legend.
#[derive(Clone, Copy)]
pub(super) enum Sign {
    /// A filled box of the class.
    Box(&'static str),
    /// A line from end to end with caps.
    Whisker,
    /// The diamond of today's shares.
    Diamond,
    /// The upright stroke of equal shares.
    Stroke,
    /// A dashed line.
    Dashes,
}

impl Sign {
    fn draw(self) -> Tag {
        let svg = tag("svg")
            .set("width", 18)
            .set("height", 12)
            .set("aria-hidden", "true")
            .set("class", "sign");
        let line = |class: &str, [x1, y1, x2, y2]: [u8; 4]| {
            tag("line")
                .set("class", class)
                .set("x1", x1)
                .set("y1", y1)
                .set("x2", x2)
                .set("y2", y2)
        };
        match self {
            Self::Box(class) => svg.push(
                tag("rect")
                    .set("class", class)
                    .set("x", 2)
                    .set("y", 1)
                    .set("width", 14)
                    .set("height", 10),
            ),
            Self::Whisker => svg.extend([
                line("whisker", [2, 6, 16, 6]),
                line("whisker", [2, 3, 2, 9]),
                line("whisker", [16, 3, 16, 9]),
            ]),
            Self::Diamond => svg.push(
                tag("path")
                    .set("class", "human")
                    .set("d", "M9 1L14 6L9 11L4 6Z"),
            ),
            Self::Stroke => svg.push(line("uniform", [9, 0, 9, 12])),
            Self::Dashes => svg.push(line("mark", [1, 6, 17, 6])),
        }
    }
}
