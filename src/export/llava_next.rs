//! LLaVA-NeXT's YAML for `--data_path`, which LLaVA-OneVision trains with.
//!
//! `LazySupervisedDataset` in `llava/train/train.py` reads each entry's file whole, `.jsonl` by lines and `.json` as one
//! value, and appends what `sampling_strategy` takes of it: `all`, or `random:N`, which shuffles and takes N rows, or
//! `random:N%`, of which N has to be a whole number and ⌈N · rows / 100⌉ rows are taken. An entry may come again, so
//! whole passes and a rest say any count. `--image_folder` and `--video_folder` are for all entries.

use std::fmt::Write as _;

use super::amount::Rounded;
use super::rows::VideoPlaceholder;
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, quote};

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "llava-next",
    summary: "LLaVA-NeXT and LLaVA-OneVision: YAML for --data_path; exact with a budget",
    trainer: &LlavaNext,
};
const FILE: &str = "mixture.yaml";

/// Writes `mixture.yaml`.
struct LlavaNext;

impl Trainer for LlavaNext {
    fn needs(&self) -> Needs {
        Needs {
            whole_files: true,
            one_media_root: true,
            form: Form::AsNamed,
            columns: false,
            video: VideoPlaceholder::Image,
        }
    }

    fn write(&self, plan: &Plan, folder: &mut Folder) -> Result<String, ExportError> {
        let path = folder.root().join(FILE);
        // It takes such a path for a list of files.
        if ['{', '}']
            .iter()
            .all(|&brace| quote::path(&path).is_ok_and(|p| p.contains(brace)))
        {
            return Err(ExportError::Path {
                path,
                problem: "LLaVA-NeXT takes braces in --data_path for a list of files; choose another --out",
            });
        }
        let text = match plan.budget {
            Some(_) => exact(plan)?,
            None => percentages(plan)?,
        };
        let written = folder.write(FILE, &text)?;
        let media = plan.media_root()?;
        Ok(format!(
            "Train on {file}:\n    torchrun … llava/train/train_mem.py --data_path {path} --image_folder {media} --video_folder {media}\n\
             Let an epoch pass once (--num_train_epochs 1): the file says how often each row is seen.\n",
            file = FILE,
            path = quote::shell(quote::path(&written)?),
            media = quote::shell(&media),
        ))
    }
}

fn entry(text: &mut String, path: &str, strategy: &str) {
    let _ = write!(
        text,
        "  - json_path: {}\n    sampling_strategy: {}\n",
        quote::double(path),
        quote::double(strategy)
    );
}

fn exact(plan: &Plan) -> Result<String, ExportError> {
    let mut text = plan.comments();
    text.push_str("# random:N picks rows without a seed, in every process others: counts are exact, the choice is not repeatable; \
         `madmix export --to jsonl` writes the chosen rows themselves\n");
    text.push_str("datasets:\n");
    for amount in plan.amounts() {
        let path = quote::path(&amount.dataset.spec.path)?;
        let (passes, rest) = amount.listed_passes(ENTRY.name)?;
        let _ = writeln!(text, "  # {}", amount.described());
        for _ in 0..passes {
            entry(&mut text, path, "all");
        }
        if rest > 0 {
            entry(&mut text, path, &format!("random:{rest}"));
        }
    }
    Ok(text)
}

fn percentages(plan: &Plan) -> Result<String, ExportError> {
    let amounts = plan.amounts();
    // As Python's math.ceil(percent * rows / 100).
    let of = |percent: u64, rows: u64| ((percent * rows) as f64 / 100.0).ceil() as u64;
    let rounded: Vec<Rounded> = amounts
        .iter()
        .map(|amount| Rounded::of(amount, of))
        .collect();
    let total = rounded.iter().map(|rounded| rounded.samples).sum();
    let mut text = plan.comments();
    text.push_str("# percentages can only be whole; give madmix a budget for exact counts\n");
    text.push_str("datasets:\n");
    for (amount, rounded) in amounts.iter().zip(&rounded) {
        let _ = writeln!(
            text,
            "  # {}; {}",
            amount.described(),
            rounded.described(total)
        );
        let strategy = match rounded.percent {
            0 => "all".to_owned(),
            percent => format!("random:{percent}%"),
        };
        entry(
            &mut text,
            quote::path(&amount.dataset.spec.path)?,
            &strategy,
        );
    }
    Ok(text)
}
