//! What is kept on this machine.

use crate::asking::Place;
use crate::moto::{Moto, moto};
use crate::proxy::Proxy;
use crate::{BLOCK, OPENING, asked, noise, sent};

fn stage(moto: &Moto, bucket: &str, content: &[u8]) -> (Proxy, Place) {
    moto.put(bucket, "k", content);
    let proxy = Proxy::before(moto.port);
    let place = Place::at(&proxy.endpoint);
    (proxy, place)
}

#[test]
fn a_second_run_asks_only_whether_it_is_the_same() {
    let Some(moto) = moto("a_second_run_asks_only_whether_it_is_the_same") else {
        return;
    };
    let content = noise(3 * OPENING, 1);
    let (proxy, place) = stage(moto, "again", &content);
    place.ask("read s3://again/k").has(&content);
    proxy.taken();
    place.ask("read s3://again/k").has(&content);
    let requests = proxy.taken();
    assert_eq!(
        requests
            .iter()
            .map(|request| request.status)
            .collect::<Vec<_>>(),
        [304]
    );
    assert_eq!(sent(&requests), 0);
    // Another content is told by its ETag.
    let other = noise(3 * OPENING, 2);
    moto.put("again", "k", &other);
    place.ask("read s3://again/k").has(&other);
    assert_eq!(sent(&proxy.taken()), other.len());
}

#[test]
fn there_is_never_more_than_allowed() {
    let Some(moto) = moto("there_is_never_more_than_allowed") else {
        return;
    };
    let (content, most) = (noise(40 * BLOCK, 3), 4_000_000);
    let (proxy, mut place) = stage(moto, "bound", &content);
    place.set("MADMIX_REMOTE_CACHE_GB", "0.004");
    for _ in 0..2 {
        place.ask("read s3://bound/k").has(&content);
        let kept: u64 = place
            .cache_files()
            .iter()
            .map(|file| file.metadata().unwrap().len())
            .sum();
        assert!(kept > most / 2 && kept <= most, "{kept}");
    }
    assert!(sent(&proxy.taken()) > content.len(), "some of it was gone");
}

#[test]
fn damaged_and_vanished_blocks_are_read_anew() {
    let Some(moto) = moto("damaged_and_vanished_blocks_are_read_anew") else {
        return;
    };
    let content = noise(OPENING, 4);
    let (proxy, place) = stage(moto, "damage", &content);
    place.ask("read s3://damage/k").has(&content);
    proxy.taken();
    let mut files: Vec<_> = place.cache_files();
    files.retain(|file| file.extension().is_none());
    files.sort();
    assert_eq!(files.len(), OPENING / BLOCK);
    let mut block = fs_err::read(&files[1]).unwrap();
    block[BLOCK / 2] ^= 1;
    fs_err::write(&files[1], block).unwrap();
    fs_err::remove_file(&files[3]).unwrap();
    place.ask("read s3://damage/k").has(&content);
    assert_eq!(
        asked(&proxy)[1..],
        [
            format!("GET {}-{} 206", BLOCK, 2 * BLOCK - 1),
            format!("GET {}-{} 206", 3 * BLOCK, 4 * BLOCK - 1)
        ]
    );
    // It is whole again.
    place.ask("read s3://damage/k").has(&content);
    assert_eq!(asked(&proxy).len(), 1);
}

#[test]
fn two_programs_share_it() {
    let Some(moto) = moto("two_programs_share_it") else {
        return;
    };
    let content = noise(12 * OPENING, 5);
    let (_proxy, mut place) = stage(moto, "shared", &content);
    // Each makes room for itself while the other reads.
    place.set("MADMIX_REMOTE_CACHE_GB", "0.003");
    let mut readers: Vec<_> = (0..3).map(|_| place.reader()).collect();
    for _ in 0..2 {
        for reader in &mut readers {
            reader.say("crowd s3://shared/k");
        }
        for reader in &mut readers {
            reader.hear().has(&content);
        }
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_done_without() {
    let Some(moto) = moto("a_cache_that_cannot_be_written_is_done_without") else {
        return;
    };
    let content = noise(3 * OPENING, 6);
    let (_proxy, mut place) = stage(moto, "unwritable", &content);
    place.set("MADMIX_REMOTE_CACHE", "/dev/null/no");
    place.ask("read s3://unwritable/k").has(&content);
}

#[test]
fn a_setting_that_is_none_is_refused() {
    let mut place = Place::at("http://127.0.0.1:1");
    place.set("MADMIX_REMOTE_CACHE_GB", "lots");
    let said = place.ask("read s3://b/k");
    assert!(
        said.failure()
            .text
            .contains("MADMIX_REMOTE_CACHE_GB is \"lots\"")
    );
}
