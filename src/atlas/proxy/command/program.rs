//! The program of a command, and what notes how it ended.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs its arguments and notes their exit code. The note comes whole or not at all. Asked to end, it lets the program end
/// first, which is asked, too.
const TELLING: &str = r#"trap : TERM; exit=$1; shift; "$@"; code=$?; echo "$code" > "$exit.part" && mv -f "$exit.part" "$exit"; exit "$code""#;

/// A program that is run and writes its exit code into the file `exit`, whatever becomes of who started it. Its arguments
/// are to follow.
pub(super) fn telling(program: &Path, exit: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", TELLING, "sh"]).arg(exit).arg(program);
    command
}

/// The program of [`telling`] with its arguments, for a person.
pub(super) fn shown(command: &Command) -> String {
    // Before it are `-c`, what notes its end, the name of that, and where it goes.
    let own = command.get_args().skip(4);
    let quoted: Vec<_> = own
        .map(|argument| format!("{:?}", argument.to_string_lossy()))
        .collect();
    quoted.join(" ")
}

/// Finds a program as a shell does. A shell that could not start it would say so with an exit code, which the program
/// might have given, too.
///
/// # Errors
/// When there is none, or it is no program.
pub(super) fn found(name: &str) -> io::Result<PathBuf> {
    let is_program = |path: &Path| -> io::Result<()> {
        let metadata = fs_err::metadata(path)?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            return Ok(());
        }
        Err(io::ErrorKind::PermissionDenied.into())
    };
    if name.contains('/') {
        let path = PathBuf::from(name);
        return is_program(&path).map(|()| path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    let program = places.find(|path| is_program(path).is_ok());
    program.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not on the PATH"))
}
