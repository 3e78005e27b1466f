//! What the page says.

use madmix::mix::Mixture;
use madmix::modality::Modality;
use madmix::report::html;

use super::markup::Page;
use super::samples::{analysis, demo};

pub(crate) fn page(mixture: &Mixture) -> (String, Page) {
    let html = html(mixture, Some(&analysis(mixture)));
    let page = Page::read(&html);
    (html, page)
}

pub(crate) fn headings(page: &Page) -> Vec<&str> {
    page.texts_of("h2")
}

/// A page on which every reference leads somewhere and every name is used once.
pub(crate) fn check_references(page: &Page) {
    let ids = page.values_of("id");
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[..i].contains(id), "{id} twice");
    }
    let labels = page.values_of("aria-labelledby");
    for label in labels.iter().flat_map(|label| label.split(' ')) {
        assert!(ids.contains(&label), "no {label}");
    }
    for link in page.values_of("href") {
        let target = link.strip_prefix('#');
        assert!(
            link == "data:," || target.is_some_and(|id| ids.contains(&id)),
            "{link}"
        );
    }
    for fill in page
        .values_of("fill")
        .into_iter()
        .filter(|fill| *fill != "none")
    {
        let target = fill
            .strip_prefix("url(#")
            .and_then(|fill| fill.strip_suffix(')'));
        assert!(target.is_some_and(|id| ids.contains(&id)), "{fill}");
    }
}

#[test]
fn every_section_is_there_in_its_order() {
    let (html, page) = page(&demo());
    let expected = [
        "Weights",
        "Weights as bars",
        "Scores by modality",
        "Who outranks whom",
        "How alike the domains are",
        "Weights for other λ",
        "Spectrum",
        "What moves the weights",
        "Datasets",
        "Where this comes from",
    ];
    assert_eq!(headings(&page), expected);
    check_references(&page);
    assert!(html.len() < 300_000, "{} bytes", html.len());
}

#[test]
fn every_number_of_the_mixture_can_be_read() {
    let mixture = demo();
    let (_, page) = page(&mixture);
    let mut cells = page.texts_of("td").into_iter();
    let mut next = |what: &str| {
        cells
            .next()
            .unwrap_or_else(|| panic!("no cell for {what}"))
            .to_owned()
    };
    let number = |text: &str| -> f64 { text.replace('−', "-").replace(',', "").parse().unwrap() };
    let close = |text: &str, value: f64, digit: f64| {
        assert!(
            (number(text) - value).abs() <= 0.5 * digit + 1e-9,
            "{text} for {value}"
        );
    };
    for (i, domain) in mixture.domains.iter().enumerate() {
        close(&next("weight"), 100.0 * domain.weight, 0.01);
        let interval = next("interval");
        let (low, high) = interval.split_once(" – ").unwrap();
        close(low, 100.0 * domain.low.unwrap(), 0.01);
        close(high, 100.0 * domain.high.unwrap(), 0.01);
        let human = mixture.baselines["human"][i];
        close(&next("human"), 100.0 * human, 0.01);
        close(
            next("difference").trim_start_matches('+'),
            100.0 * (domain.weight - human),
            0.01,
        );
        close(&next("uniform"), 100.0 / 6.0, 0.01);
        assert_eq!(next("rows").replace(',', ""), domain.size.to_string());
        for modality in Modality::ALL {
            match (next("score"), domain.scores.get(&modality)) {
                (text, Some(score)) => close(&text, *score, 1e-4),
                (text, None) => assert_eq!(text, "–"),
            }
        }
    }
}

#[test]
fn a_difference_is_called_beyond_noise_only_outside_the_interval() {
    let mut mixture = demo();
    let human = mixture.baselines["human"].clone();
    for (i, domain) in mixture.domains.iter_mut().enumerate() {
        let outside = if i < 2 { 0.001 } else { 0.0 };
        domain.low = Some(human[i].min(domain.weight) + outside);
        domain.high = Some(human[i].max(domain.weight) - outside);
    }
    let html = html(&mixture, None);
    let page = Page::read(&html);
    let chips = page
        .texts_of("span")
        .into_iter()
        .filter(|text| text.ends_with(" noise"));
    let expected = [["beyond noise"; 2].as_slice(), &["within noise"; 4]].concat();
    assert_eq!(chips.collect::<Vec<_>>(), expected);
    assert!(
        html.contains("outside the interval in 2 of 6 domains"),
        "{html}"
    );
}

#[test]
fn the_same_mixture_gives_the_same_page() {
    assert_eq!(page(&demo()).0, page(&demo()).0);
}

#[test]
fn a_score_below_zero_stands_left_of_zero() {
    let mut mixture = demo();
    let scores = &mut mixture.domains[0].scores;
    scores.insert(Modality::Text, -0.5);
    scores.insert(Modality::Image, 0.25);
    let page = Page::read(&html(&mixture, None));
    let percent = |attributes: &[(String, String)], wanted: &str| -> f64 {
        let (_, value) = attributes.iter().find(|(name, _)| name == wanted).unwrap();
        value.strip_suffix('%').unwrap().parse().unwrap()
    };
    let of_class = |element: &str, class: &str| {
        let mut found = page.elements.iter().filter(|(name, attributes)| {
            let is = |(name, value): &(String, String)| name == "class" && value == class;
            name == element && attributes.iter().any(is)
        });
        // The legend's sign comes first, with a width in pixels.
        found
            .find(|(_, a)| a.iter().any(|(_, value)| value.ends_with('%')))
            .unwrap()
            .1
            .clone()
    };
    let [text, image] = ["text", "image"].map(|class| of_class("rect", class));
    let zeros = page
        .elements
        .iter()
        .filter(|(_, a)| a.iter().any(|(_, value)| value == "zero"));
    // Six lines are of the weights' bars.
    let zero = percent(&zeros.clone().nth(6).unwrap().1, "x1");
    assert!(zero > 10.0, "{zero}");
    assert!((percent(&text, "x") + percent(&text, "width") - zero).abs() < 0.02);
    assert!((percent(&image, "x") - zero).abs() < 0.02);
    let ratio = percent(&text, "width") / percent(&image, "width");
    assert!((ratio - 2.0).abs() < 0.01, "{ratio}");
    assert!(page.texts_of("td").contains(&"−0.5000"));
}
