//! What can be wrong with a checkpoint, each with the file, the key or tensor, and the way out.

use std::path::PathBuf;

/// Why a checkpoint cannot be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file cannot be read; the message of the source names it.
    #[error("cannot read the checkpoint")]
    Io(#[from] std::io::Error),

    /// Neither a folder nor a hub repository.
    #[error(
        "no checkpoint `{spec}`: there is no folder {}, and as a hub repository: {hub}",
        folder.display()
    )]
    NotFound {
        /// The checkpoint as the user wrote it.
        spec: String,
        /// The folder that was looked for.
        folder: PathBuf,
        /// Why it is no hub repository either.
        hub: String,
    },

    /// The path is a file.
    #[error("{} is a file; name the folder that holds config.json and the weights", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },

    /// No `config.json`.
    #[error("{place} has no config.json{hint}")]
    NoConfig {
        /// The folder or repository.
        place: String,
        /// Where one was found instead, if anywhere.
        hint: String,
    },

    /// The hub refused or cannot be reached, or a transfer failed for good.
    #[error("hub repository {repo}: {reason}")]
    Hub {
        /// `owner/name@revision`
        repo: String,
        /// What happened and what to do.
        reason: String,
    },

    /// A text file is larger than any honest one.
    #[error("{} has {size} bytes, more than the {limit} that are read of such a file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },

    /// A folder, a pipe or a device where a file was expected.
    #[error("{} is not a regular file; copy the file itself into the checkpoint", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },

    /// Not JSON, or not an object.
    #[error("{} is not the JSON object expected: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's message with line and column.
        reason: String,
    },

    /// A setting that the forward pass would get wrong.
    #[error("{}: `{key}` is {found}; supported: {supported}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// The value found, as JSON, or "absent".
        found: String,
        /// What is supported.
        supported: String,
    },

    /// A family that is not implemented.
    #[error("{}: this is {found}, which is not supported; supported: {supported}", path.display())]
    UnknownFamily {
        /// The file.
        path: PathBuf,
        /// `model_type` and `architectures` as found.
        found: String,
        /// All supported families.
        supported: String,
    },

    /// A `LoRA` adapter without its base.
    #[error(
        "{place} holds a LoRA adapter (adapter_config.json) of {base}, not a whole model; merge it first, with \
         PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(FOLDER), and name that folder"
    )]
    Adapter {
        /// The folder or repository.
        place: String,
        /// The base model that the adapter names.
        base: String,
    },

    /// No `tokenizer.json`.
    #[error("{place} has no tokenizer.json; {remedy}")]
    NoTokenizer {
        /// The folder or repository.
        place: String,
        /// The command that writes one, where its sources are there.
        remedy: String,
    },

    /// The weights are there only as pickles, which run code when loaded.
    #[error(
        "{place} has its weights only as pickle files ({files}), which can run any code when loaded; convert them once:\n{command}"
    )]
    Pickle {
        /// The folder or repository.
        place: String,
        /// The files.
        files: String,
        /// The shell command that converts them.
        command: String,
    },

    /// No weights at all.
    #[error("{place} has neither model.safetensors nor model.safetensors.index.json{hint}")]
    NoWeights {
        /// The folder or repository.
        place: String,
        /// What was found instead.
        hint: String,
    },

    /// The index names files that are not there.
    #[error("{}: {} of its {total} files are missing in {place}: {}", index.display(), missing.len(), missing.join(", "))]
    MissingShards {
        /// The folder or repository.
        place: String,
        /// `model.safetensors.index.json`
        index: PathBuf,
        /// The files missing.
        missing: Vec<String>,
        /// How many files it names in all.
        total: usize,
    },

    /// The header of a safetensors file makes no sense.
    #[error("{} is no safetensors file: {reason}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// A safetensors file is shorter than its header says.
    #[error(
        "{} is cut off: tensor `{tensor}` ends at byte {needed} and the file has {actual}; copy or download it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The first tensor that is not whole.
        tensor: String,
        /// File length in bytes at which that tensor would be whole.
        needed: u64,
        /// The file's length in bytes.
        actual: u64,
    },

    /// Two names in the files mean the same tensor.
    #[error("`{first}` and `{second}` in {place} are both `{name}`; keep one")]
    Duplicate {
        /// The folder or repository.
        place: String,
        /// The canonical name.
        name: String,
        /// One name in the file.
        first: String,
        /// The other.
        second: String,
    },

    /// Tensors that are missing, misshapen, or that the config knows nothing of.
    #[error("the weights in {place} do not fit its config.json; {count} problems:{}", list(problems, *count))]
    Mismatch {
        /// The folder or repository.
        place: String,
        /// How many problems in all.
        count: usize,
        /// The first of them.
        problems: Vec<String>,
    },

    /// One tensor cannot be given as asked.
    #[error("tensor `{name}`: {reason}")]
    Tensor {
        /// The canonical name.
        name: String,
        /// Why.
        reason: String,
    },

    /// Candle or its device failed.
    #[error("tensor `{name}`")]
    Device {
        /// The canonical name.
        name: String,
        /// Candle's error.
        source: candle_core::Error,
    },
}

fn list(problems: &[String], count: usize) -> String {
    let mut lines: Vec<String> = problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect();
    if count > problems.len() {
        lines.push(format!("\n  … and {} more", count - problems.len()));
    }
    lines.concat()
}
