//! A family of checkpoints, and what the library makes of its samples.

use std::collections::HashSet;
use std::hash::Hash;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use madmix::checkpoint::Checkpoint;
use madmix::config::Protocol;
use madmix::dataset::{self, Dataset, DatasetSpec};
use madmix::extract::{Measured, Preparer};
use madmix::media::{Orientation, Resampler};
use madmix::prompt::Place;
use madmix::vlm::{self, Input, Layer, Model, MropeRule, PooledBatch, TextScope, Visual};

use crate::agreement::Comparison;
use crate::checkpoints::Folder;
use crate::device::On;
use crate::reference::{Case, Reference, Vectors, folder, vectors};
use crate::support;

/// What to hold the library to.
pub(crate) struct Family {
    /// For messages.
    pub(crate) name: &'static str,
    /// The folder in `tests/fixtures`.
    pub(crate) fixtures: &'static str,
    /// The folder in `tests/fixtures` that the rows' media paths start from.
    pub(crate) media: &'static str,
    /// The checkpoint, as one file of f32.
    pub(crate) checkpoint: fn() -> Folder,
    /// Other checkpoints of the same model, by what is special about them: they give the same vectors to the bit.
    pub(crate) twins: fn(&Path) -> Vec<(String, Folder)>,
    /// What the reference does with the orientation that a file asks for.
    pub(crate) orientation: Orientation,
    /// The resamplers whose levels the fixtures hold, by their names there; the vectors are of the first.
    pub(crate) resamplers: &'static [(Resampler, &'static str)],
    /// Cases whose pixels the reference resampled in an order that the library does not have, so that only their
    /// tokens can be compared.
    pub(crate) other_pixels: &'static [&'static str],
}

/// A family with its model on a device and its samples as the model takes them.
pub(crate) struct Opened {
    pub(crate) family: &'static Family,
    pub(crate) on: On,
    pub(crate) reference: Reference,
    pub(crate) folder: Folder,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) inputs: Arc<Vec<Input>>,
    rows: tempfile::NamedTempFile,
    model: OnceLock<Mutex<Box<dyn Model>>>,
    pooled: OnceLock<Vectors>,
    packed: OnceLock<PooledBatch>,
}

impl Opened {
    /// On the CPU.
    pub(crate) fn new(family: &'static Family) -> Self {
        let mut opened = Self::bare(family, (family.checkpoint)(), On::cpu());
        opened.inputs = Arc::new(opened.prepared(family.resamplers[0].0, |_, input| input));
        opened
    }

    /// The same samples for a model elsewhere.
    pub(crate) fn placed(&self, on: On) -> Self {
        let mut opened = Self::bare(self.family, (self.family.checkpoint)(), on);
        opened.inputs = Arc::clone(&self.inputs);
        opened
    }

    /// A family with another checkpoint than its own, and without samples.
    pub(crate) fn bare(family: &'static Family, folder: Folder, on: On) -> Self {
        let reference = Reference::read(family.fixtures);
        let checkpoint = support::open(folder.path()).unwrap();
        let mut rows = tempfile::NamedTempFile::with_suffix(".json").unwrap();
        let all: Vec<_> = reference.cases.iter().map(|case| &case.row).collect();
        serde_json::to_writer(&mut rows, &all).unwrap();
        rows.flush().unwrap();
        Self {
            model: OnceLock::new(),
            inputs: Arc::default(),
            on,
            pooled: OnceLock::new(),
            packed: OnceLock::new(),
            family,
            reference,
            folder,
            checkpoint,
            rows,
        }
    }

    /// Prepares every sample from its row, in the order of the cases.
    pub(crate) fn prepared<R>(
        &self,
        resampler: Resampler,
        take: impl Fn(&Measured, Input) -> R,
    ) -> Vec<R> {
        let all = 0..self.reference.cases.len();
        let one = |measured: &Measured, mut inputs: Vec<Input>| {
            assert_eq!(inputs.len(), 1, "one joint pass");
            take(measured, inputs.remove(0))
        };
        self.prepared_with(resampler, Protocol::Joint, all, one)
    }

    /// Prepares some samples under a protocol.
    pub(crate) fn prepared_with<R>(
        &self,
        resampler: Resampler,
        protocol: Protocol,
        samples: impl Iterator<Item = usize>,
        take: impl Fn(&Measured, Vec<Input>) -> R,
    ) -> Vec<R> {
        let rows = self.rows();
        assert_eq!(rows.len(), self.reference.cases.len() as u64);
        let prepare = |i: usize| {
            let case = &self.reference.cases[i];
            let orientation = self.family.orientation;
            let options = case.settings.options(resampler, orientation, protocol);
            let preparer = Preparer::new(&self.checkpoint, options).unwrap();
            let measured = preparer.measure(rows.as_ref(), i as u64);
            let loaded = measured.and_then(|measured| {
                let inputs = preparer.load(&measured, rows.as_ref())?;
                Ok(take(&measured, inputs))
            });
            loaded.unwrap_or_else(|failure| panic!("{}: {}", case.name, failure.reason))
        };
        samples.map(prepare).collect()
    }

    fn rows(&self) -> Box<dyn Dataset> {
        dataset::open(&DatasetSpec {
            name: self.family.name.to_owned(),
            path: self.rows.path().to_owned(),
            media_root: Some(folder(self.family.media)),
            filter: None,
            ..DatasetSpec::default()
        })
        .unwrap()
    }

    /// A comparison of vectors that on the CPU are within `bound`.
    pub(crate) fn comparison(&self, bound: f64) -> Comparison {
        Comparison::new(self.on.bound(bound))
    }

    /// For messages: the family, and where it runs.
    pub(crate) fn name(&self) -> String {
        format!("{} on {}", self.family.name, self.on.name)
    }

    /// Every hidden state.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        (0..self.reference.hidden_states)
            .map(Layer::Index)
            .collect()
    }

    /// Mean vectors of a batch at every hidden state.
    pub(crate) fn forward(&self, batch: &[Input], scope: TextScope) -> PooledBatch {
        let load = || Mutex::new(load(&self.checkpoint, &self.on, MropeRule::Original));
        let model = self.model.get_or_init(load).lock().unwrap();
        assert_eq!(model.depth() + 1, self.reference.hidden_states);
        model.forward(batch, &self.layers(), scope).unwrap()
    }

    /// All samples in one batch, all text.
    pub(crate) fn packed(&self) -> &PooledBatch {
        self.packed
            .get_or_init(|| self.forward(&self.inputs, TextScope::All))
    }

    /// The reference's vectors.
    pub(crate) fn pooled(&self) -> &Vectors {
        self.pooled
            .get_or_init(|| vectors(self.family.fixtures, "pooled.safetensors"))
    }

    /// The shortest sample of each kind, where `kind` tells which are alike.
    pub(crate) fn shortest_of_each<K: Eq + Hash>(&self, kind: impl Fn(&Input) -> K) -> Vec<usize> {
        let mut chosen: Vec<usize> = (0..self.inputs.len()).collect();
        chosen.sort_by_key(|i| self.inputs[*i].tokens.ids.len());
        let mut seen = HashSet::new();
        chosen.retain(|i| seen.insert(kind(&self.inputs[*i])));
        chosen
    }

    /// Copies of some samples.
    pub(crate) fn copies(&self, samples: &[usize]) -> Vec<Input> {
        samples.iter().map(|i| self.inputs[*i].clone()).collect()
    }

    /// For each number of pictures and of clips the shortest sample.
    pub(crate) fn smallest(&self) -> Vec<Input> {
        self.copies(&self.shortest_of_each(|input| {
            let (pictures, clips) = by_kind(input);
            (pictures.len(), clips.len())
        }))
    }

    /// The cases with what was prepared and whether their pixels are the reference's.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (&Case, &Input, bool)> {
        let cases = self.reference.cases.iter().zip(self.inputs.iter());
        cases.map(|(case, input)| {
            let other = self.family.other_pixels.contains(&case.name.as_str());
            (case, input, !other)
        })
    }
}

/// Loads a checkpoint's model.
pub(crate) fn load(checkpoint: &Checkpoint, on: &On, rule: MropeRule) -> Box<dyn Model> {
    vlm::load(checkpoint, on.dtype, &on.device, rule).unwrap()
}

/// The pictures and the clips of a sample, told apart by the positions that they take.
pub(crate) fn by_kind(input: &Input) -> (Vec<&Visual>, Vec<&Visual>) {
    let places = input.tokens.places.iter();
    let seen: Vec<_> = places.filter(|place| place.is_visual()).collect();
    let mut first = 0;
    input.visuals.iter().partition(|visual| {
        let place = seen[first];
        first += visual.shape.tokens();
        *place == Place::Image
    })
}
