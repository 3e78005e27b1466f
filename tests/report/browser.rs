//! The page in a real browser: what it makes of hostile names, whether it asks for anything, and whether all fits. The
//! screenshots are kept, for people to look at.

use std::path::PathBuf;

use madmix::report::html;
use serde::Deserialize;

use super::chromium::{Theme, browse, chromium, folder};
use super::hostile::{hostile, hostile_names};
use super::samples::{analysis, demo, many};

/// What `measure.html` finds in a page.
#[derive(Debug, Deserialize)]
struct Found {
    overflow: i64,
    overflow_unfolded: i64,
    height: u32,
    outside: Vec<String>,
    crossing: Vec<String>,
    clipped: Vec<String>,
    active: usize,
    handlers: Vec<String>,
    loaded: Vec<String>,
    names: Vec<String>,
}

/// Writes the page around a report in a frame so wide and high.
fn frame(report: &str, width: u32, height: u32) -> PathBuf {
    let frame = include_str!("measure.html")
        .replace("{WIDTH}", &width.to_string())
        .replace("{HEIGHT}", &height.to_string())
        .replace("{REPORT}", &format!("{report}.html"));
    let path = folder().join(format!("{report}-{width}.frame.html"));
    fs_err::write(&path, frame).unwrap();
    path
}

/// Looks at a report in that width, and keeps a screenshot of all of it.
#[expect(clippy::print_stderr, reason = "people look at the screenshots")]
fn look(program: &str, report: &str, page: &str, theme: Theme, width: u32) -> Found {
    fs_err::write(folder().join(format!("{report}.html")), page).unwrap();
    let seen = browse(
        program,
        theme,
        &["--dump-dom".to_owned()],
        &frame(report, width, 900),
    );
    let (_, found) = seen
        .split_once("<pre id=\"found\" hidden=\"hidden\">")
        .unwrap();
    let (found, _) = found.split_once("</pre>").unwrap();
    let found: Found =
        serde_json::from_str(found).unwrap_or_else(|error| panic!("{error}: {seen}"));

    let name = match theme {
        Theme::Dark => "dark",
        Theme::Light => "light",
    };
    let picture = folder().join(format!("{report}-{width}-{name}.png"));
    let height = found.height.min(12_000);
    let arguments = [
        format!("--screenshot={}", picture.display()),
        format!("--window-size={},{height}", width.max(500)),
    ];
    browse(program, theme, &arguments, &frame(report, width, height));
    let bytes = fs_err::read(&picture).unwrap();
    assert!(
        bytes.starts_with(b"\x89PNG") && bytes.len() > 20_000,
        "{}",
        picture.display()
    );
    eprintln!("{}", picture.display());
    found
}

/// Nothing runs, nothing is loaded, nothing is wider than the page, no text covers another or is cut off.
fn check(found: &Found, what: &str) {
    assert_eq!(
        (found.active, found.overflow, found.overflow_unfolded),
        (0, 0, 0),
        "{what}: {found:?}"
    );
    let lists = [
        &found.handlers,
        &found.loaded,
        &found.outside,
        &found.crossing,
        &found.clipped,
    ];
    for list in lists {
        assert!(list.is_empty(), "{what}: {list:?}");
    }
}

#[test]
fn the_demo_fits_in_both_themes_and_on_a_phone() {
    let Some(program) = chromium("the_demo_fits_in_both_themes_and_on_a_phone") else {
        return;
    };
    let mixture = demo();
    let page = html(&mixture, Some(&analysis(&mixture)));
    for theme in [Theme::Light, Theme::Dark] {
        for width in [400, 1200] {
            check(
                &look(&program, "demo", &page, theme, width),
                &format!("demo {width}"),
            );
        }
    }
}

#[test]
fn what_would_be_wrong_is_seen() {
    let Some(program) = chromium("what_would_be_wrong_is_seen") else {
        return;
    };
    let wrong = "<div style=\"width: 3000px\">wide</div>\
        <svg class=\"fixed\" width=\"60\" height=\"20\" viewBox=\"0 0 60 20\"><text x=\"0\" y=\"14\">one</text>\
        <text x=\"3\" y=\"14\">two, which is long</text></svg><img onx=\"\" alt=\"\"/></main>";
    let page = html(&demo(), None).replace("</main>", wrong);
    let found = look(&program, "wrong", &page, Theme::Light, 400);
    assert!(
        found.overflow > 2000 && found.overflow_unfolded > 2000,
        "{found:?}"
    );
    assert_eq!(
        (found.active, found.handlers.len(), found.crossing.len()),
        (1, 1, 1),
        "{found:?}"
    );
    assert_eq!(
        (found.outside.len(), found.clipped.len()),
        (1, 1),
        "{found:?}"
    );
}

#[test]
fn few_and_many_domains_fit() {
    let Some(program) = chromium("few_and_many_domains_fit") else {
        return;
    };
    for k in [1, 20, 40, 100, 1000] {
        let mixture = many(k);
        let page = html(&mixture, Some(&analysis(&mixture)));
        for width in [400, 1200] {
            let found = look(
                &program,
                &format!("domains-{k}"),
                &page,
                Theme::Light,
                width,
            );
            check(&found, &format!("{k} domains, {width}"));
        }
    }
}

#[test]
fn hostile_names_are_text_and_do_nothing() {
    let Some(program) = chromium("hostile_names_are_text_and_do_nothing") else {
        return;
    };
    let (mixture, analysis) = hostile();
    let page = html(&mixture, Some(&analysis));
    for width in [400, 1200] {
        let found = look(&program, "hostile", &page, Theme::Light, width);
        check(&found, &format!("hostile {width}"));
        for name in &hostile_names()[..3] {
            assert!(
                found.names.contains(name),
                "{name} is not in {:?}",
                found.names
            );
        }
    }
}

#[test]
fn a_strict_reader_of_xml_takes_the_page() {
    let Some(program) = chromium("a_strict_reader_of_xml_takes_the_page") else {
        return;
    };
    let (mixture, analysis) = hostile();
    let path = folder().join("hostile.xhtml");
    let read = |page: &str| {
        fs_err::write(&path, page).unwrap();
        browse(&program, Theme::Light, &["--dump-dom".to_owned()], &path)
    };
    let page = html(&mixture, Some(&analysis));
    assert!(!read(&page).contains("parsererror"));
    // So that it can be told that this reader is strict.
    assert!(read(&page.replacen("</h1>", "", 1)).contains("parsererror"));
}

#[test]
fn the_page_prints_with_all_that_is_folded() {
    let Some(program) = chromium("the_page_prints_with_all_that_is_folded") else {
        return;
    };
    let mixture = demo();
    let folder = folder();
    let (page, pdf) = (folder.join("printed.html"), folder.join("printed.pdf"));
    fs_err::write(&page, html(&mixture, Some(&analysis(&mixture)))).unwrap();
    let arguments = [
        format!("--print-to-pdf={}", pdf.display()),
        "--no-pdf-header-footer".to_owned(),
    ];
    browse(&program, Theme::Dark, &arguments, &page);
    let printed = fs_err::read(&pdf).unwrap();
    assert!(
        printed.starts_with(b"%PDF") && printed.len() > 50_000,
        "{} bytes",
        printed.len()
    );
}
