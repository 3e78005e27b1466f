//! Weights that cannot be used as they are: pickles and what training leaves behind, each with the way to convert it.

use super::error::CheckpointError;
use super::locate::Source;
use std::path::Path;

/// The error for a source without safetensors weights.
pub(super) fn no_weights(source: &Source) -> CheckpointError {
    let pickles: Vec<&str> = source
        .files()
        .iter()
        .map(String::as_str)
        .filter(|name| is_weights(name))
        .collect();
    if !pickles.is_empty() {
        let command = if source.on_hub() {
            format!(
                "hf download {} --local-dir FOLDER\n{}",
                source.name,
                convert("FOLDER", &pickles)
            )
        } else {
            convert(&quote(&source.root.display().to_string()), &pickles)
        };
        return CheckpointError::Pickle {
            place: source.place(),
            files: pickles.join(", "),
            command,
        };
    }
    let others: Vec<&str> = source
        .files()
        .iter()
        .map(String::as_str)
        .filter(|name| name.ends_with(".safetensors"))
        .collect();
    let hint = if source.has("zero_to_fp32.py") {
        "; the weights lie in DeepSpeed's partitions: run `python zero_to_fp32.py . . --safe_serialization` in that \
         folder"
            .to_owned()
    } else if others.is_empty() {
        String::new()
    } else {
        format!("; found {}", others.join(", "))
    };
    CheckpointError::NoWeights {
        place: source.place(),
        hint,
    }
}

/// Whether a file is a pickle with a model's weights, not an optimizer's, a scheduler's or a trainer's state.
fn is_weights(name: &str) -> bool {
    let state = [
        "optimizer",
        "scheduler",
        "training_args",
        "rng_state",
        "scaler",
    ];
    let pickle = (name.starts_with("pytorch_model") && has_extension(name, "bin"))
        || has_extension(name, "pt");
    pickle && !state.iter().any(|prefix| name.starts_with(prefix))
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

/// The command that writes `model.safetensors` next to the pickles.
///
/// It keeps every name, so it serves all layouts. Shared tensors (tied heads) are cloned, since safetensors refuses
/// them; `weights_only` keeps the pickle from running code.
fn convert(folder: &str, pickles: &[&str]) -> String {
    let files: Vec<String> = pickles.iter().map(|name| format!("'{name}'")).collect();
    format!(
        "cd {folder} && python -c \"import torch; from safetensors.torch import save_file; \
         save_file({{k: v.clone().contiguous() for f in [{}] for k, v in torch.load(f, map_location='cpu', \
         weights_only=True, mmap=True).items() if torch.is_tensor(v)}}, 'model.safetensors', {{'format': 'pt'}})\"",
        files.join(", ")
    )
}

/// Quotes a path for the shell.
pub(super) fn quote(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
