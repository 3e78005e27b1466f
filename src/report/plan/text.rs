//! `madmix plan`'s text.

use indicatif::{HumanBytes, HumanCount};

use super::{PlanReport, notes};
use crate::extract::survey::{Found, Sum, Survey, Time};
use crate::printable::printable;
use crate::report::align::{align, shown};

/// A rate to tell times by where no device is here to be measured.
const YARDSTICK: f64 = 100e12;

/// The whole report.
pub(crate) fn text(report: &PlanReport<'_>) -> String {
    let survey = report.survey;
    let mut text = rows(survey, report.all);
    text.push('\n');
    text += &tokens(survey);
    text.push('\n');
    text += &forecast(report);
    for part in [
        notes::duplicates,
        notes::irregularities,
        notes::failures,
        notes::faults,
    ] {
        text += &part(survey);
    }
    text
}

/// The sums of each domain, with its datasets below.
fn table(
    survey: &Survey,
    title: &str,
    words: usize,
    header: &[&str],
    cells: impl Fn(&Sum, Option<&Found>) -> Vec<String>,
) -> String {
    let line = |name: String, cells: Vec<String>| {
        let mut line = vec![name];
        line.extend(cells);
        line
    };
    let mut lines = vec![line(
        title.to_owned(),
        header.iter().map(|&cell| cell.to_owned()).collect(),
    )];
    for domain in &survey.domains {
        lines.push(line(shown(&domain.name), cells(domain, None)));
        let datasets = survey.datasets.iter();
        for found in datasets.filter(|found| found.domain == domain.name) {
            let name = format!("  {}", shown(&found.sum.name));
            lines.push(line(name, cells(&found.sum, Some(found))));
        }
    }
    if survey.domains.len() > 1 {
        lines.push(line("total".to_owned(), cells(&survey.total, None)));
    }
    align(&lines, words)
}

fn rows(survey: &Survey, all: bool) -> String {
    let mut header = vec!["format", "files", "rows", "samples"];
    if all {
        header.push("measured");
    }
    header.extend(["text only", "with pictures", "with videos", "failed"]);
    table(survey, "rows", 2, &header, |sum, found| {
        let mut cells = match found {
            Some(found) => vec![found.format.clone(), found.files.to_string()],
            None => vec![String::new(); 2],
        };
        cells.extend([sum.rows, sum.samples].map(count));
        if all {
            cells.push(count(sum.measured));
        }
        let counts = [
            sum.with_text_only,
            sum.with_pictures,
            sum.with_videos,
            sum.failed,
        ];
        cells.extend(counts.map(count));
        cells
    })
}

fn tokens(survey: &Survey) -> String {
    let header = [
        "total",
        "of pictures",
        "of videos",
        "min",
        "median",
        "90 %",
        "99 %",
        "max",
    ];
    table(survey, "tokens", 1, &header, |sum, _| {
        let lengths = sum.lengths;
        let mut cells = [sum.tokens, sum.picture_tokens, sum.video_tokens]
            .map(count)
            .to_vec();
        let each = [
            lengths.min,
            lengths.median,
            lengths.p90,
            lengths.p99,
            lengths.max,
        ];
        cells.extend(each.map(|length| count(u64::from(length))));
        cells
    })
}

fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

fn forecast(report: &PlanReport<'_>) -> String {
    let memory = report.forecast.memory;
    let device = memory.device;
    let held = format!(
        "{} of weights ({}) and at most {} for a batch of {} tokens",
        HumanBytes(device.weights),
        report.dtype,
        HumanBytes(device.activations),
        HumanCount(report.batch_tokens as u64),
    );
    let host = HumanBytes(memory.host);
    let memory = if report.cuda {
        let each = HumanBytes(device.weights + device.activations);
        format!("{host} of the host, without the program itself; {each} of each device: {held}")
    } else {
        format!("{host}, without the program itself; in it {held}")
    };
    format!("memory  about {memory}\n{}", time(&report.forecast.time))
}

fn time(time: &Time) -> String {
    let flops = time.language_flops + time.tower_flops;
    let work = format!(
        "{} of matrix products ({} language model, {} vision tower)",
        operations(flops),
        operations(time.language_flops),
        operations(time.tower_flops)
    );
    match (&time.rate, time.seconds) {
        (Some(rate), Some(seconds)) => format!(
            "time    about {} for the passes: {work} at {:.0} % (assumed) of the {}/s that one reaches on {} now; \
             an estimate, good to a factor of two\n",
            duration(seconds),
            100.0 * rate.share,
            operations(rate.flops_per_second),
            printable(&rate.device),
        ),
        _ => format!(
            "time    unknown, there is no device here to measure: {work}; at {}/s {}\n",
            operations(YARDSTICK),
            duration(flops / YARDSTICK)
        ),
    }
}

/// As in "1.23 TFLOP".
fn operations(flops: f64) -> String {
    const STEPS: [(f64, &str); 5] = [
        (1e18, "E"),
        (1e15, "P"),
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
    ];
    let step = STEPS.into_iter().find(|(size, _)| flops >= *size);
    let (size, prefix) = step.unwrap_or((1e6, "M"));
    format!("{:.2} {prefix}FLOP", flops / size)
}

/// As in "3 h 5 min".
fn duration(seconds: f64) -> String {
    match seconds.max(0.0) {
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        seconds if seconds < 3600.0 => {
            let whole = seconds.round() as u64;
            format!("{} min {} s", whole / 60, whole % 60)
        }
        seconds if seconds < 48.0 * 3600.0 => {
            let minutes = (seconds / 60.0).round() as u64;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
        seconds => format!("{:.1} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_durations() {
        assert_eq!(operations(0.0), "0.00 MFLOP");
        assert_eq!(operations(5.7e12), "5.70 TFLOP");
        assert_eq!(operations(2e21), "2000.00 EFLOP");
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (59.94, "59.9 s"),
            (61.0, "1 min 1 s"),
            (3599.6, "60 min 0 s"),
            (7260.0, "2 h 1 min"),
            (864_000.0, "10.0 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
