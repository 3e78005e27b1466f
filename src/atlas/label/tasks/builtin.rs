//! The rules that come along, for what people ask of pictures in English, some of it in Chinese, and in the notations of the known trainers.
//!
//! A rule fits a sample when it fits at least half of its exchanges: collections like LLaVA's put many short questions
//! about one picture into one row, and one odd question does not change what the row teaches.

use std::sync::LazyLock;

use regex::Regex;

use super::Exchange;

/// Words up to which an answer is short.
const SHORT: usize = 20;
/// Words from which an answer without a question before it is a description.
const LONG: usize = 25;

/// A rule that comes along.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    pub(super) task: &'static str,
    fits: Fits,
}

enum Fits {
    /// A sample without pictures and clips.
    Text,
    /// At least half of the exchanges.
    Half(fn(&Exchange) -> bool),
}

impl Builtin {
    pub(super) fn fits(&self, exchanges: &[Exchange], has_media: bool) -> bool {
        match self.fits {
            Fits::Text => !has_media,
            Fits::Half(fits) => {
                let fitting = exchanges.iter().filter(|exchange| fits(exchange)).count();
                fitting > 0 && 2 * fitting >= exchanges.len()
            }
        }
    }
}

/// All of them, in their order.
pub(super) fn all() -> Vec<Builtin> {
    let half = |name, task, fits| Builtin {
        name,
        task,
        fits: Fits::Half(fits),
    };
    vec![
        Builtin {
            name: "no picture",
            task: "conversation",
            fits: Fits::Text,
        },
        half("several boxes", "detection", several_boxes),
        half("a box", "grounding", a_box),
        half("options, short answer", "multiple choice", |exchange| {
            options(exchange) && exchange.answer_words() <= SHORT
        }),
        half("asks to read", "ocr", |exchange| {
            READ.is_match(&exchange.user)
        }),
        half("asks for a table or markup", "ocr", |exchange| {
            CONVERT.is_match(&exchange.user)
        }),
        half("asks to describe", "captioning", |exchange| {
            DESCRIBE.is_match(&exchange.user)
        }),
        half("description unasked", "captioning", unasked),
        half("steps to the answer", "reasoning", steps),
        half("options", "multiple choice", options),
        half("question, short answer", "vqa", |exchange| {
            asks(&exchange.user) && exchange.answer_words() <= SHORT
        }),
        half("question, long answer", "long answer", |exchange| {
            asks(&exchange.user)
        }),
    ]
}

macro_rules! pattern {
    ($name:ident, $($line:literal),+) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(concat!($($line),+)).expect("the expressions are written here")
        });
    };
}

// [0.12, 0.3, 0.4, 0.5] and (120, 33), (410, 220) of corners; the tokens of Qwen-VL, InternVL, Kosmos and PaliGemma.
pattern!(
    UNIT_BOX,
    r"[\[(]\s*(?:0?\.\d+|[01](?:\.\d*)?)(?:\s*,\s*(?:0?\.\d+|[01](?:\.\d*)?)){3}\s*[\])]"
);
pattern!(
    BOX,
    r"(?i)<box>|<\|box_start\|>|<bbox>|(?:<loc\d+>\s*){4}|<patch_index_\d+>",
    r#"|"bbox(?:_2d)?"\s*:\s*\["#
);
pattern!(
    PIXEL_BOX,
    r"[\[(]\s*\d{1,4}(?:\.\d+)?(?:\s*,\s*\d{1,4}(?:\.\d+)?){3}\s*[\])]"
);
// Where to click on a screen.
pattern!(
    POINT,
    r"^\s*[\[(]\s*0?\.\d+\s*,\s*0?\.\d+\s*[\])]\.?\s*$|<point[ >]|<\|point_start\|>"
);
pattern!(
    PLACE,
    r"(?i)<ref>|<\|object_ref_start\|>|bounding box|\bbbox|\bcoordinates?\b|\bregion\b|\blocate\b|\bdetect\b"
);
pattern!(
    DETECT,
    r"(?i)\bdetect\b|\b(?:locate|find|box|mark|ground|outline) (?:all|every|each|any)\b"
);
pattern!(
    OPTION,
    r"(?m)^\s*(?:\(?[A-H][.):]|[A-H]\s*[-–]|\([A-Ha-h]\)|[1-8]\))\s*\S"
);
// Behind a question or a word for them, in one line.
pattern!(
    OPTIONS_INLINE,
    r"(?is)(?:\?|\b(?:options|choices|answers)\b).*(?:\(A\)|\bA[.):])\s*[^\s(].*(?:\(B\)|\bB[.):])\s*[^\s(]"
);
pattern!(
    READ,
    r"(?i)\breference ocr tokens?\b|\bocr\b|\btranscri(?:be|ption|pt)\b",
    r"|\bread (?:the|this|that|out|aloud|all|what|me|every)\b|\bcan you read\b",
    r"|\b(?:what|which) (?:is |are |does |do )?(?:the )?(?:\w+ )?(?:texts?|words?|letters?|characters?|number plate|licen[cs]e plate)\b",
    r"|\bwhat (?:is|was|'s) (?:written|printed|said)\b|\b(?:is|are) (?:written|printed|typed)\b",
    r"|\bwhat does (?:the|this|that|it)\b.*\b(?:say|read)\b",
    r"|\b(?:extract|recogni[sz]e|spell out|list|copy|type|write out|provide|output) (?:all )?(?:the |any )?(?:\w+ )?(?:text|words|characters|formula|equation)\b",
    r"|\btext (?:in|on|of|from|that appears|content)\b",
    r"|[图片像面牌志签上中里]的?(?:所有|全部)?(?:文字|文本|字样)|识别.{0,8}[文字]|写(?:了|着|的是)什么"
);
pattern!(
    CONVERT,
    r"(?i)\b(?:convert|parse|transform|render|rewrite|extract|turn\b.*\binto)\b.*\b(?:table|markdown|html|latex|csv|json|xml|code|text)\b",
    r"|\b(?:generate|produce|reconstruct)\b.*\b(?:table|markdown|html|latex|csv|json|xml)\b"
);
pattern!(
    DESCRIBE,
    r"(?i)\bdescri(?:be|ption|ptive)\b|\bcaption\b|\bwhat do you see\b|\btell me (?:about|what)\b",
    r"|\bwhat(?:'s| is| are)? (?:is )?(?:shown|depicted|displayed|visible|happening|going on|this (?:photo|image|picture|video) about)\b",
    r"|\b(?:summari[sz]e|analy[sz]e|explain|portray|narrate|recount|detail) (?:the |this |what )?(?:\w+ )?(?:contents?|image|picture|photo|scene|visual|video|clip)\b",
    r"|\bwrite (?:a|an|down)\b.*\b(?:image|picture|photo|scene|video)\b|\bexplain the visual content\b",
    r"|\b(?:give|offer|share|relay|render|create|provide|present|compose|craft|deliver)\b[^?\n]{0,40}",
    r"\b(?:explanation|interpretation|account|summary|narrative|overview|rundown|analysis|portrayal|depiction)\b[^?\n]{0,30}",
    r"\b(?:image|picture|photo|photograph|scene|snapshot|visual|video|clip)\b",
    r"|\b(?:elaborate on|(?:take|walk|guide) me through)\b[^?\n]{0,40}\b(?:image|picture|photo|scene|video)\b",
    r"|\b(?:key|main) elements (?:in|of) (?:the|this)\b",
    r"|描述|描绘|(?:展示|显示|描写)了什么"
);
pattern!(
    STEPS,
    r"(?i)\bstep \d|\bsteps?:|\btherefore\b|\bthus\b|\bhence\b|\bso the answer\b|\bthe answer is\b|\bthe final answer\b|\\boxed|<think>"
);
pattern!(
    ARITHMETIC,
    r"(?i)\d\s*(?:[-+*/×·÷^]|x|\\times|\\cdot|\\frac)\s*\d[^=\n]*=|\bso\b[^.]*="
);
pattern!(
    REASON,
    r"(?i)\bstep[- ]by[- ]step\b|\bprove\b|\bshow your work\b|\bexplain (?:your|how|why)\b|\breason(?:ing)?\b|\brationale\b|^\s*why\b"
);
pattern!(
    QUESTION_WORD,
    r"(?i)^\s*(?:what|which|who|whose|whom|where|when|why|how|is|are|was|were|do|does|did|can|could|will|would|should|has|have|name|tell|answer|count|choose|select|identify|find|give|list|compute|calculate|determine|solve)\b"
);

fn boxes(text: &str, place: bool) -> usize {
    // Four numbers are a vector as well, unless places are talked of or they are fractions.
    let unit = UNIT_BOX.find_iter(text);
    let unit = unit.filter(|found| place || found.as_str().contains('.'));
    let found = unit.count() + BOX.find_iter(text).count();
    if found == 0 && place {
        PIXEL_BOX.find_iter(text).count()
    } else {
        found
    }
}

/// Whether places are talked of, so that four whole numbers are a box.
fn speaks_of_places(exchange: &Exchange) -> bool {
    PLACE.is_match(&exchange.user) || PLACE.is_match(&exchange.assistant)
}

fn several_boxes(exchange: &Exchange) -> bool {
    let answered = boxes(&exchange.assistant, speaks_of_places(exchange));
    answered >= 2 || answered == 1 && DETECT.is_match(&exchange.user)
}

fn a_box(exchange: &Exchange) -> bool {
    let place = speaks_of_places(exchange);
    boxes(&exchange.assistant, place) + boxes(&exchange.user, place) > 0
        || POINT.is_match(&exchange.assistant)
        || exchange.user.contains("<ref>")
        || exchange.assistant.contains("<ref>")
}

fn options(exchange: &Exchange) -> bool {
    OPTION.find_iter(&exchange.user).count() >= 2 || OPTIONS_INLINE.is_match(&exchange.user)
}

/// A long answer in prose to what is no question.
fn unasked(exchange: &Exchange) -> bool {
    let prose = !exchange.assistant.contains(['|', '{', '=', '\\']);
    let bare = exchange.user.trim().is_empty() && !exchange.assistant.trim().is_empty();
    bare || prose && !asks(&exchange.user) && exchange.answer_words() >= LONG
}

fn steps(exchange: &Exchange) -> bool {
    let words = exchange.answer_words();
    // "The answer is 23." is an answer and no more.
    ARITHMETIC.is_match(&exchange.assistant) && words > 3
        || STEPS.is_match(&exchange.assistant) && words > SHORT
        || REASON.is_match(&exchange.user) && words > SHORT
}

fn asks(text: &str) -> bool {
    text.contains(['?', '？', '؟']) || QUESTION_WORD.is_match(text)
}
