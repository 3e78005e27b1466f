//! The multisource YAML of `VeOmni` for `data.train_path`.
//!
//! A `train_path` that ends in `.yaml` is one. `WeightedMultiSourceDataset` in `veomni/data/dataset.py` draws from `sources` by the `weights` of one `const` schedule, `level: token` making them
//! shares of tokens. A source's name picks the function that turns its rows into a conversation, so each is registered
//! beforehand. Its transforms look for media in the columns `images` and `videos`.

use std::fmt::Write as _;

use super::rows::VideoPlaceholder;
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, Unit, quote};

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "veomni",
    summary: "VeOmni: multisource YAML for data.train_path; shares of samples or tokens",
    trainer: &VeOmni,
};
const FILE: &str = "mixture.yaml";

/// Writes `mixture.yaml`.
struct VeOmni;

impl Trainer for VeOmni {
    fn needs(&self) -> Needs {
        Needs {
            whole_files: true,
            one_media_root: false,
            form: Form::Own,
            columns: false,
            video: VideoPlaceholder::Video,
        }
    }

    fn draws_tokens(&self) -> bool {
        true
    }

    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let amounts = plan.amounts();
        let (mut sources, mut names, mut weights) = (String::new(), String::new(), String::new());
        for amount in &amounts {
            let path = quote::unglobbed(&amount.dataset.spec.path)?;
            if path.contains(',') {
                return Err(ExportError::Path {
                    path: amount.dataset.spec.path.clone(),
                    problem: "VeOmni splits paths at commas; rename it",
                });
            }
            let comment = amount.described();
            let _ = write!(sources, "  # {comment}\n  - {}\n", quote::double(path));
            let _ = writeln!(names, "  - {}", quote::double(&amount.dataset.spec.name));
            let _ = writeln!(weights, "      - {}", amount.dataset.weight);
        }
        let level = match plan.unit {
            Unit::Samples => "sample",
            Unit::Tokens => "token",
        };
        let text = format!(
            "{}sources:\n{sources}names:\n{names}schedule:\n  - schedule_type: const\n    weights:\n{weights}level: {level}\nstopping_strategy: never_exhausted\n",
            plan.comments()
        );
        let path = folder.write(FILE, &text)?;
        // The steps come of it, unless batches are packed.
        let samples = plan.budget.map_or_else(String::new, |budget| {
            format!("      train_sample: {budget}\n")
        });
        Ok(format!(
            "Name the file in the training YAML:\n    data:\n      train_path: {}\n      multisource_datasets_type: veomni_weighted_multisource\n{samples}\
             Register a preprocessor for each of its `names` (PREPROCESSOR_REGISTRY of veomni/data/multimodal/preprocess.py), and let its rows give media \
             in the columns `images` and `videos`, where VeOmni looks for them.\n",
            quote::double(quote::path(&path)?),
        ))
    }
}
