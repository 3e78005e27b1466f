//! The vision transformers of SigLIP and CLIP, which differ in few points: their configs and their tensors.

use super::super::error::CheckpointError;
use super::super::fields::Fields;
use candle_nn::Activation as CandleActivation;
use candle_transformers::models::siglip::VisionConfig;

/// Whose vision transformer a tower is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tower {
    /// Patches with a bias, GELU by tanh.
    Siglip,
    /// Patches without a bias, a class token before them, a norm before the layers, quick GELU.
    Clip,
}

impl Tower {
    /// The tower's `model_type`.
    pub(super) fn model_type(self) -> &'static str {
        match self {
            Self::Siglip => "siglip_vision_model",
            Self::Clip => "clip_vision_model",
        }
    }

    /// What transformers' config class of the tower takes for absent keys.
    pub(super) fn plain(self) -> VisionConfig {
        match self {
            Self::Siglip => base(),
            Self::Clip => clip_base(),
        }
    }

    /// The activation inside its MLPs, if the config does not say otherwise.
    pub fn activation(self) -> Activation {
        match self {
            Self::Siglip => Activation::GeluTanh,
            Self::Clip => Activation::GeluQuick,
        }
    }
}

/// An activation inside the MLPs of CLIP and SigLIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu_pytorch_tanh`: SigLIP's.
    GeluTanh,
    /// `quick_gelu`: that of `OpenAI`'s CLIP.
    GeluQuick,
    /// `gelu`: that of `OpenCLIP`'s models.
    GeluErf,
}

impl Activation {
    /// As configs write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GeluTanh => "gelu_pytorch_tanh",
            Self::GeluQuick => "quick_gelu",
            Self::GeluErf => "gelu",
        }
    }

    /// Reads `hidden_act` of an embedding model, where CLIP's may have either of its two.
    pub(super) fn read(fields: &Fields<'_>, tower: Tower) -> Result<Self, CheckpointError> {
        let own = tower.activation();
        match (fields.str("hidden_act")?, tower) {
            (None, _) => Ok(own),
            (Some(name), _) if name == own.name() => Ok(own),
            (Some("gelu"), Tower::Clip) => Ok(Self::GeluErf),
            (Some(_), Tower::Clip) => Err(fields.refuse("hidden_act", "quick_gelu, gelu")),
            (Some(_), Tower::Siglip) => Err(fields.refuse("hidden_act", own.name())),
        }
    }
}

/// The defaults of transformers' `CLIPVisionConfig`. (The field for the activation means nothing: [`Tower`] tells.)
fn clip_base() -> VisionConfig {
    VisionConfig {
        image_size: 224,
        patch_size: 32,
        layer_norm_eps: 1e-5,
        ..base()
    }
}

/// `openai/clip-vit-large-patch14-336`, the tower of LLaVA-1.5 and LLaVA-NeXT: what transformers' classes for them
/// take where a config has no `vision_config`.
pub(super) fn clip_large() -> VisionConfig {
    VisionConfig {
        hidden_size: 1024,
        intermediate_size: 4096,
        num_hidden_layers: 24,
        num_attention_heads: 16,
        image_size: 336,
        patch_size: 14,
        ..clip_base()
    }
}

/// The defaults of transformers' `SiglipVisionConfig`: the base model.
fn base() -> VisionConfig {
    VisionConfig {
        hidden_size: 768,
        intermediate_size: 3072,
        num_hidden_layers: 12,
        num_attention_heads: 12,
        num_channels: 3,
        image_size: 224,
        patch_size: 16,
        hidden_act: CandleActivation::GeluPytorchTanh,
        layer_norm_eps: 1e-6,
    }
}

/// `google/siglip-so400m-patch14-384`, LLaVA-OneVision's tower.
pub(super) fn so400m() -> VisionConfig {
    VisionConfig {
        hidden_size: 1152,
        intermediate_size: 4304,
        num_hidden_layers: 27,
        num_attention_heads: 16,
        image_size: 384,
        patch_size: 14,
        ..base()
    }
}

/// Reads a vision config; absent keys take the values of `default`.
pub(super) fn read(
    fields: &Fields<'_>,
    tower: Tower,
    default: &VisionConfig,
) -> Result<VisionConfig, CheckpointError> {
    fields.only("hidden_act", &[tower.activation().name()])?;
    read_any_activation(fields, tower, default)
}

/// As [`read`], whatever the activation.
pub(super) fn read_any_activation(
    fields: &Fields<'_>,
    tower: Tower,
    default: &VisionConfig,
) -> Result<VisionConfig, CheckpointError> {
    fields.only("model_type", &[tower.model_type()])?;
    let config = VisionConfig {
        hidden_size: fields.size("hidden_size", default.hidden_size)?,
        intermediate_size: fields.size("intermediate_size", default.intermediate_size)?,
        num_hidden_layers: fields.layers("num_hidden_layers", default.num_hidden_layers)?,
        num_attention_heads: fields.size("num_attention_heads", default.num_attention_heads)?,
        num_channels: fields.size("num_channels", default.num_channels)?,
        image_size: fields.side("image_size", default.image_size)?,
        patch_size: fields.side("patch_size", default.patch_size)?,
        hidden_act: CandleActivation::GeluPytorchTanh,
        layer_norm_eps: fields.positive("layer_norm_eps", default.layer_norm_eps)?,
    };
    if config.num_channels != 3 {
        return Err(fields.refuse("num_channels", "3"));
    }
    if !config
        .hidden_size
        .is_multiple_of(config.num_attention_heads)
    {
        return Err(fields.refuse(
            "num_attention_heads",
            &format!("a divisor of hidden_size {}", config.hidden_size),
        ));
    }
    if config.patch_size > config.image_size {
        return Err(fields.refuse(
            "patch_size",
            &format!("at most image_size {}", config.image_size),
        ));
    }
    Ok(config)
}

/// All that decides the tower's result, as text for the fingerprint.
pub(super) fn describe(config: &VisionConfig) -> String {
    format!(
        "hidden {} inner {} layers {} heads {} image {} patch {} eps {:e}",
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.image_size,
        config.patch_size,
        config.layer_norm_eps
    )
}

/// Names (under `prefix`) and shapes of the tensors of the embeddings and the first `layers` layers.
pub(super) fn tensors(
    prefix: &str,
    tower: Tower,
    config: &VisionConfig,
    layers: usize,
) -> Vec<(String, Vec<usize>)> {
    let (hidden, inner, patch) = (
        config.hidden_size,
        config.intermediate_size,
        config.patch_size,
    );
    let patches = (config.image_size / patch).pow(2);
    let positions = match tower {
        Tower::Siglip => patches,
        Tower::Clip => patches + 1,
    };
    let embeddings = format!("{prefix}embeddings");
    let mut tensors = vec![
        (
            format!("{embeddings}.patch_embedding.weight"),
            vec![hidden, config.num_channels, patch, patch],
        ),
        (
            format!("{embeddings}.position_embedding.weight"),
            vec![positions, hidden],
        ),
    ];
    match tower {
        Tower::Siglip => tensors.push((format!("{embeddings}.patch_embedding.bias"), vec![hidden])),
        Tower::Clip => {
            tensors.push((format!("{embeddings}.class_embedding"), vec![hidden]));
            // Spelt so in every CLIP checkpoint.
            for part in ["weight", "bias"] {
                tensors.push((format!("{prefix}pre_layrnorm.{part}"), vec![hidden]));
            }
        }
    }
    tensors.extend(layer_tensors(prefix, [hidden, inner], layers));
    tensors
}

/// Names (under `prefix`) and shapes of the tensors of so many layers, which are alike in all transformers of both.
pub(super) fn layer_tensors(
    prefix: &str,
    [hidden, inner]: [usize; 2],
    layers: usize,
) -> Vec<(String, Vec<usize>)> {
    let mut tensors = Vec::new();
    for layer in 0..layers {
        let linears = [
            ("self_attn.q_proj", hidden, hidden),
            ("self_attn.k_proj", hidden, hidden),
            ("self_attn.v_proj", hidden, hidden),
            ("self_attn.out_proj", hidden, hidden),
            ("mlp.fc1", inner, hidden),
            ("mlp.fc2", hidden, inner),
        ];
        for (name, out, into) in linears {
            tensors.push((
                format!("{prefix}encoder.layers.{layer}.{name}.weight"),
                vec![out, into],
            ));
            tensors.push((
                format!("{prefix}encoder.layers.{layer}.{name}.bias"),
                vec![out],
            ));
        }
        for norm in ["layer_norm1", "layer_norm2"] {
            for part in ["weight", "bias"] {
                tensors.push((
                    format!("{prefix}encoder.layers.{layer}.{norm}.{part}"),
                    vec![hidden],
                ));
            }
        }
    }
    tensors
}
