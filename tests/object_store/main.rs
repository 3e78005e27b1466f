//! Objects in buckets and on web servers, against moto's S3 server behind a proxy that gets in the way.
//!
//! The interpreter that has moto (`pip install 'moto[server,s3]'`) is named by `MADMIX_TEST_MOTO`; without it these tests
//! say that they are skipped. Objects are read by processes of their own: see `asking`.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod asking;
mod cache;
mod datasets;
mod moto;
mod other_stores;
mod proxy;
mod reading;
mod refused;
mod trouble;
mod web;

use proxy::{Proxy, Request};

/// Bytes of a block, and of what is asked for at first.
const BLOCK: usize = 256 << 10;
const OPENING: usize = 4 * BLOCK;

/// Bytes that do not repeat.
fn noise(bytes: usize, seed: u8) -> Vec<u8> {
    let mut content = vec![0; bytes];
    blake3::Hasher::new()
        .update(&[seed])
        .finalize_xof()
        .fill(&mut content);
    content
}

/// What was asked, as `GET range status`.
fn lines(requests: &[Request]) -> Vec<String> {
    let line = |request: &Request| {
        let range = request.range.strip_prefix("bytes=").unwrap_or("all");
        format!("{} {range} {}", request.method, request.status)
    };
    requests.iter().map(line).collect()
}

fn sent(requests: &[Request]) -> usize {
    requests.iter().map(|request| request.sent).sum()
}

fn asked(proxy: &Proxy) -> Vec<String> {
    lines(&proxy.taken())
}
