//! The commented config.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Found, InitError, Survey, UNSORTED, absolute, domains};
use crate::blob::url_of;
use crate::config::{Extract, Mix};
use crate::printable::printable;

/// Where the config goes and what it begins with.
#[derive(Debug)]
pub struct Target<'a> {
    /// The folder or mixture file that the datasets come from.
    pub from: &'a Path,
    /// The folder that the config will be in, absolute: paths below it are written from there on.
    pub folder: &'a Path,
    /// What the file is called in the advice at its head.
    pub name: &'a str,
    /// The checkpoint; without one the key is left empty, which a run refuses by name.
    pub checkpoint: Option<&'a str>,
}

/// The text of the config.
///
/// # Errors
/// When a path is no text.
pub fn text(survey: &Survey, target: &Target<'_>) -> Result<String, InitError> {
    let mut out = head(target);
    out += &settings(survey, target)?;
    for domain in &survey.domains {
        let known = domains::known()
            .iter()
            .find(|known| known.name == domain.name);
        let human = match (domain.human, known.and_then(|known| known.share)) {
            (Some(human), _) => format!("human = {human}"),
            (None, Some(share)) => {
                format!("# human = {share}  # LLaVA-OneVision's own share in percent; put yours")
            }
            (None, None) => "# human = 10.0  # its share today, in any unit".into(),
        };
        out += &[
            "\n[[domain]]\nname = ",
            &quoted(&domain.name),
            "\n",
            &human,
            "\n",
        ]
        .concat();
        if domain.name == UNSORTED {
            out += "# The names of these say nothing plain of their domain: move each to where it belongs.\n";
        }
        out += "dataset = [\n";
        for found in &domain.datasets {
            out += &entry(found, target.folder)?;
        }
        out += "]\n";
    }
    Ok(out)
}

fn head(target: &Target<'_>) -> String {
    let from = target.from.to_string_lossy();
    let (from, name) = (printable(&from), printable(target.name));
    format!(
        "# A mixture of what `madmix init` found in {from}.
#
# 1. Say which checkpoint to use, under [model].
# 2. Look through the domains: a dataset belongs to one of them, and what is not trained on can be deleted.
# 3. madmix plan {name}    says what would be done and what is wrong with the data
#    madmix run {name}     finds the weights
#
# Keys behind a # show their defaults. Paths start from this file's folder.
"
    )
}

fn settings(survey: &Survey, target: &Target<'_>) -> Result<String, InitError> {
    let (extract, mix) = (Extract::default(), Mix::default());
    let checkpoint = match target.checkpoint {
        Some(named) if Path::new(named).is_dir() => {
            let folder = absolute(Path::new(named));
            quoted(&relative(&folder, target.folder)?)
        }
        Some(id) => quoted(id),
        None => "\"\"".into(),
    };
    let mut out = format!(
        r#"output = {output}
# Where shards are kept for other runs: "auto" is .madmix-cache beside the output, "off" is nowhere.
# cache = "auto"

[model]
# Your checkpoint after the mid-stage: a folder, or a hub id owner/name. `madmix models` lists published ones.
checkpoint = {checkpoint}
# device = "auto"            # cpu, cuda, cuda:1, or a list
# dtype = "auto"             # bf16 on CUDA, f32 on the CPU

[extract]
# samples_per_dataset = {samples}
# stop_when = 0.005          # off by default: ends the run once every weight is known to half a percentage point
# seed = {seed}
# layers = ["last"]          # also "middle" or numbers
# text_scope = "all"         # or "content", "answer"
# max_failure_rate = {rate}    # the share of a dataset's samples that may fail

[mix]
# method = {method}
# lambda = {lambda:?}
# replicates = {replicates}          # resamplings behind the intervals
"#,
        output = quoted(&format!("runs/{}", run_name(target.from))),
        samples = extract.samples_per_dataset,
        seed = extract.seed,
        rate = extract.max_failure_rate,
        method = quoted(&mix.method),
        lambda = mix.lambda,
        replicates = mix.replicates,
    );
    let mut all = survey.domains.iter().flat_map(|domain| &domain.datasets);
    if all.any(|found| found.has_video) {
        out += "
# Videos are read with ffmpeg and ffprobe, which must be on PATH; folders of frames are read as they are.
[video]
# sampling = \"auto\"          # as the checkpoint is trained; or llava_next, fps, num_frames, every
# max_frames = 32            # off by default: clips of more frames are thinned evenly
";
    }
    if let Some(shares) = &survey.shares {
        let _ = write!(out, "\n# {shares}\n");
    }
    Ok(out)
}

/// A name for the run's folder after where the data comes from.
fn run_name(from: &Path) -> String {
    let stem = from
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let name: String = stem
        .unwrap_or_default()
        .chars()
        .filter(|c| plain(*c))
        .collect();
    match name.trim_matches('.') {
        "" => "mixture".into(),
        name => name.into(),
    }
}

/// A dataset in one line, behind its remarks.
fn entry(found: &Found, folder: &Path) -> Result<String, InitError> {
    let mut keys = vec![
        format!("name = {}", quoted(&found.name)),
        format!("path = {}", quoted(&relative(&found.path, folder)?)),
    ];
    if let Some(root) = &found.media_root {
        keys.push(format!("media_root = {}", quoted(&relative(root, folder)?)));
    }
    if let Some(strategy) = found.sampling_strategy {
        keys.push(format!(
            "sampling_strategy = {}",
            quoted(&strategy.to_string())
        ));
    }
    let remarks = match found.remarks.as_slice() {
        [] => String::new(),
        remarks => format!("    # {}\n", printable(&remarks.join("; "))),
    };
    Ok(format!("{remarks}    {{ {} }},\n", keys.join(", ")))
}

/// A path as it stands in a config in `folder`: from there on if it is below, absolute otherwise.
fn relative(path: &Path, folder: &Path) -> Result<String, InitError> {
    let text = |path: &Path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(InitError::NotUtf8(path.to_owned())),
    };
    if url_of(path).is_some() {
        return text(path);
    }
    match path.strip_prefix(folder) {
        Ok(below) if below.as_os_str().is_empty() => Ok(".".into()),
        // A folder may be called `s3:`, and a path that begins so must not be taken for a URL.
        Ok(below) if url_of(below).is_some() => text(&PathBuf::from(".").join(below)),
        Ok(below) => text(below),
        Err(_) => text(path),
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::FoundDomain;
    use super::*;
    use crate::config::{Config, Video};

    #[test]
    fn paths_start_from_the_configs_folder_where_they_can() {
        let folder = Path::new("/team/configs");
        for (path, expected) in [
            ("/team/configs/data/a.json", "data/a.json"),
            ("/team/configs", "."),
            ("/team/data/a.json", "/team/data/a.json"),
            ("/team/configs2/a.json", "/team/configs2/a.json"),
            ("s3://bucket/a.json", "s3://bucket/a.json"),
        ] {
            assert_eq!(relative(Path::new(path), folder).unwrap(), expected);
        }
    }

    #[test]
    fn strings_read_back_whatever_they_hold() {
        for text in [
            "plain",
            "a\"b",
            "a\\b",
            "a\nb",
            "'",
            "'''\"\"\"",
            "図\u{7f}\u{1b}\r\n\t",
            "",
        ] {
            let table: toml::Table =
                toml::from_str(&format!("x = [{{ a = {} }}]", quoted(text))).unwrap();
            assert_eq!(table["x"][0]["a"].as_str(), Some(text));
        }
    }

    #[test]
    fn every_key_that_is_shown_is_one() {
        let found = |name: &str| Found {
            name: name.into(),
            path: format!("/data/{name}.json").into(),
            media_root: Some("/config/images".into()),
            sampling_strategy: Some("first:10%".parse().unwrap()),
            remarks: vec!["a\nb".into()],
            folders: Vec::new(),
            rows: None,
            has_video: true,
        };
        let domain = |name: &str| FoundDomain {
            name: name.into(),
            human: None,
            datasets: vec![found(name)],
        };
        let survey = Survey {
            domains: vec![domain("General"), domain("Video"), domain(UNSORTED)],
            left: Vec::new(),
            shares: Some("Shares.".into()),
        };
        let target = Target {
            from: Path::new("data\nx = 3"),
            folder: Path::new("/config"),
            name: "config.toml",
            checkpoint: Some("owner/name"),
        };
        let text = text(&survey, &target).unwrap();
        let path = Path::new("config.toml");
        let as_it_is = Config::parse(&text, path).unwrap();
        let defaults = Config::parse(&MINIMAL.replace("NAME", "owner/name"), path).unwrap();
        let sections = |config: &Config| {
            let section = |value: &dyn std::fmt::Debug| format!("{value:?}");
            (
                section(&config.model),
                section(&config.extract),
                section(&config.mix),
                section(&config.video),
            )
        };
        assert_eq!(sections(&as_it_is), sections(&defaults));
        let is_key = regex::Regex::new(r"(?m)^# ([a-z_]+ = )").unwrap();
        assert_eq!(is_key.find_iter(&text).count(), 17, "{text}");
        let all = Config::parse(&is_key.replace_all(&text, "$1"), path).unwrap();
        assert_eq!(all.extract.stop_when, Some(0.005));
        let human = all.domains[0].human;
        // Apart from the two keys that have no default nothing has changed.
        let cleared = Config {
            extract: Extract {
                stop_when: None,
                ..all.extract
            },
            video: Video {
                max_frames: None,
                ..all.video
            },
            ..all
        };
        assert_eq!(sections(&cleared), sections(&defaults));
        assert_eq!(human, Some(36.1));
    }

    const MINIMAL: &str = "output = \"o\"\n[model]\ncheckpoint = \"NAME\"\n[[domain]]\nname = \"A\"\n\
                           [[domain.dataset]]\npath = \"a\"\n";

    #[test]
    fn runs_are_named_after_the_data() {
        for (from, expected) in [
            ("/a/My data.v2", "Mydata"),
            ("/", "mixture"),
            ("/a/図 (1)", "図1"),
            ("/..", "mixture"),
        ] {
            assert_eq!(run_name(Path::new(from)), expected);
        }
    }
}
