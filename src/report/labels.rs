//! What `madmix atlas label` prints.

use indicatif::HumanCount;

use super::align::{align, shown};
use crate::atlas::label::{NamedBy, Summary};

/// What stands where a cell has no samples.
const NOTHING: &str = "-";

/// The table of concept × task, the cells with their sizes, what every rule decided, and what was joined.
pub(crate) fn labels_text(summary: &Summary) -> String {
    let mut text = format!(
        "{} samples, {} tokens in {} cells; {} samples have no label\n\n",
        HumanCount(summary.samples),
        HumanCount(summary.tokens),
        summary.cells.len(),
        HumanCount(summary.failed)
    );
    text += &table(summary);
    text.push('\n');
    text += &cells(summary);
    text.push('\n');
    text += &rules(summary);
    if !summary.joins.is_empty() {
        text.push('\n');
        text += &joins(summary);
    }
    if !summary.stability.is_empty() {
        text.push('\n');
        text += &stability(summary);
    }
    text.push('\n');
    text += match summary.named_by {
        NamedBy::Words => "concepts are named by the words that are nearest to their centres\n",
        NamedBy::Conversations => "concepts are named by the words of their conversations\n",
    };
    text
}

fn table(summary: &Summary) -> String {
    let mut header = vec!["concept".to_owned()];
    header.extend(summary.tasks.iter().map(|task| shown(task)));
    header.push("all".to_owned());
    let mut rows = vec![header];
    let mut concepts: Vec<&str> = Vec::new();
    for cell in &summary.cells {
        if concepts.last() != Some(&cell.concept.as_str()) {
            concepts.push(&cell.concept);
        }
    }
    let count = |concept: Option<&str>, task: Option<&str>| {
        let cells = summary.cells.iter().filter(|cell| {
            concept.is_none_or(|concept| cell.concept == concept)
                && task.is_none_or(|task| cell.task == task)
        });
        match cells.map(|cell| cell.samples).sum() {
            0 => NOTHING.to_owned(),
            samples => HumanCount(samples).to_string(),
        }
    };
    for concept in concepts.into_iter().map(Some).chain([None]) {
        let mut row = vec![concept.map_or("all".to_owned(), shown)];
        row.extend(summary.tasks.iter().map(|task| count(concept, Some(task))));
        row.push(count(concept, None));
        rows.push(row);
    }
    align(&rows, 1)
}

fn cells(summary: &Summary) -> String {
    let mut header = vec!["cell", "samples", "tokens", "today %"];
    if summary.budget.is_some() {
        header.extend(["epochs today", "epochs uniform"]);
    }
    let mut rows = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for cell in &summary.cells {
        let mut row = vec![
            shown(&cell.name),
            HumanCount(cell.samples).to_string(),
            HumanCount(cell.tokens).to_string(),
            format!("{:.2}", 100.0 * cell.today),
        ];
        let epochs = [cell.epochs_today, cell.epochs_uniform];
        row.extend(
            epochs
                .into_iter()
                .flatten()
                .map(|epochs| format!("{epochs:.2}")),
        );
        rows.push(row);
    }
    align(&rows, 1)
}

fn rules(summary: &Summary) -> String {
    let mut rows = vec![["rule", "task", "samples"].map(str::to_owned).to_vec()];
    rows.extend(summary.rules.iter().map(|rule| {
        vec![
            shown(&rule.rule),
            shown(&rule.task),
            HumanCount(rule.samples).to_string(),
        ]
    }));
    align(&rows, 2)
}

fn joins(summary: &Summary) -> String {
    let mut rows = vec![
        ["too small", "joined to", "samples"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(summary.joins.iter().map(|join| {
        vec![
            shown(&join.from),
            shown(&join.into),
            HumanCount(join.samples).to_string(),
        ]
    }));
    align(&rows, 2)
}

fn stability(summary: &Summary) -> String {
    let mut rows = vec![
        ["clusters", "stability", "error"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(summary.stability.iter().map(|one| {
        vec![
            one.clusters.to_string(),
            format!("{:.3}", one.mean),
            format!("{:.3}", one.error),
        ]
    }));
    align(&rows, 0)
}
