use std::collections::HashMap;

use serde::Deserialize;

use super::*;

/// `tests/fixtures/chat_templates/cases.json`: conversations rendered by transformers.
#[derive(Deserialize)]
struct Goldens {
    variables: BTreeMap<String, String>,
    templates: HashMap<String, String>,
    conversations: HashMap<String, Vec<Value>>,
    cases: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    template: String,
    conversation: String,
    add_generation_prompt: bool,
    text: Option<String>,
    error: Option<String>,
}

#[test]
fn prompts_are_those_of_transformers() {
    let goldens = include_str!("../../../tests/fixtures/chat_templates/cases.json");
    let goldens: Goldens = serde_json::from_str(goldens).unwrap();
    let mut faults = Vec::new();
    for case in &goldens.cases {
        let source = &goldens.templates[&case.template];
        let template = ChatTemplate::new(source, &goldens.variables).unwrap();
        let messages = &goldens.conversations[&case.conversation];
        let found = template.run(messages, case.add_generation_prompt);
        let same = match (&found, &case.text, &case.error) {
            (Ok(found), Some(text), None) => found == text,
            (Err(error), None, Some(reason)) => error.to_string().contains(reason),
            _ => false,
        };
        if !same {
            let (name, conversation) = (&case.template, &case.conversation);
            let expected = (&case.text, &case.error);
            faults.push(format!(
                "{name}, {conversation}: {found:?} for {expected:?}"
            ));
        }
    }
    assert!(!goldens.cases.is_empty());
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn compiled(source: &str) -> Result<ChatTemplate, PromptError> {
    ChatTemplate::new(source, &BTreeMap::new())
}

fn turn(role: Role, text: &str) -> Turn {
    Turn {
        role,
        text: text.into(),
    }
}

#[test]
fn generation_blocks_print_what_they_hold() {
    let template = compiled(
        "{% for m in messages %}\n  {%- generation %}\n{{ m.content[0].text }}\n\
         {% endgeneration -%}\n{% endfor %}",
    )
    .unwrap();
    let rendered = template.render(&[turn(Role::User, " a "), turn(Role::User, "b")], true);
    let rendered = rendered.unwrap();
    assert_eq!(rendered.text, " a \nb\n");
    assert_eq!(rendered.spans, [(0..3, Role::User), (4..5, Role::User)]);
}

#[test]
fn a_template_that_loses_or_changes_text_is_told_from_one_that_trims() {
    let trims = compiled("{{ messages[0].content[0].text | trim }}").unwrap();
    assert_eq!(
        trims
            .render(&[turn(Role::User, " a ")], true)
            .unwrap()
            .spans[0]
            .0,
        0..1
    );
    let shouts = compiled("{{ messages[0].content[0].text | upper }}").unwrap();
    let turns = [turn(Role::User, "a")];
    assert!(matches!(
        shouts.render(&turns, true),
        Err(PromptError::Rewritten)
    ));
    assert_eq!(shouts.render(&turns, false).unwrap().text, "A");
}

#[test]
fn json_is_written_as_python_does() {
    let template = compiled("{{ messages[0] | tojson }}").unwrap();
    let rendered = template
        .render(&[turn(Role::User, "<é>'\"")], false)
        .unwrap();
    assert_eq!(
        rendered.text,
        r#"{"role": "user", "content": [{"type": "text", "text": "<é>'\""}]}"#
    );
}

#[test]
fn endless_and_raising_templates_end_in_an_error() {
    let endless = "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}\
                   {% endfor %}";
    assert!(compiled(endless).unwrap().render(&[], false).is_err());
    let raising = compiled("{{ raise_exception('no system turns') }}").unwrap();
    let error = raising.render(&[], false).unwrap_err().to_string();
    assert!(error.contains("no system turns"), "{error}");
}

#[test]
fn a_tag_of_one_percent_sign_is_no_tag() {
    assert!(compiled("a {%} b").is_err());
    assert!(compiled("{%}{% generation %}").is_err());
}
