//! Which domain a dataset belongs to, where its name says so plainly.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

/// The name of the domain for what is in no other.
pub(super) const UNSORTED: &str = "Unsorted";

const TABLE: &str = include_str!("domains.toml");

/// Words that say how a file was made, not what is in it.
const NOISE: &[&str] = &[
    "annotation",
    "annotations",
    "cauldron",
    "checked",
    "clean",
    "converted",
    "data",
    "dataset",
    "filtered",
    "fltd",
    "format",
    "jsonl",
    "llava",
    "max10k",
    "processed",
    "sft",
    "single",
    "sp",
    "token",
    "train",
];

/// Two collections have sets of the same name with other content.
const COLLECTION: &str = "mathv360k";

/// A domain of published datasets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    /// Its name.
    pub(super) name: String,
    /// Percent in LLaVA-OneVision's hand-tuned mixture.
    pub(super) share: Option<f64>,
    folders: Vec<String>,
    datasets: Vec<String>,
    also: Vec<String>,
    #[serde(default)]
    patterns: Vec<String>,
}

#[derive(Deserialize)]
struct Table {
    domain: Vec<Known>,
}

/// The table, ready to be asked.
struct Lookup {
    known: Vec<Known>,
    names: HashMap<String, usize>,
    folders: HashMap<String, usize>,
    patterns: Vec<(Regex, usize)>,
}

static LOOKUP: LazyLock<Lookup> = LazyLock::new(|| {
    let Table { domain: known } = toml::from_str(TABLE).expect("the table is part of the program");
    let (mut names, mut folders, mut patterns) = (HashMap::new(), HashMap::new(), Vec::new());
    for (i, domain) in known.iter().enumerate() {
        let keys = domain.datasets.iter().chain(&domain.also);
        names.extend(keys.map(|name| (key(name, true), i)));
        folders.extend(domain.folders.iter().map(|name| (key(name, true), i)));
        let regex = |text: &String| Regex::new(text).expect("the table is part of the program");
        patterns.extend(domain.patterns.iter().map(|text| (regex(text), i)));
    }
    Lookup {
        known,
        names,
        folders,
        patterns,
    }
});

/// The published domains, in the order in which papers list them.
pub(super) fn known() -> &'static [Known] {
    &LOOKUP.known
}

/// The domain that a dataset's name plainly belongs to.
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    let lookup = &*LOOKUP;
    let lower = name.to_lowercase();
    let pattern = lookup
        .patterns
        .iter()
        .find(|(regex, _)| regex.is_match(&lower));
    let found = pattern.map(|(_, i)| i).or_else(|| {
        [true, false]
            .iter()
            .find_map(|with_collection| lookup.names.get(&key(name, *with_collection)))
    });
    found.map(|i| lookup.known[*i].name.as_str())
}

/// The domain that a folder is called after.
pub(super) fn by_folder(name: &str) -> Option<&'static str> {
    let i = LOOKUP.folders.get(&key(name, true))?;
    Some(&LOOKUP.known[*i].name)
}

/// What is left of a name without case, punctuation, sizes and noise. The collection, where it counts, comes last.
fn key(name: &str, with_collection: bool) -> String {
    let lower = name.to_lowercase();
    let mut collection = "";
    let mut key = String::new();
    for word in lower.split(|c: char| !c.is_alphanumeric()) {
        let digits = word.strip_suffix('k').unwrap_or(word);
        let is_size = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
        if word == COLLECTION {
            collection = COLLECTION;
        } else if !is_size && !NOISE.contains(&word) {
            key += word;
        }
    }
    if key.is_empty() {
        // Of noise alone nothing can be told, so it is compared as it is.
        return lower;
    }
    if with_collection {
        key += collection;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_name_has_its_own_domain() {
        let mut keys = HashMap::new();
        for domain in known() {
            for name in domain.datasets.iter().chain(&domain.also) {
                assert_eq!(by_name(name), Some(domain.name.as_str()), "{name}");
                let before = keys.insert(key(name, true), domain.name.as_str());
                assert!(
                    before.is_none_or(|other| other == domain.name),
                    "{name} is in {before:?} too"
                );
            }
            for folder in &domain.folders {
                assert_eq!(by_folder(folder), Some(domain.name.as_str()));
            }
        }
        let counts: Vec<_> = known().iter().map(|domain| domain.datasets.len()).collect();
        assert_eq!(counts, [27, 23, 19, 10, 3, 5], "as many as the papers have");
    }

    #[test]
    fn files_of_the_same_sources_are_known_too() {
        for (name, domain) in [
            ("aokvqa_16539_llava_format", "General"),
            ("sharegpt4v-coco-50k", "General"),
            (
                "cambrian_filtered_gpt4vo_sp_token_fltd_max10k_checked",
                "General",
            ),
            ("MathV360K_VizWiz_6614", "General"),
            ("figureqa_100000_llava_format", "Doc/Chart/Screen"),
            ("MathV360K_FigureQA_17597", "Math/Reasoning"),
            ("mapqa_37417_llava_format", "Doc/Chart/Screen"),
            ("MathV360K_MapQA_5235", "Math/Reasoning"),
            ("MathV360K_GeoQA+_17172", "Math/Reasoning"),
            (
                "ai2d_azuregpt_detailed_understanding_4874",
                "Doc/Chart/Screen",
            ),
            ("ai2d_train_internvl_single_12413", "Doc/Chart/Screen"),
            ("geo170k_qa_converted_67833", "Math/Reasoning"),
            ("k12_printing_train_256646", "General OCR"),
            ("textocr_gpt4v_train_converted_25114", "General OCR"),
            (
                "magpie_pro_qwen2_72b_st_300000_sp_token_fltd_299992",
                "Language",
            ),
            ("0_30_s_academic_oe_v0_1_qa", "Video"),
            ("0718_0_30_s_academic_mc_v0_1_all", "Video"),
            ("1_2_m_youtube_v0_1_cap", "Video"),
        ] {
            assert_eq!(by_name(name), Some(domain), "{name}");
        }
    }

    #[test]
    fn what_is_not_plain_is_not_guessed() {
        for name in [
            "llava_next_fit_mix_filtered_text_wild_738590",
            "train",
            "data",
            "",
            "train_2017",
            "my_chartqa_and_more",
            "図表",
        ] {
            assert_eq!(by_name(name), None, "{name}");
        }
        assert_eq!(by_folder("Doc-Chart"), Some("Doc/Chart/Screen"));
        assert_eq!(by_folder("ocr_data"), Some("General OCR"));
        assert_eq!(by_folder("images"), None);
    }
}
