//! `mosaic`: a Python file that mixes MDS shards with Mosaic Streaming.
//!
//! Streaming takes exact numbers (`choose`) or shares (`proportion`), and one of the two for all streams.

use super::script::{Script, dicts, place};
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, quote};

const FILE: &str = "madmix_mosaic.py";

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "mosaic",
    summary: "a Python file for Mosaic Streaming; the MDS shards are to be named in it",
    trainer: &Mosaic,
};

struct Mosaic;

impl Trainer for Mosaic {
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
            let share = match dataset.count {
                Some(count) => ("choose", count.to_string()),
                None => ("proportion", dataset.weight.to_string()),
            };
            sources.push(vec![
                ("dataset", quote::double(&dataset.spec.name)),
                ("domain", quote::double(&domain.name)),
                ("rows", place(&dataset.spec.path)?),
                ("mds", "None".to_owned()),
                share,
            ]);
        }
        let text = Script::new(include_str!("python/mosaic.py"))
            .set("SEED", plan.seed.to_string())
            .set("SOURCES", dicts(&sources))
            .text(plan);
        folder.write(FILE, &text)?;
        let epoch = match plan.budget {
            Some(budget) => format!("An epoch has {budget} samples, in exact numbers."),
            None => "An epoch has as many samples as all streams, or `epoch_size`.".to_owned(),
        };
        Ok(format!(
            "Name the MDS shards of every dataset under `mds` in {FILE}, then:\n    \
             from madmix_mosaic import mixture; train = mixture(batch_size=8)\n{epoch}\n"
        ))
    }
}
