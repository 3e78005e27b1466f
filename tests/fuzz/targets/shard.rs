//! A shard's bytes: what is accepted is what would have been written, but for the layout of the safetensors header.

#![no_main]

use libfuzzer_sys::fuzz_target;
use madmix::store::Shard;
use safetensors::SafeTensors;

/// The metadata as the file has it.
fn metadata(bytes: &[u8]) -> String {
    let (_, header) = SafeTensors::read_metadata(bytes).expect("it was read before");
    header.metadata().as_ref().expect("a shard has metadata")["madmix"].clone()
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(shard) = Shard::from_bytes(bytes) {
        let written = shard
            .to_bytes()
            .expect("a shard that was read can be written");
        let again = Shard::from_bytes(&written).expect("a shard that was written can be read");
        // Compared as bytes: vectors may hold numbers that do not equal themselves.
        assert!(again.to_bytes().expect("as before") == written);
        assert_eq!(metadata(&written), metadata(bytes));
    }
});
