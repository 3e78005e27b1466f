//! Canonical tensor names, whatever the software that saved the file called them.
//!
//! Canonical are the names of transformers 5's `save_pretrained`. A family lists prefix rules; the longest matching
//! prefix rewrites a name. Every name chooses its own rule, so published files, raw state dicts and mixtures of both
//! need no detection.

/// Names that begin with `from` in the file begin with `to` canonically.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Prefix in the file.
    pub(super) from: &'static str,
    /// Canonical prefix.
    pub(super) to: &'static str,
}

/// The canonical name of `name`, or `None` where no rule matches.
pub(super) fn canonical(rules: &[Rule], name: &str) -> Option<String> {
    let rule = rules
        .iter()
        .filter(|rule| name.starts_with(rule.from))
        .max_by_key(|rule| rule.from.len())?;
    Some(format!("{}{}", rule.to, &name[rule.from.len()..]))
}
