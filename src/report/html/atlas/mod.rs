//! A search as one page: `atlas/report.html`.

mod effects;
mod fit;
mod grid;
mod headline;
mod pays;
mod regret;
mod trials;

use super::page::{Head, document};
use super::parts::{Section, note};
use crate::atlas::analysis::Analysis;

/// The report of a search as one HTML page. A section whose data is missing is left out, and the page says so at its
/// end. The same analysis gives the same page.
pub fn atlas_html(analysis: &Analysis) -> String {
    let parts = [
        Ok(grid::section(analysis)),
        pays::section(analysis),
        fit::section(analysis),
        regret::section(analysis),
        effects::section(analysis),
        effects::interactions(analysis),
        Ok(trials::section(analysis)),
    ];
    let mut sections = Vec::new();
    let mut left_out = Vec::new();
    for part in parts {
        match part {
            Ok(section) => sections.push(section),
            Err(reason) => left_out.push(note(&reason)),
        }
    }
    if !left_out.is_empty() {
        sections.push(Section {
            id: "left-out",
            title: "What is not here",
            body: left_out,
        });
    }
    let head = Head {
        title: "Search over concepts and tasks – madmix".to_owned(),
        heading: "Search over concepts and tasks".to_owned(),
        summary: headline::headline(analysis),
        madmix: env!("CARGO_PKG_VERSION").to_owned(),
    };
    document(head, sections).to_string()
}

#[cfg(test)]
mod tests;
