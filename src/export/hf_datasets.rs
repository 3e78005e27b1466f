//! `hf-datasets`: a Python file that builds the mixture with Hugging Face datasets.
//!
//! Arrow gives every column one type, and datasets can be interleaved only when their columns agree. Files of LLaVA rows
//! have a path in one row and a list in the next, so the rows are written out in one form, beside the Python file.

use super::rows::{Layout, MediaPaths, VideoPlaceholder, subset};
use super::script::{Script, dicts};
use super::{ExportError, Folder, Plan, Trainer, TrainerEntry, quote};

const NAME: &str = "hf-datasets";
const FILE: &str = "madmix_hf_datasets.py";
/// How many times all rows the mixture may be long for the sake of every row.
const LONGEST: f64 = 10.0;

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: NAME,
    summary: "a Python file for Hugging Face datasets, and the rows in one form",
    trainer: &HfDatasets,
};

struct HfDatasets;

impl Trainer for HfDatasets {
    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let layout = Layout {
            paths: MediaPaths::Absolute,
            lists: true,
            video: VideoPlaceholder::Video,
            named: true,
        };
        let sum = sum_of_weights(plan);
        let mut sources = Vec::new();
        let mut notes = Vec::new();
        let (mut rows, mut longest) = (0, 0.0_f64);
        for (domain, dataset) in plan.used() {
            let written = subset(dataset, layout, folder)?;
            if written.unreadable > 0 {
                notes.push(format!(
                    "{} rows of dataset `{}` cannot be used and were left out.",
                    written.unreadable,
                    quote::comment(&dataset.spec.name)
                ));
            }
            rows += written.rows;
            longest = longest.max(written.rows as f64 / dataset.weight * sum);
            let file = written
                .path
                .strip_prefix(folder.root())
                .unwrap_or(&written.path);
            sources.push(vec![
                ("dataset", quote::double(&dataset.spec.name)),
                ("domain", quote::double(&domain.name)),
                ("rows", quote::double(quote::path(file)?)),
                ("probability", (dataset.weight / sum).to_string()),
                (
                    "count",
                    dataset
                        .count
                        .map_or("None".to_owned(), |count| count.to_string()),
                ),
            ]);
        }
        let every_row = longest <= LONGEST * rows as f64;
        let strategy = if every_row {
            "all_exhausted"
        } else {
            "first_exhausted"
        };
        let text = Script::new(include_str!("python/hf_datasets.py"))
            .set("SEED", plan.seed.to_string())
            .set("STOPPING_STRATEGY", quote::double(strategy))
            .set("SOURCES", dicts(&sources))
            .text(plan);
        folder.write(FILE, &text)?;

        let mut lines = vec!["From the folder of that file:".to_owned()];
        if let Some(budget) = plan.budget {
            lines.push(format!(
                "    from madmix_hf_datasets import counted; train = counted()  # {budget} rows"
            ));
            lines.push("or, with rows drawn by chance:".to_owned());
        }
        lines.push("    from madmix_hf_datasets import mixture; train = mixture()".to_owned());
        lines.push(if every_row {
            format!("It ends when every row has been seen, after about {longest:.0} rows.")
        } else {
            format!(
                "It ends with the first dataset that is used up: to see every row would take about {longest:.0} rows."
            )
        });
        lines.extend(notes);
        Ok(lines.join("\n") + "\n")
    }
}

/// What the weights are to be divided by: numpy refuses probabilities that do not sum to 1, as where the counts of some
/// datasets are rounded to 0. Where only rounding of the last digit is in the way they stay as they are.
fn sum_of_weights(plan: &Plan) -> f64 {
    let sum: f64 = plan.used().map(|(_, dataset)| dataset.weight).sum();
    if (sum - 1.0).abs() < 1e-9 { 1.0 } else { sum }
}
