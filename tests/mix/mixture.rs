//! `mixture.json`.

use madmix::mix::{
    DatasetSummary, MadMix, Method, Mixture, MixtureError, Provenance, Solution, Uniform,
};
use madmix::modality::Modality;
use serde_json::Value;

use super::{close, table_6, text_only};

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
        read("\"weight\": 0.5", "\"later\": 0.1, \"weight\": 0.5").unwrap(),
        mixture
    );
}

fn provenance() -> Provenance {
    Provenance {
        checkpoint: "c".into(),
        fingerprint: "f".into(),
        samples: 7,
        madmix: "0.1.0".into(),
    }
}
