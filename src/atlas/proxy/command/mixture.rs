//! The file that a command gets a trial's mixture in.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::atlas::Trial;
use crate::atlas::proxy::ProxyError;
use crate::export::{self, ExportError, Folder, Plan, Request, Source, TrainerEntry};
use crate::mix::Mixture;

/// The folder, below a run's, of what a trainer reads.
const FOLDER: &str = "mixture";

/// Makes the mixture of a trial, with a domain for each cell.
pub type MixtureOf<'a> = &'a (dyn Fn(&Trial) -> Result<Mixture, String> + Sync);

/// The mixture of a trial, on disk.
pub(super) struct Written {
    /// The one file that was written, or the folder of several.
    pub(super) path: PathBuf,
    /// Where the paths of media in it start from.
    pub(super) media_root: String,
}

/// A trainer that mixtures are written for.
pub struct Exporter {
    entry: &'static TrainerEntry,
    /// The datasets of the cells.
    sources: Vec<Source>,
    budget: u64,
    /// Where files of rows go that the trainer needs; all trials share them.
    rows: PathBuf,
    /// The datasets as the trainer can read them, once that is looked into.
    prepared: OnceLock<Result<Vec<Source>, String>>,
}

impl Exporter {
    /// Writes for the trainer of that name. `sources` are the datasets of the config whose domains are the cells, as
    /// [`export::prepare`] wants them; `rows` is a folder for files of rows, which are written once for all trials.
    ///
    /// # Errors
    /// When there is no such trainer.
    pub fn new(
        trainer: &str,
        sources: Vec<Source>,
        budget: u64,
        rows: PathBuf,
    ) -> Result<Self, ExportError> {
        Ok(Self {
            entry: export::trainer(trainer)?,
            sources,
            budget,
            rows,
            prepared: OnceLock::new(),
        })
    }

    /// Writes the trainer's files for a trial into `out`.
    pub(super) fn write(
        &self,
        mixture: &Mixture,
        trial: &Trial,
        out: &Path,
    ) -> Result<Written, ProxyError> {
        let prepared = self.prepared.get_or_init(|| {
            self.prepare(mixture).map_err(|error| {
                format!(
                    "the mixture cannot be written for {}: {error}",
                    self.entry.name
                )
            })
        });
        let sources = prepared
            .as_ref()
            .map_err(|error| ProxyError::Unusable(error.clone()))?;
        let request = Request {
            budget: Some(self.budget),
            seed: trial.seed,
            ..Request::default()
        };
        let mut folder = Folder::new(out.join(FOLDER));
        let media_root = Plan::new(mixture, sources, &request)
            .and_then(|plan| {
                self.entry.trainer.write(&plan, &mut folder)?;
                plan.media_root()
            })
            .map_err(|error| {
                let text = format!(
                    "the mixture cannot be written for {}: {error}",
                    self.entry.name
                );
                match error {
                    ExportError::Publish(_) => ProxyError::Unusable(text),
                    _ => ProxyError::Failed(text),
                }
            })?;
        let path = match folder.written() {
            [file] => file.clone(),
            _ => folder.root().to_owned(),
        };
        Ok(Written { path, media_root })
    }

    /// Finds out what the trainer can read of all cells, whatever a mixture takes of them, and writes the rest anew.
    fn prepare(&self, mixture: &Mixture) -> Result<Vec<Source>, ExportError> {
        let mut all = mixture.clone();
        let some = all
            .domains
            .iter()
            .filter(|domain| domain.size > 0)
            .count()
            .max(1);
        for domain in &mut all.domains {
            domain.weight = f64::from(u8::from(domain.size > 0)) / some as f64;
        }
        let mut folder = Folder::new(&self.rows);
        let prepared = export::prepare(
            &all,
            &self.sources,
            &Request::default(),
            self.entry.trainer.needs(),
            &mut folder,
        )?;
        for note in &prepared.notes {
            tracing::info!("{}", crate::printable::printable(note));
        }
        let source =
            |(domain, dataset): (&export::PlannedDomain, &export::PlannedDataset)| Source {
                domain: domain.name.clone(),
                spec: dataset.spec.clone(),
                rows: Some(dataset.size),
            };
        Ok(prepared.plan.datasets().map(source).collect())
    }
}
