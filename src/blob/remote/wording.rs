//! Failures in words. No word is a server's or a client's own but for codes and the system's reasons: those of others
//! may hold signatures and keys.

use std::io;

use super::address::{Address, Kind};
use super::failed::{Cause, Failed, last_words};
use super::fault::{of_machine, of_object};

/// Codes for credentials that no object can be read with.
const BAD_CREDENTIALS: [&str; 8] = [
    "AuthenticationFailed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// Where credentials are looked for.
fn credentials(kind: Kind) -> &'static str {
    match kind {
        Kind::S3 => {
            "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), \
             AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, a container's or a machine's role; not in ~/.aws \
             (`aws configure export-credentials --format env` prints those of a profile); \
             AWS_SKIP_SIGNATURE=true reads a public bucket without"
        }
        Kind::Gcs => {
            "GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT, GOOGLE_SERVICE_ACCOUNT_KEY, what `gcloud auth \
             application-default login` leaves, a machine's account; GOOGLE_SKIP_SIGNATURE=true reads a public \
             bucket without"
        }
        Kind::Azure => {
            "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, AZURE_CLIENT_ID \
             with AZURE_TENANT_ID and AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE, a machine's identity; \
             AZURE_SKIP_SIGNATURE=true reads a public container without"
        }
        Kind::Http => "the URL itself",
    }
}

pub(super) fn no_credentials(address: &Address) -> io::Error {
    of_machine(
        io::ErrorKind::PermissionDenied,
        format!(
            "{}: no credentials found. They are looked for in {}",
            address.shown(),
            credentials(address.kind)
        ),
    )
}

/// A client that could not be made, for what the environment says.
pub(super) fn not_made(address: &Address, error: &object_store::Error) -> io::Error {
    of_machine(
        io::ErrorKind::InvalidInput,
        format!(
            "{}: {}; look at the environment variables {}",
            address.shown(),
            last_words(error),
            match address.kind {
                Kind::S3 => "AWS_…",
                Kind::Gcs => "GOOGLE_…",
                Kind::Azure => "AZURE_…",
                Kind::Http => "HTTPS_PROXY and SSL_CERT_FILE",
            }
        ),
    )
}

/// An object that is another than it was.
pub(super) fn changed(address: &Address) -> io::Error {
    of_object(
        io::ErrorKind::StaleNetworkFileHandle,
        format!(
            "{}: the object has changed while it was read; start again when nothing writes to it",
            address.shown()
        ),
    )
}

pub(super) fn failed(address: &Address, failed: &Failed) -> io::Error {
    let (url, code) = (address.shown(), code(failed));
    let status = failed.status.unwrap_or_default();
    if failed.is_passing() {
        return of_machine(
            io::ErrorKind::TimedOut,
            format!("{url}: {}", given_up(failed, code.as_deref())),
        );
    }
    let said = match &code {
        Some(code) => format!("{status}, {code}"),
        None => status.to_string(),
    };
    let Cause::Store(error) = &failed.cause else {
        unreachable!("all else passes");
    };
    let denied = |text: String, machine: bool| {
        let make = if machine { of_machine } else { of_object };
        make(io::ErrorKind::PermissionDenied, text)
    };
    match (error, status) {
        _ if code
            .as_deref()
            .is_some_and(|code| BAD_CREDENTIALS.contains(&code)) =>
        {
            denied(
                format!(
                    "{url}: the server does not take the credentials ({said}). They are looked for in {}",
                    credentials(address.kind)
                ),
                true,
            )
        }
        (object_store::Error::NotFound { .. }, _) | (_, 404) => {
            let what = match code.as_deref() {
                Some("NoSuchBucket") => "there is no such bucket",
                Some("ContainerNotFound") => "there is no such container",
                _ => "there is no such object",
            };
            of_object(io::ErrorKind::NotFound, format!("{url}: {what}"))
        }
        (_, 401 | 403) => denied(
            format!(
                "{url}: access denied ({said}). Credentials are looked for in {}",
                credentials(address.kind)
            ),
            status == 401,
        ),
        (_, 301 | 307 | 308) => of_machine(
            io::ErrorKind::InvalidInput,
            format!("{url}: the bucket lies elsewhere ({said}); set AWS_REGION to its region"),
        ),
        (
            object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. },
            _,
        ) => of_object(
            io::ErrorKind::Unsupported,
            format!("{url}: the server cannot do what is asked of it ({said})"),
        ),
        (_, 0) => of_machine(
            io::ErrorKind::Other,
            format!("{url}: {}", last_words(error)),
        ),
        (_, status) if status < 300 => of_object(
            io::ErrorKind::InvalidData,
            format!("{url}: the answer cannot be used: {}", last_words(error)),
        ),
        _ => of_machine(
            io::ErrorKind::Other,
            format!("{url}: the server answers {said}"),
        ),
    }
}

/// What was seen last, and how often it was tried.
fn given_up(failed: &Failed, code: Option<&str>) -> String {
    let what = match (&failed.cause, failed.status) {
        (Cause::Store(_), Some(status @ 300..)) => match code {
            Some(code) => format!("the server answers {status}, {code}"),
            None => format!("the server answers {status}"),
        },
        (Cause::Store(error), Some(_)) => format!("the answer breaks off: {}", last_words(error)),
        (Cause::Store(error), None) => format!("no answer: {}", last_words(error)),
        (Cause::Cut, _) => "the answer breaks off".to_owned(),
        (Cause::Silence, _) => "no answer in time".to_owned(),
    };
    let (tries, seconds) = (failed.tries, failed.took.as_secs_f64());
    let s = if tries == 1 { "" } else { "s" };
    format!("{what} ({tries} attempt{s} in {seconds:.1} s)")
}

/// The code of an error in XML, as all three stores write it.
fn code(failed: &Failed) -> Option<String> {
    let Cause::Store(error) = &failed.cause else {
        return None;
    };
    let text = error.to_string();
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let plain = code.len() < 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}
