//! A folder of frames: which files are frames, and in what order.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::VideoError;
use crate::blob::Blob;
use crate::media::{Limits, MediaError, Orientation, Rgb, Size, decode, probe_file};

/// Endings of files that are frames, in any case. All other files are left alone.
const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// The names of the frames, in the order of the last number in each.
///
/// # Errors
/// No frames, more than `limit`, names without a number, two with the same, numbers with a hole.
pub(super) fn frames(folder: &Path, limit: u64) -> Result<Vec<OsString>, MediaError> {
    let names = up_to(folder, limit).map_err(MediaError::File)?;
    if names.len() as u64 > limit {
        return Err(VideoError::TooManyFrames { limit }.into());
    }
    Ok(in_order(names)?)
}

/// The names of all files that count as frames, in no order.
///
/// # Errors
/// When the folder cannot be listed.
pub(in crate::media) fn all(folder: &Path) -> io::Result<Vec<OsString>> {
    up_to(folder, u64::MAX)
}

/// Ends one over the limit.
fn up_to(folder: &Path, limit: u64) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !looks_like_frame(&name) {
            continue;
        }
        // Asked of what a link points to. A dangling one is a frame that will be missed, not one to pass over.
        let is_other = fs_err::metadata(entry.path()).is_ok_and(|data| !data.is_file());
        if is_other {
            continue;
        }
        names.push(name);
        if names.len() as u64 > limit {
            break;
        }
    }
    Ok(names)
}

/// The size that the first frame will have, by its header.
pub(super) fn probe(
    folder: &Path,
    first: &OsString,
    orientation: Orientation,
    limits: Limits,
) -> Result<Size, MediaError> {
    let frame = Blob::Path(folder.join(first));
    probe_frame(&frame, &first.to_string_lossy(), orientation, limits)
}

/// The size that a frame will have, by its header.
pub(super) fn probe_frame(
    frame: &Blob,
    name: &str,
    orientation: Orientation,
    limits: Limits,
) -> Result<Size, MediaError> {
    probe_file(frame, orientation, limits).map_err(|fault| of(name, fault))
}

/// Decodes a frame.
///
/// # Errors
/// Every fault of the picture, and another size than the clip's.
pub(super) fn load(
    frame: &Blob,
    name: &str,
    (orientation, limits): (Orientation, Limits),
    expected: Size,
) -> Result<Rgb, MediaError> {
    let picture = decode::load(frame, orientation, limits);
    let picture = picture.map_err(|fault| of(name, fault))?;
    let found = picture.size();
    if found != expected {
        let frame = format!("frame {name}");
        return Err(VideoError::FrameSize {
            frame,
            expected,
            found,
        }
        .into());
    }
    Ok(picture)
}

fn of(name: &str, fault: MediaError) -> MediaError {
    // The frame's name is enough; the clip's path comes with the clip.
    let source = match fault {
        MediaError::In { source, .. } => source,
        fault => Box::new(fault),
    };
    let name = name.to_owned();
    VideoError::Frame { name, source }.into()
}

fn looks_like_frame(name: &OsString) -> bool {
    let hidden = name.as_encoded_bytes().starts_with(b".");
    let ending = Path::new(name).extension();
    let known = |ending: &str| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    };
    !hidden && ending.is_some_and(|ending| known(&ending.to_string_lossy()))
}

fn in_order(mut names: Vec<OsString>) -> Result<Vec<OsString>, VideoError> {
    match names.len() {
        0 => return Err(VideoError::NoFrames),
        1 => return Ok(names),
        _ => {}
    }
    // So that errors do not depend on the order in which the file system lists a folder.
    names.sort();
    if names.iter().all(|name| number(name).is_none()) {
        return Ok(names);
    }
    let text = |name: &OsString| name.to_string_lossy().into_owned();
    let mut numbered = Vec::with_capacity(names.len());
    for name in names {
        match number(&name) {
            Some(number) => numbered.push((number, name)),
            None => return Err(VideoError::NoNumber { name: text(&name) }),
        }
    }
    numbered.sort_by_key(|&(number, _)| number);
    let pairs = || numbered.windows(2).map(|pair| (&pair[0], &pair[1]));
    if let Some(((number, first), (_, second))) = pairs().find(|(a, b)| a.0 == b.0) {
        let (first, second, number) = (text(first), text(second), *number);
        return Err(VideoError::SameNumber {
            first,
            second,
            number,
        });
    }
    // Numbers that are times or places in a longer video are rounded, so their distances vary a little.
    let step = pairs().map(|(a, b)| b.0 - a.0).min().unwrap_or(1);
    if let Some(((number, name), _)) = pairs().find(|(a, b)| (b.0 - a.0) / 2 >= step) {
        let (missing, after) = (number + step, text(name));
        return Err(VideoError::Hole {
            missing,
            after,
            step,
        });
    }
    Ok(numbered.into_iter().map(|(_, name)| name).collect())
}

/// The last number in a file's name without its ending.
fn number(name: &OsString) -> Option<u64> {
    let stem = Path::new(name).file_stem()?.to_string_lossy();
    let up_to_it = stem.trim_end_matches(|c: char| !c.is_ascii_digit());
    let start = up_to_it
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| {
            at + up_to_it[at..].chars().next().map_or(1, char::len_utf8)
        });
    up_to_it[start..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(names: &[&str]) -> Result<Vec<OsString>, String> {
        in_order(names.iter().map(OsString::from).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_last_number_decides() {
        let names = [
            "clip7_frame_2.png",
            "clip7_frame_10.png",
            "clip7_frame_1x.png",
        ];
        let numbers: Vec<_> = names.map(|name| number(&name.into())).into();
        assert_eq!(numbers, [Some(2), Some(10), Some(1)]);
        assert_eq!(number(&"é3é.mp4.jpg".into()), Some(4));
        assert_eq!(number(&"007é.jpg".into()), Some(7));
        assert_eq!(number(&"none.jpg".into()), None);
        assert_eq!(number(&"18446744073709551616.jpg".into()), None);
        let found = ordered(&["f_10.png", "f_9.png", "f_11.png"]).unwrap();
        assert_eq!(found, ["f_9.png", "f_10.png", "f_11.png"]);
    }

    #[test]
    fn a_number_that_is_skipped_is_named() {
        let fault = |names: &[&str]| ordered(names).unwrap_err();
        assert!(fault(&["1.png", "2.png", "4.png"]).contains("number 3 is missing after 2.png"));
        assert!(
            fault(&["0.png", "10.png", "30.png"]).contains("number 20 is missing after 10.png")
        );
        assert!(ordered(&["0.png", "33.png", "67.png", "100.png"]).is_ok());
        assert!(ordered(&["0.png", "18446744073709551615.png"]).is_ok());
        assert!(ordered(&["7.png", "19.png"]).is_ok());
    }

    #[test]
    fn names_that_tell_no_order_are_faults() {
        let fault = |names: &[&str]| ordered(names).unwrap_err();
        assert!(fault(&["1.jpg", "01.jpg"]).contains("01.jpg and 1.jpg both have number 1"));
        assert!(fault(&["1.jpg", "cover.jpg"]).contains("cover.jpg has no number"));
        assert!(fault(&[]).starts_with("has no frames"));
        assert!(ordered(&["cover.jpg"]).is_ok());
        assert_eq!(ordered(&["b.jpg", "a.jpg"]).unwrap(), ["a.jpg", "b.jpg"]);
    }
}
