//! `madmix models`: published checkpoints of the supported families.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{Ending, terminal};
use crate::checkpoint::Card;
use crate::report;

#[derive(Args)]
pub(super) struct Arguments {
    /// Show this card in full: a hub id, or the part of it after the owner.
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A card as JSON has it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    card: &'a Card,
    memory_gb: f64,
}

impl<'a> Shown<'a> {
    fn new(card: &'a Card) -> Self {
        // Cards have two decimals.
        let memory_gb = (card.memory_gb() * 100.0).round() / 100.0;
        Self { card, memory_gb }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let text = match (&arguments.name, arguments.json) {
        (Some(name), true) => json(&Shown::new(&Card::find(name)?))?,
        (Some(name), false) => in_full(&Card::find(name)?)?,
        (None, true) => json(&Card::all().iter().map(Shown::new).collect::<Vec<_>>())?,
        (None, false) => table(&Card::all()),
    };
    terminal::print(&text)?;
    Ok(Ending::Done)
}

fn json(shown: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(shown)? + "\n")
}

fn table(cards: &[Card]) -> String {
    let header = ["checkpoint", "family", "params B", "bf16 GB", "context"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(cards.iter().map(|card| {
        vec![
            card.checkpoint.clone(),
            card.family.clone(),
            format!("{:.2}", card.parameters),
            format!("{:.1}", card.memory_gb()),
            card.context.to_string(),
        ]
    }));
    report::align(&rows, 2)
}

/// One line for each fact, and the part of a config to start from.
fn in_full(card: &Card) -> Result<String> {
    let shown = Shown::new(card);
    let facts = [
        ("checkpoint", card.checkpoint.clone()),
        ("family", card.family.clone()),
        ("layout", card.layout.to_string()),
        ("parameters", format!("{} billion", card.parameters)),
        (
            "memory",
            format!("{} GB for the weights in bf16", shown.memory_gb),
        ),
        ("language", card.language.clone()),
        ("tower", card.tower.clone()),
        ("context", format!("{} tokens", card.context)),
        ("notes", card.notes.clone()),
    ];
    let rows = facts.map(|(name, fact)| vec![name.to_owned(), fact]);
    let settings = toml::to_string(&card.settings)?;
    Ok(format!(
        "{}\nTo start from, in a config:\n\n[model]\ncheckpoint = {:?}\n\n{settings}",
        report::align(&rows, 2),
        card.checkpoint
    ))
}
