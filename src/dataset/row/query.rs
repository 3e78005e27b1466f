//! ms-swift's older rows: `{"query": "…", "response": "…", "history": [["…", "…"]], "system": "…"}`.

use serde_json::{Map, Value};

use super::{Dialect, Spoken, messages, wrong_type};
use crate::dataset::{Role, SampleProblem, Turn};

/// The exchanges before the query.
pub(super) const HISTORY: &str = "history";
/// What is answered to the query.
pub(super) const RESPONSE: &str = "response";

/// The turns of a row: those of its history, then its query and its response.
pub(super) fn turns<'a>(row: &Map<String, Value>) -> Result<Spoken<'a>, SampleProblem> {
    let mut turns = Vec::new();
    let past = match row.get(HISTORY) {
        None | Some(Value::Null) => [].as_slice(),
        Some(Value::Array(past)) => past,
        Some(other) => return Err(wrong_type(HISTORY.to_owned(), "a list", other)),
    };
    for (i, pair) in past.iter().enumerate() {
        let Some([query, response]) = pair.as_array().map(Vec::as_slice) else {
            return Err(wrong_type(
                format!("{HISTORY}[{i}]"),
                "a query and a response",
                pair,
            ));
        };
        exchange(&mut turns, &format!("{HISTORY}[{i}]"), query, response)?;
    }
    let under = |key: &str| {
        let key = key.to_owned();
        row.get(&key).ok_or(SampleProblem::Missing { key })
    };
    let (query, response) = (under(Dialect::Query.key())?, under(RESPONSE)?);
    exchange(&mut turns, "query and response", query, response)?;
    messages::with_system(row, &mut turns);
    Ok(Spoken {
        turns,
        ..Spoken::default()
    })
}

fn exchange(
    turns: &mut Vec<Turn>,
    key: &str,
    query: &Value,
    response: &Value,
) -> Result<(), SampleProblem> {
    for (role, said) in [(Role::User, query), (Role::Assistant, response)] {
        let Value::String(text) = said else {
            return Err(wrong_type(key.to_owned(), "two strings", said));
        };
        let text = text.clone();
        turns.push(Turn { role, text });
    }
    Ok(())
}
