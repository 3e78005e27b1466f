//! The labels of a dataset, column by column.
//!
//! # Memory
//! 36 bytes for each sample, and its id.

/// The labels of a dataset's samples, in the order of its rows. Samples that could not be read have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled {
    /// The dataset's name in the config.
    pub dataset: String,
    /// The fingerprint of its content.
    pub fingerprint: String,
    /// Places among the kept rows, ascending.
    pub index: Vec<u64>,
    /// Rows of the file.
    pub row: Vec<u64>,
    /// Ids.
    pub ids: Ids,
    /// Concepts, by their places in a list.
    pub concept: Vec<u32>,
    /// Rules, by their places in a list.
    pub rule: Vec<u32>,
    /// Positions in the model.
    pub tokens: Vec<u32>,
    /// Products with the centre of the concept; not a number where the concept has no centre.
    pub similarity: Vec<f32>,
    /// Places of the samples whose pictures should have been embedded and could not be. They have no label.
    pub unembedded: Vec<u64>,
}

/// One sample's.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Its place among the kept rows.
    pub index: u64,
    /// Its row in the file.
    pub row: u64,
    /// Its id.
    pub id: &'a str,
    /// Its concept.
    pub concept: u32,
    /// The rule that gave its task.
    pub rule: u32,
    /// Its positions in the model.
    pub tokens: u32,
    /// Its product with the centre.
    pub similarity: f32,
}

impl Labelled {
    /// No labels yet.
    pub fn new(dataset: &str, fingerprint: &str) -> Self {
        Self {
            dataset: dataset.to_owned(),
            fingerprint: fingerprint.to_owned(),
            ..Self::default()
        }
    }

    /// Samples.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Adds the label of a sample, whose row comes after all that were added.
    pub fn push(&mut self, label: &Label<'_>) {
        self.index.push(label.index);
        self.row.push(label.row);
        self.ids.push(label.id);
        self.concept.push(label.concept);
        self.rule.push(label.rule);
        self.tokens.push(label.tokens);
        self.similarity.push(label.similarity);
    }

    /// Adds the labels of further rows.
    pub fn append(&mut self, other: &Self) {
        for i in 0..other.len() {
            self.push(&other.get(i));
        }
    }

    /// The label at a place among the labels.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn get(&self, place: usize) -> Label<'_> {
        Label {
            index: self.index[place],
            row: self.row[place],
            id: self.ids.get(place),
            concept: self.concept[place],
            rule: self.rule[place],
            tokens: self.tokens[place],
            similarity: self.similarity[place],
        }
    }
}

/// Many short texts in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    text: String,
    ends: Vec<u64>,
}

impl Ids {
    /// Adds an id.
    pub fn push(&mut self, id: &str) {
        self.text.push_str(id);
        self.ends.push(self.text.len() as u64);
    }

    /// The id at a place.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn get(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[place] as usize]
    }
}
