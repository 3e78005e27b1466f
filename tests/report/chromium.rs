//! A browser without a window.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the pages and the screenshots go.
pub(crate) fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs_err::create_dir_all(&folder).unwrap();
    folder
}

/// The browser that `MADMIX_TEST_CHROMIUM` names: a program, or 1 for `chromium`. Where it is not set, a test of a browser
/// has nothing to say.
#[expect(
    clippy::print_stderr,
    reason = "a test that tests nothing has to say so"
)]
pub(crate) fn chromium(test: &str) -> Option<String> {
    let Ok(program) = std::env::var("MADMIX_TEST_CHROMIUM") else {
        eprintln!("{test} is skipped: MADMIX_TEST_CHROMIUM is not set");
        return None;
    };
    Some(if program == "1" {
        "chromium".to_owned()
    } else {
        program
    })
}

#[derive(Clone, Copy)]
pub(crate) enum Theme {
    Dark,
    Light,
}

/// Lets a browser without a window do something with a page. Returns what it printed.
pub(crate) fn browse(program: &str, theme: Theme, arguments: &[String], page: &Path) -> String {
    let profile = tempfile::tempdir().unwrap();
    let theme = match theme {
        Theme::Dark => 0,
        Theme::Light => 1,
    };
    let run = Command::new(program)
        .args(
            "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars"
                .split(' '),
        )
        .args(
            "--allow-file-access-from-files --virtual-time-budget=5000 --enable-logging=stderr"
                .split(' '),
        )
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--blink-settings=preferredColorScheme={theme}"))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|error| panic!("MADMIX_TEST_CHROMIUM: cannot run {program}: {error}"));
    let log = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{log}");
    assert!(!log.contains("CONSOLE"), "{}: {log}", page.display());
    String::from_utf8(run.stdout).unwrap()
}
