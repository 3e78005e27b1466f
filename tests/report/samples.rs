//! Mixtures and analyses to show, made by the library from centroids that a small generator draws.

use std::collections::BTreeMap;

use madmix::mix::{
    Aggregation, Analysis, Centroids, DatasetSummary, Domain, Influence, LambdaPoint, LayerWeights,
    MadMix, Method, Mixture, Provenance, SpectrumLine, Uncertainty, View,
};
use madmix::modality::Modality;
use nalgebra::DMatrix;

/// The six domains of the demo, with today's shares.
pub(crate) const DEMO: [(&str, f64); 6] = [
    ("General", 30.1),
    ("Doc/Chart/Screen", 17.2),
    ("Math/Reasoning", 16.7),
    ("General OCR", 7.4),
    ("Language", 11.9),
    ("Video", 16.7),
];

/// Even numbers between 0 and 1, always the same.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Centroids of domains: every one has text, all but each fifth have pictures, each sixth has video.
fn centroids(names: &[String], human: Option<&[f64]>) -> Centroids {
    const WIDTH: usize = 12;
    let k = names.len();
    let mut draw = Draw(7);
    let domains = names.iter().enumerate().map(|(i, name)| Domain {
        name: name.clone(),
        size: 40_000 + 12_345 * i as u64,
        human: human.map(|human| human[i]),
    });
    let view = |draw: &mut Draw, present: Vec<bool>| {
        let common: Vec<f64> = (0..WIDTH).map(|_| draw.next()).collect();
        let mut value = |i: usize, j: usize| {
            let own = draw.next() - 0.5;
            if present[i] {
                0.6 * common[j] + 0.9 * own
            } else {
                0.0
            }
        };
        let matrix = DMatrix::from_fn(k, WIDTH, &mut value);
        View { matrix, present }
    };
    let text = view(&mut draw, vec![true; k]);
    let image = view(
        &mut draw,
        (0..k).map(|i| i % 5 != 4 && i % 6 != 5).collect(),
    );
    let video = view(&mut draw, (0..k).map(|i| i % 6 == 5).collect());
    let mut views = BTreeMap::from([(Modality::Text, text), (Modality::Image, image)]);
    if k > 5 {
        views.insert(Modality::Video, video);
    }
    let views = views
        .into_iter()
        .filter(|(_, view)| view.present.contains(&true))
        .collect();
    Centroids::new(domains.collect(), views, None).unwrap()
}

fn weights(centroids: &Centroids, lambda: f64) -> Vec<f64> {
    MadMix::new(lambda)
        .unwrap()
        .weights(centroids)
        .unwrap()
        .weights
}

/// A mixture with all that one can have.
pub(crate) fn mixture(names: &[String], human: Option<&[f64]>) -> Mixture {
    let centroids = centroids(names, human);
    let k = names.len();
    let solution = MadMix::new(10.0).unwrap().weights(&centroids).unwrap();
    let mut draw = Draw(11);
    let datasets = |(i, domain): (usize, &Domain)| {
        let size = domain.size;
        let mut dataset = |name: String, size: u64| DatasetSummary {
            name,
            size,
            samples: Some(512),
            failed: Some((3.0 * draw.next()) as u64),
            tokens: Some(200.0 + 3000.0 * draw.next()),
        };
        let part = size / 3;
        vec![
            dataset(format!("set {i}a"), part),
            dataset(format!("set {i}b"), size - part),
        ]
    };
    let datasets: Vec<_> = centroids
        .domains()
        .iter()
        .enumerate()
        .map(datasets)
        .collect();
    let provenance = Provenance {
        checkpoint: "checkpoints/mid-stage".into(),
        fingerprint: "5f1c0ffee".into(),
        samples: 1024 * k as u64,
        madmix: "0.1.0".into(),
    };
    let mut mixture = Mixture::new(&centroids, &solution, &datasets, provenance).unwrap();
    for domain in &mut mixture.domains {
        let width = domain.weight * (0.03 + 0.09 * draw.next());
        domain.low = Some(domain.weight - width);
        domain.high = Some((domain.weight + 1.2 * width).min(1.0));
    }
    let outranks = |i: usize, j: usize| {
        let [a, b] = [i, j].map(|i| mixture.domains[i].weight);
        1.0 / (1.0 + (-(a - b) / (0.05 * (a + b))).exp())
    };
    let outranks = (0..k)
        .map(|i| (0..k).map(|j| outranks(i, j)).collect())
        .collect();
    mixture.uncertainty = Some(Uncertainty {
        level: 0.95,
        replicates: 2000,
        outranks: (k <= 200).then_some(outranks),
    });
    mixture.settings.layer = Some("last".into());
    mixture.settings.aggregation = Some(Aggregation::Equal);
    mixture
}

/// The demo's mixture.
pub(crate) fn demo() -> Mixture {
    let (names, human): (Vec<String>, Vec<f64>) =
        DEMO.iter().map(|(n, h)| ((*n).to_owned(), *h)).unzip();
    mixture(&names, Some(&human))
}

/// A mixture of that many domains.
pub(crate) fn many(k: usize) -> Mixture {
    let human: Vec<f64> = (0..k).map(|i| 1.0 + (i % 7) as f64).collect();
    mixture(&names(k), Some(&human))
}

fn names(k: usize) -> Vec<String> {
    (0..k).map(|i| format!("domain {i:04}")).collect()
}

/// The analysis of a mixture that [`mixture`] made.
pub(crate) fn analysis(mixture: &Mixture) -> Analysis {
    let names: Vec<String> = mixture
        .domains
        .iter()
        .map(|domain| domain.name.clone())
        .collect();
    let centroids = centroids(&names, None);
    let k = names.len();
    let point = |n: i32| {
        let lambda = 10.0 * 10_f64.powf(f64::from(n) / 4.0);
        LambdaPoint {
            lambda,
            weights: weights(&centroids, lambda),
        }
    };
    let kernel = |view: &View| {
        let kernel = &view.matrix * view.matrix.transpose();
        (0..k)
            .map(|i| kernel.row(i).iter().copied().collect())
            .collect()
    };
    let kernels: BTreeMap<Modality, Vec<Vec<f64>>> = centroids
        .modalities()
        .iter()
        .filter(|_| k <= 100)
        .map(|(modality, view)| (*modality, kernel(view)))
        .collect();
    let shifted = |i: usize, by: f64| {
        let mut weights: Vec<f64> = mixture.domains.iter().map(|domain| domain.weight).collect();
        let by = by.min(weights[i]);
        weights[i] -= by;
        weights[(i + 1) % k] += by;
        weights
    };
    let mut draw = Draw(3);
    let without_dataset = (0..2 * k.min(300))
        .map(|n| Influence {
            without: format!("set {}{}", n / 2, if n % 2 == 0 { "a" } else { "b" }),
            weights: Some(shifted(n / 2, draw.next().powi(3) * 3.0 / k as f64 / 6.0)),
        })
        .collect();
    let without_modality = vec![
        Influence {
            without: "text".into(),
            weights: None,
        },
        Influence {
            without: "image".into(),
            weights: Some(shifted(0, 0.04)),
        },
    ];
    let layer = |(name, i, by): (&str, usize, f64)| LayerWeights {
        layer: name.into(),
        weights: shifted(i % k, by),
    };
    Analysis {
        lambda_path: (-12..=12).map(point).collect(),
        spectrum: (0..k.min(60))
            .map(|i| {
                let eigenvalue = 30.0 * k as f64 * (-0.9 * i as f64).exp();
                SpectrumLine {
                    eigenvalue,
                    filter: eigenvalue / (eigenvalue + 10.0),
                    delta: 0.5_f64.powi(i as i32 + 1),
                }
            })
            .collect(),
        without_dataset,
        without_modality,
        layers: [("last", 0, 0.0), ("middle", 1, 0.031), ("12", 2, 0.002)]
            .map(layer)
            .to_vec(),
        kernels,
    }
}
