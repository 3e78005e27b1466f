//! Rows and pictures for small datasets.

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

/// Conversations without pictures, one per line, of lengths that differ.
pub(crate) fn rows(numbers: std::ops::Range<u32>) -> String {
    let row = |i: u32| {
        let words = "and then some ".repeat(1 + i as usize % 7);
        format!(
            r#"{{"id": "w{i}", "data_source": "{source}", "conversations": [{{"from": "human", "value": "What is {i}?"}}, {{"from": "gpt", "value": "{i} {words}"}}]}}"#,
            source = if i.is_multiple_of(3) {
                "poems"
            } else {
                "letters"
            },
        ) + "\n"
    };
    numbers.map(row).collect()
}

/// A question about the picture `i.png`.
pub(crate) fn picture_row(i: u32) -> String {
    format!(
        r#"{{"id": "p{i}", "image": "{i}.png", "conversations": [{{"from": "human", "value": "<image>\nWhich one is it?"}}, {{"from": "gpt", "value": "Number {i}."}}]}}"#
    )
}

/// A row with these keys, in which the user says something and the model answers.
pub(crate) fn row(keys: &Value, says: &str) -> Value {
    let mut row = keys.clone();
    row["conversations"] = json!([
        {"from": "human", "value": says},
        {"from": "gpt", "value": "It is one of them."},
    ]);
    row
}

/// The bytes of a picture of 20 × 20 pixels.
pub(crate) fn picture(i: u32, format: ImageFormat) -> Vec<u8> {
    let level = |x: u32, y: u32| Rgb([(x * 12) as u8, (y * 12) as u8, (i * 40) as u8]);
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_fn(20, 20, level)
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}
