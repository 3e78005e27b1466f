//! Plain web servers.

use crate::asking::Place;
use crate::moto::moto;
use crate::proxy::Proxy;
use crate::{OPENING, asked, noise, sent};

#[test]
fn a_web_server_with_ranges() {
    let Some(moto) = moto("a_web_server_with_ranges") else {
        return;
    };
    let content = noise(30 * OPENING, 1);
    moto.put("web", "a b/x.tar", &content);
    let proxy = Proxy::before(moto.port);
    let mut place = Place::at(&proxy.endpoint);
    // Nothing of a bucket is of use to it.
    place.unset("AWS_");
    let url = format!("{}/web/a%20b/x.tar?part=1", proxy.endpoint);
    let offset = 20 * OPENING;
    place
        .ask(&format!("at {url} {offset} 10"))
        .has(&content[offset..offset + 10]);
    let requests = proxy.taken();
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|one| one.path == "/web/a%20b/x.tar?part=1"),
        "{requests:?}"
    );
    assert!(sent(&requests) <= 2 * OPENING);
    // Of a second program it is asked whether it is the same.
    place
        .ask(&format!("at {url} {offset} 10"))
        .has(&content[offset..offset + 10]);
    assert_eq!(asked(&proxy), ["GET 0-1048575 304"]);
}

#[test]
fn a_web_server_that_tells_only_the_time() {
    let Some(moto) = moto("a_web_server_that_tells_only_the_time") else {
        return;
    };
    let content = noise(2 * OPENING, 2);
    moto.put("dated", "x", &content);
    let proxy = Proxy::before(moto.port);
    proxy.leave_out(&["etag"]);
    let place = Place::at(&proxy.endpoint);
    let url = format!("read {}/dated/x", proxy.endpoint);
    place.ask(&url).has(&content);
    proxy.taken();
    place.ask(&url).has(&content);
    assert_eq!(asked(&proxy), ["GET 0-1048575 304"]);
}

#[test]
fn a_web_server_that_tells_versions_apart_by_nothing() {
    let Some(moto) = moto("a_web_server_that_tells_versions_apart_by_nothing") else {
        return;
    };
    let (old, new) = (noise(2 * OPENING, 3), noise(2 * OPENING, 4));
    moto.put("untold", "x", &old);
    let proxy = Proxy::before(moto.port);
    proxy.leave_out(&["etag", "last-modified"]);
    let place = Place::at(&proxy.endpoint);
    let url = format!("read {}/untold/x", proxy.endpoint);
    place.ask(&url).has(&old);
    moto.put("untold", "x", &new);
    place.ask(&url).has(&new);
}

#[test]
fn a_web_server_without_ranges() {
    let Some(moto) = moto("a_web_server_without_ranges") else {
        return;
    };
    let content = noise(5 * OPENING, 5);
    moto.put("plain", "x", &content);
    let proxy = Proxy::before(moto.port);
    proxy.without_ranges();
    let place = Place::at(&proxy.endpoint);
    let mut reader = place.reader();
    reader
        .ask(&format!("read {}/plain/x", proxy.endpoint))
        .has(&content);
    assert_eq!(asked(&proxy), ["GET 0-1048575 200", "GET all 200"]);
    let (start, url) = (3 * OPENING, format!("{}/plain/x", proxy.endpoint));
    reader
        .ask(&format!("at {url} {start} 9"))
        .has(&content[start..start + 9]);
}

#[test]
fn what_a_web_server_does_not_have_or_do() {
    let Some(moto) = moto("what_a_web_server_does_not_have_or_do") else {
        return;
    };
    let proxy = Proxy::before(moto.port);
    let mut reader = Place::at(&proxy.endpoint).reader();
    let said = reader.ask(&format!(
        "read {}/web-none/x?signature=hush",
        proxy.endpoint
    ));
    assert_eq!(said.failure().kind, "NotFound");
    assert!(!said.failure().text.contains("hush"));
    let said = reader.ask(&format!("list {}/web-none/*.tar", proxy.endpoint));
    assert_eq!(said.failure().kind, "Unsupported");
    assert!(said.failure().text.contains("name the file itself"));
}
