use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Scans a text in pieces of `piece` bytes.
fn scan(text: &[u8], piece: usize) -> Result<Vec<Range<u64>>, Broken> {
    let (mut scanner, mut rows) = (RowScanner::new(), Vec::new());
    for chunk in text.chunks(piece) {
        scanner.feed(chunk, &mut rows)?;
    }
    scanner.finish(&mut rows)?;
    Ok(rows)
}

/// The rows' texts, the same for every size of piece.
fn texts(text: &str) -> Vec<&str> {
    let rows = scan(text.as_bytes(), text.len().max(1)).unwrap();
    for piece in 1..text.len() {
        assert_eq!(scan(text.as_bytes(), piece).unwrap(), rows, "{piece}");
    }
    rows.iter()
        .map(|row| &text[row.start as usize..row.end as usize])
        .collect()
}

/// The error, the same for every size of piece.
fn broken(text: &str) -> (u64, u64, String, String) {
    let error = scan(text.as_bytes(), text.len()).unwrap_err();
    for piece in 1..text.len() {
        assert_eq!(scan(text.as_bytes(), piece).unwrap_err(), error, "{piece}");
    }
    (error.row, error.offset, error.expected, error.found)
}

#[test]
fn lists() {
    assert_eq!(
        texts(r#"[{"a":1},{"b":"]}\""}]"#),
        [r#"{"a":1}"#, r#"{"b":"]}\""}"#]
    );
    assert_eq!(texts("\u{feff} [\r\n {} \t,\n{ } ]\n\n"), ["{}", "{ }"]);
    assert_eq!(
        texts(r#"[[{"a":[]}],[],[{},[{}]],{}]"#),
        [r#"{"a":[]}"#, "{}", "{}", "{}"]
    );
    assert_eq!(
        texts(r#"[null, "a]\"" ,-1.5e3]"#),
        ["null", r#""a]\"""#, "-1.5e3"]
    );
    assert!(texts("[]").is_empty());
    assert!(texts(" [ [ ] ] ").is_empty());
}

#[test]
fn lines() {
    assert_eq!(
        texts("{\"a\":1}\r\n\r\n  \n {\"b\":2} \n[1"),
        ["{\"a\":1}", "{\"b\":2}", "[1"]
    );
    assert_eq!(texts("\u{feff}{}\n"), ["{}"]);
    assert!(texts("").is_empty());
    assert!(texts(" \n\r\n").is_empty());
}

#[test]
fn broken_lists() {
    let at = |text| {
        let (row, offset, ..) = broken(text);
        (row, offset)
    };
    assert_eq!(at("[{}"), (1, 3));
    assert_eq!(at("[{},"), (1, 4));
    assert_eq!(at("[{} {}]"), (1, 4));
    assert_eq!(at("[{},x]"), (1, 4));
    assert_eq!(at("[{},]"), (1, 4));
    assert_eq!(at("[,{}]"), (0, 1));
    assert_eq!(at("[{}]]"), (1, 4));
    assert_eq!(at("[{}]{}"), (1, 4));
    assert_eq!(at("[{}, nul{}]"), (1, 8));
    assert_eq!(at(r#"[{"a":[1},{}]"#), (0, 8));
    assert_eq!(at(r#"[{"a":"b}]"#), (0, 10));
    assert_eq!(at(" x"), (0, 1));

    let (.., expected, found) = broken(r#"[{}, {"a":[1}]"#);
    assert_eq!(expected, "`]` in the row that starts at byte 5");
    assert_eq!(found, "`}`");
    let (.., expected, found) = broken("[{}\n");
    assert_eq!(
        (expected.as_str(), found.as_str()),
        ("`,` or `]` after a row", "the end of the file")
    );
    let (.., found) = broken("{\n  \"data\": []\n}\n");
    assert!(found.contains("several lines"));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        format!(
            "[{}{}]",
            "{\"a\":".repeat(depth - 1) + "{",
            "}".repeat(depth)
        )
    };
    assert_eq!(scan(nested(128).as_bytes(), 64).unwrap().len(), 1);
    assert!(
        scan(nested(129).as_bytes(), 64)
            .unwrap_err()
            .found
            .contains("128")
    );
}

fn json() -> impl Strategy<Value = Value> {
    // Strings of what a scanner could take for structure.
    let text = "([\\[\\]{}\",:\\\\/\\n a]|\\PC){0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            object(text, inner),
        ]
    })
}

fn object(key: &'static str, inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::vec((key, inner), 0..6)
        .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(object("[a-c\"\\\\{\\]]{0,3}", json()), 0..6)
}

fn parse(text: &str, rows: &[Range<u64>]) -> Vec<Value> {
    let one = |row: &Range<u64>| serde_json::from_str(&text[row.start as usize..row.end as usize]);
    rows.iter().map(|row| one(row).unwrap()).collect()
}

proptest! {
    #[test]
    fn list_rows_are_those_of_a_parser(rows in objects(), pretty: bool, piece in 1_usize..40) {
        let text =
            if pretty { serde_json::to_string_pretty(&rows) } else { serde_json::to_string(&rows) };
        let text = text.unwrap();
        prop_assert_eq!(parse(&text, &scan(text.as_bytes(), piece).unwrap()), rows);
    }

    #[test]
    fn line_rows_are_those_of_a_parser(rows in objects(), crlf: bool, piece in 1_usize..40) {
        let end = if crlf { "\r\n" } else { "\n" };
        let text = rows.iter().map(Value::to_string).collect::<Vec<_>>().join(&end.repeat(2));
        prop_assert_eq!(parse(&text, &scan(text.as_bytes(), piece).unwrap()), rows);
    }

    #[test]
    fn a_list_cut_anywhere_is_an_error(rows in objects(), piece in 1_usize..40) {
        let text = serde_json::to_string(&rows).unwrap();
        for cut in 1..text.len() {
            prop_assert!(scan(&text.as_bytes()[..cut], piece).is_err(), "{}", &text.as_bytes()[..cut].escape_ascii());
        }
    }

    #[test]
    fn any_bytes_are_rows_in_order_or_an_error(text in "[\\[\\]{}\",:\\\\\n 1nx]{0,40}", piece in 1_usize..9) {
        if let Ok(rows) = scan(text.as_bytes(), piece) {
            let ends: Vec<u64> = rows.iter().flat_map(|row| [row.start, row.end]).collect();
            prop_assert!(ends.is_sorted() && ends.last().is_none_or(|&end| end <= text.len() as u64));
        }
    }
}
