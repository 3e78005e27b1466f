//! LLaMA-Factory's `dataset_info.json`, and the lines of a training YAML that go with it.
//!
//! `src/llamafactory/data/loader.py` makes of `num_samples` a random part of a dataset or, above its size, the whole
//! dataset once and random rows for the rest; either way exactly so many. Without it `mix_strategy: interleave_under`
//! draws by `interleave_probs`. A column that the description names has to be there in the file, so a look at the file
//! tells which media it has. Names are split at commas. One `media_dir` is for all datasets.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::amount::{Amount, how_long, keys};
use super::look::Look;
use super::rows::VideoPlaceholder;
use super::{ExportError, Folder, Form, Needs, Plan, Trainer, TrainerEntry, quote};

/// How it is called.
pub(super) const ENTRY: TrainerEntry = TrainerEntry {
    name: "llama-factory",
    summary: "LLaMA-Factory: dataset_info.json and YAML; exact with a budget",
    trainer: &LlamaFactory,
};
const INFO: &str = "dataset_info.json";
const FRAGMENT: &str = "mixture.yaml";

/// Writes `dataset_info.json` and `mixture.yaml`.
struct LlamaFactory;

impl Trainer for LlamaFactory {
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
        let names = keys(&amounts, |c| matches!(c, ',' | '$'));
        let mut info = Map::new();
        for (amount, name) in amounts.iter().zip(&names) {
            info.insert(name.clone(), described(amount)?);
        }
        let mut yaml = plan.comments();
        for amount in &amounts {
            let _ = writeln!(yaml, "# {}", amount.described());
        }
        let root = quote::double(taken_as_is(folder.root())?);
        let media = plan.media_root()?;
        let media = quote::double(taken_as_is(Path::new(&media))?);
        let _ = write!(yaml, "dataset_dir: {root}\nmedia_dir: {media}\n");
        let _ = writeln!(yaml, "dataset: {}", quote::double(&names.join(",")));
        if plan.budget.is_some() || amounts.len() < 2 {
            yaml.push_str("mix_strategy: concat\n");
        } else {
            let weights: Vec<_> = amounts
                .iter()
                .map(|a| a.dataset.weight.to_string())
                .collect();
            let _ = writeln!(
                yaml,
                "mix_strategy: interleave_under\ninterleave_probs: {}",
                quote::double(&weights.join(","))
            );
        }
        folder.write(INFO, &format!("{:#}\n", Value::Object(info)))?;
        let fragment = folder.write(FRAGMENT, &yaml)?;
        Ok(format!(
            "Put the lines of {} into the training YAML, beside model and template:\n    cat {} >> train.yaml\n    \
             llamafactory-cli train train.yaml\n{}",
            fragment.display(),
            quote::shell(quote::path(&fragment)?),
            how_long(plan),
        ))
    }
}

/// A path of the YAML, where `${` begins what `OmegaConf` replaces.
fn taken_as_is(path: &Path) -> Result<&str, ExportError> {
    let text = quote::path(path)?;
    if text.contains("${") {
        return Err(ExportError::Path {
            path: path.to_owned(),
            problem: "LLaMA-Factory takes `${` for the start of a reference; rename it",
        });
    }
    Ok(text)
}

fn described(amount: &Amount<'_>) -> Result<Value, ExportError> {
    let path = &amount.dataset.spec.path;
    let look = Look::at(path).map_err(|source| ExportError::Unseen {
        trainer: ENTRY.name,
        dataset: amount.dataset.spec.name.clone(),
        source,
    })?;
    let mut columns = Map::from_iter([("messages".to_owned(), json!("conversations"))]);
    for key in look.media {
        // The columns that are named have to be there.
        columns.insert(format!("{key}s"), json!(key));
    }
    let mut entry = json!({
        "file_name": quote::unglobbed(path)?,
        "formatting": "sharegpt",
        "columns": columns,
        // Those that are left out would be unset.
        "tags": {
            "role_tag": "from",
            "content_tag": "value",
            "user_tag": "human",
            "assistant_tag": "gpt",
            "observation_tag": "observation",
            "function_tag": "function_call",
            "system_tag": "system",
        },
    });
    if let Some(count) = amount.dataset.count {
        entry["num_samples"] = count.into();
    }
    Ok(entry)
}
