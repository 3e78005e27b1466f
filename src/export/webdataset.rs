//! `webdataset`: a Python file that mixes tars with `webdataset.RandomMix`.

use super::script::{Script, dicts, place};
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, quote};

const FILE: &str = "madmix_webdataset.py";

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "webdataset",
    summary: "a Python file for WebDataset; the tars are to be named in it",
    trainer: &WebDataset,
};

struct WebDataset;

impl Trainer for WebDataset {
    fn needs(&self) -> Needs {
        Needs {
            whole_files: true,
            // Its users make shards of the rows themselves.
            form: Form::Own,
            ..Needs::NOTHING
        }
    }

    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let mut sources = Vec::new();
        for (domain, dataset) in plan.used() {
            sources.push(vec![
                ("dataset", quote::double(&dataset.spec.name)),
                ("domain", quote::double(&domain.name)),
                ("shards", place(&dataset.spec.path)?),
                ("probability", dataset.weight.to_string()),
            ]);
        }
        let text = Script::new(include_str!("python/webdataset.py"))
            .set("SOURCES", dicts(&sources))
            .text(plan);
        folder.write(FILE, &text)?;
        let end = plan.budget.map_or_else(
            || "a number of your choice".to_owned(),
            |budget| format!("{budget} samples"),
        );
        Ok(format!(
            "Name the tars of every dataset under `shards` in {FILE}, then:\n    \
             from madmix_webdataset import mixture; train = mixture()\n\
             It never ends: stop after {end}. Shares hold on average; WebDataset has no exact counts.\n"
        ))
    }
}
