//! A server on this machine that speaks the routes of the Hugging Face hub that are used: a repository's listing, and
//! files by ranges, with the headers that clients need.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) const REPO: &str = "org/model";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the server behaves, and what it was asked.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Asked for in the `Authorization` header, where set.
    pub(crate) token: Option<String>,
    /// The status for every request that has the token, where set.
    pub(crate) refuse_with: Option<u16>,
    /// A file whose connection breaks after so many bytes, and how often still.
    pub(crate) break_off: Option<(String, usize, u32)>,
    /// Whether a range that starts later than 0 is answered with the whole file.
    pub(crate) ignore_resume: bool,
    /// `METHOD path range` of every request.
    pub(crate) log: Vec<String>,
}

pub(crate) struct Hub {
    pub(crate) endpoint: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Hub {
    /// Serves until the process ends.
    pub(crate) fn start(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            files,
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A client that hangs up is no failure of the server.
                std::thread::spawn(move || answer(&stream, &shared).ok());
            }
        });
        Self { endpoint, state }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// The requests for a file's content, each as its range, but for the probes of its first byte.
    pub(crate) fn ranges(&self, file: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let path = format!("/{file} ");
        let ranges = state
            .log
            .iter()
            .filter_map(|line| Some(line.split_once(&path)?.1.to_owned()));
        ranges.filter(|range| range != "bytes=0-0").collect()
    }
}

fn answer(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut range, mut token) = (String::new(), None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "range" => value.clone_into(&mut range),
            "authorization" => token = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut state = state.lock().unwrap();
    state.log.push(format!(
        "{} {path} {range}",
        line.split(' ').next().unwrap_or_default()
    ));
    let response = respond(&mut state, &path, &range, token.as_deref());
    drop(state);
    let mut stream = stream;
    stream.write_all(&response)
}

fn respond(state: &mut State, path: &str, range: &str, token: Option<&str>) -> Vec<u8> {
    if state.token.is_some() && state.token.as_deref() != token {
        return status(401);
    }
    if let Some(code) = state.refuse_with {
        return status(code);
    }
    if [
        format!("/api/models/{REPO}/revision/main"),
        format!("/api/models/{REPO}/revision/{COMMIT}"),
    ]
    .iter()
    .any(|known| known == path)
    {
        let siblings: Vec<_> = state
            .files
            .keys()
            .map(|name| serde_json::json!({"rfilename": name}))
            .collect();
        let body = serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string();
        return with_body(
            "200 OK",
            "Content-Type: application/json\r\n",
            body.as_bytes(),
            body.len(),
        );
    }
    let Some(name) = path.strip_prefix(&format!("/{REPO}/resolve/{COMMIT}/")) else {
        return status(404);
    };
    let Some(content) = state.files.get(name) else {
        return status(404);
    };
    let (from, to) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .unwrap();
    let start: usize = from.parse().unwrap();
    let start = if state.ignore_resume { 0 } else { start };
    let end = to
        .parse()
        .map_or(content.len(), |last: usize| (last + 1).min(content.len()));
    if start >= content.len() {
        return status(416);
    }
    let headers = format!(
        "ETag: \"{:x}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Range: bytes {start}-{}/{}\r\n",
        content.iter().fold(7_u64, |hash, byte| hash
            .wrapping_mul(31)
            .wrapping_add(u64::from(*byte))),
        end - 1,
        content.len()
    );
    let part = &content[start..end];
    let mut sent = part.len();
    if let Some((file, after, times)) = &mut state.break_off
        && file == name
        && *times > 0
        && part.len() > 1
    {
        *times -= 1;
        sent = sent.min(*after);
    }
    with_body("206 Partial Content", &headers, &part[..sent], part.len())
}

fn status(code: u16) -> Vec<u8> {
    with_body(&format!("{code} Refused"), "", b"", 0)
}

/// A response that promises `length` bytes; fewer in `body` look like a connection that broke off.
fn with_body(status: &str, headers: &str, body: &[u8], length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
