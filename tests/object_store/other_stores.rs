//! Google's and Azure's clients: that they are made and what they ask. No server of theirs runs here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use crate::asking::Place;

/// Answers one request with a picture's bytes, and tells what was asked.
fn one_answer() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let mut asked = String::new();
        while !asked.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut asked).unwrap() > 0);
        }
        let head = "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Length: 4\r\n\
                    Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT\r\nContent-Range: bytes 0-3/4\r\n\
                    Connection: close\r\n\r\nbyte";
        (&stream).write_all(head.as_bytes()).unwrap();
        drop(reader.read_to_end(&mut Vec::new()));
        asked.to_lowercase()
    });
    (endpoint, served)
}

#[test]
fn azure_is_asked_with_a_signature() {
    let (endpoint, served) = one_answer();
    let mut place = Place::at("");
    place.unset("AWS_");
    for (name, value) in [
        ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0"),
        ("AZURE_STORAGE_ENDPOINT", &endpoint),
        ("AZURE_ALLOW_HTTP", "true"),
    ] {
        place.set(name, value);
    }
    place.ask("read az://container/a/k.bin").has(b"byte");
    let asked = served.join().unwrap();
    assert!(asked.starts_with("get /container/a/k.bin http"), "{asked}");
    assert!(
        asked.contains("authorization: sharedkey account:"),
        "{asked}"
    );
    assert!(asked.contains("range: bytes=0-1048575"), "{asked}");
}

#[test]
fn google_is_asked_without_a_signature_where_that_is_wanted() {
    let (endpoint, served) = one_answer();
    let mut place = Place::at("");
    place.unset("AWS_");
    place.set("GOOGLE_SKIP_SIGNATURE", "true");
    place.set("GOOGLE_BASE_URL", &endpoint);
    place.set("GOOGLE_ALLOW_HTTP", "true");
    place.ask("read gs://bucket/a/k.bin").has(b"byte");
    let asked = served.join().unwrap();
    assert!(asked.starts_with("get /bucket/a%2fk%2ebin http"), "{asked}");
    assert!(!asked.contains("authorization"), "{asked}");
}

#[test]
fn where_their_credentials_are_looked_for_is_told() {
    let mut place = Place::at("");
    place.unset("AWS_");
    place.set("AZURE_STORAGE_ACCOUNT_NAME", "account");
    place.set("AZURE_MSI_ENDPOINT", "http://127.0.0.1:1");
    place.set("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json");
    for (url, variable) in [
        ("az://container/k", "AZURE_STORAGE_ACCOUNT_KEY"),
        (
            "abfss://container@account.dfs.core.windows.net/k",
            "AZURE_STORAGE_ACCOUNT_KEY",
        ),
        ("gs://bucket/k", "GOOGLE_"),
    ] {
        let said = place.ask(&format!("read {url}"));
        let failure = said.failure();
        assert!(failure.of_machine, "{failure:?}");
        assert!(
            failure.text.starts_with(url) && failure.text.contains(variable),
            "{failure:?}"
        );
    }
}
