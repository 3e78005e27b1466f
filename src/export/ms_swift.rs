//! ms-swift's `--dataset` and `--interleave_prob`, as an array of the shell.
//!
//! `DatasetSyntax.parse` in `swift/dataset/dataset_syntax.py` takes what follows the last `#` for a number of samples,
//! and what precedes `::` for a hub. `sample_dataset` makes of `#N` the whole dataset as often as it goes into N, and a
//! random part of it for the rest. Without numbers `--interleave_prob` draws by shares. Media paths that do not exist as
//! they are start from `ROOT_IMAGE_DIR`.

use std::fmt::Write as _;

use super::amount::how_long;
use super::rows::VideoPlaceholder;
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, quote};

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "ms-swift",
    summary: "ms-swift: shell arguments; exact with a budget",
    trainer: &MsSwift,
};
const FILE: &str = "dataset_args.sh";

/// Writes `dataset_args.sh`.
struct MsSwift;

impl Trainer for MsSwift {
    fn needs(&self) -> Needs {
        Needs {
            whole_files: true,
            one_media_root: true,
            form: Form::Any,
            columns: true,
            video: VideoPlaceholder::Video,
        }
    }

    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let amounts = plan.amounts();
        let mut text = plan.comments();
        let media = quote::shell(&plan.media_root()?);
        let _ = write!(
            text,
            "export ROOT_IMAGE_DIR={media}\nDATASET_ARGS=(\n  --dataset\n"
        );
        for amount in &amounts {
            let path = quote::unglobbed(&amount.dataset.spec.path)?;
            if path.trim() != path {
                return Err(ExportError::Path {
                    path: amount.dataset.spec.path.clone(),
                    problem: "ms-swift drops spaces at the ends of a path; rename it",
                });
            }
            let word = match amount.dataset.count {
                Some(count) => format!("{path}#{count}"),
                None => path.to_owned(),
            };
            let _ = write!(
                text,
                "  # {}\n  {}\n",
                amount.described(),
                quote::shell(&word)
            );
        }
        if plan.budget.is_none() && amounts.len() > 1 {
            text.push_str("  --interleave_prob");
            for amount in &amounts {
                let _ = write!(text, " {}", amount.dataset.weight);
            }
            text.push_str("\n  --stopping_strategy first_exhausted\n");
        }
        // Rows that go to validation would be missing from the counts.
        text.push_str("  --split_dataset_ratio 0\n)\n");
        let path = folder.write(FILE, &text)?;
        Ok(format!(
            "Train, in bash, with\n    source {}\n    swift sft \"${{DATASET_ARGS[@]}}\" …\n{}",
            quote::shell(quote::path(&path)?),
            how_long(plan),
        ))
    }
}
