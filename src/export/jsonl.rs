//! `jsonl`: one file with the rows themselves, for trainers that know no weights and for those who want no surprises.

use super::rows::{Drawn, Layout, MediaPaths, VideoPlaceholder, mixture};
use super::{ExportError, Folder, Plan, Trainer, TrainerEntry, quote};

const NAME: &str = "jsonl";
const FILE: &str = "mixture.jsonl";

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: NAME,
    summary: "one shuffled file with exactly the rows to train on, for any trainer of LLaVA rows",
    trainer: &Jsonl,
};

struct Jsonl;

impl Trainer for Jsonl {
    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        if plan.budget.is_none() {
            return Err(ExportError::Trainer {
                trainer: NAME,
                problem: "a file of rows needs to know how many: give --budget SAMPLES".to_owned(),
            });
        }
        let layout = Layout {
            paths: MediaPaths::Absolute,
            lists: false,
            video: VideoPlaceholder::Video,
            named: true,
        };
        usage(&mixture(plan, layout, folder, FILE)?)
    }
}

fn usage(drawn: &Drawn) -> Result<String, ExportError> {
    let mut lines = vec![
        format!(
            "{} rows, shuffled, in LLaVA's form; media paths are absolute, `dataset` names a row's dataset.",
            drawn.rows
        ),
        "Train on the file as it is, without weights:".to_owned(),
        format!(
            "    --data_path {}",
            quote::shell(quote::path(&drawn.path)?)
        ),
    ];
    if drawn.videos > 0 {
        lines.push(format!(
            "{} rows have videos, for which `<video>` stands in the text; LLaVA-NeXT wants `<image>` there.",
            drawn.videos
        ));
    }
    for (name, rows) in &drawn.unreadable {
        lines.push(format!(
            "Of dataset `{}` {rows} rows that cannot be used were met; others stand in for them.",
            quote::comment(name)
        ));
    }
    Ok(lines.join("\n") + "\n")
}
