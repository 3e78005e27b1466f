//! What is asked of a server that does what it should.

use crate::asking::Place;
use crate::moto::moto;
use crate::proxy::Proxy;
use crate::{BLOCK, OPENING, asked, noise, sent};

#[test]
fn a_small_object_takes_one_request() {
    let Some(moto) = moto("a_small_object_takes_one_request") else {
        return;
    };
    let (proxy, content) = (Proxy::before(moto.port), noise(150_000, 1));
    moto.put("small", "a/picture.png", &content);
    let place = Place::at(&proxy.endpoint);
    let mut reader = place.reader();
    reader.ask("read s3://small/a/picture.png").has(&content);
    assert_eq!(asked(&proxy), ["GET 0-1048575 206"]);
    reader.ask("read s3://small/a/picture.png").has(&content);
    reader
        .ask("at s3://small/a/picture.png 7 9")
        .has(&content[7..16]);
    assert_eq!(asked(&proxy), Vec::<String>::new());
}

#[test]
fn an_empty_object() {
    let Some(moto) = moto("an_empty_object") else {
        return;
    };
    let proxy = Proxy::before(moto.port);
    moto.put("empty", "nothing", b"");
    Place::at(&proxy.endpoint)
        .ask("read s3://empty/nothing")
        .has(b"");
    assert!(proxy.taken().len() <= 2);
}

#[test]
fn a_file_is_read_on_in_ever_larger_pieces() {
    let Some(moto) = moto("a_file_is_read_on_in_ever_larger_pieces") else {
        return;
    };
    let (proxy, content) = (Proxy::before(moto.port), noise(40 * OPENING + 12_345, 2));
    moto.put("large", "rows.jsonl", &content);
    let place = Place::at(&proxy.endpoint);
    place.ask("read s3://large/rows.jsonl").has(&content);
    let requests = proxy.taken();
    assert_eq!(sent(&requests), content.len(), "nothing is read twice");
    // 1, 2, 4 and then always 8 MiB.
    assert_eq!(requests.len(), 3 + (41 - 7_usize).div_ceil(8));
}

#[test]
fn only_the_blocks_that_are_needed_are_read() {
    let Some(moto) = moto("only_the_blocks_that_are_needed_are_read") else {
        return;
    };
    let (proxy, content) = (Proxy::before(moto.port), noise(64 * OPENING, 3));
    moto.put("parts", "0.tar", &content);
    let place = Place::at(&proxy.endpoint);
    let mut reader = place.reader();
    let mut part = |offset: usize, bytes: usize| {
        reader
            .ask(&format!("at s3://parts/0.tar {offset} {bytes}"))
            .has(&content[offset..offset + bytes]);
        asked(&proxy)
    };
    let first = 40 * OPENING + 1000;
    assert_eq!(
        part(first, 100_000),
        [
            "GET 0-1048575 206".to_owned(),
            format!("GET {}-{} 206", 40 * OPENING, 40 * OPENING + BLOCK - 1)
        ]
    );
    assert!(
        part(first + 100_000, 100_000).is_empty(),
        "neighbours are there"
    );
    // Over the edge of three blocks: one request for all.
    let start = 20 * OPENING + BLOCK - 10;
    assert_eq!(
        part(start, BLOCK + 20),
        [format!(
            "GET {}-{} 206",
            20 * OPENING,
            20 * OPENING + 3 * BLOCK - 1
        )]
    );
    // The end is shorter than what is asked for.
    assert_eq!(part(content.len() - 10, 10).len(), 1);
    let beyond = reader.ask(&format!("at s3://parts/0.tar {} 11", content.len() - 10));
    assert_eq!(beyond.failure().kind, "UnexpectedEof");
}

#[test]
fn many_threads_ask_once() {
    let Some(moto) = moto("many_threads_ask_once") else {
        return;
    };
    let (proxy, content) = (Proxy::before(moto.port), noise(5_000_000, 4));
    moto.put("crowd", "x", &content);
    for cache in ["0", "1"] {
        let mut place = Place::at(&proxy.endpoint);
        place.set("MADMIX_REMOTE_CACHE_GB", cache);
        place.ask("crowd s3://crowd/x").has(&content);
        assert_eq!(sent(&proxy.taken()), content.len(), "cache {cache}");
        assert_eq!(place.cache_files().is_empty(), cache == "0");
    }
}

#[test]
fn what_lies_in_a_bucket() {
    let Some(moto) = moto("what_lies_in_a_bucket") else {
        return;
    };
    let proxy = Proxy::before(moto.port);
    for key in [
        "d/b.jsonl",
        "d/a.jsonl",
        "d/sub/c.jsonl",
        "d/sub/x[1].png",
        "dx/e.jsonl",
    ] {
        moto.put("listed", key, key.as_bytes());
    }
    for number in 0..1100 {
        moto.put("listed", &format!("many/{number:04}.tar"), b"x");
    }
    let place = Place::at(&proxy.endpoint);
    let mut reader = place.reader();
    let mut list = |url: &str| reader.ask(&format!("list {url}")).done.unwrap();
    assert_eq!(
        list("s3://listed/d/"),
        "a.jsonl=9 b.jsonl=9 sub/c.jsonl=13 sub/x[1].png=14"
    );
    assert_eq!(list("s3://listed/d/*.jsonl"), "a.jsonl=9 b.jsonl=9");
    assert_eq!(
        list("s3://listed/d/**/*.jsonl"),
        "a.jsonl=9 b.jsonl=9 sub/c.jsonl=13"
    );
    assert_eq!(list("s3://listed/d*/e*"), "dx/e.jsonl=10");
    assert_eq!(list("s3://listed/d/sub/x[1]*"), "x[1].png=14");
    assert_eq!(list("s3://listed/none/"), "");
    // Pages, of which one fails at first.
    proxy.trouble(
        "continuation-token",
        crate::proxy::Trouble::Status("503 Slow Down", ""),
        1,
    );
    proxy.taken();
    assert_eq!(list("s3://listed/many/").split(' ').count(), 1100);
    let statuses: Vec<_> = proxy.taken().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200, 503, 200]);
}
