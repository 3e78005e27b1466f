//! What the page says, and that nothing on it can do harm.

use madmix::mix::{Analysis, Mixture};
use madmix::report::html;

use super::markup::Page;
use super::samples::{analysis, demo, hostile, hostile_names, many, mixture};

fn page(mixture: &Mixture) -> (String, Page) {
    let html = html(mixture, Some(&analysis(mixture)));
    let page = Page::read(&html);
    (html, page)
}

fn headings(page: &Page) -> Vec<&str> {
    page.texts_of("h2")
}

/// Whether no number is shown that is none.
fn is_sound(html: &str) -> bool {
    let mut words = html.split(|c: char| !c.is_alphanumeric());
    words.all(|word| word != "NaN" && word != "inf")
}

/// A page on which every reference leads somewhere and every name is used once.
fn check_references(page: &Page) {
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
        for modality in madmix::modality::Modality::ALL {
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
fn hostile_text_stays_text() {
    let (mixture, analysis) = hostile();
    let html = html(&mixture, Some(&analysis));
    let page = Page::read(&html);
    check_references(&page);
    for (name, attributes) in &page.elements {
        assert!(
            !["script", "img", "iframe", "object", "b", "base", "form"].contains(&name.as_str())
        );
        assert!(
            attributes.iter().all(|(name, _)| !name.starts_with("on")),
            "{attributes:?}"
        );
    }
    for name in &hostile_names()[..2] {
        let shown = |text: &&str| text.contains(name.as_str());
        for place in ["bdi", "title", "code"] {
            assert!(page.texts_of(place).iter().any(shown), "{name} in {place}");
        }
        let start: String = name.chars().take(15).collect();
        let drawn = page.texts_of("text");
        assert!(
            drawn.iter().any(|text| text.starts_with(&start)),
            "{name} in a drawing"
        );
    }
    assert!(
        page.values_of("title")
            .iter()
            .any(|title| title.trim_end().len() > 490)
    );
    assert!(
        page.texts_of("bdi")
            .iter()
            .any(|text| text.contains("right\\u{202e}tfel"))
    );
}

#[test]
fn what_is_missing_is_said() {
    let mut mixture = demo();
    mixture.uncertainty = None;
    mixture.baselines.remove("human");
    for domain in &mut mixture.domains {
        (domain.low, domain.high) = (None, None);
        domain.scores.clear();
        domain.datasets.clear();
    }
    for analysis in [None, Some(Analysis::default())] {
        let html = html(&mixture, analysis.as_ref());
        let page = Page::read(&html);
        let expected = [
            "Weights",
            "Weights as bars",
            "Where this comes from",
            "What is not here",
        ];
        assert_eq!(headings(&page), expected);
        for part in [
            "Scores by modality:",
            "Who outranks whom:",
            "Kernels:",
            "Weights for other λ:",
            "Spectrum:",
        ] {
            assert!(
                page.texts_of("p").iter().any(|text| text.starts_with(part)),
                "{part}"
            );
        }
        assert!(html.contains("nothing here tells a difference from noise"));
        assert!(html.contains("not every domain has a human share"));
        assert!(
            !page
                .texts_of("span")
                .iter()
                .any(|text| text.ends_with(" noise"))
        );
    }
}

#[test]
fn an_analysis_of_other_domains_is_not_shown() {
    let other = analysis(&many(7));
    let html = html(&demo(), Some(&other));
    let page = Page::read(&html);
    for heading in ["How alike the domains are", "Weights for other λ"] {
        assert!(!headings(&page).contains(&heading), "{heading}");
    }
}

#[test]
fn one_domain_and_a_thousand_have_a_page() {
    for k in [1, 2, 41, 100, 1000] {
        let mixture = many(k);
        let (html, page) = page(&mixture);
        if k <= 100 {
            check_references(&page);
        }
        let bars = page
            .values_of("class")
            .iter()
            .filter(|class| **class == "bar")
            .count();
        assert_eq!(bars, k.min(40) + 1, "bars of {k} and the legend's");
        assert_eq!(html.contains("40 domains with the largest weights"), k > 40);
        assert!(is_sound(&html), "{k}");
        for domain in &mixture.domains {
            assert!(
                page.texts_of("bdi").contains(&domain.name.as_str()),
                "{}",
                domain.name
            );
        }
        assert!(html.len() < 4_000_000, "{k}: {} bytes", html.len());
    }
}

#[test]
fn numbers_that_are_none_do_no_harm() {
    let mut mixture = mixture(&["a".into(), "b".into()], None);
    let mut analysis = analysis(&mixture);
    mixture.domains[0]
        .scores
        .values_mut()
        .for_each(|score| *score = f64::NAN);
    mixture.domains[1]
        .scores
        .values_mut()
        .for_each(|score| *score = -2.0);
    analysis.lambda_path[0].lambda = 0.0;
    analysis.lambda_path[1].weights[0] = f64::INFINITY;
    analysis.spectrum[0].eigenvalue = -1.0;
    analysis.spectrum[1].eigenvalue = f64::NAN;
    for kernel in analysis.kernels.values_mut() {
        kernel[0][0] = 0.0;
    }
    let html = html(&mixture, Some(&analysis));
    Page::read(&html);
    assert!(is_sound(&html), "{html}");
}

#[test]
fn the_same_mixture_gives_the_same_page() {
    assert_eq!(page(&demo()).0, page(&demo()).0);
}
