//! A shard's bytes: what is accepted is what would have been written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use madmix::store::Shard;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(shard) = Shard::from_bytes(bytes) {
        assert_eq!(shard.to_bytes().expect("a shard that was read can be written"), bytes);
    }
});
