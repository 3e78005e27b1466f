//! qwen-vl-finetune's `data_dict` and `--dataset_use`.
//!
//! `data_list` in `qwenvl/data/__init__.py` splits `--dataset_use` at commas and takes `%N` off a name's end; a name may
//! come again. `LazySupervisedDataset` then draws ⌊rows · N / 100⌋ rows at random for N below 100, and for more all
//! rows once. `.jsonl` is read by lines, every other name as one JSON value. Each dataset has a media folder of its own.

use std::fmt::Write as _;

use super::amount::{Rounded, keys};
use super::rows::VideoPlaceholder;
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, quote};

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "qwen-vl-finetune",
    summary: "qwen-vl-finetune of Qwen3-VL's repository: data_dict and --dataset_use; whole percentages",
    trainer: &QwenVl,
};
const ENTRIES: &str = "madmix_data.py";
const ARGUMENTS: &str = "dataset_use.sh";

/// Writes `madmix_data.py` and `dataset_use.sh`.
struct QwenVl;

impl Trainer for QwenVl {
    fn needs(&self) -> Needs {
        Needs {
            whole_files: true,
            one_media_root: false,
            form: Form::AsNamed,
            columns: false,
            video: VideoPlaceholder::Video,
        }
    }

    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let amounts = plan.amounts();
        // As Python's int(rows * (percent / 100.0)).
        let of = |percent: u64, rows: u64| (rows as f64 * (percent as f64 / 100.0)) as u64;
        let rounded: Vec<Rounded> = amounts
            .iter()
            .map(|amount| Rounded::of(amount, of))
            .collect();
        let total = rounded.iter().map(|rounded| rounded.samples).sum();
        // Scripts pass the names on without quotes, so they hold nothing that a shell would act on.
        let names = keys(&amounts, |c| !c.is_alphanumeric() && !"_-.+".contains(c));

        let mut python = plan.comments();
        python.push_str("DATASETS = {\n");
        let mut shell = plan.comments();
        shell.push_str(
            "# --dataset_use knows whole percentages only; `madmix export --to jsonl` is exact\n",
        );
        let mut used = Vec::new();
        for ((amount, rounded), name) in amounts.iter().zip(&rounded).zip(&names) {
            amount.listed_passes(ENTRY.name)?;
            let _ = write!(
                python,
                "    # {}\n    {}: {{\n        \"annotation_path\": {},\n        \"data_path\": {},\n    }},\n",
                amount.described(),
                quote::double(name),
                quote::double(quote::path(&amount.dataset.spec.path)?),
                quote::double(quote::path(&amount.dataset.media_root())?),
            );
            let _ = writeln!(
                shell,
                "# {}; {}",
                amount.described(),
                rounded.described(total)
            );
            used.extend(std::iter::repeat_n(name.clone(), rounded.passes as usize));
            if rounded.percent > 0 {
                used.push(format!("{name}%{}", rounded.percent));
            }
        }
        python.push_str("}\n");
        let _ = writeln!(shell, "datasets={}", quote::shell(&used.join(",")));
        let python = folder.write(ENTRIES, &python)?;
        let shell = folder.write(ARGUMENTS, &shell)?;
        Ok(format!(
            "Copy {} to qwenvl/data/madmix_data.py of qwen-vl-finetune and add these lines below data_dict in qwenvl/data/__init__.py:\n    \
             from .madmix_data import DATASETS\n    data_dict.update(DATASETS)\n\
             Then take the names in place of those in the training script:\n    . {}\n    … --dataset_use \"$datasets\"\n",
            python.display(),
            quote::shell(quote::path(&shell)?),
        ))
    }
}
