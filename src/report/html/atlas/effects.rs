//! What shares of concepts and tasks do, alone and in pairs.

use crate::atlas::analysis::{Analysis, Effect, Estimate, Interaction};
use crate::report::html::markup::{Tag, tag};
use crate::report::html::number::{decimal, percent};
use crate::report::html::parts::{Section, figure, note, scroll};
use crate::report::html::svg::About;
use crate::report::html::svg::plot::{Dot, Plot, Series};
use crate::report::html::table::{Cell, Column, Table};

pub(super) fn section(analysis: &Analysis) -> Result<Section, String> {
    if analysis.effects.is_empty() {
        return Err("Main effects: nothing was learnt yet, or there is only one level.".to_owned());
    }
    let drawn = analysis
        .effects
        .iter()
        .enumerate()
        .map(|(i, effect)| drawing(i, effect));
    Ok(Section {
        id: "effects",
        title: "Main effects",
        body: vec![
            note(
                "How the score changes when a concept or a task gets more or less of the best mixture, and all others give \
                 way in proportion: the mean, and the 90\u{a0}% interval around it. The point is where the mixture is. A \
                 band that holds 0 all along says that nothing is known.",
            ),
            tag("div").set("class", "plots").extend(drawn),
        ],
    })
}

fn drawing(i: usize, effect: &Effect) -> Tag {
    let points = || {
        effect
            .shares
            .iter()
            .map(|share| 100.0 * share)
            .zip(&effect.change)
    };
    let band = |(x, change): (f64, &Estimate)| {
        let (low, high) = change.interval();
        (x, low, high)
    };
    let place = Dot {
        class: "c1",
        x: 100.0 * effect.at,
        y: 0.0,
        whisker: None,
        title: format!("the mixture: {}\u{a0}%", percent(effect.at)),
    };
    let plot = Plot {
        width: 220.0,
        height: 150.0,
        x_title: "share in %",
        y_title: "change of the score",
        diagonal: false,
        series: vec![
            Series::Band {
                class: "c0",
                points: points().map(band).collect(),
            },
            Series::Line {
                class: "c0",
                points: points().map(|(x, change)| (x, change.mean)).collect(),
            },
            Series::Dots { dots: vec![place] },
        ],
    };
    let title = format!("{}: {}", effect.axis.as_str(), effect.level);
    let about = About {
        id: &format!("effect-{i}"),
        title: &title,
        description: "The change of the score for each share, with a band for its 90 % interval.",
    };
    let drawing = plot.draw(&about, [&|x| decimal(x, 0), &|y| decimal(y, 2)]);
    figure(&title, None, scroll(&title, drawing))
}

pub(super) fn interactions(analysis: &Analysis) -> Result<Section, String> {
    if analysis.interactions.is_empty() {
        return Err("Interactions: nothing was learnt yet, or there are no two levels.".to_owned());
    }
    let row = |found: &Interaction| {
        let (low, high) = found.change.interval();
        let [a, b] = &found.levels;
        vec![
            Cell::Name(a.clone()),
            Cell::OtherName(b.clone()),
            Cell::Number(decimal(found.change.mean, 3)),
            Cell::Number(format!("{} – {}", decimal(low, 3), decimal(high, 3))),
            Cell::Words(
                if low > 0.0 {
                    "they help each other"
                } else if high < 0.0 {
                    "one makes up for the other"
                } else {
                    "not known"
                }
                .to_owned(),
            ),
        ]
    };
    let table = Table {
        caption: "Pairs, the surest first".to_owned(),
        columns: vec![
            Column::Words("Level".to_owned()),
            Column::Words("With".to_owned()),
            Column::Number("Beyond each alone".to_owned()),
            Column::Number("90\u{a0}% interval".to_owned()),
            Column::Words("So".to_owned()),
        ],
        rows: analysis.interactions.iter().map(row).collect(),
    };
    let mut body = vec![note(
        "What a tenth of the mixture moved to both levels changes, beyond what a tenth moved to each changes alone, in \
         units of the score.",
    )];
    body.extend(table.folded(15));
    Ok(Section {
        id: "interactions",
        title: "Interactions",
        body,
    })
}
