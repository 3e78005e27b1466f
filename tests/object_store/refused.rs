//! What is not there, and what may not be read.

use std::time::{Duration, Instant};

use crate::asking::Place;
use crate::moto::{moto, own_moto};
use crate::proxy::Proxy;

#[test]
fn what_is_not_there() {
    let Some(moto) = moto("what_is_not_there") else {
        return;
    };
    let proxy = Proxy::before(moto.port);
    moto.put("there", "k", b"x");
    let mut reader = Place::at(&proxy.endpoint).reader();
    for (question, text) in [
        (
            "read s3://there/no",
            "s3://there/no: there is no such object",
        ),
        (
            "read s3://not-there/k",
            "s3://not-there/k: there is no such bucket",
        ),
        (
            "list s3://not-there/k/",
            "s3://not-there/k/: there is no such bucket",
        ),
    ] {
        let said = reader.ask(question);
        assert_eq!(said.failure().kind, "NotFound");
        assert_eq!(said.failure().text, text);
        assert_eq!(proxy.taken().len(), 1, "it is asked once");
    }
}

#[test]
fn wrong_credentials() {
    let Some(moto) = own_moto("wrong_credentials") else {
        return;
    };
    moto.put("private", "k", b"x");
    // From here on the server checks who asks.
    let status = moto.ask("POST", "/moto-api/reset-auth", b"0");
    assert!(status.contains(" 200 "), "{status}");
    let proxy = Proxy::before(moto.port);
    let said = Place::at(&proxy.endpoint).ask("read s3://private/k");
    let failure = said.failure();
    assert_eq!(
        (failure.kind.as_str(), failure.of_machine),
        ("PermissionDenied", true)
    );
    for part in [
        "s3://private/k",
        "403, InvalidAccessKeyId",
        "AWS_ACCESS_KEY_ID",
        "AWS_SKIP_SIGNATURE",
    ] {
        assert!(failure.text.contains(part), "{}", failure.text);
    }
    for secret in ["key-id", "very-secret", &proxy.endpoint] {
        assert!(!failure.text.contains(secret), "{}", failure.text);
    }
    assert_eq!(proxy.taken().len(), 1, "it is asked once");
}

#[test]
fn no_credentials() {
    let Some(moto) = moto("no_credentials") else {
        return;
    };
    moto.put("public", "k", b"open");
    let proxy = Proxy::before(moto.port);
    let mut place = Place::at(&proxy.endpoint);
    place.unset("AWS_ACCESS");
    place.unset("AWS_SECRET");
    // Where a cloud's machines are told their credentials, nobody is.
    place.set("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1");
    let start = Instant::now();
    let said = place.ask("read s3://public/k");
    assert!(start.elapsed() < Duration::from_secs(15));
    let failure = said.failure();
    assert_eq!(
        (failure.kind.as_str(), failure.of_machine),
        ("PermissionDenied", true)
    );
    for part in [
        "s3://public/k: no credentials found",
        "AWS_ACCESS_KEY_ID",
        "AWS_SKIP_SIGNATURE=true",
    ] {
        assert!(failure.text.contains(part), "{}", failure.text);
    }
    place.set("AWS_SKIP_SIGNATURE", "true");
    place.ask("read s3://public/k").has(b"open");
}

#[test]
fn half_of_the_credentials() {
    let mut place = Place::at("http://127.0.0.1:1");
    place.unset("AWS_SECRET");
    let said = place.ask("read s3://b/k");
    let failure = said.failure();
    assert_eq!(
        (failure.kind.as_str(), failure.of_machine),
        ("InvalidInput", true)
    );
    assert!(!failure.text.contains("key-id"), "{}", failure.text);
}

#[test]
fn an_endpoint_without_encryption_has_to_be_wanted() {
    let mut place = Place::at("http://127.0.0.1:1");
    place.unset("AWS_ALLOW_HTTP");
    let said = place.ask("read s3://b/k");
    assert!(said.failure().text.contains("AWS_ALLOW_HTTP=true"));
    assert!(said.failure().of_machine);
}
