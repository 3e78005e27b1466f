//! A picture of any format: its header, and its pixels within small limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use madmix::media::{Limits, Orientation, decode, probe};

const LIMITS: Limits = Limits {
    max_pixels: 1 << 16,
    max_bytes: 1 << 16,
};

fuzz_target!(|bytes: &[u8]| {
    let probed = probe(bytes, Orientation::Apply, LIMITS);
    if let Ok(picture) = decode(bytes, Orientation::Apply, LIMITS) {
        assert_eq!(
            picture.data.len(),
            picture.width as usize * picture.height as usize * 3
        );
        assert_eq!(probed.expect("what decodes has a header"), picture.size());
    }
});
