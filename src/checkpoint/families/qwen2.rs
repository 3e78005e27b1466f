//! The language model of the Qwen2 family: its config, with the defaults of transformers' `Qwen2Config`.

use super::super::error::CheckpointError;
use super::super::fields::Fields;
use candle_nn::Activation;
use candle_transformers::models::qwen2::Config;
use serde_json::Value;

/// Reads a Qwen2 config and refuses what plain causal attention with plain RoPE would get wrong.
pub(super) fn read(fields: &Fields<'_>) -> Result<Config, CheckpointError> {
    fields.only("hidden_act", &["silu"])?;
    fields.must_be("use_sliding_window", false)?;
    if let Some(types) = fields.get("layer_types") {
        let full = |types: &Vec<Value>| types.iter().all(|kind| kind == "full_attention");
        if !types.as_array().is_some_and(full) {
            return Err(fields.refuse("layer_types", "full_attention in every layer"));
        }
    }
    let num_attention_heads = fields.size("num_attention_heads", 32)?;
    // An explicit null means as many as there are heads; a missing key means the class default.
    let key_value_default = if fields.is_null("num_key_value_heads") {
        num_attention_heads
    } else {
        32
    };
    let max_position_embeddings = fields.size("max_position_embeddings", 32_768)?;
    let num_hidden_layers = fields.size("num_hidden_layers", 32)?;
    let config = Config {
        vocab_size: fields.size("vocab_size", 151_936)?,
        hidden_size: fields.size("hidden_size", 4096)?,
        intermediate_size: fields.size("intermediate_size", 22_016)?,
        num_hidden_layers,
        num_attention_heads,
        num_key_value_heads: fields.size("num_key_value_heads", key_value_default)?,
        max_position_embeddings,
        // Not in use, whatever the file says.
        sliding_window: max_position_embeddings,
        max_window_layers: num_hidden_layers,
        use_sliding_window: false,
        tie_word_embeddings: fields.bool("tie_word_embeddings")?.unwrap_or(false),
        rope_theta: rope_theta(fields)?,
        rms_norm_eps: fields.positive("rms_norm_eps", 1e-6)?,
        hidden_act: Activation::Silu,
    };
    check_heads(fields, &config)?;
    Ok(config)
}

/// The base of plain RoPE, from `rope_theta` or from transformers 5's `rope_parameters`.
fn rope_theta(fields: &Fields<'_>) -> Result<f64, CheckpointError> {
    let mut theta = fields.positive("rope_theta", 10_000.0)?;
    for key in ["rope_scaling", "rope_parameters"] {
        let Some(rope) = fields.section(key)? else {
            continue;
        };
        rope.only("rope_type", &["default"])?;
        rope.only("type", &["default"])?;
        theta = rope.positive("rope_theta", theta)?;
        if rope.positive("partial_rotary_factor", 1.0)? < 1.0 {
            return Err(rope.refuse("partial_rotary_factor", "1"));
        }
    }
    Ok(theta)
}

fn check_heads(fields: &Fields<'_>, config: &Config) -> Result<(), CheckpointError> {
    let heads = config.num_attention_heads;
    let head_dim = config.hidden_size / heads;
    if !config.hidden_size.is_multiple_of(heads) || !head_dim.is_multiple_of(2) {
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
    if fields.usize("head_dim")?.is_some_and(|dim| dim != head_dim) {
        let supported = format!("hidden_size / num_attention_heads = {head_dim}");
        return Err(fields.refuse("head_dim", &supported));
    }
    Ok(())
}

/// Names (under `prefix`) and shapes of the tensors; the head is not among them.
pub(super) fn tensors(prefix: &str, config: &Config) -> Vec<(String, Vec<usize>)> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let key_value = hidden / config.num_attention_heads * config.num_key_value_heads;
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
        add("self_attn.q_proj.weight", &[hidden, hidden]);
        add("self_attn.q_proj.bias", &[hidden]);
        for part in ["k", "v"] {
            add(
                &format!("self_attn.{part}_proj.weight"),
                &[key_value, hidden],
            );
            add(&format!("self_attn.{part}_proj.bias"), &[key_value]);
        }
        add("self_attn.o_proj.weight", &[hidden, hidden]);
        add("post_attention_layernorm.weight", &[hidden]);
        add("mlp.gate_proj.weight", &[inner, hidden]);
        add("mlp.up_proj.weight", &[inner, hidden]);
        add("mlp.down_proj.weight", &[hidden, inner]);
    }
    tensors
}
