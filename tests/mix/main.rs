//! The mixing methods against a plain numpy statement of them, what moves their weights, and the files they write.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic, too")]

mod analysis;
mod centroids;
mod methods;
mod mixture;

use std::collections::BTreeMap;

use madmix::mix::{Centroids, Domain, View};
use madmix::modality::Modality;
use nalgebra::DMatrix;
use serde_json::Value;

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!(
        "{}/tests/fixtures/mix/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

pub(crate) fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

pub(crate) fn matrix(rows: &Value) -> DMatrix<f64> {
    let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(floats).collect();
    DMatrix::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

pub(crate) fn domains(k: usize) -> Vec<Domain> {
    (0..k)
        .map(|i| Domain {
            name: format!("domain {i}"),
            size: 10 + i as u64,
            human: None,
        })
        .collect()
}

pub(crate) fn named(name: &str) -> Modality {
    Modality::from_name(name).unwrap()
}

pub(crate) fn view_of(view: &Value) -> View {
    let present = view["present"].as_array().unwrap().iter();
    View {
        matrix: matrix(&view["matrix"]),
        present: present.map(|present| present.as_bool().unwrap()).collect(),
    }
}

pub(crate) fn views_of(fixture: &Value) -> BTreeMap<Modality, View> {
    let views = fixture["views"].as_object().unwrap().iter();
    views
        .map(|(name, view)| (named(name), view_of(view)))
        .collect()
}

pub(crate) fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= tolerance * e.abs().max(1.0),
            "{what}[{i}]: {f} instead of {e}"
        );
    }
}

pub(crate) fn text_only(rows: &[&[f64]]) -> Centroids {
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

/// The five bimodal domains of table 6 of the paper, with its human shares.
pub(crate) fn table_6() -> Centroids {
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
