//! Stands before a server: counts what is asked and answered, and can be in the way.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a request instead of what should.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// It is answered with this status line and these headers.
    Status(&'static str, &'static str),
    /// The answer ends after so many bytes of its body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body of the answer.
    Stall(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: String,
    pub(crate) status: u16,
    /// Bytes of the answer's body that were sent on.
    pub(crate) sent: usize,
}

#[derive(Default)]
struct State {
    log: Vec<Request>,
    /// In requests of what path, what, and how often still.
    troubles: Vec<(String, Trouble, u32)>,
    /// Headers of answers that are left out.
    without: Vec<&'static str>,
    /// Whether parts are answered with the whole.
    no_ranges: bool,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Serves until the process ends.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        let shared = Arc::clone(&proxy.state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // Who hangs up is no failure of the server.
                std::thread::spawn(move || pass(&stream, port, &shared).ok());
            }
        });
        proxy
    }

    /// So many requests whose path holds this get into trouble.
    pub(crate) fn trouble(&self, path: &str, trouble: Trouble, times: u32) {
        let mut state = self.state.lock().unwrap();
        state.troubles.push((path.to_owned(), trouble, times));
    }

    /// No more trouble.
    pub(crate) fn relent(&self) {
        self.state.lock().unwrap().troubles.clear();
    }

    pub(crate) fn leave_out(&self, headers: &[&'static str]) {
        self.state.lock().unwrap().without.extend(headers);
    }

    pub(crate) fn without_ranges(&self) {
        self.state.lock().unwrap().no_ranges = true;
    }

    /// The requests since the last call.
    pub(crate) fn taken(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }
}

/// The length that headers tell, and those that a line is not of.
fn head(reader: &mut impl BufRead) -> io::Result<(String, Vec<String>, usize)> {
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            return Ok((first.trim_end().to_owned(), headers, length));
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        headers.push(line);
    }
}

fn pass(client: &TcpStream, port: u16, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let (first, headers, length) = head(&mut reader)?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        range: String::new(),
        status: 0,
        sent: 0,
    };
    let (trouble, without, no_ranges) = {
        let mut state = state.lock().unwrap();
        let mut troubles = state.troubles.iter_mut();
        let trouble = troubles
            .find(|(path, _, left)| *left > 0 && request.path.contains(path.as_str()))
            .map(|(_, trouble, left)| {
                *left -= 1;
                trouble.clone()
            });
        (trouble, state.without.clone(), state.no_ranges)
    };
    let is = |line: &str, name: &str| line.to_lowercase().starts_with(&format!("{name}:"));
    let mut passed = format!("{first}\r\nConnection: close\r\n");
    for line in headers {
        if is(&line, "range") {
            line.split_once(": ")
                .unwrap_or_default()
                .1
                .clone_into(&mut request.range);
            if no_ranges {
                continue;
            }
        }
        if !is(&line, "connection") {
            passed.extend([line.as_str(), "\r\n"]);
        }
    }
    let (status, kept, body, sent) = if let Some(Trouble::Status(status, more)) = &trouble {
        let body = b"<Error><Code>SlowDown</Code><Secret>hush</Secret></Error>".to_vec();
        let length = body.len();
        let headers = vec![(*more).to_owned(), format!("Content-Length: {length}")];
        (format!("HTTP/1.1 {status}"), headers, body, length)
    } else {
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        server.write_all(&[passed.as_bytes(), b"\r\n", &body].concat())?;
        let mut answer = BufReader::new(server);
        let (status, mut headers, _) = head(&mut answer)?;
        let mut body = Vec::new();
        answer.read_to_end(&mut body)?;
        headers
            .retain(|line| !is(line, "connection") && !without.iter().any(|name| is(line, name)));
        let sent = match &trouble {
            Some(Trouble::Cut(bytes) | Trouble::Stall(bytes)) => body.len().min(*bytes),
            _ => body.len(),
        };
        (status, headers, body, sent)
    };
    request.status = status
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    request.sent = sent;
    state.lock().unwrap().log.push(request);
    let headers: String = kept
        .iter()
        .filter(|line| !line.is_empty())
        .fold(String::new(), |all, line| all + line + "\r\n");
    let head = format!("{status}\r\n{headers}Connection: close\r\n\r\n");
    let mut client = client;
    client.write_all(head.as_bytes())?;
    client.write_all(&body[..sent])?;
    client.flush()?;
    if matches!(trouble, Some(Trouble::Stall(_))) {
        std::thread::sleep(Duration::from_mins(1));
    }
    Ok(())
}
