//! What moves the weights, each against doing it by hand.

use std::collections::BTreeMap;

use madmix::mix::{
    Aggregation, Centroids, DatasetMean, DomainMeans, METHODS, MOST_DOMAINS, MixError, Parameters,
    Scaling, Solver, View, analyse, centroids, kernels, lambda_path, without_dataset,
    without_modality,
};
use madmix::modality::Modality;
use nalgebra::DMatrix;

use super::centroids::shards;
use super::{close, domains, fixture, table_6, view_of, views_of};

fn solver(name: &str) -> Solver {
    let parameters = Parameters {
        lambda: 2.0,
        temperature: 1.5,
        scaling: Scaling::None,
    };
    Solver::new(name, &parameters, &[]).unwrap()
}

fn from_fixture(case: &str) -> Centroids {
    let fixture = fixture(case);
    let fused = view_of(&fixture["fused"]);
    let k = fused.present.len();
    Centroids::new(domains(k), views_of(&fixture), Some(fused)).unwrap()
}

/// The domains of the fixture of the aggregation: General (a, b), Language (c) and Video (d, e).
fn means() -> Vec<DomainMeans> {
    let fixture = fixture("aggregation");
    let dataset = |dataset: &serde_json::Value| {
        let size = dataset["size"].as_u64().unwrap();
        let mut mean = DatasetMean::new(dataset["name"].as_str().unwrap(), size);
        for shard in shards(dataset, 4) {
            mean.add(&shard, "last").unwrap();
        }
        mean
    };
    let domain = |domain: &serde_json::Value| DomainMeans {
        name: domain["name"].as_str().unwrap().to_owned(),
        human: Some(1.0),
        datasets: domain["datasets"]
            .as_array()
            .unwrap()
            .iter()
            .map(dataset)
            .collect(),
    };
    fixture["domains"]
        .as_array()
        .unwrap()
        .iter()
        .map(domain)
        .collect()
}

#[test]
fn a_path_is_what_solvers_with_each_lambda_find() {
    for case in ["methods_trimodal", "methods_more_domains_than_columns"] {
        let centroids = from_fixture(case);
        for entry in METHODS {
            let solver = solver(entry.name);
            if matches!(entry.name, "uniform" | "human") {
                assert!(lambda_path(&centroids, &solver).unwrap().is_empty());
                continue;
            }
            let path = match lambda_path(&centroids, &solver) {
                Err(MixError::NoView { .. }) if case != "methods_trimodal" => continue,
                path => path.unwrap(),
            };
            assert_eq!(path.len(), 25);
            close(
                &[path[0].lambda, path[12].lambda, path[24].lambda],
                &[2e-3, 2.0, 2e3],
                1e-12,
                case,
            );
            assert!(path.windows(2).all(|pair| pair[0].lambda < pair[1].lambda));
            for point in path {
                let parameters = Parameters {
                    lambda: point.lambda,
                    ..*solver.parameters()
                };
                let alone = Solver::new(entry.name, &parameters, &[]).unwrap();
                let weights = alone.solve(&centroids).unwrap().weights;
                close(&point.weights, &weights, 1e-9, entry.name);
            }
        }
    }
}

#[test]
fn a_path_leaves_out_ridges_that_drown_in_rounding() {
    let centroids = super::text_only(&[&[1e9; 4], &[1e9; 4], &[1e9; 4]]);
    let path = lambda_path(&centroids, &solver("text")).unwrap();
    assert!((1..25).contains(&path.len()), "{}", path.len());
    assert!((path[path.len() - 1].lambda - 2e3).abs() < 1e-6);
    let none = super::text_only(&[&[1e200; 4], &[1e200; 4]]);
    assert!(lambda_path(&none, &solver("text")).unwrap().is_empty());
}

#[test]
fn a_path_keeps_what_is_held() {
    let parameters = Parameters::default();
    let solver = Solver::new("image", &parameters, &["Language".to_owned()]).unwrap();
    for point in lambda_path(&table_6(), &solver).unwrap() {
        close(&point.weights[4..], &[0.143], 1e-12, "Language");
        close(&[point.weights.iter().sum()], &[1.0], 1e-12, "all");
    }
}

#[test]
fn a_lambda_without_weights_is_left_out() {
    // Equal domains of a size with which λ vanishes beside K, until it is large enough.
    let row = [1e7, 2e7, 3e7];
    let same = View {
        matrix: DMatrix::from_fn(4, 3, |_, j| row[j]),
        present: vec![true; 4],
    };
    let domain = |i: usize| madmix::mix::Domain {
        name: i.to_string(),
        size: 1,
        human: None,
    };
    let domains = (0..4).map(domain).collect();
    let views = BTreeMap::from([(Modality::Text, same)]);
    let centroids = Centroids::new(domains, views, None).unwrap();
    for (lambda, points) in [(1e306, 1..25), (5e-323, 0..25), (1e-2, 1..25)] {
        let parameters = Parameters {
            lambda,
            ..Parameters::default()
        };
        let solver = Solver::new("mad-mix", &parameters, &[]).unwrap();
        let path = lambda_path(&centroids, &solver).unwrap();
        assert!(points.contains(&path.len()), "{lambda}: {}", path.len());
        for point in path {
            close(&point.weights, &[0.25; 4], 1e-6, "equal domains");
        }
    }
}

#[test]
fn what_leaves_nothing_to_divide_is_no_error() {
    // Without the pictures of the second, all the method's weight is on the domain that is held.
    let with = |name: &str, datasets: Vec<DatasetMean>| DomainMeans {
        name: name.to_owned(),
        human: Some(1.0),
        datasets,
    };
    let mut all = means();
    let pictures = |dataset: &&DatasetMean| dataset.mean(Modality::Image).is_some();
    let words = |dataset: &&DatasetMean| dataset.mean(Modality::Image).is_none();
    let datasets: Vec<_> = all.drain(..).flat_map(|domain| domain.datasets).collect();
    let mut seen: Vec<_> = datasets.iter().filter(pictures).cloned().collect();
    let words: Vec<_> = datasets.iter().filter(words).cloned().collect();
    let second = vec![seen.pop().unwrap(), words[0].clone()];
    let name = second[0].name().to_owned();
    let domains = [with("held", seen), with("other", second)];
    let solver = Solver::new("image", &Parameters::default(), &["held".to_owned()]).unwrap();
    let influences = without_dataset(&domains, Aggregation::Equal, &solver).unwrap();
    let without = influences.iter().find(|found| found.without == name);
    assert_eq!(without.unwrap().weights, None);
    assert!(influences.iter().any(|found| found.weights.is_some()));
}

#[test]
fn a_spectrum_is_that_of_the_methods_own_kernel() {
    for case in ["methods_trimodal", "methods_more_domains_than_columns"] {
        let centroids = from_fixture(case);
        let kernel = |view: &View| &view.matrix * view.matrix.transpose();
        let coupled: DMatrix<f64> = centroids.modalities().values().map(kernel).sum();
        let text = &centroids.modalities()[&Modality::Text];
        let has_text = nalgebra::DVector::from_iterator(
            text.present.len(),
            text.present.iter().map(|&p| f64::from(u8::from(p))),
        );
        for (name, kernel, delta) in [
            ("mad-mix", &coupled, &centroids.delta()),
            ("orthogonal", &coupled, &centroids.delta()),
            ("text", &kernel(text), &has_text),
        ] {
            let lines = solver(name).spectrum(&centroids, 100).unwrap();
            // Σ σ is the trace, and Σ σ·share is δᵀKδ / |δ|².
            let sum: f64 = lines.iter().map(|line| line.eigenvalue).sum();
            close(&[sum], &[kernel.trace()], 1e-10, name);
            let form: f64 = lines.iter().map(|line| line.eigenvalue * line.delta).sum();
            let expected = (delta.transpose() * kernel * delta)[0] / delta.norm_squared();
            close(&[form], &[expected], 1e-9, name);
            // δ's fit: Σ filter·share is δᵀS / |δ|².
            let fit: f64 = lines.iter().map(|line| line.filter * line.delta).sum();
            let k = delta.len();
            let system = kernel + DMatrix::identity(k, k) * 2.0;
            let fitted = kernel * system.try_inverse().unwrap() * delta;
            close(
                &[fit],
                &[delta.dot(&fitted) / delta.norm_squared()],
                1e-9,
                name,
            );
            assert!(lines.is_sorted_by(|a, b| a.eigenvalue >= b.eigenvalue));
        }
        for name in ["uniform", "human", "avg", "chameleon"] {
            assert!(solver(name).spectrum(&centroids, 100).unwrap().is_empty());
        }
    }
}

#[test]
fn without_a_modality_are_the_weights_of_the_others() {
    let centroids = from_fixture("methods_bimodal");
    let influences = without_modality(&centroids, &solver("mad-mix")).unwrap();
    assert_eq!(influences.len(), 2);
    // Domain 4 has no picture: without text nothing of it is left.
    assert_eq!(influences[0].without, "text");
    assert_eq!(influences[0].weights, None);
    assert_eq!(influences[1].without, "image");
    let text = solver("text").solve(&centroids).unwrap().weights;
    close(
        influences[1].weights.as_ref().unwrap(),
        &text,
        1e-12,
        "image",
    );

    let three = from_fixture("methods_trimodal");
    let influences = without_modality(&three, &solver("orthogonal")).unwrap();
    let mut rest = three.modalities().clone();
    rest.remove(&Modality::Video);
    let rest = Centroids::new(three.domains().to_vec(), rest, None).unwrap();
    let by_hand = solver("orthogonal").solve(&rest).unwrap().weights;
    assert_eq!(influences[2].without, "video");
    assert_eq!(influences[2].weights.as_ref(), Some(&by_hand));
    // A method of one modality cannot do without it, and does not mind the others.
    let influences = without_modality(&three, &solver("text")).unwrap();
    let text = solver("text").solve(&three).unwrap().weights;
    let weights: Vec<_> = influences.into_iter().map(|i| i.weights).collect();
    assert_eq!(weights, [None, Some(text.clone()), Some(text)]);
    for name in ["uniform", "fused", "chameleon"] {
        assert!(without_modality(&three, &solver(name)).unwrap().is_empty());
    }
}

#[test]
fn without_a_dataset_are_the_weights_of_the_others() {
    let domains = means();
    for aggregation in [Aggregation::Equal, Aggregation::Size] {
        for name in ["mad-mix", "fused", "video"] {
            let influences = without_dataset(&domains, aggregation, &solver(name)).unwrap();
            let names: Vec<_> = influences.iter().map(|i| i.without.as_str()).collect();
            assert_eq!(names, ["a", "b", "c", "d", "e"]);
            assert_eq!(influences[2].weights, None, "the only dataset of Language");
            for (position, domain, dataset) in [(0, 0, 0), (1, 0, 1), (3, 2, 0), (4, 2, 1)] {
                if (name, position) == ("video", 3) {
                    assert_eq!(influences[3].weights, None, "the only one with video");
                    continue;
                }
                let mut rest = domains.clone();
                rest[domain].datasets.remove(dataset);
                let rest = centroids(&rest, aggregation).unwrap();
                let by_hand = solver(name).solve(&rest).unwrap().weights;
                assert_eq!(influences[position].weights.as_ref(), Some(&by_hand));
            }
        }
        let nothing = without_dataset(&domains, aggregation, &solver("uniform")).unwrap();
        assert!(nothing.is_empty());
    }
}

#[test]
fn an_analysis_is_all_of_that_and_reads_back() {
    let domains = means();
    let solver = solver("mad-mix");
    let whole = centroids(&domains, Aggregation::Equal).unwrap();
    let other = centroids(&domains, Aggregation::Size).unwrap();
    let layers = [
        ("last".to_owned(), whole.clone()),
        ("12".to_owned(), other.clone()),
    ];
    let analysis = analyse(&domains, &layers, Aggregation::Equal, &solver).unwrap();
    assert_eq!(analysis.lambda_path, lambda_path(&whole, &solver).unwrap());
    assert_eq!(analysis.spectrum, solver.spectrum(&whole, 100).unwrap());
    let without = without_dataset(&domains, Aggregation::Equal, &solver).unwrap();
    assert_eq!(analysis.without_dataset, without);
    assert_eq!(
        analysis.without_modality,
        without_modality(&whole, &solver).unwrap()
    );
    let layers: BTreeMap<_, _> = analysis
        .layers
        .iter()
        .map(|layer| (layer.layer.as_str(), &layer.weights))
        .collect();
    assert_eq!(layers["last"], &solver.solve(&whole).unwrap().weights);
    assert_eq!(layers["12"], &solver.solve(&other).unwrap().weights);
    let kernels = kernels(&whole);
    assert_eq!(analysis.kernels, kernels);
    let text = &whole.modalities()[&Modality::Text].matrix;
    close(
        &[kernels[&Modality::Text][0][1]],
        &[text.row(0).dot(&text.row(1))],
        1e-12,
        "kernel",
    );
    let json = serde_json::to_string(&analysis).unwrap();
    let read: madmix::mix::Analysis = serde_json::from_str(&json).unwrap();
    assert_eq!(read.without_modality[0], analysis.without_modality[0]);
    let last = |analysis: &madmix::mix::Analysis| analysis.layers[0].weights.clone();
    close(&last(&read), &last(&analysis), 1e-15, "read back");
}

#[test]
fn an_analysis_of_very_many_domains_leaves_out_what_grows_with_their_square() {
    let domain = means().remove(0);
    let domains: Vec<_> = (0..=MOST_DOMAINS)
        .map(|i| DomainMeans {
            name: format!("domain {i}"),
            ..domain.clone()
        })
        .collect();
    let analysis = analyse(&domains, &[], Aggregation::Equal, &solver("mad-mix")).unwrap();
    assert!(analysis.kernels.is_empty() && analysis.without_dataset.is_empty());
    assert_eq!(analysis.lambda_path.len(), 25);
    assert_eq!(analysis.spectrum.len(), 1, "all domains are the same");
}
