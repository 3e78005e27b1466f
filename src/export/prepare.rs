//! Makes datasets such as a trainer can read: where a file does not fit, a file of just its rows takes its place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::look::{Look, Rows};
use super::rows::{self, Layout, MediaPaths};
use super::{ExportError, Folder, Form, Needs, Plan, PlannedDataset, Request, Source};
use crate::blob::url_of;
use crate::mix::Mixture;

/// A plan whose files its trainer can read.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What was written in the place of datasets that the trainer could not read, a line each.
    pub notes: Vec<String>,
}

/// Lays out a plan, as [`Plan::new`] does, over files such as a trainer needs. Rows are written into the folder `rows`
/// of the export.
///
/// # Errors
/// As [`Plan::new`]; and when a file that has to be rewritten cannot be read, or its rows cannot be written.
pub fn prepare(
    mixture: &Mixture,
    sources: &[Source],
    request: &Request,
    needs: Needs,
    folder: &mut Folder,
) -> Result<Prepared, ExportError> {
    folder.keep(sources.iter().map(|source| source.spec.path.as_path()));
    let plan = Plan::new(mixture, sources, request)?;
    let mut notes = Vec::new();
    if !needs.whole_files {
        return Ok(Prepared { plan, notes });
    }
    let weighed = || plan.datasets().filter(|(_, dataset)| dataset.weight > 0.0);
    let looks: Vec<Option<Look>> = weighed()
        .map(|(_, dataset)| Look::at(&dataset.spec.path).ok())
        .collect();
    let root = needs
        .one_media_root
        .then(|| main_root(&plan, &looks))
        .flatten();
    let mut sources = sources.to_vec();
    for ((_, dataset), look) in weighed().zip(looks) {
        let elsewhere = root
            .as_ref()
            .is_some_and(|root| may_show_media(look.as_ref()) && dataset.media_root() != *root);
        let source = sources
            .iter_mut()
            .find(|source| source.spec.name == dataset.spec.name);
        let Some(source) = source else { continue };
        let reason = misfit(dataset, source.rows.is_some(), look.as_ref(), needs)
            .or(elsewhere.then_some("its media lie in another folder than the others'"));
        let own = Some(dataset.media_root()).filter(|own| url_of(own).is_none());
        // What lies in a bucket is written out, and its path absolute.
        let own = || own.unwrap_or_else(|| folder.root().to_owned());
        source.spec.media_root = Some(root.clone().unwrap_or_else(own));
        let Some(reason) = reason else { continue };
        let layout = Layout {
            paths: if elsewhere {
                MediaPaths::Absolute
            } else {
                MediaPaths::MediaRoot
            },
            lists: needs.columns,
            video: needs.video,
            named: false,
        };
        let subset = match rows::subset(dataset, layout, folder) {
            // Nothing is drawn of it anyway.
            Err(ExportError::NothingReadable { .. }) if dataset.count == Some(0) => continue,
            subset => subset?,
        };
        notes.push(note(dataset, reason, &subset));
        source.spec.path = subset.path;
        source.spec.filter = None;
        source.spec.sampling_strategy = None;
        source.spec.labels = None;
        source.spec.format = None;
        source.rows = Some(subset.rows);
    }
    let plan = Plan::new(mixture, &sources, request)?;
    Ok(Prepared { plan, notes })
}

fn note(dataset: &PlannedDataset, reason: &str, subset: &rows::Subset) -> String {
    let left_out = match subset.unreadable {
        0 => String::new(),
        unreadable => format!(", without {unreadable} that cannot be read"),
    };
    format!(
        "dataset {}: {reason}, so its {} rows are written anew{left_out}: {}",
        dataset.spec.name,
        subset.rows,
        subset.path.display()
    )
}

/// Whether a dataset may have media below its media root: of rows that are not LLaVA's that is not seen.
fn may_show_media(look: Option<&Look>) -> bool {
    look.is_none_or(|look| !look.is_llava() || !look.media.is_empty())
}

/// The folder in which the media of most rows lie.
fn main_root(plan: &Plan, looks: &[Option<Look>]) -> Option<PathBuf> {
    let mut rows = BTreeMap::<PathBuf, u64>::new();
    let weighed = plan.datasets().filter(|(_, dataset)| dataset.weight > 0.0);
    for ((_, dataset), look) in weighed.zip(looks) {
        // Every root is named, also where no media are. Media inside of files need none.
        let shows = |look: &Look| look.is_llava() && !look.media.is_empty();
        let own = dataset.media_root();
        if url_of(&own).is_some() {
            continue;
        }
        let count = if look.as_ref().is_none_or(shows) {
            dataset.size
        } else {
            0
        };
        *rows.entry(own).or_default() += count;
    }
    let most = rows.values().copied().max()?;
    rows.into_iter()
        .find(|(_, rows)| *rows == most)
        .map(|(root, _)| root)
}

/// Why a trainer cannot take a file as it is. A file that is not at hand is taken to be as it should, unless that cannot
/// be.
fn misfit(
    dataset: &PlannedDataset,
    at_hand: bool,
    look: Option<&Look>,
    needs: Needs,
) -> Option<&'static str> {
    let spec = &dataset.spec;
    if spec
        .filter
        .as_ref()
        .is_some_and(|filter| !filter.is_empty())
    {
        return Some("its filter keeps only part of the file");
    }
    if spec.labels.is_some() {
        return Some("its labels keep only a cell of it");
    }
    if spec.is_part() {
        return Some("its sampling strategy takes only part of the file");
    }
    let own = needs.form == Form::Own;
    if !own && url_of(&spec.path).is_some() {
        return Some("it lies in a bucket, and the trainer reads files");
    }
    if !own && at_hand && !spec.path.is_file() {
        return Some("it is several files, and the trainer wants one");
    }
    if !own && url_of(&dataset.media_root()).is_some() && may_show_media(look) {
        return Some("its media lie in a bucket, and the trainer reads files");
    }
    let look = look?;
    let extension = spec
        .path
        .extension()
        .and_then(|extension| extension.to_str());
    let named = match look.rows {
        Rows::Array => extension == Some("json"),
        Rows::Lines => extension == Some("jsonl"),
        Rows::Other => false,
    };
    let json = matches!(extension, Some("json" | "jsonl"));
    match needs.form {
        Form::Own => None,
        _ if look.rows == Rows::Other => Some("the trainer cannot read this kind of file"),
        _ if look.held => Some("its rows hold pictures themselves, which the trainer cannot read"),
        _ if !look.is_llava() => Some("the trainer does not know the keys of its rows"),
        _ if needs.columns && look.mixed => Some("one of its columns has values of two types"),
        Form::Lines if look.rows != Rows::Lines || !named => {
            Some("the trainer wants .jsonl, a row per line")
        }
        Form::AsNamed if !named => Some(
            "the trainer goes by the name, which has to be .json for an array, .jsonl for lines",
        ),
        Form::Any if !json => Some("the trainer knows the names .json and .jsonl only"),
        _ => None,
    }
}
