//! `energon`: a metadataset of Megatron-Energon.
//!
//! Since version 7.2 a file of JSON lines is a dataset to Energon, once `energon prepare` has written its index. Without
//! a budget datasets are blended by weight; with one each is repeated, and `repetitions` may be a fraction.

use std::fmt::Write;

use super::script::place;
use super::{ExportError, Folder, Form, Needs, Plan, PlannedDataset, Trainer, TrainerEntry, quote};

const FILE: &str = "mixture.yaml";

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "energon",
    summary: "a metadataset (YAML) for Megatron-Energon, over JSON lines",
    trainer: &Energon,
};

struct Energon;

impl Trainer for Energon {
    fn needs(&self) -> Needs {
        Needs {
            whole_files: true,
            form: Form::Lines,
            ..Needs::NOTHING
        }
    }

    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let blend = if plan.budget.is_some() {
            "blend_epochized"
        } else {
            "blend"
        };
        let mut text = format!(
            "{}__module__: megatron.energon\n__class__: MetadatasetV2\nsplits:\n  train:\n    {blend}:\n",
            plan.comments()
        );
        let mut prepare = String::new();
        for (domain, dataset) in plan.used() {
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "      - {}\n        path: {}\n        subflavors:\n          dataset: {}\n          domain: {}\n        \
                 aux:\n          media: {}\n",
                share(dataset),
                place(&dataset.spec.path)?,
                quote::double(&dataset.spec.name),
                quote::double(&domain.name),
                place(&dataset.media_root())?.replacen('"', "\"filesystem://", 1),
            );
            let _ = writeln!(
                prepare,
                "    energon prepare {}",
                quote::shell(quote::path(&dataset.spec.path)?)
            );
        }
        let path = folder.write(FILE, &text)?;
        let end = if plan.budget.is_some() {
            "With repeat=False an epoch has just the budget.\n"
        } else {
            ""
        };
        Ok(format!(
            "Index every file once, with Energon 7.2 or newer:\n{prepare}\
             Then, with a task encoder whose cooker, cook(sample, media), takes LLaVA's rows and a store of their media:\n    \
             megatron.energon.get_train_dataset({}, …)\n{end}",
            place(&path)?
        ))
    }
}

/// A dataset's share: a weight, or how often its rows are repeated.
fn share(dataset: &PlannedDataset) -> String {
    match dataset.count {
        None => format!("weight: {}", dataset.weight),
        Some(count) if count % dataset.size == 0 => {
            format!("repetitions: {}", count / dataset.size)
        }
        // Energon takes the whole rows of the last, partial pass: half a row more keeps it from losing one to rounding.
        Some(count) => {
            format!(
                "repetitions: {}",
                (count as f64 + 0.5) / dataset.size as f64
            )
        }
    }
}
