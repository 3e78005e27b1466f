//! The tokenizer and the chat template, found and checked but not interpreted: that is the prompt's business.

use super::error::CheckpointError;
use super::fields::{
    CONFIG_LIMIT, JsonFile, TEMPLATE_LIMIT, TOKENIZER_LIMIT, check_size, read_text,
};
use super::locate::Source;
use super::options::OpenOptions;
use super::pickle::quote;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The attributes of a tokenizer that its `special_tokens_map` lists.
const SPECIAL_TOKENS: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// Finds `tokenizer.json`.
pub(super) fn tokenizer(
    source: &Source,
    options: &OpenOptions,
) -> Result<PathBuf, CheckpointError> {
    let Some(path) = source.optional("tokenizer.json", options)? else {
        return Err(CheckpointError::NoTokenizer {
            place: source.place(),
            remedy: remedy(source),
        });
    };
    check_size(&path, TOKENIZER_LIMIT)?;
    Ok(path)
}

fn remedy(source: &Source) -> String {
    let slow =
        source.has("vocab.json") && source.has("merges.txt") || source.has("tokenizer.model");
    if !slow {
        return "copy it from the model that the checkpoint was trained from".into();
    }
    let (from, to) = if source.on_hub() {
        (source.name.clone(), "FOLDER".to_owned())
    } else {
        (
            source.root.display().to_string(),
            source.root.display().to_string(),
        )
    };
    let code = format!(
        "from transformers import AutoTokenizer; AutoTokenizer.from_pretrained({from:?}).save_pretrained({to:?})"
    );
    format!("write it with: python -c {}", quote(&code))
}

/// The chat template, from the places where transformers keeps it, in its order of preference.
pub(super) fn chat_template(
    source: &Source,
    options: &OpenOptions,
) -> Result<Option<String>, CheckpointError> {
    if let Some(path) = source.optional("chat_template.jinja", options)? {
        return read_text(&path, TEMPLATE_LIMIT).map(Some);
    }
    for file in ["chat_template.json", "tokenizer_config.json"] {
        let Some(path) = source.optional(file, options)? else {
            continue;
        };
        let json = JsonFile::read(path, CONFIG_LIMIT)?;
        let fields = json.fields();
        let template = match fields.get("chat_template") {
            None => continue,
            Some(Value::String(template)) => Some(template),
            Some(Value::Array(named)) => named.iter().find_map(default_of),
            Some(_) => None,
        };
        return match template {
            Some(template) if template.len() as u64 <= TEMPLATE_LIMIT => Ok(Some(template.clone())),
            Some(_) => Err(fields.refuse(
                "chat_template",
                &format!("a template of at most {TEMPLATE_LIMIT} bytes"),
            )),
            None => Err(fields.refuse(
                "chat_template",
                "a string, or a list with a template named `default`",
            )),
        };
    }
    Ok(None)
}

/// What transformers hands to a template under the names `bos_token`, `eos_token` and so on.
pub(super) fn special_tokens(
    source: &Source,
    options: &OpenOptions,
) -> Result<BTreeMap<String, String>, CheckpointError> {
    let Some(path) = source.optional("tokenizer_config.json", options)? else {
        return Ok(BTreeMap::new());
    };
    let json = JsonFile::read(path, CONFIG_LIMIT)?;
    let fields = json.fields();
    let token = |name: &&str| {
        // A string, or an added token with its settings.
        let value = fields.get(name)?;
        let text = value.as_str().or_else(|| value.get("content")?.as_str())?;
        Some(((*name).to_owned(), text.to_owned()))
    };
    Ok(SPECIAL_TOKENS.iter().filter_map(token).collect())
}

/// The template of an entry `{"name": "default", "template": …}`.
fn default_of(entry: &Value) -> Option<&String> {
    match (entry.get("name")?.as_str()?, entry.get("template")?) {
        ("default", Value::String(template)) => Some(template),
        _ => None,
    }
}
