//! Centroids that another program made, and what is wrong with them.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, TensorView};

use crate::assert_ended;
use crate::project::Project;

/// Two domains, `Words` and `Pictures`: text `[2, 2]`, images `[rows, 2]`.
fn write(project: &Project, text: [f64; 4], images: &[f64], present: [[u8; 2]; 2]) {
    let bytes =
        |values: &[f64]| -> Vec<u8> { values.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let (text, rows) = (bytes(&text), images.len() / 2);
    let images = bytes(images);
    let tensors = BTreeMap::from([
        ("text", TensorView::new(Dtype::F64, vec![2, 2], &text)),
        (
            "text.present",
            TensorView::new(Dtype::U8, vec![2], &present[0]),
        ),
        ("image", TensorView::new(Dtype::F64, vec![rows, 2], &images)),
        (
            "image.present",
            TensorView::new(Dtype::U8, vec![2], &present[1]),
        ),
    ]);
    let tensors = tensors
        .into_iter()
        .map(|(name, view)| (name, view.unwrap()));
    let domains = r#"{"format":1,"domains":[{"name":"Words","size":3,"human":null},{"name":"Pictures","size":4,"human":null}]}"#;
    let metadata = HashMap::from([("madmix".to_owned(), domains.to_owned())]);
    let file = safetensors::serialize(tensors, Some(metadata)).unwrap();
    project.write("theirs.safetensors", file);
}

#[test]
fn they_are_weighed_or_refused_by_name() {
    let project = Project::new();
    let solve = |code| {
        project
            .madmix(&["solve", "theirs.safetensors"])
            .expect(code)
    };
    let (text, images) = ([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 5.0, 6.0]);
    let present = [[1, 1], [0, 1]];
    write(&project, text, &images, present);
    assert!(solve(0).stdout.contains("Pictures"));

    write(&project, [1.0, 2.0, f64::NAN, 4.0], &images, present);
    assert_ended!("centroids_nan", solve(2));
    write(&project, text, &[0.0, 0.0, 5.0, f64::INFINITY], present);
    assert_ended!("centroids_infinite", solve(2));
    write(&project, [0.0, 0.0, 3.0, 4.0], &images, [[0, 1], [0, 1]]);
    assert_ended!("centroids_without_modality", solve(2));
    write(&project, text, &[0.0; 6], present);
    assert_ended!("centroids_of_another_number", solve(2));

    // Weights that do not sum, in a file that was edited.
    project.run();
    let mixture = project.read("run/mixture.json");
    let at = mixture.find("\"weight\": 0.").unwrap();
    let edited = format!("{}\"weight\": 0.9{}", &mixture[..at], &mixture[at + 12..]);
    project.write("run/mixture.json", edited);
    for arguments in [
        &["report", "run"][..],
        &["compare", "run", "run"],
        &["export", "run", "--to", "llava-next"],
    ] {
        let ended = project.madmix(arguments).expect(2);
        assert!(ended.stderr.contains("sum to 1"), "{ended}");
    }
}
