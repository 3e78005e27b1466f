//! What is told of an object that cannot be read.

use std::fmt;
use std::io;

/// The inside of an [`io::Error`] of an object.
#[derive(Clone, Debug)]
struct Fault {
    text: String,
    of_machine: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

/// A fault of this machine, of its network, or of what it was told: any other object would have it too.
pub(super) fn of_machine(kind: io::ErrorKind, text: String) -> io::Error {
    let of_machine = true;
    io::Error::new(kind, Fault { text, of_machine })
}

/// A fault of this one object.
#[cfg(feature = "object-store")]
pub(super) fn of_object(kind: io::ErrorKind, text: String) -> io::Error {
    let of_machine = false;
    io::Error::new(kind, Fault { text, of_machine })
}

fn inside(error: &io::Error) -> Option<&Fault> {
    error.get_ref()?.downcast_ref()
}

/// Whether an object could not be read for a fault of this machine, so that others cannot be read either: no
/// credentials, a server that does not answer, a program without clients.
pub fn is_of_machine(error: &io::Error) -> bool {
    inside(error).is_some_and(|fault| fault.of_machine)
}

/// The same error once more, of those that [`is_of_machine`] tells.
pub fn again(error: &io::Error) -> Option<io::Error> {
    let fault = inside(error).filter(|fault| fault.of_machine)?;
    Some(io::Error::new(error.kind(), fault.clone()))
}

/// A URL as messages show it: without what follows a `?`, which may be a signature, and without a password.
pub fn shown(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // What stands before the @ in Azure's URLs is the container.
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) if scheme.starts_with("http") => host,
        _ => authority,
    };
    format!("{scheme}://{authority}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for (url, text) in [
            ("s3://b/k", "s3://b/k"),
            ("https://h/p?X-Amz-Signature=1", "https://h/p"),
            ("http://u:p@h:1/a@b", "http://h:1/a@b"),
            (
                "abfss://c@a.dfs.core.windows.net/k",
                "abfss://c@a.dfs.core.windows.net/k",
            ),
            ("no url", "no url"),
        ] {
            assert_eq!(shown(url), text);
        }
    }

    #[test]
    fn a_fault_of_the_machine_can_be_told_again() {
        let error = of_machine(io::ErrorKind::TimedOut, "no answer".into());
        let copy = again(&error).unwrap();
        assert_eq!(copy.to_string(), "no answer");
        assert_eq!(copy.kind(), io::ErrorKind::TimedOut);
        assert!(is_of_machine(&copy));
        assert!(again(&io::Error::other("x")).is_none());
    }
}
