//! The words that the conversations of a cluster have and those of others have not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::unique;
use crate::dataset::{IMAGE_PLACEHOLDER, Role, Sample, VIDEO_PLACEHOLDER};

/// Words of a turn that are looked at.
const WORDS_OF_TURN: usize = 60;
/// Characters of a word: runs of a script without spaces are longer and say nothing.
const CHARACTERS: std::ops::RangeInclusive<usize> = 2..=24;
/// Words of a name.
const WORDS_OF_NAME: usize = 2;
/// Samples that must have a word before it can name a cluster.
const FEWEST: u32 = 2;
/// The weight of the words of all clusters against a cluster's own, in samples.
const PRIOR: f64 = 50.0;

/// Words that are everywhere, and those that pictures are asked about with.
const STOP_WORDS: &str = "a about above all also am an and any are as at be because been before being below between both \
    but by can could did do does doing down during each few for from further had has have having he her here hers him his \
    how i if in into is it its itself just me more most my no nor not of off on once only or other our out over own \
    please same she should so some such than that the their them then there these they this those through to too under \
    until up very was we were what when where which while who whom whose why will with would you your yes \
    image images picture pictures photo video shown show shows see seen look looks following given provide answer answers \
    question questions option options choice choices letter directly using use phrase word words describe description \
    detail detailed one two three four five six seven eight nine ten first second many much correct based";

/// In how many samples of each cluster each word is.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    words: HashMap<String, BTreeMap<u32, u32>>,
}

impl Counts {
    /// Counts the words of a sample of a cluster.
    pub fn add(&mut self, cluster: u32, sample: &Sample) {
        let mut seen = HashSet::new();
        for turn in sample.turns.iter().filter(|turn| turn.role != Role::System) {
            let text = turn
                .text
                .replace(IMAGE_PLACEHOLDER, " ")
                .replace(VIDEO_PLACEHOLDER, " ");
            let words = text.split(|c: char| !c.is_alphanumeric());
            let words = words.filter(|word| !word.is_empty()).take(WORDS_OF_TURN);
            seen.extend(words.map(str::to_lowercase).filter(|word| counts(word)));
        }
        for word in seen {
            *self
                .words
                .entry(word)
                .or_default()
                .entry(cluster)
                .or_default() += 1;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn append(&mut self, other: Self) {
        for (word, clusters) in other.words {
            let own = self.words.entry(word).or_default();
            for (cluster, count) in clusters {
                *own.entry(cluster).or_default() += count;
            }
        }
    }
}

fn counts(word: &str) -> bool {
    CHARACTERS.contains(&word.chars().count())
        && !word.chars().any(char::is_numeric)
        && !(word.is_ascii() && word.len() < 3)
}

/// A name for each of `clusters` clusters: the two words whose log-odds against all other clusters are highest in units
/// of their standard deviation, with the words of all as the prior (Monroe, Colaresi and Quinn 2008).
pub fn distinctive(counts: &Counts, clusters: usize) -> Vec<String> {
    let stop: BTreeSet<&str> = STOP_WORDS.split_whitespace().collect();
    let mut totals = vec![0.0_f64; clusters];
    let mut words: Vec<(&str, &BTreeMap<u32, u32>, f64)> = Vec::new();
    for (word, by_cluster) in &counts.words {
        if stop.contains(word.as_str()) {
            continue;
        }
        let sum: u32 = by_cluster.values().sum();
        for (cluster, count) in by_cluster {
            if let Some(total) = totals.get_mut(*cluster as usize) {
                *total += f64::from(*count);
            }
        }
        if sum >= FEWEST {
            words.push((word, by_cluster, f64::from(sum)));
        }
    }
    words.sort_by_key(|(word, ..)| *word);
    let all: f64 = totals.iter().sum();
    let name = |cluster: usize| {
        let mut scored: Vec<(f64, &str)> = words
            .iter()
            .filter_map(|(word, by_cluster, sum)| {
                let here = f64::from(*by_cluster.get(&(cluster as u32))?);
                let there = sum - here;
                let prior = PRIOR * sum / all;
                let odds = |count: f64, of: f64| {
                    ((count + prior) / (of + PRIOR - count - prior).max(f64::MIN_POSITIVE)).ln()
                };
                let others = all - totals[cluster];
                let difference = odds(here, totals[cluster]) - odds(there, others);
                let variance = (here + prior).recip() + (there + prior).recip();
                let score = difference / variance.sqrt();
                (here >= f64::from(FEWEST) && score > 0.0).then_some((score, *word))
            })
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let mut chosen: Vec<&str> = Vec::new();
        for (_, word) in scored {
            // Not a word and its plural.
            let alike = |other: &&str| word.starts_with(*other) || other.starts_with(word);
            if !chosen.iter().any(alike) {
                chosen.push(word);
            }
            if chosen.len() == WORDS_OF_NAME {
                break;
            }
        }
        if chosen.is_empty() {
            format!("cluster {}", cluster + 1)
        } else {
            chosen.join(" and ")
        }
    };
    unique((0..clusters).map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Turn;

    fn sample(text: &str) -> Sample {
        Sample {
            row: 0,
            id: String::new(),
            turns: vec![Turn {
                role: Role::User,
                text: text.into(),
            }],
            media: Vec::new(),
            data_source: None,
            irregularities: Vec::new(),
        }
    }

    #[test]
    fn what_others_have_too_names_nothing() {
        let mut counts = Counts::default();
        let mut other = Counts::default();
        for _ in 0..5 {
            counts.add(
                0,
                &sample("<image>\nWhat is the title of the chart? Thing 7"),
            );
            counts.add(0, &sample("Which bar of the charts is the thing"));
            other.add(1, &sample("Is the thing an animal in a meadow? meadow"));
        }
        counts.append(other);
        let names = distinctive(&counts, 3);
        assert_eq!(names[1], "animal and meadow");
        assert!(
            names[0].contains("title") || names[0].contains("bar"),
            "{names:?}"
        );
        assert!(
            !names.iter().any(|name| name.contains("thing")),
            "{names:?}"
        );
        assert_eq!(names[2], "cluster 3");
    }

    #[test]
    fn any_script_will_do() {
        let mut counts = Counts::default();
        for _ in 0..3 {
            counts.add(0, &sample("Какая диаграмма"));
            counts.add(1, &sample("图表 是 什么"));
        }
        let names = distinctive(&counts, 2);
        assert!(names[0].contains("диаграмма"), "{names:?}");
        assert!(names[1].contains("图表"), "{names:?}");
    }
}
