//! The file that a command gets a trial's mixture in.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::atlas::Trial;
use crate::atlas::lock::Lock;
use crate::atlas::proxy::ProxyError;
use crate::export::{self, ExportError, Folder, Plan, Request, Source, TrainerEntry};
use crate::mix::Mixture;
use crate::store::publish;

/// The folder, below a run's, of what a trainer reads.
const FOLDER: &str = "mixture";

/// What was prepared, beside the files of rows.
const PREPARED: &str = "prepared.json";
/// Held by who prepares.
const LOCK: &str = "lock";

/// Makes the mixture of a trial, with a domain for each cell.
pub type MixtureOf<'a> = &'a (dyn Fn(&Trial) -> Result<Mixture, String> + Sync);

/// The mixture of a trial, on disk.
pub(super) struct Written {
    /// The one file that was written, or the folder of several.
    pub(super) path: PathBuf,
    /// Where the paths of media in it start from.
    pub(super) media_root: String,
}

/// `prepared.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prepared {
    made_from: String,
    /// The datasets as the trainer can read them.
    sources: Vec<Source>,
}

/// A trainer that mixtures are written for.
pub struct Exporter {
    entry: &'static TrainerEntry,
    /// The datasets of the cells.
    sources: Vec<Source>,
    budget: u64,
    /// Where files of rows go that the trainer needs; all trials share them, and other processes, too.
    rows: PathBuf,
    /// Of the grid whose cells the datasets are.
    grid: String,
    /// The datasets as the trainer can read them, once that is looked into.
    prepared: OnceLock<Result<Vec<Source>, String>>,
}

impl Exporter {
    /// Writes for the trainer of that name. `sources` are the datasets of the config whose domains are the cells, as
    /// [`export::prepare`] wants them; `rows` is a folder for files of rows, which are written once for all trials of the
    /// grid with that fingerprint.
    ///
    /// # Errors
    /// When there is no such trainer.
    pub fn new(
        trainer: &str,
        sources: Vec<Source>,
        budget: u64,
        rows: PathBuf,
        grid: &str,
    ) -> Result<Self, ExportError> {
        Ok(Self {
            entry: export::trainer(trainer)?,
            sources,
            budget,
            rows,
            grid: grid.to_owned(),
            prepared: OnceLock::new(),
        })
    }

    /// Writes the trainer's files for a trial into `out`.
    pub(super) fn write(
        &self,
        mixture: &Mixture,
        trial: &Trial,
        out: &Path,
        stop: &AtomicBool,
    ) -> Result<Written, ProxyError> {
        let prepared = self.prepared.get_or_init(|| {
            self.prepared(mixture, stop).map_err(|problem| {
                format!(
                    "the mixture cannot be written for {}: {problem}",
                    self.entry.name
                )
            })
        });
        let sources = prepared.as_ref().map_err(|error| {
            // It may have waited for another process.
            if stop.load(Ordering::Relaxed) {
                ProxyError::Stopped
            } else {
                ProxyError::Unusable(error.clone())
            }
        })?;
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

    /// What another process prepared of the same, or what is prepared now. Trials that are at work read these files, so
    /// they are written once.
    fn prepared(&self, mixture: &Mixture, stop: &AtomicBool) -> Result<Vec<Source>, String> {
        fs_err::create_dir_all(&self.rows).map_err(|error| error.to_string())?;
        let reason = "another madmix writes the rows of the cells for the trainer";
        let path = self.rows.join(LOCK);
        let _lock = Lock::wait(&path, reason, Some(stop)).map_err(|error| error.to_string())?;
        let own = Prepared {
            made_from: self.made_from(),
            sources: Vec::new(),
        };
        let path = self.rows.join(PREPARED);
        let found = fs_err::read(&path).ok();
        let found = found.and_then(|bytes| serde_json::from_slice::<Prepared>(&bytes).ok());
        if let Some(found) = found
            && found.made_from == own.made_from
            && self.are_there(&found.sources)
        {
            return Ok(found.sources);
        }
        let sources = self.prepare(mixture).map_err(|error| error.to_string())?;
        let prepared = Prepared { sources, ..own };
        let bytes = serde_json::to_vec_pretty(&prepared).map_err(|error| error.to_string())?;
        publish(&path, &bytes).map_err(|error| error.to_string())?;
        Ok(prepared.sources)
    }

    /// A hash of all that rows are made from.
    fn made_from(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let all = json!([version, self.entry.name, self.grid, self.sources]);
        blake3::hash(all.to_string().as_bytes())
            .to_hex()
            .to_string()
    }

    /// Whether all files of rows are where they were written to.
    fn are_there(&self, sources: &[Source]) -> bool {
        let mut paths = sources.iter().map(|source| &source.spec.path);
        paths.all(|path| !path.starts_with(&self.rows) || path.is_file())
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
