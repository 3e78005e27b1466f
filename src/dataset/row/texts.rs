//! The Cauldron's turns, question and answer together:
//! `"texts": [{"user": "…", "assistant": "…", "source": "ai2d"}]`.
//!
//! Pictures stand under `images`, without placeholders.

use serde_json::{Map, Value};

use super::{Dialect, Spoken, wrong_type};
use crate::dataset::{Role, SampleProblem, Turn};

const SIDES: [(&str, Role); 2] = [("user", Role::User), ("assistant", Role::Assistant)];

/// The turns of a row.
pub(super) fn turns<'a>(row: &Map<String, Value>) -> Result<Spoken<'a>, SampleProblem> {
    let key = Dialect::Texts.key();
    let exchanges = match row.get(key) {
        Some(Value::Array(exchanges)) => exchanges,
        Some(other) => return Err(wrong_type(key.to_owned(), "a list", other)),
        None => {
            return Err(SampleProblem::Missing {
                key: key.to_owned(),
            });
        }
    };
    let mut turns = Vec::with_capacity(2 * exchanges.len());
    for (i, exchange) in exchanges.iter().enumerate() {
        let Value::Object(object) = exchange else {
            return Err(wrong_type(format!("{key}[{i}]"), "an object", exchange));
        };
        for (side, role) in SIDES {
            let name = || format!("{key}[{i}].{side}");
            let text = match object.get(side) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => return Err(wrong_type(name(), "a string", other)),
                None => return Err(SampleProblem::Missing { key: name() }),
            };
            turns.push(Turn { role, text });
        }
    }
    if turns.is_empty() {
        return Err(SampleProblem::NoTurns { key });
    }
    Ok(Spoken {
        turns,
        ..Spoken::default()
    })
}
