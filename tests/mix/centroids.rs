//! Samples to datasets to domains, and the file that centroids lie in.

use std::collections::BTreeMap;

use madmix::mix::{Aggregation, Centroids, DatasetMean, DomainMeans, MixError, View, centroids};
use madmix::modality::Modality;
use madmix::store::{Matrix, Pooled, Settings, Shard, ShardKey};
use nalgebra::DMatrix;
use serde_json::Value;

use super::{close, domains, fixture, floats, views_of};

/// The samples of a fixture's dataset, in shards of two.
pub(crate) fn shards(dataset: &Value, d: usize) -> Vec<Shard> {
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
