//! What the style sheets promise: text that can be read in both themes, and nothing that would end their element.

const SHEETS: [&str; 2] = [include_str!("palette.css"), include_str!("style.css")];

/// The colour of a name in one of the two themes.
fn colour(theme: &str, name: &str) -> [f64; 3] {
    let wanted = format!("{name}: #");
    let start = theme
        .find(&wanted)
        .unwrap_or_else(|| panic!("no colour {name}"))
        + wanted.len();
    let digits: String = theme[start..]
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .collect();
    let wide = digits.len() == 6;
    std::array::from_fn(|i| {
        let part = if wide {
            digits[2 * i..2 * i + 2].to_owned()
        } else {
            digits[i..=i].repeat(2)
        };
        let level = f64::from(u8::from_str_radix(&part, 16).unwrap()) / 255.0;
        if level <= 0.040_45 {
            level / 12.92
        } else {
            ((level + 0.055) / 1.055).powf(2.4)
        }
    })
}

/// The contrast ratio of WCAG 2.
fn contrast(theme: &str, text: &str, paper: &str) -> f64 {
    let luminance = |name| {
        let [r, g, b] = colour(theme, name);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(text), luminance(paper));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_stands_out_in_both_themes() {
    let (light, dark) = SHEETS[0].split_once("@media").unwrap();
    for theme in [light, dark] {
        let mut pairs: Vec<(String, String)> = ["--ink", "--soft", "--link", "--within"]
            .into_iter()
            .flat_map(|text| {
                ["--paper", "--raised"].map(|paper| (text.to_owned(), paper.to_owned()))
            })
            .collect();
        pairs.push(("--beyond".to_owned(), "--beyond-paper".to_owned()));
        for step in 0..=10 {
            pairs.extend(
                ["q", "d"].map(|scale| (format!("--{scale}{step}t"), format!("--{scale}{step}"))),
            );
        }
        for (text, paper) in pairs {
            let contrast = contrast(theme, &text, &paper);
            assert!(contrast >= 4.5, "{text} on {paper}: {contrast}");
        }
    }
}

#[test]
fn what_is_drawn_stands_out_in_both_themes() {
    let (light, dark) = SHEETS[0].split_once("@media").unwrap();
    let names =
        "human uniform mark strong-line text image video filter delta c0 c1 c2 c3 c4 c5 c6 c7";
    for theme in [light, dark] {
        for name in names.split(' ') {
            let contrast = contrast(theme, &format!("--{name}"), "--paper");
            assert!(contrast >= 2.8, "--{name}: {contrast}");
        }
    }
}

#[test]
fn sheets_are_read_alike_as_html_and_as_xml() {
    for sheet in SHEETS {
        assert!(!sheet.contains(['<', '&']));
        assert!(!sheet.contains("@import") && !sheet.contains("url("));
    }
}
