//! LLaVA's turns: `"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]`.
//!
//! Roles may be called human or user, gpt, assistant or model, system or developer, under `from` or `role`; texts stand
//! under `value` or `content`. A turn of a tool is a failure: how it reads hangs on the trainer.

use serde_json::{Map, Value};

use super::{Dialect, Spoken, role, wrong_type};
use crate::dataset::{SampleProblem, Turn};

/// The turns of a row.
pub(super) fn turns<'a>(row: &Map<String, Value>) -> Result<Spoken<'a>, SampleProblem> {
    let turns = match row.get(Dialect::Llava.key()) {
        None => {
            return Err(SampleProblem::Missing {
                key: "conversations".to_owned(),
            });
        }
        Some(Value::Array(turns)) => turns,
        Some(other) => return Err(wrong_type("conversations".to_owned(), "a list", other)),
    };
    if turns.is_empty() {
        return Err(SampleProblem::NoTurns {
            key: "conversations",
        });
    }
    let turns = turns
        .iter()
        .enumerate()
        .map(|(i, turn)| parse_turn(i, turn))
        .collect::<Result<_, _>>()?;
    Ok(Spoken {
        turns,
        ..Spoken::default()
    })
}

fn parse_turn(i: usize, turn: &Value) -> Result<Turn, SampleProblem> {
    let Value::Object(object) = turn else {
        return Err(wrong_type(format!("conversations[{i}]"), "an object", turn));
    };
    Ok(Turn {
        role: role(i, text(i, object, ["from", "role"])?)?,
        text: text(i, object, ["value", "content"])?.to_owned(),
    })
}

/// The string under the first of the keys that is there.
fn text<'a>(
    turn: usize,
    object: &'a Map<String, Value>,
    keys: [&str; 2],
) -> Result<&'a str, SampleProblem> {
    let name = |key| format!("conversations[{turn}].{key}");
    match keys.iter().find_map(|&key| Some((key, object.get(key)?))) {
        Some((_, Value::String(text))) => Ok(text),
        Some((key, other)) => Err(wrong_type(name(key), "a string", other)),
        None => Err(SampleProblem::Missing { key: name(keys[0]) }),
    }
}
