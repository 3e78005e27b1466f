//! The mixing methods against a plain numpy statement of them, and the files they write.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic, too")]

use std::collections::BTreeMap;

use madmix::mix::{
    Aggregation, Centroids, DatasetMean, DatasetSummary, Domain, DomainMeans, METHODS, MadMix,
    Method, MixError, Mixture, MixtureError, Parameters, Provenance, Solution, Uniform, View,
    centroids, method,
};
use madmix::modality::Modality;
use madmix::store::{Matrix, Pooled, Settings, Shard, ShardKey};
use nalgebra::DMatrix;
use proptest::prelude::*;
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = format!(
        "{}/tests/fixtures/mix/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn matrix(rows: &Value) -> DMatrix<f64> {
    let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(floats).collect();
    DMatrix::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

fn domains(k: usize) -> Vec<Domain> {
    (0..k)
        .map(|i| Domain {
            name: format!("domain {i}"),
            size: 10 + i as u64,
            human: None,
        })
        .collect()
}

fn named(name: &str) -> Modality {
    Modality::from_name(name).unwrap()
}

fn views_of(fixture: &Value) -> BTreeMap<Modality, View> {
    let views = fixture["views"].as_object().unwrap().iter();
    let view = |(name, view): (&String, &Value)| {
        let present = view["present"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_bool().unwrap());
        (
            named(name),
            View {
                matrix: matrix(&view["matrix"]),
                present: present.collect(),
            },
        )
    };
    views.map(view).collect()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= tolerance * e.abs().max(1.0),
            "{what}[{i}]: {f} instead of {e}"
        );
    }
}

fn text_only(rows: &[&[f64]]) -> Centroids {
    let matrix = DMatrix::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j]);
    let view = View {
        matrix,
        present: vec![true; rows.len()],
    };
    Centroids::new(
        domains(rows.len()),
        BTreeMap::from([(Modality::Text, view)]),
        None,
    )
    .unwrap()
}

#[test]
fn mad_mix_agrees_with_numpy() {
    for case in [
        "one_domain",
        "bimodal",
        "trimodal",
        "widths_differ",
        "large_values",
        "more_domains_than_columns",
        "small_lambda",
    ] {
        let fixture = fixture(&format!("mad_mix_{case}"));
        let views = views_of(&fixture);
        let k = views[&Modality::Text].present.len();
        let centroids = Centroids::new(domains(k), views, None).unwrap();
        let lambda = fixture["lambda"].as_f64().unwrap();
        let solution = method(
            "mad-mix",
            &Parameters {
                lambda,
                ..Parameters::default()
            },
        )
        .unwrap()
        .weights(&centroids)
        .unwrap();

        let expected = &fixture["expected"];
        close(
            &solution.weights,
            &floats(&expected["weights"]),
            1e-10,
            case,
        );
        close(
            solution.alpha.as_ref().unwrap(),
            &floats(&expected["alpha"]),
            1e-10,
            case,
        );
        assert_eq!(
            solution.scores.len(),
            expected["scores"].as_object().unwrap().len()
        );
        for (name, scores) in expected["scores"].as_object().unwrap() {
            close(&solution.scores[&named(name)], &floats(scores), 1e-10, case);
        }
        let sum: f64 = solution.weights.iter().sum();
        assert!((sum - 1.0).abs() <= 1e-12, "{case}: {sum}");
    }
}

/// The samples of a fixture's dataset, in shards of two.
fn shards(dataset: &Value, d: usize) -> Vec<Shard> {
    let name = dataset["name"].as_str().unwrap();
    let key = ShardKey {
        checkpoint: "c".into(),
        settings: Settings::new(&"s").unwrap(),
        dataset: "d".into(),
    };
    let chunks = dataset["samples"].as_array().unwrap().chunks(2).enumerate();
    let shard = |(index, samples): (usize, &[Value])| {
        let pooled = |modality: Modality| {
            let part = |sample: &Value| sample.get(modality.name()).cloned();
            let tokens = samples
                .iter()
                .map(|s| part(s).map_or(0, |p| p["tokens"].as_u64().unwrap() as u32));
            let row = |s: &Value| part(s).map_or(vec![0.0; d], |p| floats(&p["vector"]));
            let data = samples.iter().flat_map(row).map(|x| x as f32).collect();
            let layers =
                BTreeMap::from([("last".into(), Matrix::new(samples.len(), d, data).unwrap())]);
            (
                modality,
                Pooled {
                    tokens: tokens.collect(),
                    layers,
                },
            )
        };
        Shard {
            key: key.clone(),
            dataset: name.to_owned(),
            index: index as u32,
            rows: (0..samples.len() as u64)
                .map(|r| 2 * index as u64 + r)
                .collect(),
            modalities: Modality::ALL.into_iter().map(pooled).collect(),
            failures: vec![],
        }
    };
    chunks.map(shard).collect()
}

#[test]
fn aggregation_agrees_with_numpy() {
    let fixture = fixture("aggregation");
    let d = fixture["d"].as_u64().unwrap() as usize;
    let mut inputs = Vec::new();
    for domain in fixture["domains"].as_array().unwrap() {
        let mut datasets = Vec::new();
        for dataset in domain["datasets"].as_array().unwrap() {
            let size = dataset["size"].as_u64().unwrap();
            let mut mean = DatasetMean::new(dataset["name"].as_str().unwrap(), size);
            for shard in shards(dataset, d) {
                mean.add(&shard, "last").unwrap();
            }
            assert_eq!(
                mean.samples(),
                dataset["samples"].as_array().unwrap().len() as u64
            );
            datasets.push(mean);
        }
        let name = domain["name"].as_str().unwrap().to_owned();
        inputs.push(DomainMeans {
            name,
            human: None,
            datasets,
        });
    }
    for (name, aggregation) in [("equal", Aggregation::Equal), ("size", Aggregation::Size)] {
        let centroids = centroids(&inputs, aggregation).unwrap();
        let sizes: Vec<u64> = centroids
            .domains()
            .iter()
            .map(|domain| domain.size)
            .collect();
        assert_eq!(sizes, [1250, 40, 10]);
        let expected = &fixture["expected"][name];
        let modalities = centroids
            .modalities()
            .iter()
            .map(|(m, view)| (m.name(), view));
        let views: Vec<_> = modalities
            .chain([("fused", centroids.fused().unwrap())])
            .collect();
        assert_eq!(views.len(), 4);
        for (view_name, view) in views {
            for (i, row) in expected[view_name].as_array().unwrap().iter().enumerate() {
                assert_eq!(view.present[i], !row.is_null(), "{name} {view_name} {i}");
                let expected = if row.is_null() {
                    vec![0.0; d]
                } else {
                    floats(row)
                };
                let found: Vec<f64> = view.matrix.row(i).iter().copied().collect();
                close(&found, &expected, 1e-12, &format!("{name} {view_name} {i}"));
            }
        }
        assert_eq!(centroids.delta().as_slice(), [2.0, 1.0, 3.0]);
    }
}

#[test]
fn a_dataset_mean_refuses_what_does_not_belong() {
    let fixture = fixture("aggregation");
    let shards = shards(&fixture["domains"][0]["datasets"][0], 4);
    let mut mean = DatasetMean::new("a", 1);
    mean.add(&shards[1], "last").unwrap();
    let twice = mean.add(&shards[1], "last").unwrap_err();
    assert!(
        matches!(twice, MixError::ShardOrder { index: 1, .. }),
        "{twice}"
    );
    assert!(matches!(
        mean.add(&shards[0], "last"),
        Err(MixError::ShardOrder { .. })
    ));
    let mut other = DatasetMean::new("other", 1);
    assert!(matches!(
        other.add(&shards[0], "last"),
        Err(MixError::ShardOrder { .. })
    ));
    let layer = DatasetMean::new("a", 1)
        .add(&shards[0], "12")
        .unwrap_err()
        .to_string();
    assert!(
        layer.contains("shard 0 of dataset `a`") && layer.contains("`12`"),
        "{layer}"
    );

    let mut broken = shards[0].clone();
    let image = broken.modalities.get_mut(&Modality::Image).unwrap();
    image
        .layers
        .insert("last".into(), Matrix::new(2, 4, vec![f32::NAN; 8]).unwrap());
    let error = DatasetMean::new("a", 1)
        .add(&broken, "last")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("row 0 of dataset `a`") && error.contains("image"),
        "{error}"
    );

    let mut wide = shards[0].clone();
    let image = wide.modalities.get_mut(&Modality::Image).unwrap();
    image
        .layers
        .insert("last".into(), Matrix::new(2, 5, vec![1.0; 10]).unwrap());
    assert!(matches!(
        DatasetMean::new("a", 1).add(&wide, "last"),
        Err(MixError::Width { .. })
    ));
}

#[test]
fn datasets_of_other_widths_and_empty_sizes_are_refused() {
    let mean = |dataset: &str, size, d| {
        let mut mean = DatasetMean::new(dataset, size);
        let samples = serde_json::json!({"name": dataset, "samples": [
            {"text": {"tokens": 3, "vector": vec![1.0; d]}}]});
        for shard in &shards(&samples, d) {
            mean.add(shard, "last").unwrap();
        }
        mean
    };
    let domain = |datasets| {
        [DomainMeans {
            name: "X".into(),
            human: None,
            datasets,
        }]
    };
    let widths = centroids(
        &domain(vec![mean("a", 1, 4), mean("b", 1, 5)]),
        Aggregation::Equal,
    );
    assert!(matches!(
        widths,
        Err(MixError::Width {
            expected: 4,
            found: 5,
            ..
        })
    ));
    let sizes = centroids(&domain(vec![mean("a", 0, 4)]), Aggregation::Size);
    assert!(matches!(sizes, Err(MixError::NoSize { domain }) if domain == "X"));
    let nothing = centroids(&domain(vec![DatasetMean::new("a", 1)]), Aggregation::Equal);
    assert!(matches!(nothing, Err(MixError::NoModality { domain }) if domain == "X"));
    assert!(matches!(
        centroids(&[], Aggregation::Equal),
        Err(MixError::NoDomains)
    ));
}

#[test]
fn centroids_that_no_method_can_use_are_refused_by_name() {
    let view = |rows: [[f64; 2]; 2], present: [bool; 2]| View {
        matrix: DMatrix::from_fn(2, 2, |i, j| rows[i][j]),
        present: present.to_vec(),
    };
    let make = |text, image| {
        Centroids::new(
            domains(2),
            BTreeMap::from([(Modality::Text, text), (Modality::Image, image)]),
            None,
        )
    };
    let good = view([[1.0, 2.0], [3.0, 4.0]], [true, true]);
    for bad in [f64::NAN, f64::INFINITY] {
        let error = make(good.clone(), view([[1.0, 2.0], [3.0, bad]], [true, true])).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("image") && message.contains("`domain 1`"),
            "{message}"
        );
    }
    let half = view([[1.0, 2.0], [0.0, 0.0]], [true, false]);
    let error = make(half.clone(), half.clone()).unwrap_err();
    assert!(
        matches!(&error, MixError::NoModality { domain } if domain == "domain 1"),
        "{error}"
    );
    let not_zero = make(good.clone(), view([[1.0, 2.0], [3.0, 4.0]], [true, false]));
    assert!(matches!(not_zero, Err(MixError::Shape { .. })));
    let wrong_flags = View {
        present: vec![true],
        ..good.clone()
    };
    assert!(matches!(
        make(good.clone(), wrong_flags),
        Err(MixError::Shape { .. })
    ));

    let of = |domains| {
        Centroids::new(
            domains,
            BTreeMap::from([(Modality::Text, good.clone())]),
            Some(good.clone()),
        )
    };
    let mut twice = domains(2);
    twice[1].name = "domain 0".into();
    assert!(matches!(of(twice), Err(MixError::DomainName { name }) if name == "domain 0"));
    let mut negative = domains(2);
    negative[1].human = Some(-1.0);
    assert!(
        matches!(of(negative), Err(MixError::HumanShare { domain, .. }) if domain == "domain 1")
    );
}

#[test]
fn lambda_must_be_a_finite_number_above_zero() {
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = method(
            "mad-mix",
            &Parameters {
                lambda,
                ..Parameters::default()
            },
        )
        .err()
        .unwrap();
        assert!(matches!(error, MixError::Lambda { .. }), "{error}");
    }
}

#[test]
fn an_unknown_method_is_refused_with_the_nearest_name() {
    let error = method("madmix", &Parameters::default())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("`madmix` (did you mean `mad-mix`?)"),
        "{error}"
    );
    for entry in METHODS {
        assert!(error.contains(entry.name), "{error}");
    }
    let far = method("zzz", &Parameters::default())
        .err()
        .unwrap()
        .to_string();
    assert!(!far.contains("did you mean"), "{far}");
}

/// The five bimodal domains of table 6 of the paper, with its human shares.
fn table_6() -> Centroids {
    let views = views_of(&fixture("mad_mix_bimodal"));
    let names = [
        "General",
        "Doc/Chart/Screen",
        "Math/Reasoning",
        "General OCR",
        "Language",
    ];
    let shares = [36.10, 20.60, 20.10, 8.90, 14.30];
    let domain = |(name, share): (&str, f64)| Domain {
        name: name.into(),
        size: 100,
        human: Some(share),
    };
    let domains = names.into_iter().zip(shares).map(domain).collect();
    Centroids::new(domains, views, None).unwrap()
}

#[test]
fn uniform_and_human_are_the_rows_of_table_6() {
    let weights = |name| {
        method(name, &Parameters::default())
            .unwrap()
            .weights(&table_6())
            .unwrap()
            .weights
    };
    close(&weights("uniform"), &[0.2; 5], 1e-15, "uniform");
    close(
        &weights("human"),
        &[0.361, 0.206, 0.201, 0.089, 0.143],
        1e-12,
        "human",
    );
}

#[test]
fn human_needs_a_share_for_every_domain() {
    let mut domains = domains(3);
    domains[1].human = Some(5.0);
    let view = View {
        matrix: DMatrix::from_element(3, 1, 1.0),
        present: vec![true; 3],
    };
    let of = |domains| {
        Centroids::new(
            domains,
            BTreeMap::from([(Modality::Text, view.clone())]),
            None,
        )
        .unwrap()
    };
    let human = method("human", &Parameters::default()).unwrap();
    let error = human.weights(&of(domains.clone())).unwrap_err().to_string();
    assert!(
        error.contains("`domain 0`, `domain 2`") && !error.contains("`domain 1`"),
        "{error}"
    );
    for domain in &mut domains {
        domain.human = Some(0.0);
    }
    assert!(matches!(
        human.weights(&of(domains.clone())),
        Err(MixError::HumanZero)
    ));
    for domain in &mut domains {
        domain.human = Some(f64::MAX);
    }
    close(
        &human.weights(&of(domains)).unwrap().weights,
        &[1.0 / 3.0; 3],
        1e-15,
        "huge shares",
    );
}

#[test]
fn centroids_read_back_bit_for_bit_and_strictly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("centroids.safetensors");
    let views = views_of(&fixture("mad_mix_trimodal"));
    let fused = View {
        matrix: DMatrix::from_fn(6, 2, |i, j| (i * 2 + j) as f64 / 3.0),
        present: vec![true; 6],
    };
    let mut six = domains(6);
    six[0].human = Some(36.1);
    let centroids = Centroids::new(six, views, Some(fused)).unwrap();
    centroids.write(&path).unwrap();
    assert_eq!(Centroids::read(&path).unwrap(), centroids);

    let bytes = fs_err::read(&path).unwrap();
    let other = folder.path().join("other.safetensors");
    centroids.write(&other).unwrap();
    assert_eq!(fs_err::read(&other).unwrap(), bytes);

    let refused = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let text = bytes
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap();
        let mut bytes = bytes.clone();
        bytes[text..text + to.len()].copy_from_slice(to.as_bytes());
        fs_err::write(&other, bytes).unwrap();
        Centroids::read(&other).unwrap_err().to_string()
    };
    assert!(refused(r#"\"format\":1"#, r#"\"format\":2"#).contains("format version is 2"));
    assert!(refused("\"madmix\"", "\"nadmix\"").contains("no key `madmix`"));
    assert!(refused("\"text.present\"", "\"text.prezent\"").contains("`text.present` is missing"));
    assert!(refused("domain 3", "domain 2").contains("its checksum does not hold"));
    for at in bytes.len() - 400..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs_err::write(&other, damaged).unwrap();
        assert!(Centroids::read(&other).is_err(), "{at}");
    }
    for length in (0..bytes.len()).step_by(37) {
        fs_err::write(&other, &bytes[..length]).unwrap();
        assert!(
            matches!(Centroids::read(&other), Err(MixError::File { .. })),
            "{length}"
        );
    }
    let absent = Centroids::read(&folder.path().join("absent")).unwrap_err();
    assert!(matches!(absent, MixError::Read(_)), "{absent}");
}

fn provenance() -> Provenance {
    Provenance {
        checkpoint: "c".into(),
        fingerprint: "f".into(),
        samples: 7,
        madmix: "0.1.0".into(),
    }
}

#[test]
fn a_mixture_splits_domains_by_size_and_reads_back() {
    let centroids = table_6();
    let solution = MadMix::new(10.0).unwrap().weights(&centroids).unwrap();
    let dataset = |name: &str, size| DatasetSummary {
        name: name.into(),
        size,
        ..DatasetSummary::default()
    };
    let datasets = vec![vec![dataset("a", 75), dataset("b", 25)]; 5];
    let mixture = Mixture::new(&centroids, &solution, &datasets, provenance()).unwrap();
    let general = &mixture.domains[0];
    close(
        &[general.datasets[0].weight],
        &[0.75 * general.weight],
        1e-15,
        "a",
    );
    let all: f64 = mixture
        .domains
        .iter()
        .flat_map(|d| &d.datasets)
        .map(|d| d.weight)
        .sum();
    assert!((all - 1.0).abs() <= 1e-12, "{all}");
    assert_eq!(mixture.domains[4].modalities, [Modality::Text]);
    assert_eq!(mixture.domains[4].scores.len(), 1);
    assert_eq!(
        mixture.baselines.keys().collect::<Vec<_>>(),
        ["human", "uniform"]
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.json");
    mixture.write(&path).unwrap();
    let read = Mixture::read(&path).unwrap();
    let json: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["lambda"], 10.0);
    assert!(json["domains"][0].get("low").is_none());
    assert_eq!(json["domains"][0]["human"], 36.1);
    assert_eq!(read.provenance, mixture.provenance);
    let weights = |mixture: &Mixture| mixture.domains.iter().map(|d| d.weight).collect::<Vec<_>>();
    close(&weights(&read), &weights(&mixture), 1e-15, "read back");
    assert_eq!(mixture.to_bytes().unwrap(), fs_err::read(&path).unwrap());
}

#[test]
fn a_mixture_that_does_not_add_up_is_refused() {
    let centroids = text_only(&[&[1.0], &[2.0]]);
    let solution = Uniform.weights(&centroids).unwrap();
    let dataset = |size| DatasetSummary {
        name: "a".into(),
        size,
        ..DatasetSummary::default()
    };
    let make = |solution: &Solution, datasets: &[Vec<DatasetSummary>]| {
        Mixture::new(&centroids, solution, datasets, provenance())
    };
    let mixture = make(&solution, &[vec![], vec![dataset(11)]]).unwrap();
    assert!(!mixture.baselines.contains_key("human"));
    assert!(matches!(
        make(&solution, &[vec![]]),
        Err(MixtureError::Count { .. })
    ));
    let sizes = make(&solution, &[vec![dataset(9)], vec![]]);
    assert!(matches!(
        sizes,
        Err(MixtureError::Sizes {
            size: 10,
            found: 9,
            ..
        })
    ));
    let heavy = Solution {
        weights: vec![0.5, 0.6],
        ..solution.clone()
    };
    assert!(matches!(
        make(&heavy, &[vec![], vec![]]),
        Err(MixtureError::Weights { .. })
    ));

    let text = String::from_utf8(mixture.to_bytes().unwrap()).unwrap();
    let read = |from: &str, to: &str| Mixture::from_bytes(text.replacen(from, to, 1).as_bytes());
    assert!(matches!(
        read("\"format\": 1", "\"format\": 2"),
        Err(MixtureError::UnknownVersion { found: 2 })
    ));
    assert!(matches!(
        read("\"weight\": 0.5", "\"weight\": 0.4"),
        Err(MixtureError::Weights { .. })
    ));
    assert!(matches!(read("{", "["), Err(MixtureError::Json(_))));
    // Keys of later versions of the same format are passed over.
    assert_eq!(
        read("\"weight\": 0.5", "\"low\": 0.1, \"weight\": 0.5").unwrap(),
        mixture
    );
}

fn any_views() -> impl Strategy<Value = Vec<View>> {
    (1..8_usize, 1..10_usize, 1..10_usize).prop_flat_map(|(k, d1, d2)| {
        let values = |d| prop::collection::vec(-30.0..30.0_f64, k * d);
        (
            values(d1),
            values(d2),
            prop::collection::vec(any::<bool>(), k),
        )
            .prop_map(move |(text, image, has_image)| {
                let text = DMatrix::from_row_slice(k, d1, &text);
                let zeroed = |i: usize, x: f64| if has_image[i] { x } else { 0.0 };
                let image = DMatrix::from_fn(k, d2, |i, j| zeroed(i, image[i * d2 + j]));
                vec![
                    View {
                        matrix: text,
                        present: vec![true; k],
                    },
                    View {
                        matrix: image,
                        present: has_image,
                    },
                ]
            })
    })
}

fn of_views(views: &[View]) -> Centroids {
    let k = views[0].present.len();
    let modalities = Modality::ALL
        .into_iter()
        .zip(views.iter().cloned())
        .collect();
    Centroids::new(domains(k), modalities, None).unwrap()
}

proptest! {
    #[test]
    fn weights_sum_to_one(views in any_views(), lambda in 1e-3..1e4_f64) {
        for entry in METHODS.iter().filter(|entry| entry.name != "human") {
            let solution = method(entry.name, &Parameters { lambda, ..Parameters::default() }).unwrap().weights(&of_views(&views)).unwrap();
            let sum: f64 = solution.weights.iter().sum();
            prop_assert!((sum - 1.0).abs() <= 1e-12, "{}: {sum}", entry.name);
            prop_assert!(solution.weights.iter().all(|weight| *weight >= 0.0));
        }
    }

    #[test]
    fn permuting_the_domains_permutes_the_weights(views in any_views(), seed in any::<usize>()) {
        let k = views[0].present.len();
        let order: Vec<usize> = (0..k).map(|i| if seed % 2 == 0 { k - 1 - i } else { (i + seed % k) % k }).collect();
        let permuted: Vec<View> = views.iter().map(|view| View {
            matrix: DMatrix::from_fn(k, view.matrix.ncols(), |i, j| view.matrix[(order[i], j)]),
            present: order.iter().map(|&i| view.present[i]).collect(),
        }).collect();
        let mad_mix = MadMix::new(10.0).unwrap();
        let weights = mad_mix.weights(&of_views(&views)).unwrap().weights;
        let moved = mad_mix.weights(&of_views(&permuted)).unwrap().weights;
        for i in 0..k {
            prop_assert!((moved[i] - weights[order[i]]).abs() < 1e-11);
        }
    }
}
