use super::*;
use crate::blob::Blob;
use crate::dataset::{Media, MediaKind, Turn};

fn sample(turns: &[&str]) -> Sample {
    let roles = [Role::User, Role::Assistant];
    let turn = |(i, text): (usize, &&str)| Turn {
        role: roles[i % 2],
        text: (*text).to_owned(),
    };
    Sample {
        row: 0,
        id: "0".into(),
        turns: turns.iter().enumerate().map(turn).collect(),
        media: vec![Media {
            kind: MediaKind::Image,
            name: "a.png".into(),
            blob: Blob::Held([].into()),
        }],
        data_source: None,
        irregularities: Vec::new(),
    }
}

fn rules(toml: &str) -> Rules {
    Rules::new(&toml::from_str(toml).unwrap()).unwrap()
}

fn task<'a>(rules: &'a Rules, sample: &Sample) -> &'a str {
    &rules.all()[rules.first("d", sample)].task
}

#[test]
fn what_comes_along_knows_the_usual_tasks() {
    let rules = rules("");
    for (turns, expected) in [
        (
            [
                "<image>\nWhere is the dog? Give its box.",
                "[0.12, 0.3, 0.45, 0.9]",
            ],
            "grounding",
        ),
        (
            [
                "Please provide a short description for this region: [0.02, 0.0, 0.6, 1.0]",
                "A cat.",
            ],
            "grounding",
        ),
        (
            ["Find <ref>the cup</ref>", "<box>(120,33),(410,220)</box>"],
            "grounding",
        ),
        (
            ["Give the bounding box of the car.", "[120, 33, 410, 220]"],
            "grounding",
        ),
        (
            [
                "Detect all people.",
                "[0.1, 0.2, 0.3, 0.4]; [0.5, 0.2, 0.7, 0.4]",
            ],
            "detection",
        ),
        (
            ["Detect the dog.", "{\"bbox_2d\": [1, 2, 3, 4]}"],
            "detection",
        ),
        (["What does the sign say?", "STOP"], "ocr"),
        (["<image>\nTranscribe the text.", "Hello"], "ocr"),
        (["Who wrote this?\nReference OCR token: A, B", "A"], "ocr"),
        (["OCR this image section by section.", "Order no. 2"], "ocr"),
        (["Convert the chart to a table.", "| a | b |"], "ocr"),
        (["<image>", "A cat on a mat."], "captioning"),
        (
            ["Describe the image concisely.\n<image>", "A cat."],
            "captioning",
        ),
        (["Which is larger?\nA. one\nB. two", "B"], "multiple choice"),
        (
            ["Which is larger?\n(A) one\n(B) two", "B"],
            "multiple choice",
        ),
        (
            [
                "Find the angle x.\nChoices:\nA: 55°\nB: 50°",
                "The angles of a triangle add up to 180°, all three of them together, whatever triangle it is, so x = 180° - 80° - 45° = 55°. The answer is A.",
            ],
            "reasoning",
        ),
        (
            [
                "What is the area?",
                "The legs are 5 and 12, so the area is $\\frac{1}{2} \\cdot 5 = 30$.",
            ],
            "reasoning",
        ),
        (
            ["What is 4 shown as?", "4 + 3 = 7 so it is shown"],
            "reasoning",
        ),
        (
            [
                "How many birds are flying?",
                "There are 3 birds in the sky.",
            ],
            "vqa",
        ),
        (["图中有几只鸟？", "三只"], "vqa"),
        (["[1, 2, 3, 4]", "a list"], "other"),
        (["Hm.", "Yes."], "other"),
    ] {
        assert_eq!(task(&rules, &sample(&turns)), expected, "{turns:?}");
    }
    let long = "word ".repeat(40);
    assert_eq!(task(&rules, &sample(&["Is it so?", &long])), "long answer");
    assert_eq!(
        task(&rules, &sample(&["As you like.", &long])),
        "captioning"
    );
    let text = Sample {
        media: Vec::new(),
        ..sample(&["Describe a cat.", "It purrs."])
    };
    assert_eq!(task(&rules, &text), "conversation");
}

#[test]
fn the_prompts_of_well_known_collections_set_the_tasks_that_they_are_for() {
    let rules = rules("");
    let long = "There is a dog on the grass. ".repeat(10);
    for prompt in [
        "Offer a succinct explanation of the picture presented.",
        "Share a concise interpretation of the image provided.",
        "Relay a brief, clear account of the picture shown.",
        "Render a clear and concise summary of the photo.",
        "Create a compact narrative representing the image presented.",
        "Give a short and clear explanation of the subsequent image.",
        "What are the key elements in this picture?",
        "Can you elaborate on the elements of the picture provided?",
        "Could you take me through the visual content of this image?",
        "Give an elaborate explanation of the image you see",
        "请描述这张图片",
    ] {
        for answer in ["a dog on the grass", long.as_str()] {
            let found = task(&rules, &sample(&[prompt, answer]));
            assert_eq!(found, "captioning", "{prompt}");
        }
    }
    for (turns, expected) in [
        (
            [
                "Which state is farthest north?\nContext: N/A\nOptions: (A) West Virginia (B) Louisiana (C) Arizona",
                "The answer is A.",
            ],
            "multiple choice",
        ),
        (
            ["What number is on the jersey?", "The answer is 23."],
            "vqa",
        ),
        (
            [
                "If you turn to the table, what is the value in the last row?",
                "12",
            ],
            "vqa",
        ),
        (["Turn the chart into a table.", "| a | b |"], "ocr"),
        (
            ["Generate underlying data table of the figure", "a | 1"],
            "ocr",
        ),
        (["What is the vector?", "[1, 0, 0, 1]"], "vqa"),
        (
            ["Where is it? Give the bounding box.", "[0, 0, 1, 1]"],
            "grounding",
        ),
        (
            ["In this screen, where is \"Save\"?", "(0.53, 0.12)"],
            "grounding",
        ),
        (["图中的文字是什么？", "出口"], "ocr"),
        (["请用文字回答：有几只鸟？", "三只"], "vqa"),
    ] {
        assert_eq!(task(&rules, &sample(&turns)), expected, "{turns:?}");
    }
    // Signs of scripts without spaces are counted as words.
    let chinese = "草地上有一只狗在跑。".repeat(10);
    let found = task(&rules, &sample(&["狗在做什么？", &chinese])).to_owned();
    assert_eq!(found, "long answer");
    assert_eq!(
        task(&rules, &sample(&["这张图片展示了什么？", &chinese])),
        "captioning"
    );
}

#[test]
fn half_of_the_exchanges_decide() {
    let rules = rules("");
    let mixed = [
        "How many?",
        "3",
        "Describe it.",
        "It is red.",
        "What colour?",
        "Red",
    ];
    assert_eq!(task(&rules, &sample(&mixed)), "vqa");
    assert_eq!(task(&rules, &sample(&mixed[..4])), "captioning");
}

#[test]
fn what_the_user_says_goes_first_and_in_order() {
    let rules = rules(
        r#"
        dataset = { d = "mine" }
        data_source = { s = "theirs" }
        rule = [
            { task = "dates", user = "(?i)when", assistant = '\d{4}' },
            { task = "years", assistant = '\d{4}' },
        ]
        "#,
    );
    let of = |dataset, sample: &Sample| rules.all()[rules.first(dataset, sample)].clone();
    let when = sample(&["When was it?", "In 1912"]);
    assert_eq!(of("d", &when).task, "mine");
    assert_eq!(of("d", &when).name, "dataset d");
    assert_eq!(of("e", &when).task, "dates");
    assert_eq!(of("e", &when).name, "rule 1");
    assert_eq!(of("e", &sample(&["What?", "1912"])).task, "years");
    let sourced = Sample {
        data_source: Some("s".into()),
        ..when
    };
    assert_eq!(of("e", &sourced).task, "theirs");
    assert_eq!(of("e", &sample(&["", ""])).name, "none");
}
