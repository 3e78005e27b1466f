//! The page around the sections.

use super::context::Context;
use super::headline::headline;
use super::markup::{Tag, tag};
use super::number::counted;
use super::parts::Section;

/// Nothing may be loaded and nothing may run, whatever the page holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// What a page is about.
pub(super) struct Head {
    /// The title of its window.
    pub(super) title: String,
    /// Its heading.
    pub(super) heading: String,
    /// What follows the heading.
    pub(super) summary: Vec<Tag>,
    /// The version of madmix that found what it shows.
    pub(super) madmix: String,
}

/// The whole page of a mixture.
pub(super) fn page(context: &Context, sections: Vec<Section>) -> Page {
    let mixture = context.mixture;
    let domains = counted(context.k() as u64, "domain", "domains");
    let head = Head {
        title: format!("Mixture of {domains} ({}) – madmix", mixture.method),
        heading: format!("Mixture of {domains}"),
        summary: headline(context),
        madmix: mixture.provenance.madmix.clone(),
    };
    document(head, sections)
}

/// A whole page.
pub(super) fn document(about: Head, sections: Vec<Section>) -> Page {
    let meta = |name, content| tag("meta").set("name", name).set("content", content);
    let head = tag("head").extend([
        tag("meta").set("charset", "utf-8"),
        tag("meta")
            .set("http-equiv", "Content-Security-Policy")
            .set("content", POLICY),
        meta("viewport", "width=device-width, initial-scale=1"),
        meta("color-scheme", "light dark"),
        meta("referrer", "no-referrer"),
        tag("title").text(about.title),
        // Else a browser asks a server for one.
        tag("link").set("rel", "icon").set("href", "data:,"),
        Tag::style(include_str!("palette.css")),
        Tag::style(include_str!("style.css")),
    ]);
    let entry = |section: &Section| {
        let link = tag("a").set("href", format!("#{}", section.id));
        tag("li").push(link.text(section.title))
    };
    let contents = tag("nav")
        .set("aria-label", "Contents")
        .push(tag("ul").extend(sections.iter().map(entry)));
    let header = tag("header")
        .push(tag("h1").text(about.heading))
        .extend(about.summary)
        .push(contents);
    let main = tag("main").extend(sections.into_iter().map(Section::element));
    let made = format!("Made by madmix {}.", about.madmix);
    let footer = tag("footer").push(tag("p").text(made));
    let body = tag("body").extend([header, main, footer]);
    Page(tag("html").set("lang", "en").push(head).push(body))
}

/// A document.
pub(super) struct Page(Tag);

impl std::fmt::Display for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "<!DOCTYPE html>\n{}", self.0)
    }
}
