//! What the page does with text that would leave its place, with data that is missing or senseless, and with one domain
//! or a thousand.

use madmix::mix::Analysis;
use madmix::report::html;

use super::hostile::{hostile, hostile_names};
use super::markup::Page;
use super::page::{check_references, headings, page};
use super::samples::{analysis, demo, many, mixture};

/// Whether no number is shown that is none.
fn is_sound(html: &str) -> bool {
    let mut words = html.split(|c: char| !c.is_alphanumeric());
    words.all(|word| word != "NaN" && word != "inf")
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
