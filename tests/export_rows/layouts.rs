//! How rows are written, and which of them a subset has.

use madmix::dataset::{self, DatasetSpec, Filter};
use madmix::export::Folder;
use madmix::export::rows::{Layout, MediaPaths, VideoPlaceholder, subset};
use serde_json::{Value, json};

use crate::{Project, rows_of};

pub(crate) fn layout() -> Layout {
    Layout {
        paths: MediaPaths::MediaRoot,
        lists: false,
        video: VideoPlaceholder::Video,
        named: false,
    }
}

/// Rows as real files have them, each with what a subset makes of it.
fn awkward() -> Vec<(Value, Value)> {
    let says = |role: &str, text: &str| json!({"from": role, "value": text});
    vec![
        (
            json!({"id": 3, "images": ["b/ü 😀.jpg"], "conversations": [{"role": "user", "content": "q"}]}),
            json!({"id": "3", "image": "b/ü 😀.jpg", "conversations": [says("human", "<image>\nq")]}),
        ),
        (
            json!({"image": ["a.jpg", "b.jpg"], "data_source": "x", "conversations": [
                says("system", "s"), says("human", "<image> and <image>"), says("gpt", "\u{2028}\"a\"\n")
            ]}),
            json!({"id": "1", "image": ["a.jpg", "b.jpg"], "conversations": [
                says("system", "s"), says("human", "<image> and <image>"), says("gpt", "\u{2028}\"a\"\n")
            ]}),
        ),
        (
            json!({"id": "v", "video": "v.mp4", "conversations": [says("human", "<image>\nq")]}),
            json!({"id": "v", "video": "v.mp4", "conversations": [says("human", "<video>\nq")]}),
        ),
        (
            json!({"id": "both", "image": "a.jpg", "video": "v.mp4", "conversations": [says("human", "<video><image>")]}),
            json!({"id": "both", "image": "a.jpg", "video": "v.mp4", "conversations": [says("human", "<video><image>")]}),
        ),
        (
            json!({"id": "t", "image": null, "conversations": [says("human", "q"), says("gpt", "a")]}),
            json!({"id": "t", "conversations": [says("human", "q"), says("gpt", "a")]}),
        ),
    ]
}

#[test]
fn awkward_rows_become_plain_ones() {
    let mut project = Project::new();
    let mut lines: Vec<String> = awkward()
        .iter()
        .map(|(given, _)| given.to_string())
        .collect();
    lines.push("{\"id\": \"no turns\", \"conversations\": []}".into());
    lines.push("not json".replace("not json", "{\"image\": 3}"));
    project.add("odd / name", &lines, 1);
    let mut folder = Folder::new(project.out());
    let written = subset(&project.datasets[0], layout(), &mut folder).unwrap();
    assert_eq!((written.rows, written.unreadable), (5, 2));
    assert_eq!(
        written.path,
        project.out().join("rows/odd%20%2F%20name.jsonl")
    );
    assert_eq!(folder.written(), std::slice::from_ref(&written.path));
    let expected: Vec<Value> = awkward().into_iter().map(|(_, written)| written).collect();
    assert_eq!(rows_of(&written.path), expected);

    // What is written is read as the same samples.
    let spec = DatasetSpec {
        path: written.path,
        media_root: Some(project.folder.path().to_owned()),
        ..DatasetSpec::default()
    };
    let (before, after) = (
        dataset::open(&project.datasets[0].spec).unwrap(),
        dataset::open(&spec).unwrap(),
    );
    for i in 0..5 {
        let (mut before, after) = (before.read(i).unwrap(), after.read(i).unwrap());
        before.irregularities.clear();
        // No trainer asks for it.
        before.data_source = None;
        assert_eq!(before, after);
    }
}

#[test]
fn a_layout_says_lists_placeholders_paths_and_names() {
    let mut project = Project::new();
    let lines: Vec<String> = awkward()
        .iter()
        .map(|(given, _)| given.to_string())
        .collect();
    project.add("d", &lines, 1);
    let layout = Layout {
        paths: MediaPaths::Absolute,
        lists: true,
        video: VideoPlaceholder::Image,
        named: true,
    };
    let written = subset(
        &project.datasets[0],
        layout,
        &mut Folder::new(project.out()),
    )
    .unwrap();
    let rows = rows_of(&written.path);
    let root = fs_err::canonicalize(project.folder.path()).unwrap();
    let place = |name: &str| root.join(name).to_str().unwrap().to_owned();
    assert_eq!(rows[0]["image"], json!([place("b/ü 😀.jpg")]));
    assert_eq!(rows[2]["video"], json!([place("v.mp4")]));
    assert_eq!(rows[2]["conversations"][0]["value"], "<image>\nq");
    assert_eq!(rows[3]["conversations"][0]["value"], "<video><image>");
    assert!(rows[4].get("image").is_none());
    assert!(rows.iter().all(|row| row["dataset"] == "d"));
}

#[test]
fn a_subset_is_what_the_filter_keeps() {
    let mut project = Project::new();
    let lines: Vec<String> = (0..5000)
        .map(|i| {
            let source = ["a", "b", "c"][i % 3];
            json!({"id": i.to_string(), "data_source": source, "conversations": [{"from": "human", "value": "q"}]})
                .to_string()
        })
        .collect();
    let dataset = project.add("d", &lines, 1);
    dataset.spec.filter = Some(Filter {
        data_source: Some(vec!["b".into()]),
        media: None,
        ..Filter::default()
    });
    let kept = dataset::open(&dataset.spec).unwrap();
    let expected: Vec<String> = (0..kept.len()).map(|i| kept.read(i).unwrap().id).collect();
    let dataset = dataset.clone();
    let written = subset(&dataset, layout(), &mut Folder::new(project.out())).unwrap();
    let found = rows_of(&written.path);
    assert_eq!((written.rows, written.unreadable), (1667, 0));
    assert!(
        found
            .iter()
            .map(|row| row["id"].as_str().unwrap())
            .eq(expected)
    );
}
