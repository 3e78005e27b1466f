//! The meta file of `InternVL` for `--meta_path`.
//!
//! `LazySupervisedDataset` in `internvl_chat/internvl/train/internvl_chat_finetune.py` takes `int(rows * repeat_time)` rows
//! from the start of a file for a `repeat_time` below 1, and repeats all rows for one above, which then has to be an
//! integer. So any count is one entry of whole passes and one of the rest. An annotation has to be `.jsonl`. JSON has no
//! comments: where the file comes from stands beside it.

use serde_json::{Map, Number, Value, json};

use super::amount::{Amount, keys};
use super::rows::VideoPlaceholder;
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, quote};

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "internvl",
    summary: "InternVL: meta file for --meta_path; exact with a budget",
    trainer: &InternVl,
};
const FILE: &str = "meta.json";

/// Writes `meta.json`.
struct InternVl;

impl Trainer for InternVl {
    fn needs(&self) -> Needs {
        Needs {
            whole_files: true,
            one_media_root: false,
            form: Form::Lines,
            columns: false,
            video: VideoPlaceholder::Video,
        }
    }

    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let amounts = plan.amounts();
        let mut meta = Map::new();
        let mut readme = plan.provenance_lines().join("\n") + "\n\n";
        for (amount, name) in amounts.iter().zip(keys(&amounts, |_| false)) {
            let (passes, rest) = match amount.passes() {
                // A share too small for one row would be lost.
                (0, 0) => (0, 1),
                passes => passes,
            };
            readme.push_str(&amount.described());
            readme.push('\n');
            if passes > 0 {
                meta.insert(unused(&meta, &name), entry(amount, &Number::from(passes))?);
            }
            if rest > 0 {
                let name = if passes > 0 {
                    format!("{name} (rest)")
                } else {
                    name
                };
                meta.insert(unused(&meta, &name), entry(amount, &prefix(rest, amount))?);
            }
        }
        readme.push_str(
            "\nA repeat_time below 1 takes rows from the start of a file: shuffle files whose order means something.\n",
        );
        let text = format!("{:#}\n", Value::Object(meta));
        let path = folder.write(FILE, &text)?;
        folder.write("README.txt", &readme)?;
        Ok(format!(
            "Train on {FILE} (README.txt beside it says where it comes from):\n    torchrun … internvl/train/internvl_chat_finetune.py --meta_path {} --use_data_resampling False\n\
             Let an epoch pass once (--num_train_epochs 1): the file says how often each row is seen.\n",
            quote::shell(quote::path(&path)?),
        ))
    }
}

/// A `repeat_time` that takes `rest` rows: half a row more, so that rounding cannot matter.
fn prefix(rest: u64, amount: &Amount<'_>) -> Number {
    let share = (rest as f64 + 0.5) / amount.dataset.size as f64;
    Number::from_f64(share).unwrap_or_else(|| Number::from(1))
}

fn entry(amount: &Amount<'_>, repeat_time: &Number) -> Result<Value, ExportError> {
    Ok(json!({
        "root": quote::path(&amount.dataset.media_root())?,
        "annotation": quote::path(&amount.dataset.spec.path)?,
        "data_augment": false,
        "repeat_time": repeat_time,
        "length": amount.dataset.size,
    }))
}

/// The name, or one like it that no entry has.
fn unused(meta: &Map<String, Value>, name: &str) -> String {
    let mut unused = name.to_owned();
    while meta.contains_key(&unused) {
        unused.push('_');
    }
    unused
}
