//! Python files of exports: the files in `python/`, with the plan's values in place of theirs.

use std::path::Path;

use super::{ExportError, Plan, quote};

/// A Python file whose values are filled in.
pub(super) struct Script {
    template: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Script {
    /// The file as it lies in `python/`.
    pub(super) fn new(template: &'static str) -> Self {
        Self {
            template,
            values: Vec::new(),
        }
    }

    /// Gives a constant, which has a line of its own in the file, its value.
    pub(super) fn set(mut self, constant: &'static str, value: impl Into<String>) -> Self {
        self.values.push((constant, value.into()));
        self
    }

    /// The file, with where it comes from on top.
    pub(super) fn text(&self, plan: &Plan) -> String {
        let mut text = String::new();
        for line in self.template.lines() {
            let constant = line
                .split_once(" = ")
                .and_then(|(name, _)| self.values.iter().find(|(constant, _)| *constant == name));
            match constant {
                Some((name, value)) => text.extend([name, " = ", value]),
                None if line == "# PROVENANCE" => {
                    text.push_str(&plan.comments());
                    continue;
                }
                None => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

/// A list of dicts, one on each line; values are Python already.
pub(super) fn dicts(rows: &[Vec<(&str, String)>]) -> String {
    let mut list = String::from("[\n");
    for row in rows {
        let items: Vec<String> = row
            .iter()
            .map(|(key, value)| format!("\"{key}\": {value}"))
            .collect();
        list.extend(["    {", &items.join(", "), "},\n"]);
    }
    list + "]"
}

/// The absolute path as text in quotes.
///
/// # Errors
/// When it is not UTF-8.
pub(super) fn place(path: &Path) -> Result<String, ExportError> {
    // It fails only where there is no current folder; then the path as it is says all that is known.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Ok(quote::double(quote::path(&absolute)?))
}
