//! Every family of checkpoints against transformers on the same files: token ids, pixel levels and mean hidden states.
//!
//! One suite runs over all of [`FAMILIES`]. A further family is a folder of fixtures (made by a script in
//! `scripts/fixtures`), a tiny checkpoint, and an entry here. Each test runs through all families and all of their
//! cases and then reports every disagreement at once; `--nocapture` shows the errors of those that pass. `MADMIX_TEST_DEVICE`
//! says where the vectors are computed that are compared (see `device`).

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod agreement;
mod checkpoints;
mod device;
mod family;
mod llava;
mod llava_clip;
mod packing;
mod pictures;
mod qwen;
mod reference;
mod rounded;
mod saved;
mod states;
mod tokens;
mod variants;
mod vectors;

#[path = "../support/places.rs"]
mod places;
#[path = "../support/checkpoints.rs"]
mod support;

use std::sync::{LazyLock, OnceLock};

use family::{Family, Opened};

/// Every family and layout that the library supports.
const FAMILIES: &[Family] = &[
    llava::ONE_VISION,
    llava::NEXT,
    llava_clip::V1_5,
    llava_clip::NEXT_LLAMA,
    llava_clip::NEXT_MISTRAL,
    llava_clip::NEXT_QWEN2,
    qwen::V2,
    qwen::V2_5,
];

static OPENED: LazyLock<Vec<Opened>> = LazyLock::new(|| FAMILIES.iter().map(Opened::new).collect());

/// All families with their samples prepared, once for all tests, and their models on the CPU.
fn families() -> &'static [Opened] {
    &OPENED
}

/// All families on every device, and in every precision, where vectors are compared.
fn compared() -> impl Iterator<Item = &'static Opened> {
    static PLACED: OnceLock<Vec<Opened>> = OnceLock::new();
    let on = device::compared();
    let on_cpu = on.iter().all(|on| on.device.is_cpu() && on.is_f32());
    if on_cpu {
        return families().iter();
    }
    let each = |opened: &'static Opened| on.iter().map(|on| opened.placed(on.clone()));
    PLACED
        .get_or_init(|| families().iter().flat_map(each).collect())
        .iter()
}
