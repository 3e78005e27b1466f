//! Chat templates, which are programs.

use crate::checkpoint::with_checkpoint;
use crate::{assert_says, fails, reasons};

/// Runs a project whose checkpoint has this template.
#[track_caller]
fn every_sample_fails(template: &str, says: &str) {
    let project = with_checkpoint();
    project.write("ck/chat_template.jinja", template);
    let reasons = reasons(&project);
    assert_eq!(reasons.len(), 18, "{reasons:?}");
    for reason in reasons {
        assert_says(&reason, &["the checkpoint's chat template: ", says]);
        assert!(reason.len() < 5_000);
    }
}

#[test]
fn loops_without_end_run_out_of_fuel() {
    let nested = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}";
    every_sample_fails(nested, "out of fuel");
    every_sample_fails(
        "{% for i in range(10**9) %}x{% endfor %}",
        "range has too many elements",
    );
    let twice = "{% macro f(n) %}{% if n > 0 %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}";
    every_sample_fails(twice, "out of fuel");
}

#[test]
fn recursion_without_end_is_an_error() {
    every_sample_fails(
        "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
        "recursion limit",
    );
    every_sample_fails(
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "recursion limit",
    );
    every_sample_fails("{% include 'chat_template' %}", "could not render include");
    every_sample_fails(
        "{% extends 'chat_template' %}",
        "cycle in template inheritance",
    );
}

#[test]
fn output_without_end_is_an_error() {
    every_sample_fails("{{ 'a' * 100000000 }}", "prints more than 8388608 bytes");
    every_sample_fails("{{ 'a' * 10**9 }}", "too large");
    let line = "{% for i in range(99999) %}".to_owned() + &"x".repeat(100_000) + "{% endfor %}";
    every_sample_fails(&line, "prints more than 8388608 bytes");
    every_sample_fails("{{ [1] | tojson(indent=10**18) }}", "an indent over 64");
    every_sample_fails(
        "{{ raise_exception('a' * 1000000) }}",
        "invalid operation: aaa",
    );
}

/// The engine's parser calls itself for each of these; on a stack of the usual size that ends the process.
#[test]
fn nesting_without_end_is_refused() {
    for expression in [
        "not ".repeat(50_000) + "1",
        "-".repeat(50_000) + "1",
        "1".to_owned() + &"+1".repeat(50_000),
        "a".to_owned() + &".a".repeat(50_000),
        "a".to_owned() + &"(1)".repeat(50_000),
        "1 if 1 else ".repeat(50_000) + "1",
        "1".to_owned() + &"|string".repeat(50_000),
    ] {
        let project = with_checkpoint();
        project.write("ck/chat_template.jinja", format!("{{{{ {expression} }}}}"));
        assert_says(
            &fails(&project),
            &["the tag in line 1 has more than 8192 bytes"],
        );
    }
}

/// The longest that is let through is within the parser's stack.
#[test]
fn nesting_within_the_limit_is_parsed() {
    let template = "{% for m in messages %}{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% else %}<{{ c.type }}>{% endif %}{% endfor %}{% endfor %}";
    for (unit, end) in [
        ("not ", "1"),
        ("-", "1"),
        ("1+", "1"),
        ("a.", "a"),
        ("1 if 1 else ", "1"),
        ("1|string~", "1"),
    ] {
        let count = 8_000 / unit.len();
        let project = with_checkpoint();
        project.write(
            "ck/chat_template.jinja",
            format!("{{{{ {}{end} }}}}", unit.repeat(count)),
        );
        crate::attack(&project, &["run", "mix.toml"]);
    }
    for (count, code) in [(1_000, 0), (80_000, 1)] {
        let project = with_checkpoint();
        let branches = "{% elif 0 %}".repeat(count);
        let template = format!("{{% if 0 %}}{branches}{{% else %}}{template}{{% endif %}}");
        project.write("ck/chat_template.jinja", template);
        crate::attack(&project, &["run", "mix.toml"]).expect(code);
    }
}
