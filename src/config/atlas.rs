//! The sections of MixAtlas: how samples are put into cells of concept × task, and how mixtures of cells are searched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The section `[domains]`: where the domains of a run come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domains {
    /// What the domains are.
    #[serde(default)]
    pub from: DomainsFrom,
}

impl Domains {
    /// Whether the domains are those that the config lists.
    pub fn is_plain(&self) -> bool {
        self.from == DomainsFrom::Config
    }
}

/// What the domains of a run are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainsFrom {
    /// Each `[[domain]]` as it is written.
    #[default]
    Config,
    /// The cells that `madmix atlas label` put the samples of all `[[domain]]`s into.
    Atlas,
}

/// The section `[atlas]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Atlas {
    /// Samples below which a cell is joined to a neighbour.
    pub min_cell: u64,
    /// Seeds clustering and search.
    pub seed: u64,
    /// The concept axis.
    pub concepts: Concepts,
    /// The task axis.
    pub tasks: Tasks,
    /// The search.
    pub search: Search,
    /// What the search is for; with the proxy that comes along its own losses if not said.
    #[serde(rename = "benchmark", skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<Benchmark>,
    /// What finds out what a mixture does.
    pub proxy: Proxy,
}

/// The section `[atlas.concepts]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Concepts {
    /// A CLIP or SigLIP checkpoint, a folder or a hub id; the vision tower of `model.checkpoint` if not said.
    pub checkpoint: Option<String>,
    /// How many clusters, or `auto` for as many as are stable.
    pub clusters: Clusters,
    /// How often clustering starts anew; the best is kept.
    pub restarts: u32,
    /// Words to name clusters by, one a line, for a checkpoint that has a text side; a list that comes along if not said.
    pub words: Option<PathBuf>,
    /// Frames of a clip that are looked at.
    pub frames: u32,
}

/// How many clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ClustersName", into = "ClustersName")]
pub enum Clusters {
    /// So many.
    Count(u32),
    /// As many as come out alike when other samples are drawn.
    Auto,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ClustersName {
    Count(u32),
    Word(String),
}

impl TryFrom<ClustersName> for Clusters {
    type Error = String;

    fn try_from(name: ClustersName) -> Result<Self, String> {
        match name {
            ClustersName::Count(count) => Ok(Self::Count(count)),
            ClustersName::Word(word) if word == "auto" => Ok(Self::Auto),
            ClustersName::Word(word) => Err(format!(
                "clusters = \"{word}\": it is a number, or \"auto\""
            )),
        }
    }
}

impl From<Clusters> for ClustersName {
    fn from(clusters: Clusters) -> Self {
        match clusters {
            Clusters::Count(count) => Self::Count(count),
            Clusters::Auto => Self::Word("auto".into()),
        }
    }
}

/// The section `[atlas.tasks]`. What is said here goes before the rules that come along.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tasks {
    /// Datasets of one task, by their names.
    pub dataset: BTreeMap<String, String>,
    /// Values of `data_source` of one task.
    pub data_source: BTreeMap<String, String>,
    /// Rules over the conversation, of which the first that fits decides.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<TaskRule>,
}

/// One `[[atlas.tasks.rule]]`; a row fits when all expressions that are given are found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskRule {
    /// The task that it gives.
    pub task: String,
    /// A regular expression, found in what the user says.
    pub user: Option<String>,
    /// A regular expression, found in what the assistant says.
    pub assistant: Option<String>,
}

/// The section `[atlas.search]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// What is searched.
    pub space: SpaceName,
    /// What learns what mixtures do: the name of one of [`SURROGATES`].
    pub surrogate: String,
    /// What chooses the next mixture: the name of one of [`ACQUISITIONS`].
    pub acquisition: String,
    /// Proxy runs in all.
    pub runs: u32,
    /// How many of them are of the initial design.
    pub initial: u32,
    /// How many are proposed at a time.
    pub batch: u32,
    /// How the benchmarks come to one number.
    pub combine: Combine,
    /// Samples of the training that the mixture is for; bounds cells by `max_epochs`.
    pub budget: Option<u64>,
    /// How often a cell's samples may be seen on average within the budget.
    pub max_epochs: Option<f64>,
    /// What a distance of 1 (total variation) from today's mixture costs, in standard deviations of the objective.
    pub distance_penalty: f64,
    /// Bounds of single levels.
    #[serde(rename = "bound", skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<Bound>,
}

/// What is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpaceName {
    /// Shares of concepts; tasks within a concept are uniform.
    Concept,
    /// Shares of tasks; concepts within a task are uniform.
    Task,
    /// Concepts and then tasks, each with the other held uniform, as in the paper; the answer is their product.
    Sequential,
    /// Shares of concepts times shares of tasks, both at once.
    Product,
    /// A share for each cell.
    #[default]
    Joint,
}

/// How benchmarks come to one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Combine {
    /// Their weighted mean, each in units of its spread over the runs.
    #[default]
    Weighted,
    /// The one that fares worst against today's mixture, in the same units.
    Worst,
}

/// One `[[atlas.search.bound]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// A concept, a task or a cell, by its name in the space that is searched.
    pub of: String,
    /// Its least share.
    #[serde(default)]
    pub min: f64,
    /// Its largest share.
    #[serde(default = "one")]
    pub max: f64,
}

fn one() -> f64 {
    1.0
}

/// One `[[atlas.benchmark]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// Its name among the metrics of a run.
    pub name: String,
    /// Which way is better.
    #[serde(default)]
    pub goal: Goal,
    /// Its weight among the benchmarks.
    #[serde(default = "one")]
    pub weight: f64,
}

/// Which way a benchmark is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// More is better: accuracies.
    #[default]
    Max,
    /// Less is better: losses.
    Min,
}

impl Goal {
    /// By what a value is multiplied so that more is better.
    pub(crate) fn sign(self) -> f64 {
        match self {
            Self::Max => 1.0,
            Self::Min => -1.0,
        }
    }
}

/// The section `[atlas.proxy]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// The program and its arguments, in which `{mixture}`, `{out}` and `{seed}` (and `{trial}`, `{device}`) are filled
    /// in; the proxy that comes along if not said. A program with a `/` lies relative to the config.
    pub command: Vec<String>,
    /// The trainer whose file `{mixture}` is (the folder of them where it writes several), one of
    /// `madmix export --list`; madmix's own `mixture.json` if not said.
    pub export: Option<String>,
    /// Samples of a proxy run, for the trainers that want counts, and of the proxy that comes along.
    pub budget: u64,
    /// What `{device}` and `CUDA_VISIBLE_DEVICES` are, one for each run at a time; none for one run at a time.
    pub devices: Vec<String>,
    /// Seconds that a run may take; 0 for no limit.
    pub timeout_seconds: u64,
    /// How often a run that failed is tried again; one that took too long is not.
    pub retries: u32,
    /// The file of metrics that the command leaves in `{out}`: JSON or CSV. Not one of madmix's own there.
    pub metrics: PathBuf,
}

impl Default for Atlas {
    fn default() -> Self {
        Self {
            min_cell: 64,
            seed: 0,
            concepts: Concepts::default(),
            tasks: Tasks::default(),
            search: Search::default(),
            benchmarks: Vec::new(),
            proxy: Proxy::default(),
        }
    }
}

impl Default for Concepts {
    fn default() -> Self {
        Self {
            checkpoint: None,
            clusters: Clusters::Count(10),
            restarts: 4,
            words: None,
            frames: 4,
        }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self {
            space: SpaceName::default(),
            surrogate: "gp".into(),
            acquisition: "ucb".into(),
            runs: 50,
            initial: 10,
            batch: 4,
            combine: Combine::default(),
            budget: None,
            max_epochs: None,
            distance_penalty: 0.0,
            bounds: Vec::new(),
        }
    }
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            export: None,
            budget: 10_000,
            devices: Vec::new(),
            timeout_seconds: 0,
            retries: 1,
            metrics: "metrics.json".into(),
        }
    }
}

impl Atlas {
    /// Makes paths absolute.
    pub(super) fn resolve(&mut self, at: impl Fn(&Path) -> PathBuf) {
        // A program on the PATH, or a file beside the config.
        if let Some(program) = self.proxy.command.first_mut()
            && program.contains('/')
        {
            *program = at(Path::new(program.as_str()))
                .to_string_lossy()
                .into_owned();
        }
        let concepts = &mut self.concepts;
        concepts.words = concepts.words.as_deref().map(&at);
        if let Some(checkpoint) = &mut concepts.checkpoint {
            // As for the model: a folder if there is one of that name, and else a hub id.
            let folder = at(Path::new(checkpoint.as_str()));
            if folder.exists() {
                *checkpoint = folder.to_string_lossy().into_owned();
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let Concepts {
            clusters,
            restarts,
            frames,
            ..
        } = self.concepts;
        if !matches!(clusters, Clusters::Auto | Clusters::Count(1..=1000)) {
            return Err("atlas.concepts.clusters must be 1 to 1000, or \"auto\"".into());
        }
        if restarts == 0 || frames == 0 {
            return Err("atlas.concepts.restarts and frames must be at least 1".into());
        }
        self.tasks.check()?;
        self.search.check()?;
        self.check_benchmarks()?;
        self.proxy.check()
    }

    fn check_benchmarks(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for Benchmark { name, weight, .. } in &self.benchmarks {
            if name.is_empty() || !names.insert(name) {
                return Err(format!(
                    "an [[atlas.benchmark]] is named \"{name}\": names must be there and differ"
                ));
            }
            if !(weight.is_finite() && *weight > 0.0) {
                return Err(format!(
                    "benchmark \"{name}\": weight = {weight} must be above 0"
                ));
            }
        }
        if self.benchmarks.is_empty() && !self.proxy.command.is_empty() {
            return Err(
                "atlas.proxy.command needs an [[atlas.benchmark]] for each metric that counts"
                    .into(),
            );
        }
        Ok(())
    }
}

impl Proxy {
    fn check(&self) -> Result<(), String> {
        if self.budget == 0 {
            return Err("atlas.proxy.budget must be at least 1".into());
        }
        if self
            .command
            .first()
            .is_some_and(|program| program.trim().is_empty())
        {
            return Err("atlas.proxy.command begins with an empty program".into());
        }
        for argument in &self.command {
            for name in placeholders(argument) {
                if !PLACEHOLDERS.contains(&name) {
                    return Err(format!(
                        "atlas.proxy.command: \"{argument}\" has {{{name}}}, and known are {}",
                        PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", ")
                    ));
                }
                if name == "device" && self.devices.is_empty() {
                    return Err(format!(
                        "atlas.proxy.command: \"{argument}\" has {{device}}, and atlas.proxy.devices names none"
                    ));
                }
            }
        }
        if self.devices.iter().any(|device| device.trim().is_empty()) {
            return Err("atlas.proxy.devices: a device has an empty name".into());
        }
        if self.metrics.as_os_str().is_empty() {
            return Err(
                "atlas.proxy.metrics is empty: name the file that the command leaves in {out}"
                    .into(),
            );
        }
        let mut parts = self.metrics.components();
        let first = parts.next();
        let is_inside = std::iter::once(first)
            .flatten()
            .chain(parts)
            .all(|part| matches!(part, Component::Normal(_)));
        let is_ours = first.is_some_and(|first| {
            let name = first.as_os_str().to_string_lossy();
            name.starts_with("mixture") || ["log.txt", "exit", "exit.part"].contains(&&*name)
        });
        if !is_inside || is_ours {
            return Err(format!(
                "atlas.proxy.metrics = \"{}\": it has to be a file of the command's own in {{out}}, without `/` at its \
                 beginning or `..`, and none of log.txt, exit and mixture…, which are madmix's",
                self.metrics.display()
            ));
        }
        if let Some(trainer) = &self.export {
            if self.command.is_empty() {
                return Err(
                    "atlas.proxy.export is for atlas.proxy.command, and there is none".into(),
                );
            }
            crate::export::trainer(trainer)
                .map_err(|error| format!("atlas.proxy.export: {error}"))?;
        }
        Ok(())
    }
}

/// What is filled in where an argument of `atlas.proxy.command` has `{NAME}`.
pub const PLACEHOLDERS: [&str; 5] = ["mixture", "out", "seed", "trial", "device"];

/// The names in braces of an argument. What a shell means by `${NAME}`, and braces around anything else than small
/// letters and `_`, are none.
pub fn placeholders(argument: &str) -> impl Iterator<Item = &str> {
    argument.match_indices('{').filter_map(|(at, _)| {
        let name = argument[at + 1..].split_once('}')?.0;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        (is_name && !argument[..at].ends_with('$')).then_some(name)
    })
}

impl Tasks {
    fn check(&self) -> Result<(), String> {
        let given = self.dataset.values().chain(self.data_source.values());
        for task in given.chain(self.rules.iter().map(|rule| &rule.task)) {
            if task.trim().is_empty() {
                return Err("atlas.tasks: a task has an empty name".into());
            }
            if task.trim().contains(char::is_control) {
                return Err(format!(
                    "atlas.tasks: the name {task:?} has more than one line, or signs that are not shown"
                ));
            }
        }
        for rule in &self.rules {
            let TaskRule {
                task,
                user,
                assistant,
            } = rule;
            if user.is_none() && assistant.is_none() {
                return Err(format!(
                    "[[atlas.tasks.rule]] \"{task}\" needs `user` or `assistant`"
                ));
            }
            for expression in [user, assistant].into_iter().flatten() {
                regex::Regex::new(expression).map_err(|error| {
                    format!(
                        "[[atlas.tasks.rule]] \"{task}\": \"{expression}\" is no regular expression: {error}"
                    )
                })?;
            }
        }
        Ok(())
    }
}

impl Search {
    fn check(&self) -> Result<(), String> {
        if self.runs == 0 || self.initial == 0 || self.batch == 0 {
            return Err("atlas.search.runs, initial and batch must be at least 1".into());
        }
        let known = |what: &str, name: &str, known: &[&str]| {
            if known.contains(&name) {
                return Ok(());
            }
            Err(format!(
                "atlas.search.{what} = \"{name}\" is not known; it is one of {}",
                known.join(", ")
            ))
        };
        known("surrogate", &self.surrogate, SURROGATES)?;
        known("acquisition", &self.acquisition, ACQUISITIONS)?;
        if let Some(epochs) = self.max_epochs
            && !(epochs.is_finite() && epochs > 0.0)
        {
            return Err(format!(
                "atlas.search.max_epochs = {epochs} must be above 0"
            ));
        }
        if self.max_epochs.is_some() && self.budget.is_none() {
            return Err("atlas.search.max_epochs needs atlas.search.budget".into());
        }
        if !(self.distance_penalty.is_finite() && self.distance_penalty >= 0.0) {
            return Err("atlas.search.distance_penalty must be at least 0".into());
        }
        for Bound { of, min, max } in &self.bounds {
            if !(0.0 <= *min && min <= max && *max <= 1.0) {
                return Err(format!(
                    "[[atlas.search.bound]] of \"{of}\": 0 ≤ min ≤ max ≤ 1 must hold, and they are {min} and {max}"
                ));
            }
        }
        Ok(())
    }
}

/// The names of the surrogates; here, so that a config is checked without them.
pub const SURROGATES: &[&str] = &["gp", "linear", "trees"];
/// The names of the acquisitions.
pub const ACQUISITIONS: &[&str] = &["ucb", "ei", "random", "uniform"];

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Atlas, String> {
        let atlas: Atlas = toml::from_str(text).map_err(|error| error.to_string())?;
        atlas.check()?;
        Ok(atlas)
    }

    #[test]
    fn braces_that_are_no_placeholders_are_left_alone() {
        let found = |text| placeholders(text).collect::<Vec<_>>();
        assert_eq!(found("{out}/x_{seed}{trial}"), ["out", "seed", "trial"]);
        assert_eq!(found("${HOME} {\"a\": {1}} { out } {} {A} {out"), [""; 0]);
    }

    #[test]
    fn what_has_no_meaning_is_refused_by_its_key() {
        assert_eq!(checked("").unwrap().search.space, SpaceName::Joint);
        checked("[proxy]\nmetrics = \"eval/metrics.csv\"").unwrap();
        for (text, word) in [
            ("[concepts]\nclusters = 0", "clusters"),
            ("[concepts]\nclusters = \"many\"", "auto"),
            ("[search]\nsurrogate = \"svm\"", "gp, linear"),
            ("[search]\nmax_epochs = 2", "budget"),
            (
                "[[search.bound]]\nof = \"a\"\nmin = 0.6\nmax = 0.5",
                "\"a\"",
            ),
            ("[[benchmark]]\nname = \"a\"\nweight = 0", "weight"),
            (
                "[[benchmark]]\nname = \"a\"\n[[benchmark]]\nname = \"a\"",
                "differ",
            ),
            ("[proxy]\ncommand = [\"true\"]", "benchmark"),
            (
                "[[benchmark]]\nname = \"a\"\n[proxy]\ncommand = [\"a\", \"--x={mix}\"]",
                "{mix}, and known are {mixture}, {out}",
            ),
            (
                "[[benchmark]]\nname = \"a\"\n[proxy]\ncommand = [\"a\", \"{device}\"]",
                "atlas.proxy.devices",
            ),
            (
                "[[benchmark]]\nname = \"a\"\n[proxy]\ncommand = [\"a\"]\nexport = \"llava\"",
                "llava",
            ),
            ("[proxy]\nexport = \"llava-next\"", "atlas.proxy.command"),
            ("[proxy]\nmetrics = \"/m.json\"", "atlas.proxy.metrics"),
            ("[proxy]\nmetrics = \"../m.json\"", "atlas.proxy.metrics"),
            ("[proxy]\nmetrics = \"a/../../m.json\"", "{out}"),
            ("[proxy]\nmetrics = \"log.txt\"", "log.txt"),
            ("[proxy]\nmetrics = \"exit\"", "exit"),
            ("[proxy]\nmetrics = \"mixture/m.json\"", "mixture"),
            ("[[tasks.rule]]\ntask = \"x\"", "`user`"),
            ("[[tasks.rule]]\ntask = \"x\"\nuser = \"(\"", "regular"),
            ("[tasks]\ndataset = { d = \" \" }", "empty name"),
            ("[tasks]\ndataset = { d = \"a\\nb\" }", "more than one line"),
            ("[search]\nspaces = \"joint\"", "spaces"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
