//! What the mixture is, in a paragraph.

use super::context::{Context, heaviest};
use super::markup::{Tag, tag};
use super::name::name;
use super::number::{count, counted, interval as ends, parameter, percent, points};
use crate::mix::Mixture;
use crate::report::compare::{Noise, interval, noise};

/// The paragraph, and one that says what intervals are.
pub(super) fn headline(context: &Context) -> Vec<Tag> {
    let mixture = context.mixture;
    let order = heaviest(mixture);
    let mut text = made_of(context);
    if let [first, .., last] = order[..] {
        text = weighed(text.text(" The largest share goes to "), context, first);
        text = weighed(text.text(", the smallest to "), context, last).text(".");
    } else {
        text = text.text(" There is one domain, so it has all the weight.");
    }
    if let Some(human) = context.human {
        text = against_human(text, context, human);
    }
    let mut paragraphs = vec![text];
    if let Some(found) = &mixture.uncertainty {
        let level = context.interval_name.trim_end_matches(" interval");
        let sentence = format!(
            "Intervals say where the weights would lie had other samples of the same datasets been drawn: in {level} of \
             cases within their ends. The samples were drawn again {} times. They do not say how good a mixture is, \
             and know nothing of another checkpoint.",
            count(u64::from(found.replicates)),
        );
        paragraphs.push(super::parts::note(&sentence));
    } else if !context.intervals {
        let sentence = "There are no intervals, so nothing here tells a difference from noise: the samples were not \
                        drawn again.";
        paragraphs.push(super::parts::note(sentence));
    }
    paragraphs
}

fn made_of(context: &Context) -> Tag {
    let mixture = context.mixture;
    let strong = |text: &str| tag("strong").text(text);
    let mut text = tag("p")
        .set("class", "headline")
        .text("Found by ")
        .push(strong(&mixture.method));
    if let Some(lambda) = mixture.lambda {
        text = text.text(" with λ = ").push(strong(&parameter(lambda)));
    }
    let domains = counted(context.k() as u64, "domain", "domains");
    text = text.text(" for ").push(strong(&domains));
    let datasets: usize = mixture.domains.iter().map(|d| d.datasets.len()).sum();
    if datasets > 0 {
        text = text.text(format!(
            " with {}",
            counted(datasets as u64, "dataset", "datasets")
        ));
    }
    let provenance = &mixture.provenance;
    if is_unknown(mixture) {
        return text.text(", from centroids that do not say what they were made of.");
    }
    text.text(", from ")
        .push(strong(&counted(provenance.samples, "sample", "samples")))
        .text(" as the checkpoint ")
        .push(tag("code").push(name(&provenance.checkpoint)))
        .text(" sees them.")
}

/// Whether the centroids did not say what they were made of.
fn is_unknown(mixture: &Mixture) -> bool {
    mixture.provenance.samples == 0 && mixture.provenance.checkpoint == "unknown"
}

fn weighed(text: Tag, context: &Context, index: usize) -> Tag {
    let domain = &context.mixture.domains[index];
    let share = format!(" ({}\u{a0}%", percent(domain.weight));
    let text = text
        .push(tag("strong").push(name(&domain.name)))
        .text(share);
    let interval =
        interval(domain).map(|found| format!(", {} {}", context.interval_name, ends(found)));
    text.text(interval.unwrap_or_default()).text(")")
}

fn against_human(text: Tag, context: &Context, human: &[f64]) -> Tag {
    let pairs = || context.mixture.domains.iter().zip(human);
    let difference = |(domain, human): &(&crate::mix::MixtureDomain, &f64)| domain.weight - **human;
    let Some(most) = pairs().max_by(|a, b| difference(a).abs().total_cmp(&difference(b).abs()))
    else {
        return text;
    };
    let text = if context.intervals {
        let beyond =
            pairs().filter(|(domain, human)| noise(domain, **human) == Some(Noise::Beyond));
        let of = counted(context.k() as u64, "domain", "domains");
        text.text(format!(
            " Today’s share lies outside the interval in {} of {of}; the largest difference to it is that of ",
            count(beyond.count() as u64)
        ))
    } else {
        text.text(" The largest difference to today’s shares is that of ")
    };
    text.push(tag("strong").push(name(&most.0.name)))
        .text(format!(" ({} points).", points(difference(&most))))
}
