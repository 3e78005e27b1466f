//! `madmix plan` as a data checker: what is the same, what is odd, and what cannot be used.

use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};

use crate::plan::{dataset, planned};
use crate::project::{Project, repository};
use crate::samples::{picture, picture_row, row};

/// Kind, count, row, id and detail of what was noted.
fn noted(list: &Value) -> Vec<[Value; 5]> {
    let list = list.as_array().unwrap().iter();
    list.map(|noted| {
        let first = &noted["first"];
        [
            &noted["kind"],
            &noted["count"],
            &first["row"],
            &first["id"],
            &first["detail"],
        ]
        .map(Value::clone)
    })
    .collect()
}

/// What is the same, where, how often, and the rows of the example.
fn duplicates(plan: &Value) -> Vec<Value> {
    let list = plan["duplicates"].as_array().unwrap().iter();
    list.map(|found| {
        let rows = [0, 1].map(|i| found["example"][i]["row"].clone());
        json!([found["same"], found["datasets"], found["count"], rows])
    })
    .collect()
}

fn lines(rows: &[Value]) -> String {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    lines.join("\n")
}

#[test]
fn what_two_datasets_have_in_common() {
    let project = Project::new();
    let second = "[[domain.dataset]]\npath = \"pictures.jsonl\"\n";
    project.edit(
        "mix.toml",
        second,
        &format!("{second}[[domain.dataset]]\npath = \"more.jsonl\"\n"),
    );
    // Two pictures beyond what a mark reads, that differ in the middle.
    let large = |level: u8| {
        let mut picture = RgbImage::new(100, 100);
        picture.get_pixel_mut(50, 50).0 = [level; 3];
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Bmp).unwrap();
        bytes.into_inner()
    };
    for (name, level) in [("a.bmp", 1), ("b.bmp", 2), ("c.bmp", 1), ("d.bmp", 1)] {
        project.write(name, large(level));
    }
    let question = |image: &str, says: &str| row(&json!({"id": image, "image": image}), says);
    let words = "<image>\nWhat is in the middle?";
    project.write("copy.png", picture(3, ImageFormat::Png));
    let rows = [
        question("a.bmp", words),
        question("b.bmp", words),
        question("c.bmp", words),
        question("d.bmp", "<image>\nAnd here?"),
        question("copy.png", "<image>\nWhich one?"),
        // A row of the text dataset, word by word.
        serde_json::from_str(project.read("words.jsonl").lines().nth(4).unwrap()).unwrap(),
    ];
    project.write("more.jsonl", lines(&rows));
    let expected = [
        json!(["picture", ["more", "more"], 2, [0, 2]]),
        json!(["conversation", ["more", "more"], 2, [0, 1]]),
        json!(["picture", ["pictures", "more"], 1, [3, 4]]),
        json!(["conversation", ["words", "more"], 1, [4, 5]]),
        json!(["sample", ["more", "more"], 1, [0, 2]]),
    ];
    assert_eq!(duplicates(&planned(&project, &[], 0)), expected);
    let ended = project.madmix(&["plan", "mix.toml"]).expect(0);
    let line = "same picture          pictures and more  row 3 (p3) and row 4 (copy.png)";
    assert!(ended.stdout.contains(line), "{ended}");
}

#[test]
fn clips_that_are_the_same() {
    let project = Project::new();
    for clip in ["one", "two", "longer"] {
        for frame in 0..if clip == "longer" { 4 } else { 3 } {
            project.write(
                &format!("{clip}/{frame}.png"),
                picture(frame.min(2), ImageFormat::Png),
            );
        }
    }
    let rows = ["one", "two", "longer"].map(|clip| {
        row(
            &json!({"id": clip, "video": clip}),
            &format!("<video>\nIs it {clip}?"),
        )
    });
    project.write("pictures.jsonl", lines(&rows));
    let plan = planned(&project, &[], 0);
    let expected = json!(["clip", ["pictures", "pictures"], 1, [0, 1]]);
    assert_eq!(duplicates(&plan), [expected]);
    assert_eq!(dataset(&plan, "pictures")["with_videos"], 3);
}

#[test]
fn what_is_odd_is_counted_and_the_first_is_named() {
    let project = Project::new();
    let fixtures = format!("{}/tests/fixtures/media", repository());
    let copy = |fixture: &str, name: &str| {
        project.write(name, fs_err::read(format!("{fixtures}/{fixture}")).unwrap());
    };
    copy("gif_bytes.jpg", "0.jpg");
    copy("jpeg_ycck.jpg", "1.jpg");
    copy("jpeg_exif_6.jpg", "2.jpg");
    copy("png_rgba16.png", "3.png");
    copy("gif_animated.gif", "4.gif");
    for (name, width, height) in [("5.png", 1020, 20), ("6.png", 13, 30), ("7.png", 900, 900)] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = RgbImage::new(width, height);
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        project.write(name, bytes.into_inner());
    }
    let names = [
        "0.jpg", "1.jpg", "2.jpg", "3.png", "4.gif", "5.png", "6.png", "7.png",
    ];
    let mut rows = names
        .map(|name| {
            row(
                &json!({"id": name, "image": name}),
                &format!("<image>\n{name}?"),
            )
        })
        .to_vec();
    // Misnamed again, without an id, and without a placeholder.
    rows.push(row(&json!({"image": "0.jpg"}), "And this?"));
    // An empty turn, and the assistant first.
    rows.push(json!({"id": "odd", "conversations": [{"from": "gpt", "value": "Yes."}, {"from": "human", "value": " "}]}));
    project.write("pictures.jsonl", lines(&rows));
    let plan = planned(&project, &[], 0);
    let pictures = |kind: &str, count: u64, row: usize| {
        [
            json!(kind),
            json!(count),
            json!(row),
            json!(names[row]),
            json!(names[row]),
        ]
    };
    let picture = |kind, row| pictures(kind, 1, row);
    let twice = |kind, row| pictures(kind, 2, row);
    let of_row = |kind: &str, row: usize, id: &str| {
        [json!(kind), json!(1), json!(row), json!(id), Value::Null]
    };
    let expected = [
        twice("other-format", 0),
        twice("tiny", 3),
        twice("large", 5),
        of_row("placeholder-missing", 8, "8"),
        of_row("turns-out-of-order", 9, "odd"),
        of_row("empty-turn", 9, "odd"),
        of_row("no-id", 8, "8"),
        picture("animated", 4),
        picture("inks", 1),
        picture("deep", 3),
        picture("transparent", 3),
        picture("turned", 2),
        picture("strip", 5),
    ];
    assert_eq!(
        noted(&dataset(&plan, "pictures")["irregularities"]),
        expected
    );
    let units = &dataset(&plan, "pictures")["irregularities"];
    assert_eq!(
        (&units[0]["of"], &units[3]["of"]),
        (&json!("pictures"), &json!("rows"))
    );
    assert!(noted(&dataset(&plan, "words")["irregularities"]).is_empty());
    let ended = project.madmix(&["plan", "mix.toml"]).expect(0);
    assert!(
        ended
            .stdout
            .contains("pictures: animated; the first frame is taken"),
        "{ended}"
    );
}

#[test]
fn failures_are_grouped_and_too_many_are_an_error() {
    let project = Project::new();
    for i in [1, 4, 5] {
        fs_err::remove_file(project.path(&format!("{i}.png"))).unwrap();
    }
    project.write("3.png", "once a picture");
    let plan = planned(&project, &[], 1);
    let pictures = dataset(&plan, "pictures");
    assert_eq!(
        (&pictures["measured"], &pictures["failed"]),
        (&json!(6), &json!(4))
    );
    let missing = "there is no such file";
    let failures = noted(&pictures["failures"]);
    assert_eq!(
        failures[0],
        [
            json!(missing),
            json!(3),
            json!(1),
            json!("p1"),
            json!(format!("1.png: {missing}"))
        ]
    );
    assert_eq!(failures.len(), 2);
    assert!(
        failures[1][0]
            .as_str()
            .unwrap()
            .contains("begins with \"…\"")
    );

    // Both datasets are told of.
    project.write("words.jsonl", "{\"id\": \"w0\"}\n");
    let ended = project.madmix(&["plan", "mix.toml"]).expect(1);
    for text in [
        "`conversations` is missing",
        "Too many failed also of \"pictures\"",
    ] {
        assert!(ended.to_string().contains(text), "{ended}");
    }
    project.extract("max_failure_rate = 1.0");
    planned(&project, &[], 0);
}

#[test]
fn names_and_ids_do_not_reach_the_terminal_as_they_are() {
    let project = Project::new();
    let id = "\u{1b}[2J\nerror: forged\u{9b}31m\u{202e}";
    let mut bad = row(
        &json!({"id": id, "image": "\u{1b}[31m.png"}),
        "<image>\nWhat?",
    );
    let missing = bad.to_string();
    project.write("\u{1b}]0;.jpg", picture(0, ImageFormat::Png));
    bad["image"] = json!("\u{1b}]0;.jpg");
    project.write(
        "pictures.jsonl",
        format!("{missing}\n{bad}\n{bad}\n{}\n", picture_row(1)),
    );
    project.extract("max_failure_rate = 1.0");
    let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    for arguments in [&["plan", "mix.toml"][..], &["plan", "mix.toml", "--json"]] {
        let ended = project.madmix(arguments).expect(0);
        assert!(
            !ended.stdout.contains(obeyed) && !ended.stderr.contains(obeyed),
            "{ended}"
        );
        assert!(!ended.stdout.contains("\nerror: forged"), "{ended}");
    }
    let plan = planned(&project, &[], 0);
    assert_eq!(plan["duplicates"][0]["example"][0]["id"], id);
    let pictures = dataset(&plan, "pictures");
    assert_eq!(pictures["failures"][0]["first"]["id"], id);
    assert_eq!(
        pictures["irregularities"][0]["first"]["detail"],
        "\u{1b}]0;.jpg"
    );
}
