//! A picture of any format: its header, and its pixels within small limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use madmix::media::{Limits, Orientation, decode, probe};

const LIMITS: Limits = Limits {
    max_pixels: 1 << 16,
    max_bytes: 1 << 16,
};

// A codec's panic is an error by the time that it comes here; what is none still ends the run.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| {
    let probed = probe(bytes, Orientation::Apply, LIMITS);
    if let Ok(picture) = decode(bytes, Orientation::Apply, LIMITS) {
        assert_eq!(
            picture.data.len(),
            picture.width as usize * picture.height as usize * 3
        );
        assert_eq!(probed.expect("what decodes has a header"), picture.size());
    }
});
