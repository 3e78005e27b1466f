//! What ffmpeg says on stderr, as a text that is the same on every machine.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use super::RETRY;
use super::process::End;

/// Characters kept of it.
const MOST: usize = 300;

/// Why a program ended, in one line: its last messages without path and memory addresses, or else its exit status.
/// Empty when all went well.
pub(super) fn reason(end: &End, path: &Path) -> String {
    let End::Exited { status, words } = end else {
        return String::new();
    };
    let text = in_one_line(&String::from_utf8_lossy(words), &path.to_string_lossy());
    // Whoever ended it, such as a system short of memory: that says nothing of the file.
    if let Some(signal) = status.signal() {
        let separator = if text.is_empty() { "" } else { "; " };
        return format!("{text}{separator}ended by signal {signal}; {RETRY}");
    }
    if !text.is_empty() || status.success() {
        text
    } else {
        exit(*status)
    }
}

fn exit(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "no exit code".into(),
    }
}

fn in_one_line(words: &str, path: &str) -> String {
    let text = words
        .replace(&format!("file:{path}"), "the file")
        .replace(path, "the file");
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(|line| without_addresses(line.trim())) {
        // The same fault in every frame is one fault.
        if !line.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut len = 0;
    for line in lines.iter().rev() {
        len += line.chars().count() + 2;
        if len > MOST && !kept.is_empty() {
            break;
        }
        kept.insert(0, line);
    }
    kept.join("; ")
        .chars()
        .filter(|c| !c.is_control())
        .take(MOST)
        .collect()
}

/// `[h264 @ 0x55d0]` as `[h264]`.
fn without_addresses(line: &str) -> String {
    let mut parts = line.split(" @ 0x");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_addresses_and_repeats_are_left_out() {
        let words = "[h264 @ 0x55c9]  error\r\n[h264 @ 0x55d0]  error\n\nfile:/a b/x.mp4: bad, see /a b/x.mp4\n";
        assert_eq!(
            in_one_line(words, "/a b/x.mp4"),
            "[h264]  error; the file: bad, see the file"
        );
    }

    #[test]
    fn the_last_lines_are_kept() {
        let words: Vec<String> = (0..100).map(|k| format!("line {k} of many")).collect();
        let text = in_one_line(&words.join("\n"), "/x");
        assert!(text.len() <= MOST && text.ends_with("; line 99 of many"));
        assert!(text.starts_with("line "));
        let text = in_one_line(&"ä\u{7}".repeat(4000), "/x");
        assert_eq!(text, "ä".repeat(MOST));
    }
}
