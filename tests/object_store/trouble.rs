//! Servers and networks that fail.

use std::time::{Duration, Instant};

use crate::asking::Place;
use crate::moto::{Moto, moto};
use crate::proxy::{Proxy, Trouble};
use crate::{OPENING, asked, noise};

const BUSY: Trouble = Trouble::Status("503 Slow Down", "");

fn stage(moto: &Moto, bucket: &str, content: &[u8]) -> (Proxy, Place) {
    moto.put(bucket, "k", content);
    let proxy = Proxy::before(moto.port);
    let place = Place::at(&proxy.endpoint);
    (proxy, place)
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let Some(moto) = moto("a_server_that_is_busy_is_asked_again") else {
        return;
    };
    let content = noise(2 * OPENING, 1);
    let (proxy, place) = stage(moto, "busy", &content);
    proxy.trouble("/busy/k", BUSY, 3);
    place.ask("read s3://busy/k").has(&content);
    assert_eq!(
        asked(&proxy)[2..],
        [
            "GET 0-1048575 503",
            "GET 0-1048575 206",
            "GET 1048576-2097151 206"
        ]
    );
}

#[test]
fn a_server_says_how_long_to_wait() {
    let Some(moto) = moto("a_server_says_how_long_to_wait") else {
        return;
    };
    let content = noise(1000, 2);
    let (proxy, mut place) = stage(moto, "waits", &content);
    proxy.trouble(
        "/waits/k",
        Trouble::Status("429 Too Many Requests", "Retry-After: 2"),
        1,
    );
    let start = Instant::now();
    place.ask("read s3://waits/k").has(&content);
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(asked(&proxy).len(), 2);

    // Longer than there is patience.
    place.set("MADMIX_REMOTE_TIMEOUT", "5");
    proxy.trouble(
        "/waits/k",
        Trouble::Status("503 Slow Down", "Retry-After: 600"),
        9,
    );
    let start = Instant::now();
    assert_eq!(place.ask("read s3://waits/k").failure().kind, "TimedOut");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_fails_for_ever_is_given_up() {
    let Some(moto) = moto("a_server_that_fails_for_ever_is_given_up") else {
        return;
    };
    let (proxy, mut place) = stage(moto, "broken", b"x");
    place.set("MADMIX_REMOTE_TIMEOUT", "3");
    proxy.trouble(
        "/broken/k",
        Trouble::Status("500 Internal Server Error", ""),
        u32::MAX,
    );
    let start = Instant::now();
    let said = place.ask("read s3://broken/k");
    assert!(start.elapsed() < Duration::from_secs(5));
    let tries = proxy.taken().len();
    assert!((3..10).contains(&tries), "{tries}");
    let failure = said.failure();
    assert_eq!(
        (failure.kind.as_str(), failure.of_machine),
        ("TimedOut", true)
    );
    let start = format!("s3://broken/k: the server answers 500, SlowDown ({tries} attempts in ");
    assert!(failure.text.starts_with(&start), "{}", failure.text);
    assert!(
        !failure.text.contains("hush") && !failure.text.contains(&proxy.endpoint),
        "{}",
        failure.text
    );
}

#[test]
fn nobody_listens() {
    let mut place = Place::at("http://127.0.0.1:1");
    place.set("MADMIX_REMOTE_TIMEOUT", "1");
    let said = place.ask("read s3://b/k");
    let failure = said.failure();
    assert_eq!(
        (failure.kind.as_str(), failure.of_machine),
        ("TimedOut", true)
    );
    assert!(
        failure.text.contains("no answer: Connection refused"),
        "{}",
        failure.text
    );
}

#[test]
fn an_answer_that_breaks_off_is_had_again() {
    let Some(moto) = moto("an_answer_that_breaks_off_is_had_again") else {
        return;
    };
    let content = noise(3 * OPENING, 3);
    let (proxy, place) = stage(moto, "cut", &content);
    proxy.trouble("/cut/k", Trouble::Cut(70_000), 2);
    place.ask("read s3://cut/k").has(&content);
    assert_eq!(asked(&proxy).len(), 2 + 2);
    // A server that gives no ETag, as some web servers.
    proxy.leave_out(&["etag"]);
    proxy.trouble("/cut/k", Trouble::Cut(0), 1);
    let place = Place::at(&proxy.endpoint);
    place
        .ask(&format!("read {}/cut/k", proxy.endpoint))
        .has(&content);
    assert_eq!(asked(&proxy).len(), 1 + 2);
}

#[test]
fn an_answer_that_stands_still_is_had_again() {
    let Some(moto) = moto("an_answer_that_stands_still_is_had_again") else {
        return;
    };
    let content = noise(OPENING, 4);
    let (proxy, mut place) = stage(moto, "stall", &content);
    place.set("MADMIX_REMOTE_TIMEOUT", "12");
    proxy.trouble("/stall/k", Trouble::Stall(5000), 1);
    let start = Instant::now();
    place.ask("read s3://stall/k").has(&content);
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "a sixth of the patience"
    );
    assert_eq!(asked(&proxy).len(), 2);
}

#[test]
fn an_object_that_changes_is_not_mixed() {
    let Some(moto) = moto("an_object_that_changes_is_not_mixed") else {
        return;
    };
    for shorter in [0, OPENING] {
        let (old, new) = (noise(3 * OPENING, 5), noise(3 * OPENING - shorter, 6));
        let (_proxy, place) = stage(moto, "changes", &old);
        let mut reader = place.reader();
        reader.ask("at s3://changes/k 0 10").has(&old[..10]);
        moto.put("changes", "k", &new);
        reader.ask("at s3://changes/k 100 10").has(&old[100..110]);
        let end = 3 * OPENING - 10;
        let said = reader.ask(&format!("at s3://changes/k {end} 10"));
        let failure = said.failure();
        assert_eq!(
            (failure.kind.as_str(), failure.of_machine),
            ("StaleNetworkFileHandle", false)
        );
        assert!(
            failure
                .text
                .contains("s3://changes/k: the object has changed"),
            "{}",
            failure.text
        );
        // Opened anew it is the new one, here and in the next program.
        reader.ask("read s3://changes/k").has(&new);
        place.ask("read s3://changes/k").has(&new);
    }
}

#[test]
fn a_picture_that_cannot_be_read_to_its_end_is_not_called_corrupt() {
    let Some(moto) = moto("a_picture_that_cannot_be_read_to_its_end_is_not_called_corrupt") else {
        return;
    };
    let picture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/configs/demo/general/scenes/000.jpg"
    );
    let picture = fs_err::read(picture).unwrap();
    // So much is written before its size that this comes with another request only.
    let mut notes = vec![0xFF, 0xEF, 0xFF, 0xFF];
    notes.resize(2 + 0xFFFF, b' ');
    let long = [&picture[..2], &notes.repeat(20), &picture[2..]].concat();
    assert!(long.len() > OPENING);
    let (proxy, mut place) = stage(moto, "picture", &long);
    place.set("MADMIX_REMOTE_TIMEOUT", "2");
    let mut reader = place.reader();
    reader.ask("at s3://picture/k 0 10").has(&long[..10]);
    proxy.trouble("/picture/k", BUSY, 20);
    let said = reader.ask("probe s3://picture/k");
    assert_eq!(
        (said.failure().kind.as_str(), said.failure().of_machine),
        ("TimedOut", true)
    );
    proxy.relent();
    let size = reader.ask("probe s3://picture/k").done.unwrap();
    moto.put("picture", "whole", &picture);
    assert_eq!(size, reader.ask("probe s3://picture/whole").done.unwrap());
    // Here it is the picture.
    moto.put("picture", "half", &long[..OPENING + 10]);
    assert!(
        reader
            .ask("probe s3://picture/half")
            .done
            .unwrap()
            .contains("truncated JPEG")
    );
}
