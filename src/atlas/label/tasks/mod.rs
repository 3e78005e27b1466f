//! Which task a conversation sets: rules in order, of which the first that fits decides.
//!
//! First what the user says: a task for a dataset, for a `data_source`, by expressions. Then the rules that come along
//! (`builtin`). What none fits is [`OTHER`].

mod builtin;
mod exchange;

use std::collections::BTreeMap;

use regex::Regex;

use crate::config;
use crate::dataset::{Role, Sample};
use exchange::Exchange;

/// The task of what no rule fits.
pub const OTHER: &str = "other";

/// A rule, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it goes by.
    pub name: String,
    /// The task that it gives.
    pub task: String,
}

/// All rules of a config.
pub struct Rules {
    all: Vec<Rule>,
    by_dataset: BTreeMap<String, usize>,
    by_source: BTreeMap<String, usize>,
    expressions: Vec<Expression>,
    builtin: Vec<(usize, builtin::Builtin)>,
}

/// One `[[atlas.tasks.rule]]`.
struct Expression {
    rule: usize,
    user: Option<Regex>,
    assistant: Option<Regex>,
}

impl Rules {
    /// The rules of a config, then those that come along.
    ///
    /// # Errors
    /// When an expression is none, which a config that was checked has not.
    pub fn new(tasks: &config::Tasks) -> Result<Self, regex::Error> {
        let mut rules = Vec::new();
        let mut add = |name: String, task: &str| {
            rules.push(Rule {
                name,
                task: task.trim().to_owned(),
            });
            rules.len() - 1
        };
        let mut mapped = |what: &str, map: &BTreeMap<String, String>| {
            map.iter()
                .map(|(key, task)| (key.clone(), add(format!("{what} {key}"), task)))
                .collect::<BTreeMap<_, _>>()
        };
        let by_dataset = mapped("dataset", &tasks.dataset);
        let by_source = mapped("data_source", &tasks.data_source);
        let mut expressions = Vec::new();
        for (number, rule) in tasks.rules.iter().enumerate() {
            let compiled = |text: &Option<String>| text.as_deref().map(Regex::new).transpose();
            expressions.push(Expression {
                rule: add(format!("rule {}", number + 1), &rule.task),
                user: compiled(&rule.user)?,
                assistant: compiled(&rule.assistant)?,
            });
        }
        let builtin = builtin::all()
            .into_iter()
            .map(|builtin| (add(builtin.name.to_owned(), builtin.task), builtin))
            .collect();
        add("none".to_owned(), OTHER);
        Ok(Self {
            all: rules,
            by_dataset,
            by_source,
            expressions,
            builtin,
        })
    }

    /// All rules, in the order in which they are tried; the last one is that none fits.
    pub fn all(&self) -> &[Rule] {
        &self.all
    }

    /// The first rule that fits a sample of a dataset, by its place among [`Self::all`].
    pub fn first(&self, dataset: &str, sample: &Sample) -> usize {
        if let Some(rule) = self.by_dataset.get(dataset) {
            return *rule;
        }
        let source = sample.data_source.as_ref();
        if let Some(rule) = source.and_then(|source| self.by_source.get(source)) {
            return *rule;
        }
        let said = |role: Role, expression: &Option<Regex>| {
            expression.as_ref().is_none_or(|expression| {
                let mut turns = sample.turns.iter().filter(|turn| turn.role == role);
                turns.any(|turn| expression.is_match(&turn.text))
            })
        };
        let fits = |expression: &&Expression| {
            said(Role::User, &expression.user) && said(Role::Assistant, &expression.assistant)
        };
        if let Some(expression) = self.expressions.iter().find(fits) {
            return expression.rule;
        }
        let exchanges = exchange::exchanges(&sample.turns);
        let has_media = !sample.media.is_empty();
        let fits = |(_, rule): &&(usize, builtin::Builtin)| rule.fits(&exchanges, has_media);
        match self.builtin.iter().find(fits) {
            Some((rule, _)) => *rule,
            None => self.all.len() - 1,
        }
    }
}

#[cfg(test)]
mod tests;
