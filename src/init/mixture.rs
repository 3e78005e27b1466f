//! The datasets of a mixture file, and what share of the mixture each domain has.

use std::path::Path;

use indicatif::HumanCount;
use rayon::prelude::*;

use super::media::{self, MediaGuess};
use super::{Discovery, Found, InitError, Left, Survey, absolute, grouped};
use crate::config::{MixtureYaml, Names};
use crate::dataset::{self, DatasetSpec, peek};

/// Reads a mixture file, looks for its files and counts their rows.
pub(super) fn survey(file: &Path) -> Result<Survey, InitError> {
    let mixture = MixtureYaml::read(file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    // Relative paths of LLaVA-NeXT start from where it runs; so may ours.
    let here = absolute(Path::new("."));
    let mut names = Names::default();
    let mut out = Discovery {
        left: left_of(&mixture, file),
        ..Discovery::default()
    };
    for entry in &mixture.entries {
        let path = mixture.place(entry, &here);
        let stem = entry.name();
        let mut found = Found {
            folders: folders(&path),
            name: names.unique(stem.clone()),
            media_root: None,
            sampling_strategy: entry.sampling_strategy,
            remarks: Vec::new(),
            rows: None,
            has_video: false,
            path,
        };
        look(&mut found, &stem, folder, &mut out.left);
        out.found.push(found);
    }
    count(&mut out);
    let mut survey = grouped(out, false);
    let all = || survey.domains.iter().flat_map(|domain| &domain.datasets);
    if all().all(|found| found.rows.is_some()) {
        let total: u64 = all().filter_map(|found| found.rows).sum();
        survey.shares = Some(format!(
            "`human` is what the mixture file gives each domain today: its samples, of {} in all.",
            HumanCount(total)
        ));
        for domain in &mut survey.domains {
            domain.human = Some(domain.datasets.iter().filter_map(|found| found.rows).sum());
        }
    }
    Ok(survey)
}

fn left_of(mixture: &MixtureYaml, file: &Path) -> Vec<Left> {
    let left = mixture.ignored.iter().map(|(key, line, _)| Left {
        path: file.to_owned(),
        reason: format!("`{key}` (line {line}) is passed over, as LLaVA-NeXT does"),
    });
    left.collect()
}

fn folders(path: &Path) -> Vec<String> {
    let above = path.ancestors().skip(1).filter_map(Path::file_name);
    above
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// Looks at the start of a dataset's file for where its pictures are.
fn look(found: &mut Found, stem: &str, folder: &Path, left: &mut Vec<Left>) {
    let path = found.path.clone();
    if !path.is_file() {
        return;
    }
    let peek = match peek(&path) {
        Ok(peek) => peek,
        Err(reason) => {
            return left.push(Left {
                path,
                reason: reason.to_string(),
            });
        }
    };
    found.has_video = !peek.videos.is_empty();
    let own = path.parent().unwrap_or(folder);
    let top = if own.starts_with(folder) {
        folder
    } else {
        own.parent().unwrap_or(own)
    };
    let MediaGuess {
        root,
        found: there,
        of,
    } = media::guess(&peek, &path, stem, top);
    found.media_root = root;
    if there == 0 && of > 0 {
        let reason =
            "media_root: none of its first pictures or videos was found, so say where they are";
        found.remarks.push(reason.into());
        left.push(Left {
            path,
            reason: reason.into(),
        });
    }
}

/// Counts the rows that each entry uses. One that cannot be counted leaves all shares unknown, and is told.
fn count(out: &mut Discovery) {
    let counted: Vec<_> = out
        .found
        .par_iter()
        .map(|found| {
            let spec = DatasetSpec {
                name: found.name.clone(),
                path: found.path.clone(),
                media_root: found.media_root.clone(),
                sampling_strategy: found.sampling_strategy,
                ..DatasetSpec::default()
            };
            dataset::open(&spec).map(|dataset| dataset.len())
        })
        .collect();
    for (found, rows) in out.found.iter_mut().zip(counted) {
        match rows {
            Ok(rows) => {
                found.rows = Some(rows);
                found
                    .remarks
                    .insert(0, format!("{} samples", HumanCount(rows)));
            }
            Err(error) => {
                let reason = error.problem.to_string();
                found.remarks.insert(0, format!("cannot be read: {reason}"));
                let told = out.left.iter().any(|left| left.path == found.path);
                if !told {
                    out.left.push(Left {
                        path: found.path.clone(),
                        reason,
                    });
                }
            }
        }
    }
}
