//! A mixture over datasets with names that no syntax likes, and files of rows.

use std::fmt::Write as _;
use std::path::Path;

use madmix::dataset::{DatasetSpec, Filter};
use madmix::export::{ExportError, Folder, Prepared, Request, Source, Unit, prepare, trainer};
use madmix::mix::Mixture;
use serde_json::json;
use tempfile::TempDir;

/// Name, domain, file, rows.
pub(crate) const DATASETS: [(&str, &str, &str, u64); 4] = [
    ("plain", "General", "plain.jsonl", 40),
    (
        "it's \"5%\", #1: é\nb",
        "General",
        "we ird/it's \"5%\" #1: é.jsonl",
        10,
    ),
    ("図(a,b)%50", "Doc's \"C\"", "図 ~HOME%20.json", 30),
    ("unwanted", "Nothing", "unwanted.jsonl", 7),
];

/// Weights of the domains in the order above.
const WEIGHTS: [f64; 3] = [0.55, 0.45, 0.0];

pub(crate) struct Project {
    pub(crate) folder: TempDir,
    pub(crate) sources: Vec<Source>,
    pub(crate) mixture: Mixture,
}

/// What an export wrote.
pub(crate) struct Written {
    pub(crate) prepared: Prepared,
    pub(crate) usage: String,
    /// Names and contents.
    pub(crate) files: Vec<(String, String)>,
}

fn row(i: u64, picture: bool) -> serde_json::Value {
    let mut row = json!({
        "id": format!("r{i}"),
        "data_source": if i.is_multiple_of(2) { "even" } else { "odd" },
        "conversations": [
            {"from": "human", "value": if picture { "<image>\nWhat?" } else { "What?" }},
            {"from": "gpt", "value": format!("{i}")},
        ],
    });
    if picture {
        row["image"] = json!(format!("p/{i}.png"));
    }
    row
}

/// Rows as the file's name says.
pub(crate) fn file_of(name: &str, rows: u64, picture: bool) -> String {
    let rows: Vec<_> = (0..rows).map(|i| row(i, picture)).collect();
    if Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return serde_json::to_string(&rows).unwrap();
    }
    rows.iter().map(|row| row.to_string() + "\n").collect()
}

impl Project {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for media in ["media é", "elsewhere"] {
            fs_err::create_dir(folder.path().join(media)).unwrap();
        }
        let mut sources = Vec::new();
        for (name, domain, file, rows) in DATASETS {
            let path = folder.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, file_of(file, rows, name != "plain")).unwrap();
            sources.push(Source {
                domain: domain.to_owned(),
                spec: DatasetSpec {
                    name: name.to_owned(),
                    path,
                    media_root: Some(folder.path().join("media é")),
                    filter: None,
                    ..DatasetSpec::default()
                },
                rows: Some(rows),
            });
        }
        Self {
            folder,
            sources,
            mixture: mixture(),
        }
    }

    /// Keeps every other row of a dataset.
    pub(crate) fn filter(&mut self, dataset: usize) {
        self.sources[dataset].spec.filter = Some(Filter {
            data_source: Some(vec!["even".to_owned()]),
            media: None,
            ..Filter::default()
        });
        self.sources[dataset].rows = self.sources[dataset].rows.map(|rows| rows.div_ceil(2));
    }

    pub(crate) fn export(&self, to: &str, request: &Request) -> Result<Written, ExportError> {
        let out = self.folder.path().join("out").join(to);
        let mut folder = Folder::new(&out);
        let entry = trainer(to)?;
        let needs = entry.trainer.needs();
        let prepared = prepare(&self.mixture, &self.sources, request, needs, &mut folder)?;
        let usage = entry.trainer.write(&prepared.plan, &mut folder)?;
        let file = |path: &std::path::PathBuf| {
            let name = path.strip_prefix(&out).unwrap().to_str().unwrap();
            (name.to_owned(), fs_err::read_to_string(path).unwrap())
        };
        Ok(Written {
            prepared,
            usage,
            files: folder.written().iter().map(file).collect(),
        })
    }

    /// Text without the folder's path.
    pub(crate) fn general(&self, text: &str) -> String {
        text.replace(self.folder.path().to_str().unwrap(), "[DIR]")
    }
}

impl Written {
    pub(crate) fn file(&self, name: &str) -> &str {
        let found = self.files.iter().find(|(file, _)| file == name);
        &found.unwrap_or_else(|| panic!("no {name} was written")).1
    }

    /// Everything but rows, for a snapshot.
    pub(crate) fn all(&self) -> String {
        let mut all = String::new();
        for (name, text) in &self.files {
            let text = if name.starts_with("rows/") {
                "…\n"
            } else {
                text
            };
            write!(all, "=== {name}\n{text}").unwrap();
        }
        write!(all, "=== usage\n{}", self.usage).unwrap();
        all
    }

    /// The counts of the plan, in its order, of the datasets that are used.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        let count = |(_, dataset): (_, &madmix::export::PlannedDataset)| {
            let path = dataset.spec.path.to_str().unwrap().to_owned();
            (path, dataset.count.unwrap())
        };
        self.prepared.plan.used().map(count).collect()
    }
}

pub(crate) fn budget(budget: u64) -> Request {
    Request {
        budget: Some(budget),
        ..Request::default()
    }
}

pub(crate) fn by_tokens() -> Request {
    Request {
        unit: Unit::Tokens,
        ..Request::default()
    }
}

fn mixture() -> Mixture {
    let domains: Vec<_> = ["General", "Doc's \"C\"", "Nothing"]
        .iter()
        .zip(WEIGHTS)
        .map(|(domain, weight)| {
            let own = || DATASETS.iter().filter(|(_, of, ..)| of == domain);
            let size: u64 = own().map(|(.., rows)| rows).sum();
            let dataset = |&(name, _, _, rows): &(&str, &str, &str, u64)| {
                json!({"name": name, "size": rows, "weight": weight * rows as f64 / size as f64, "tokens": 10 * rows})
            };
            json!({
                "name": domain, "weight": weight, "size": size, "human": null, "modalities": ["text"], "scores": {},
                "alpha": null, "datasets": own().map(dataset).collect::<Vec<_>>(),
            })
        })
        .collect();
    let mixture = json!({
        "format": 1, "method": "mad-mix", "lambda": 10.0, "domains": domains,
        "baselines": {},
        "provenance": {"checkpoint": "tiny\n# forged: 1", "fingerprint": "f0", "samples": 80, "madmix": "0.1.0"},
    });
    Mixture::from_bytes(mixture.to_string().as_bytes()).unwrap()
}
