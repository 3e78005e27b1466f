//! The input of a language model: embeddings of text with the tokens of pictures and videos put in.

use candle_core::{Result, Tensor};

use super::Input;
use super::language::decoder::Decoder;
use crate::prompt::Place;

/// The inputs `[n, d]` of packed samples. `seen` are the tokens of all pictures and videos, in the order of their
/// placeholders; `None` where there are none.
pub(super) fn join(language: &Decoder, batch: &[Input], seen: Option<Tensor>) -> Result<Tensor> {
    let places = || batch.iter().flat_map(|input| &input.tokens.places);
    let text: Vec<u32> = batch
        .iter()
        .flat_map(|input| input.tokens.ids.iter().zip(&input.tokens.places))
        .filter(|(_, place)| !place.is_visual())
        .map(|(id, _)| *id)
        .collect();
    let Some(seen) = seen else {
        return language.embed(&text);
    };
    if text.is_empty() {
        return Ok(seen);
    }
    let (mut next_text, mut next_seen) = (0, text.len() as u32);
    let order: Vec<u32> = places()
        .map(|place: &Place| {
            let next = if place.is_visual() {
                &mut next_seen
            } else {
                &mut next_text
            };
            *next += 1;
            *next - 1
        })
        .collect();
    let order = Tensor::new(order, seen.device())?;
    Tensor::cat(&[language.embed(&text)?, seen], 0)?.index_select(&order, 0)
}
