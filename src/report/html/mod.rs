//! A run as one page: `report.html`.
//!
//! The page needs no network and no script, is well-formed as HTML and as XML, follows the reader's light or dark
//! setting, and prints. Everything that comes from outside goes through [`markup`], which escapes it.

mod atlas;
mod concepts;
mod context;
mod datasets;
mod domains;
mod headline;
mod influences;
mod kernels;
mod lambda;
mod markup;
mod name;
mod number;
mod outranks;
mod page;
mod parts;
mod provenance;
mod scores;
mod spectrum;
#[cfg(test)]
mod style_tests;
mod svg;
mod table;
mod weights;

pub use self::atlas::atlas_html;
pub(crate) use self::concepts::{Nearest, concepts_html};
use self::context::Context;
use self::parts::{Section, note};
use crate::mix::{Analysis, Mixture};

/// The report of a mixture as one HTML page, with what moves its weights where an analysis was made.
///
/// A section whose data is missing is left out, and the page says so at its end. Of very many domains figures show the
/// heaviest. The same mixture and analysis give the same page.
pub fn html(mixture: &Mixture, analysis: Option<&Analysis>) -> String {
    let context = Context::new(mixture, analysis);
    let parts = [
        Ok(domains::section(&context)),
        Ok(weights::section(&context)),
        scores::section(&context),
        outranks::section(&context),
        kernels::section(&context),
        lambda::section(&context),
        spectrum::section(&context),
        influences::section(&context),
        datasets::section(&context),
        Ok(provenance::section(&context)),
    ];
    let mut sections = Vec::new();
    let mut left_out = Vec::new();
    for part in parts {
        match part {
            Ok(section) => sections.push(section),
            Err(reason) => left_out.push(reason),
        }
    }
    if !left_out.is_empty() {
        sections.push(Section {
            id: "left-out",
            title: "What is not here",
            body: left_out.iter().map(|reason| note(reason)).collect(),
        });
    }
    page::page(&context, sections).to_string()
}
