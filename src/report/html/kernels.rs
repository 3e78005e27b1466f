//! How alike the domains are, per modality.

use super::context::Context;
use super::domains::capital;
use super::markup::Tag;
use super::name::short;
use super::number::{count, decimal, significant};
use super::parts::{Section, figure, note, scroll};
use super::svg::About;
use super::svg::heat::{Cell, Shade, map};
use crate::mix::MixtureDomain;
use crate::modality::Modality;

/// More domains have cells too small to see.
const MOST: usize = 60;

pub(super) fn section(context: &Context) -> Result<Section, String> {
    let left_out = |reason: &str| Err(format!("Kernels: {reason}"));
    let Some(analysis) = context.analysis else {
        return left_out("the analysis was not made.");
    };
    let k = context.k();
    let square = |kernel: &[Vec<f64>]| kernel.len() == k && kernel.iter().all(|row| row.len() == k);
    let kernels = analysis.kernels.iter().filter(|(_, kernel)| square(kernel));
    let kernels: Vec<_> = kernels.collect();
    if kernels.is_empty() {
        return left_out("the analysis has none.");
    }
    if k > MOST {
        let k = count(k as u64);
        return left_out(&format!(
            "with {k} domains their heat maps would not be readable."
        ));
    }
    let mut body = vec![note(
        "How alike the domains’ mean hidden states are. The colour, and the upper number, is the cosine: the kernel’s \
         value over the lengths of both vectors. The lower number, where there is room for it, is \
         the kernel’s raw value, which MaD-Mix uses. Hatched: the domain has nothing of this modality.",
    )];
    let map = |(modality, kernel): (&Modality, &Vec<Vec<f64>>)| heat(context, *modality, kernel);
    body.extend(
        kernels
            .into_iter()
            .map(|(modality, kernel)| map((modality, kernel))),
    );
    Ok(Section {
        id: "kernels",
        title: "How alike the domains are",
        body,
    })
}

fn heat(context: &Context, modality: Modality, kernel: &[Vec<f64>]) -> Tag {
    let domains = &context.mixture.domains;
    let names: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
    let cosine = |a: usize, b: usize| cosine(kernel, domains, modality, a, b);
    let pairs = (0..names.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let others = pairs.filter_map(|(a, b)| cosine(a, b));
    let (low, high) = others.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    let shade = |cosine: f64| {
        if high > low {
            (cosine - low) / (high - low)
        } else {
            0.5
        }
    };
    let cell = |row: usize, column: usize| {
        let [this, other] = [row, column].map(|i| short(names[i], 30));
        let pair = format!("{this} and {other}");
        let Some(found) = cosine(row, column) else {
            return Cell {
                shade: Shade::Absent,
                lines: Vec::new(),
                title: format!("{pair}: no {modality}"),
            };
        };
        let raw = significant(kernel[row][column]);
        let shown = decimal(found, 2);
        Cell {
            shade: Shade::Between(shade(found)),
            title: format!("{pair}: cosine {}, raw {raw}", decimal(found, 4)),
            lines: vec![shown, raw],
        }
    };
    let title = format!("{} kernel", capital(modality));
    if low > high {
        return note(&format!("{title}: there are no two domains to compare."));
    }
    let (low, high) = (decimal(low, 4), decimal(high, 4));
    let range = format!("cosines of different domains from {low} to {high}");
    let about = About {
        id: &format!("kernel-{modality}"),
        title: &title,
        description: &format!("How alike the domains are in {modality}: {range}."),
    };
    let drawing = scroll(&title, map(&about, [&names, &names], 'q', cell));
    figure(&format!("{title}: {range}, faint to strong"), None, drawing)
}

/// Where both domains have the modality.
fn cosine(
    kernel: &[Vec<f64>],
    domains: &[MixtureDomain],
    modality: Modality,
    a: usize,
    b: usize,
) -> Option<f64> {
    let has = |i: usize| domains[i].modalities.contains(&modality);
    let lengths = (kernel[a][a] * kernel[b][b]).sqrt();
    let cosine = kernel[a][b] / lengths;
    (has(a) && has(b) && cosine.is_finite()).then_some(cosine)
}
