//! What the mixture was made from, and how to make it again.

use super::context::Context;
use super::markup::{Tag, tag};
use super::name::whole;
use super::number::{count, parameter};
use super::parts::{Section, paragraph};
use crate::mix::{Aggregation, Mixture, Scaling};

pub(super) fn section(context: &Context) -> Section {
    let mixture = context.mixture;
    let entry = |(key, value): (&'static str, String)| {
        let value = tag("dd").push(tag("bdi").text(value));
        tag("div").push(tag("dt").text(key)).push(value)
    };
    let list = tag("dl").extend(fields(context).into_iter().map(entry));
    let again = paragraph(
        "To find these weights again from the same shards, where RUN is the folder that this report is in; it takes no \
         checkpoint, data or GPU:",
    );
    let settings = paragraph("The part of the config that says all of this:");
    let body = vec![
        list,
        again,
        tag("pre").push(tag("code").text(command(mixture))),
        settings,
        tag("pre").extend(lines(&toml(mixture))),
    ];
    Section {
        id: "provenance",
        title: "Where this comes from",
        body,
    }
}

fn fields(context: &Context) -> Vec<(&'static str, String)> {
    let mixture = context.mixture;
    let (settings, provenance) = (&mixture.settings, &mixture.provenance);
    let unknown = || "not known".to_owned();
    let mut fields = vec![
        ("method", mixture.method.clone()),
        ("λ", mixture.lambda.map_or("none".to_owned(), parameter)),
        ("temperature", parameter(settings.temperature)),
        ("scaling", scaling(settings.scaling).to_owned()),
        ("layer", settings.layer.clone().unwrap_or_else(unknown)),
        (
            "datasets averaged",
            settings
                .aggregation
                .map_or_else(unknown, |found| match found {
                    Aggregation::Equal => "each counts the same".to_owned(),
                    Aggregation::Size => "by their rows".to_owned(),
                }),
        ),
    ];
    if !settings.hold.is_empty() {
        fields.push(("held at their human share", settings.hold.join(", ")));
    }
    if let Some(found) = &mixture.uncertainty {
        let replicates = count(u64::from(found.replicates));
        fields.push((
            "intervals",
            format!("{}, {replicates} draws", context.interval_name),
        ));
    }
    fields.extend([
        ("checkpoint", provenance.checkpoint.clone()),
        ("its fingerprint", provenance.fingerprint.clone()),
        ("samples averaged", count(provenance.samples)),
        ("madmix", provenance.madmix.clone()),
    ]);
    fields
        .into_iter()
        .map(|(key, value)| (key, whole(&value)))
        .collect()
}

fn scaling(scaling: Scaling) -> &'static str {
    match scaling {
        Scaling::None => "none",
        Scaling::UnitTrace => "unit-trace",
    }
}

fn command(mixture: &Mixture) -> String {
    let lambda = mixture.lambda.map(|lambda| format!(" --lambda {lambda}"));
    format!(
        "madmix solve RUN --method {}{}",
        mixture.method,
        lambda.unwrap_or_default()
    )
}

fn toml(mixture: &Mixture) -> Vec<String> {
    let settings = &mixture.settings;
    let string = |text: &str| toml::Value::from(text).to_string();
    let float = |x: f64| toml::Value::from(x).to_string();
    let mut lines = vec![
        "[mix]".to_owned(),
        format!("method = {}", string(&mixture.method)),
    ];
    lines.extend(
        mixture
            .lambda
            .map(|lambda| format!("lambda = {}", float(lambda))),
    );
    lines.push(format!("temperature = {}", float(settings.temperature)));
    lines.push(format!("scaling = {}", string(scaling(settings.scaling))));
    if !settings.hold.is_empty() {
        let names: Vec<String> = settings.hold.iter().map(|name| string(name)).collect();
        lines.push(format!("hold = [{}]", names.join(", ")));
    }
    if let Some(found) = settings.aggregation {
        let name = match found {
            Aggregation::Equal => "equal",
            Aggregation::Size => "size",
        };
        lines.push(format!("aggregation = {}", string(name)));
    }
    if let Some(layer) = &settings.layer {
        let number = layer.parse::<usize>().map(|number| number.to_string());
        lines.push(format!(
            "layer = {}",
            number.unwrap_or_else(|_| string(layer))
        ));
    }
    let replicates = mixture
        .uncertainty
        .as_ref()
        .map_or(0, |found| found.replicates);
    lines.push(format!("replicates = {replicates}"));
    lines
}

/// Lines of code; a line break in text would be shown as an escape.
fn lines(lines: &[String]) -> impl Iterator<Item = Tag> {
    lines
        .iter()
        .map(|line| tag("code").set("class", "line").text(line))
}
