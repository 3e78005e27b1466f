//! Every method against numpy, and what no method takes.

use std::collections::BTreeMap;

use madmix::mix::{
    Centroids, METHODS, MixError, Parameters, RestsOn, Scaling, Solver, View, method,
};
use madmix::modality::Modality;
use nalgebra::DMatrix;
use proptest::prelude::*;

use super::{close, domains, fixture, floats, named, table_6, text_only, view_of, views_of};

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

/// Every method of the fixture for every setting.
#[test]
fn every_method_agrees_with_numpy() {
    let mut seen = std::collections::BTreeSet::new();
    for case in [
        "bimodal",
        "trimodal",
        "more_domains_than_columns",
        "one_domain",
    ] {
        let fixture = fixture(&format!("methods_{case}"));
        let fused = view_of(&fixture["fused"]);
        let k = fused.present.len();
        let centroids = Centroids::new(domains(k), views_of(&fixture), Some(fused)).unwrap();
        for expected in fixture["expected"].as_array().unwrap() {
            let parameters = Parameters {
                lambda: expected["lambda"].as_f64().unwrap(),
                temperature: expected["temperature"].as_f64().unwrap(),
                scaling: serde_json::from_value(expected["scaling"].clone()).unwrap(),
            };
            for (name, weights) in expected["weights"].as_object().unwrap() {
                let solver = Solver::new(name, &parameters, &[]).unwrap();
                let solution = solver.solve(&centroids).unwrap();
                let what = format!("{case} {name} {parameters:?}");
                assert_eq!(solution.method, name);
                assert_eq!(solution.lambda, Some(parameters.lambda), "{what}");
                close(&solution.weights, &floats(weights), 1e-10, &what);
                if let Some(modality) = Modality::from_name(name) {
                    let present = &centroids.modalities()[&modality].present;
                    for (weight, present) in solution.weights.iter().zip(present) {
                        assert_eq!(*weight == 0.0, !present, "{what}");
                    }
                }
                seen.insert(name.clone());
            }
        }
    }
    let without_samples = ["uniform", "human"];
    assert_eq!(seen.len() + without_samples.len(), METHODS.len());
}

#[test]
fn a_method_says_what_it_rests_on() {
    for (name, expected) in [
        ("mad-mix", RestsOn::Modalities),
        ("uniform", RestsOn::Nothing),
        ("human", RestsOn::Nothing),
        ("text", RestsOn::Modality(Modality::Text)),
        ("image", RestsOn::Modality(Modality::Image)),
        ("video", RestsOn::Modality(Modality::Video)),
        ("avg", RestsOn::Modalities),
        ("fused", RestsOn::Fused),
        ("orthogonal", RestsOn::Modalities),
        ("chameleon", RestsOn::Fused),
        ("chameleon-pretrain", RestsOn::Fused),
    ] {
        let method = method(name, &Parameters::default()).unwrap();
        assert_eq!(method.rests_on(), expected, "{name}");
    }
}

#[test]
fn a_method_without_its_centroids_says_so() {
    let centroids = text_only(&[&[1.0, 2.0], &[3.0, -1.0]]);
    for (name, view) in [
        ("image", "image"),
        ("video", "video"),
        ("fused", "fused"),
        ("chameleon", "fused"),
        ("chameleon-pretrain", "fused"),
    ] {
        let solver = Solver::new(name, &Parameters::default(), &[]).unwrap();
        let error = solver.solve(&centroids).unwrap_err();
        assert!(
            matches!(error, MixError::NoView { method, view: found, .. } if method == name && found == view),
            "{error}"
        );
        let message = error.to_string();
        let why = if view == "fused" {
            "protocol `separate`"
        } else {
            "no domain has any"
        };
        assert!(
            message.contains(&format!("`{name}` needs {view} centroids")) && message.contains(why),
            "{message}"
        );
        assert!(solver.path(&centroids, &[1.0]).is_err());
    }
    // Also where the file has the modality and no domain does.
    let views = BTreeMap::from([
        (
            Modality::Text,
            centroids.modalities()[&Modality::Text].clone(),
        ),
        (
            Modality::Video,
            View {
                matrix: DMatrix::zeros(2, 3),
                present: vec![false; 2],
            },
        ),
    ]);
    let centroids = Centroids::new(domains(2), views, None).unwrap();
    let solve = |name| {
        let solver = Solver::new(name, &Parameters::default(), &[]).unwrap();
        solver.solve(&centroids)
    };
    assert!(matches!(solve("video"), Err(MixError::NoView { .. })));
    assert_eq!(
        solve("avg").unwrap().weights,
        solve("text").unwrap().weights
    );
}

#[test]
fn lambda_and_temperature_must_be_finite_numbers_above_zero() {
    let ridged = METHODS
        .iter()
        .filter(|e| !["uniform", "human"].contains(&e.name));
    for entry in ridged {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let of = |lambda, temperature| {
                let scaling = Scaling::None;
                let parameters = Parameters {
                    lambda,
                    temperature,
                    scaling,
                };
                method(entry.name, &parameters).err().unwrap()
            };
            let error = of(bad, 1.0);
            assert!(matches!(error, MixError::Lambda { .. }), "{error}");
            assert!(error.to_string().contains(&format!("lambda is {bad}")));
            let error = of(1.0, bad);
            assert!(matches!(error, MixError::Temperature { .. }), "{error}");
            assert!(error.to_string().contains(&format!("temperature is {bad}")));
            let solver = Solver::new(entry.name, &Parameters::default(), &[]).unwrap();
            let path = solver.path(&whole(), &[1.0, bad]);
            assert!(
                matches!(path, Err(MixError::Lambda { .. })),
                "{}",
                entry.name
            );
        }
    }
}

/// Centroids that every method can weigh.
fn whole() -> Centroids {
    let fixture = fixture("methods_trimodal");
    let fused = view_of(&fixture["fused"]);
    Centroids::new(domains(6), views_of(&fixture), Some(fused)).unwrap()
}

#[test]
fn equal_domains_weigh_the_same() {
    let row = [0.1, -0.7, 0.3];
    let view = View {
        matrix: DMatrix::from_fn(3, 3, |_, j| row[j]),
        present: vec![true; 3],
    };
    let views = Modality::ALL.map(|modality| (modality, view.clone()));
    let centroids = Centroids::new(domains(3), BTreeMap::from(views), Some(view)).unwrap();
    for entry in METHODS.iter().filter(|entry| entry.name != "human") {
        let method = method(entry.name, &Parameters::default()).unwrap();
        let weights = method.weights(&centroids).unwrap().weights;
        close(&weights, &[1.0 / 3.0; 3], 1e-12, entry.name);
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
    let fused = views[0].clone();
    let modalities = Modality::ALL
        .into_iter()
        .zip(views.iter().cloned())
        .collect();
    Centroids::new(domains(k), modalities, Some(fused)).unwrap()
}

/// The methods that weigh any of these centroids: no domain has video, and some have no picture.
fn any_methods() -> impl Iterator<Item = &'static str> {
    let names = METHODS.iter().map(|entry| entry.name);
    names.filter(|name| !["human", "image", "video"].contains(name))
}

fn weights(name: &str, parameters: &Parameters, views: &[View]) -> Vec<f64> {
    let method = method(name, parameters).unwrap();
    method.weights(&of_views(views)).unwrap().weights
}

proptest! {
    #[test]
    fn weights_sum_to_one(
        views in any_views(),
        lambda in 1e-3..1e4_f64,
        temperature in 1e-3..1e3_f64,
        unit_trace in any::<bool>(),
    ) {
        let scaling = if unit_trace { Scaling::UnitTrace } else { Scaling::None };
        let parameters = Parameters { lambda, temperature, scaling };
        for name in any_methods() {
            let weights = weights(name, &parameters, &views);
            let sum: f64 = weights.iter().sum();
            prop_assert!((sum - 1.0).abs() <= 1e-12, "{name}: {sum}");
            prop_assert!(weights.iter().all(|weight| *weight >= 0.0));
        }
    }

    #[test]
    fn permuting_the_domains_permutes_the_weights(views in any_views(), seed in any::<usize>()) {
        let k = views[0].present.len();
        let order: Vec<usize> = (0..k)
            .map(|i| if seed % 2 == 0 { k - 1 - i } else { (i + seed % k) % k })
            .collect();
        let permute = |view: &View| View {
            matrix: DMatrix::from_fn(k, view.matrix.ncols(), |i, j| view.matrix[(order[i], j)]),
            present: order.iter().map(|&i| view.present[i]).collect(),
        };
        let permuted: Vec<View> = views.iter().map(permute).collect();
        for name in any_methods() {
            let before = weights(name, &Parameters::default(), &views);
            let after = weights(name, &Parameters::default(), &permuted);
            for i in 0..k {
                prop_assert!((after[i] - before[order[i]]).abs() < 1e-10, "{name}");
            }
        }
    }

    #[test]
    fn columns_of_zeros_change_nothing(views in any_views(), lambda in 0.1..1e3_f64) {
        // Enough of them turn a system that is solved by columns into one that is solved by domains.
        let widen = |view: &View| {
            let matrix = view.matrix.clone().resize_horizontally(view.matrix.ncols() + 8, 0.0);
            View { matrix, ..view.clone() }
        };
        let wide: Vec<View> = views.iter().map(widen).collect();
        let parameters = Parameters { lambda, ..Parameters::default() };
        for name in any_methods() {
            let narrow = weights(name, &parameters, &views);
            let wide = weights(name, &parameters, &wide);
            for (narrow, wide) in narrow.iter().zip(wide) {
                prop_assert!((narrow - wide).abs() < 1e-9, "{name}: {narrow} {wide}");
            }
        }
    }
}
