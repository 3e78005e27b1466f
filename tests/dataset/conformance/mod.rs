//! One suite for all formats: the same rows, written as each format has them, are the same samples.
//!
//! A format takes part with a [`Writer`] in a file of its own and a line in [`WRITERS`]. `cases` says what rows there
//! are, each with what is odd about it and what must come of it.

mod cases;
mod checks;
mod llava;
mod messages;
mod parquet;
mod webdataset;

use std::path::Path;

use madmix::dataset::{DatasetSpec, MediaKind};

/// Every format, and every way in which one writes the same.
const WRITERS: &[&dyn Writer] = &[
    &llava::List,
    &llava::Lines,
    &messages::Strings,
    &messages::Parts,
    &parquet::Columns,
    &webdataset::Shard,
];

/// Writes rows as a format has them.
trait Writer: Sync {
    /// What failing checks call it.
    fn name(&self) -> &'static str;

    /// What a dataset of such a file calls its format.
    fn format(&self) -> &'static str;

    /// Writes the rows below a folder, by the same names for the same rows, and says how they are opened.
    fn write(&self, rows: &[Row], folder: &Path) -> DatasetSpec;

    /// Whether the format can say such a row at all: a table has no row that is no object.
    fn can(&self, row: &Row) -> bool;

    /// Whether rows have ids also where they say none.
    fn names_rows(&self) -> bool {
        false
    }
}

/// A row in terms of what it says.
#[derive(Clone, Debug, Default)]
struct Row {
    /// As JSON; absent if there is none.
    id: Option<&'static str>,
    /// `data_source`.
    source: Option<&'static str>,
    /// Further keys, as JSON.
    stray: &'static [(&'static str, &'static str)],
    /// Who says what, by LLaVA's names; media stand in it as placeholders.
    turns: Vec<(&'static str, &'static str)>,
    /// In the order of their kind.
    media: Vec<(MediaKind, &'static str)>,
    /// How the row writes its media where there is a choice.
    spelling: Spelling,
    /// The whole row instead, where no format would write such a one.
    raw: Option<&'static [u8]>,
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// How the same media may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Spelling {
    /// One as itself, several as a list, none not at all.
    #[default]
    Usual,
    /// Always as a list.
    List,
    /// None as null.
    Null,
    /// None as an empty list.
    Empty,
    /// Under `image` or `video`, whatever the format's own keys are.
    Singular,
    /// Under `images` or `videos`.
    Plural,
}

impl Row {
    /// The names of its media of a kind.
    fn of(&self, kind: MediaKind) -> Vec<&'static str> {
        let media = self.media.iter().filter(|(found, _)| *found == kind);
        media.map(|(_, name)| *name).collect()
    }

    /// Its keys but for the turns, as JSON: id, source, stray keys, and its media; `plural` says under which of the two
    /// keys of a kind they usually are.
    fn keys(&self, plural: bool) -> Vec<String> {
        let mut keys = Vec::new();
        keys.extend(self.id.map(|id| format!(r#""id": {id}"#)));
        keys.extend(self.source.map(|it| format!(r#""data_source": "{it}""#)));
        keys.extend(
            self.stray
                .iter()
                .map(|(key, value)| format!(r#""{key}": {value}"#)),
        );
        for (kind, name) in [(MediaKind::Image, "image"), (MediaKind::Video, "video")] {
            let plural = match self.spelling {
                Spelling::Singular => false,
                Spelling::Plural => true,
                _ => plural,
            };
            let key = if plural {
                format!("{name}s")
            } else {
                name.to_owned()
            };
            let paths = self.of(kind);
            let value = match (paths.as_slice(), self.spelling) {
                ([], Spelling::Null) => "null".to_owned(),
                ([], Spelling::Empty) => "[]".to_owned(),
                ([], _) => continue,
                ([one], Spelling::Usual | Spelling::Singular) => json(one),
                (all, _) => serde_json::to_string(all).unwrap(),
            };
            keys.push(format!(r#""{key}": {value}"#));
        }
        keys
    }
}
