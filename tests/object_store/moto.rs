//! A real S3 server on this machine: moto's, which is a Python package.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) struct Moto {
    pub(crate) port: u16,
    _process: Child,
    /// The server ends when this does.
    _hold: ChildStdin,
}

const SERVER: &str = "
import os, sys, threading
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

/// The server of all tests; `None` where no Python with moto is named, which is said.
pub(crate) fn moto(test: &str) -> Option<&'static Moto> {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    python(test).map(|python| MOTO.get_or_init(|| start(&python)))
}

/// A server that no other test asks.
pub(crate) fn own_moto(test: &str) -> Option<Moto> {
    python(test).map(|python| start(&python))
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn python(test: &str) -> Option<OsString> {
    let python = std::env::var_os("MADMIX_TEST_MOTO");
    if python.is_none() {
        eprintln!("{test} is skipped: MADMIX_TEST_MOTO names no Python that has moto[server,s3]");
    }
    python
}

fn start(python: &OsStr) -> Moto {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut process = Command::new(python)
        .args(["-c", SERVER, &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let hold = process.stdin.take().unwrap();
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(process.try_wait().unwrap().is_none(), "moto does not start");
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "moto does not listen"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    Moto {
        port,
        _process: process,
        _hold: hold,
    }
}

impl Moto {
    /// Puts an object that everybody may read; the bucket is made where there is none.
    pub(crate) fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        let path = format!("/{bucket}/{}", key.replace(' ', "%20"));
        let mut status = self.ask("PUT", &path, content);
        if status.contains(" 404 ") {
            self.ask("PUT", &format!("/{bucket}"), &[]);
            status = self.ask("PUT", &path, content);
        }
        assert!(status.contains(" 200 "), "{status}");
    }

    /// The status line of the answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1
Host: 127.0.0.1:{}
Content-Length: {}
Connection: close
\
             x-amz-acl: public-read
Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=b

",
            self.port,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let (mut reader, mut status) = (BufReader::new(stream), String::new());
        reader.read_line(&mut status).unwrap();
        reader.read_to_end(&mut Vec::new()).unwrap();
        status
    }
}
