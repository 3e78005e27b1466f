//! Files that other programs have written: `scripts/make_messages_fixtures.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use madmix::dataset::{self, DatasetSpec, MediaKind, Role, Sample, Turn};
use madmix::prompt;
use serde_json::Value;

use super::Fixture;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs_err::read(fixtures().join(name)).unwrap()).unwrap()
}

fn of_kind(sample: &Sample, kind: MediaKind) -> Vec<String> {
    let media = sample.media.iter().filter(|media| media.kind == kind);
    media.map(|media| media.name.clone()).collect()
}

/// What ms-swift calls a medium, by the name that it has here.
fn names(media: &Value) -> Vec<String> {
    let name = |value: &Value| match value {
        Value::String(uri) if uri.starts_with("data:") => "data:image/png (70 bytes)".to_owned(),
        Value::String(path) => path.clone(),
        frames => format!("{} and on", frames[0].as_str().unwrap()),
    };
    media.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn what_ms_swift_writes_is_read_as_ms_swift_reads_it() {
    let spec = DatasetSpec {
        path: fixtures().join("messages/ms_swift.jsonl"),
        ..DatasetSpec::default()
    };
    let dataset = dataset::open(&spec).unwrap();
    assert_eq!(dataset.format(), "messages JSON or JSONL");
    let expected = json("messages/ms_swift.expected.json");
    let rows = expected["rows"].as_array().unwrap();
    assert_eq!(dataset.len(), rows.len() as u64);
    for (i, expected) in rows.iter().enumerate() {
        let sample = dataset.read(i as u64).unwrap();
        let said = |Turn { role, text }: &Turn| {
            // ms-swift puts nothing between a part's placeholder and the text that follows it.
            let text = text
                .replace("<image>\n", "<image>")
                .replace("<video>\n", "<video>");
            (role.as_str().to_owned(), text)
        };
        let mut turns: Vec<_> = sample.turns.iter().map(said).collect();
        if let Value::String(system) = &expected["system"] {
            assert_eq!(
                turns.remove(0),
                ("system".to_owned(), system.clone()),
                "{i}"
            );
        }
        let messages = expected["messages"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages: Vec<_> = messages.map(|it| (text(&it[0]), text(&it[1]))).collect();
        assert_eq!(turns, messages, "{i}");
        assert_eq!(
            of_kind(&sample, MediaKind::Image),
            names(&expected["images"]),
            "{i}"
        );
        assert_eq!(
            of_kind(&sample, MediaKind::Video),
            names(&expected["videos"]),
            "{i}"
        );
    }
}

#[test]
fn parts_give_the_prompt_that_transformers_gives() {
    let cases = json("messages/parts.json");
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() >= 30);
    let tokens: BTreeMap<String, String> = BTreeMap::new();
    for case in cases {
        let row = format!(r#"{{"messages": {}}}"#, case["messages"]);
        let sample = Fixture::new(&row).open().read(0).unwrap();
        let checkpoint = case["checkpoint"].as_str().unwrap();
        let template = json(&format!("{checkpoint}/chat_template.json"));
        let template = template["chat_template"].as_str().unwrap();
        let prompt = prompt::render(template, &tokens, &sample.turns).unwrap();
        assert_eq!(
            prompt,
            case["prompt"].as_str().unwrap(),
            "{checkpoint} {row}"
        );
    }
}

/// The shapes of LLaMA-Factory's `mllm_demo.json`, `v1_sft_demo.jsonl`, and its sharegpt rows.
#[test]
fn rows_as_llama_factory_publishes_them() {
    let rows = [
        r#"{"messages": [{"content": "<image>Who?", "role": "user"}, {"content": "A and B.", "role": "assistant"}, {"content": "Where?<image>", "role": "user"}, {"content": "There.", "role": "assistant"}], "images": ["d/1.jpg", "d/1.jpg"]}"#,
        r#"{"messages": [{"role": "user", "content": [{"type": "text", "value": "hi"}], "loss_weight": 0.0}, {"role": "assistant", "content": [{"type": "text", "value": "Hello!"}], "loss_weight": 1.0}]}"#,
        r#"{"conversations": [{"from": "human", "value": "<image>Who?"}, {"from": "gpt", "value": "A."}], "images": ["d/1.jpg"], "system": "", "tools": "[]"}"#,
        r#"{"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "{}"}, {"from": "observation", "value": "{}"}, {"from": "gpt", "value": "a"}], "tools": "[]"}"#,
    ];
    let dataset = Fixture::new(rows.join("\n")).open();
    let first = dataset.read(0).unwrap();
    assert_eq!(of_kind(&first, MediaKind::Image), ["d/1.jpg", "d/1.jpg"]);
    let second = dataset.read(1).unwrap();
    let turn = |role, text: &str| Turn {
        role,
        text: text.to_owned(),
    };
    assert_eq!(
        second.turns,
        [turn(Role::User, "hi"), turn(Role::Assistant, "Hello!")]
    );
    assert_eq!(
        of_kind(&dataset.read(2).unwrap(), MediaKind::Image),
        ["d/1.jpg"]
    );
    let message = dataset.read(3).unwrap_err().to_string();
    assert!(
        message.starts_with("row 3: turn 1: a tool's call or answer"),
        "{message}"
    );
}
