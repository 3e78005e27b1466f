//! Language models of the Llama kind (Llama, Mistral, Qwen2, and Qwen2 as the Qwen-VL models have it): one config
//! for all, with the defaults of the transformers class that each belongs to.

use super::super::error::CheckpointError;
use super::super::fields::Fields;
use serde_json::Value;

/// A decoder with RMSNorm, rotary positions, grouped-query attention and a SiLU-gated MLP.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageConfig {
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width inside the MLP.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// The most positions that the model was made for.
    pub max_position_embeddings: usize,
    /// Base of the rotary angles.
    pub rope_theta: f64,
    /// How many of the `head_dim / 2` frequencies follow time, height and width; `None` for plain positions.
    pub mrope_section: Option<[usize; 3]>,
    /// Added to the variance in every norm.
    pub rms_norm_eps: f64,
    /// Whether the query, key and value projections have biases.
    pub qkv_bias: bool,
}

/// What a transformers class takes for absent keys.
struct Defaults {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    /// `None`: as many as there are heads.
    num_key_value_heads: Option<usize>,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    qkv_bias: bool,
}

const LLAMA: Defaults = Defaults {
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: None,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000.0,
    qkv_bias: false,
};

const MISTRAL: Defaults = Defaults {
    intermediate_size: 14_336,
    num_key_value_heads: Some(8),
    max_position_embeddings: 131_072,
    ..LLAMA
};

const QWEN2: Defaults = Defaults {
    vocab_size: 151_936,
    intermediate_size: 22_016,
    num_key_value_heads: Some(32),
    max_position_embeddings: 32_768,
    qkv_bias: true,
    ..LLAMA
};

const QWEN_VL: Defaults = Defaults {
    vocab_size: 152_064,
    hidden_size: 8192,
    intermediate_size: 29_568,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    num_key_value_heads: Some(8),
    max_position_embeddings: 32_768,
    rms_norm_eps: 1e-5,
    rope_theta: 1_000_000.0,
    qkv_bias: true,
};

/// Reads the config of a language model with plain positions; `kinds` are the `model_type`s that the family is
/// trained with, the first of which an absent one means.
pub(super) fn read(fields: &Fields<'_>, kinds: &[&str]) -> Result<LanguageConfig, CheckpointError> {
    fields.only("model_type", kinds)?;
    match fields.str("model_type")?.or(kinds.first().copied()) {
        Some("llama") => {
            // transformers has them on the output projections too.
            fields.must_be("attention_bias", false)?;
            fields.must_be("mlp_bias", false)?;
            with(fields, &LLAMA)
        }
        Some("mistral") => {
            let mut config = with(fields, &MISTRAL)?;
            // Attention over a window is attention over everything up to the window's length.
            let window = match fields.usize("sliding_window")? {
                None if fields.is_null("sliding_window") => usize::MAX,
                window => window.unwrap_or(4096),
            };
            config.max_position_embeddings = config.max_position_embeddings.min(window);
            Ok(config)
        }
        Some("qwen2") => read_qwen2(fields),
        _ => Err(fields.refuse("model_type", &kinds.join(", "))),
    }
}

/// Reads a Qwen2 config, whatever its `model_type`: that of LLaVA-NeXT's layout is the whole model's.
pub(super) fn read_qwen2(fields: &Fields<'_>) -> Result<LanguageConfig, CheckpointError> {
    without_window(fields)?;
    with(fields, &QWEN2)
}

/// Reads the language model of a Qwen-VL config, whose positions have three axes.
pub(super) fn read_qwen_vl(fields: &Fields<'_>) -> Result<LanguageConfig, CheckpointError> {
    without_window(fields)?;
    let mut config = with(fields, &QWEN_VL)?;
    config.mrope_section = Some(mrope_section(fields, config.head_dim)?);
    Ok(config)
}

fn without_window(fields: &Fields<'_>) -> Result<(), CheckpointError> {
    fields.must_be("use_sliding_window", false)?;
    if let Some(types) = fields.get("layer_types") {
        let full = |types: &Vec<Value>| types.iter().all(|kind| kind == "full_attention");
        if !types.as_array().is_some_and(full) {
            return Err(fields.refuse("layer_types", "full_attention in every layer"));
        }
    }
    Ok(())
}

fn with(fields: &Fields<'_>, default: &Defaults) -> Result<LanguageConfig, CheckpointError> {
    fields.only("hidden_act", &["silu"])?;
    let hidden_size = fields.size("hidden_size", default.hidden_size)?;
    let heads = fields.size("num_attention_heads", default.num_attention_heads)?;
    // An explicit null means as many as there are heads; a missing key means the class default.
    let key_value_default = match default.num_key_value_heads {
        Some(count) if !fields.is_null("num_key_value_heads") => count,
        _ => heads,
    };
    let config = LanguageConfig {
        vocab_size: fields.size("vocab_size", default.vocab_size)?,
        hidden_size,
        intermediate_size: fields.size("intermediate_size", default.intermediate_size)?,
        num_hidden_layers: fields.layers("num_hidden_layers", default.num_hidden_layers)?,
        num_attention_heads: heads,
        num_key_value_heads: fields.size("num_key_value_heads", key_value_default)?,
        head_dim: fields.size("head_dim", (hidden_size / heads).max(1))?,
        max_position_embeddings: fields
            .size("max_position_embeddings", default.max_position_embeddings)?,
        rope_theta: rope_theta(fields, default.rope_theta)?,
        mrope_section: None,
        rms_norm_eps: fields.positive("rms_norm_eps", default.rms_norm_eps)?,
        qkv_bias: default.qkv_bias,
    };
    check_heads(fields, &config)?;
    Ok(config)
}

/// The two places of rotary settings: `rope_scaling` beside `rope_theta`, and transformers 5's `rope_parameters`.
const ROPE_SECTIONS: [&str; 2] = ["rope_scaling", "rope_parameters"];

/// The base of the angles; scaled angles are refused. `mrope` says nothing about angles.
fn rope_theta(fields: &Fields<'_>, default: f64) -> Result<f64, CheckpointError> {
    let mut theta = fields.positive("rope_theta", default)?;
    for key in ROPE_SECTIONS {
        let Some(rope) = fields.section(key)? else {
            continue;
        };
        rope.only("rope_type", &["default", "mrope"])?;
        rope.only("type", &["default", "mrope"])?;
        theta = rope.positive("rope_theta", theta)?;
        if rope.positive("partial_rotary_factor", 1.0)? < 1.0 {
            return Err(rope.refuse("partial_rotary_factor", "1"));
        }
    }
    Ok(theta)
}

/// `mrope_section`: three counts that sum to half a head.
fn mrope_section(fields: &Fields<'_>, head_dim: usize) -> Result<[usize; 3], CheckpointError> {
    let key = "mrope_section";
    let supported = format!("three counts whose sum is half a head, {}", head_dim / 2);
    for section in ROPE_SECTIONS {
        let Some(rope) = fields.section(section)? else {
            continue;
        };
        let Some(value) = rope.get(key) else { continue };
        let counts: Option<Vec<usize>> = value.as_array().and_then(|list| {
            let count = |value: &Value| value.as_u64()?.try_into().ok();
            list.iter().map(count).collect()
        });
        return counts
            .and_then(|counts| <[usize; 3]>::try_from(counts).ok())
            .filter(|counts| {
                counts
                    .iter()
                    .fold(0, |sum: usize, n| sum.saturating_add(*n))
                    == head_dim / 2
            })
            .ok_or_else(|| rope.refuse(key, &supported));
    }
    Err(fields.refuse("rope_scaling", "an object with mrope_section"))
}

fn check_heads(fields: &Fields<'_>, config: &LanguageConfig) -> Result<(), CheckpointError> {
    let heads = config.num_attention_heads;
    let even = config.head_dim.is_multiple_of(2);
    if fields.usize("head_dim")?.is_some() {
        if !even {
            return Err(fields.refuse("head_dim", "an even number"));
        }
    } else if !even || !config.hidden_size.is_multiple_of(heads) {
        let supported = format!(
            "a number that leaves heads of even size in hidden_size {}",
            config.hidden_size
        );
        return Err(fields.refuse("num_attention_heads", &supported));
    }
    if !heads.is_multiple_of(config.num_key_value_heads) {
        return Err(fields.refuse(
            "num_key_value_heads",
            &format!("a divisor of the {heads} attention heads"),
        ));
    }
    Ok(())
}

/// Names (under `prefix`) and shapes of the tensors; the head is not among them.
pub(super) fn tensors(prefix: &str, config: &LanguageConfig) -> Vec<(String, Vec<usize>)> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let query = config.head_dim * config.num_attention_heads;
    let key_value = config.head_dim * config.num_key_value_heads;
    let mut tensors = vec![
        (
            format!("{prefix}embed_tokens.weight"),
            vec![config.vocab_size, hidden],
        ),
        (format!("{prefix}norm.weight"), vec![hidden]),
    ];
    for layer in 0..config.num_hidden_layers {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.push((format!("{prefix}layers.{layer}.{name}"), shape.to_vec()));
        };
        add("input_layernorm.weight", &[hidden]);
        for (part, width) in [("q", query), ("k", key_value), ("v", key_value)] {
            add(&format!("self_attn.{part}_proj.weight"), &[width, hidden]);
            if config.qkv_bias {
                add(&format!("self_attn.{part}_proj.bias"), &[width]);
            }
        }
        add("self_attn.o_proj.weight", &[hidden, query]);
        add("post_attention_layernorm.weight", &[hidden]);
        add("mlp.gate_proj.weight", &[inner, hidden]);
        add("mlp.up_proj.weight", &[inner, hidden]);
        add("mlp.down_proj.weight", &[hidden, inner]);
    }
    tensors
}
