//! Pictures whose headers promise too much, or that unpack to gigabytes.

use std::time::{Duration, Instant};

use madmix::media::{Limits, MediaError, Orientation, decode, probe};
use serde_json::json;

use crate::samples::{picture_row, row};
use crate::{assert_says, attack_within, reason, reasons, victim};

/// A PNG's chunk.
fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
    let checked = [name, data].concat();
    let mut crc = u32::MAX;
    for byte in &checked {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &checked, &(!crc).to_be_bytes()].concat()
}

/// A PNG of 8-bit RGB with chunks before its pixels.
fn png(width: u32, height: u32, before: &[u8], pixels: &[u8]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    [
        b"\x89PNG\r\n\x1a\n",
        &chunk(b"IHDR", &header)[..],
        before,
        &chunk(b"IDAT", pixels),
        &chunk(b"IEND", b""),
    ]
    .concat()
}

/// At least `length` zeros in zlib's format, a hundred and sixty times smaller.
fn zeros(length: usize) -> Vec<u8> {
    let runs = length.div_ceil(258);
    let (mut bytes, mut pending, mut count) = (vec![0x78, 0x01], 0_u32, 0);
    let mut put = |bits: &str| {
        for bit in bits.bytes() {
            pending |= u32::from(bit - b'0') << count;
            count += 1;
            if count == 8 {
                bytes.push(pending as u8);
                (pending, count) = (0, 0);
            }
        }
    };
    // The last block, of fixed codes: a zero, then it repeated 258 times over and over.
    put("110");
    put("00110000");
    for _ in 0..runs {
        put("1100010100000");
    }
    // The end, and what is left of its last byte.
    put("0000000");
    put("0000000");
    let sum = ((1 + 258 * runs) % 65_521) as u32;
    bytes.extend(((sum << 16) | 1).to_be_bytes());
    bytes
}

fn fault(bytes: &[u8]) -> String {
    let started = Instant::now();
    let any = Limits::default();
    let fault = decode(bytes, Orientation::Apply, any).unwrap_err();
    if let Err(probed) = probe(bytes, Orientation::Apply, any) {
        assert!(!matches!(probed, MediaError::File(_)), "{probed}");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{fault}");
    fault.to_string()
}

#[test]
fn headers_that_promise_too_much_are_refused() {
    let little = |n: u32| n.to_le_bytes();
    let gif = [
        &b"GIF89a"[..],
        &[0xFF; 4],
        &[0x80, 0, 0],
        &[0; 6],
        b"\x2c",
        &[0; 4],
        &[0xFF; 4],
        &[0, 2, 0, b';'],
    ];
    let mut tiff = [&b"II*\0"[..], &little(8), &8_u16.to_le_bytes()].concat();
    for (tag, kind, count, value) in [
        (256_u16, 4_u16, 1, 10_000),
        (257, 4, 1, 10_000),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 0x7FFF_FFFF, 100),
        (278, 4, 1, 1),
        (279, 4, 0x7FFF_FFFF, 100),
    ] {
        tiff.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        tiff.extend([little(count), little(value)].concat());
    }
    tiff.extend(little(0));
    let mut bmp = b"BM".to_vec();
    bmp.extend(
        [
            100,
            0,
            54,
            40,
            0x7FFF_FFFF,
            0x8000_0000,
            0x0018_0001,
            0,
            0,
            0,
            0,
            0,
            0,
        ]
        .map(little)
        .as_flattened(),
    );
    let mut webp = [
        &b"RIFF"[..],
        &little(0x1000),
        b"WEBPVP8X",
        &little(10),
        &[0x3C, 0, 0, 0],
        &[0xFF; 6],
    ]
    .concat();
    webp.extend([&b"EXIF"[..], &little(0xFFFF_FFF0), &[0; 0x1000]].concat());
    for (bytes, says) in [
        (
            png(50_000, 50_000, &[], &zeros(1 << 20)),
            "50000x50000 is 2500000000 pixels",
        ),
        (png(u32::MAX, 1, &[], &[]), "corrupt PNG"),
        (gif.concat(), "65535x65535 is 4294836225 pixels"),
        (tiff, "corrupt TIFF"),
        (bmp, "corrupt BMP"),
        (webp, "corrupt WebP"),
        (b"P6 99999999999 9 255\n".to_vec(), "corrupt PNM"),
        (b"P6 4294967295 4294967295 65535\n".to_vec(), "PNM"),
        (
            b"P7\nWIDTH 9\nHEIGHT 9\nDEPTH 1000000\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n".to_vec(),
            "corrupt PNM",
        ),
        (
            [&b"P6\n#"[..], &vec![b'a'; 20 << 20]].concat(),
            "truncated PNM",
        ),
        (
            b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11\x01"
                .to_vec(),
            "truncated JPEG",
        ),
    ] {
        let fault = fault(&bytes);
        assert!(fault.contains(says), "`{says}` is not in: {fault}");
    }
}

/// The decoder panics at the two bytes that are left of the palette's last colour.
#[test]
fn a_palette_that_breaks_off_is_a_failure() {
    let project = victim();
    let header = [[0, 0, 0, 9], [0, 0, 0, 9]]
        .as_flattened()
        .iter()
        .chain(&[8, 3, 0, 0, 0]);
    let header: Vec<u8> = header.copied().collect();
    let parts = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"PLTE", &[9; 52]),
        chunk(b"IDAT", &zeros(90)),
        chunk(b"IEND", b""),
    ];
    project.write("bad.png", parts.concat());
    let bad = row(&json!({ "image": "bad.png" }), "<image>");
    assert_says(
        &reason(&project, &bad.to_string()),
        &["bad.png: corrupt PNG"],
    );
}

/// Some hundred kilobytes that hold more passes over the picture than an hour has room for.
#[test]
fn a_large_jpeg_of_many_scans_is_refused() {
    let mut bytes = b"\xff\xd8\xff\xc2\0\x0b\x08\x32\xc8\x32\xc8\x01\x01\x11\0".to_vec();
    for _ in 0..100 {
        bytes.extend(b"\xff\xda\0\x08\x01\x01\0\0\0\0\0");
    }
    assert_says(
        &fault(&bytes),
        &["100 scans of 13000x13000, over the limit"],
    );
}

/// A profile, a text or pixels that unpack to more than a gigabyte beside a picture of 20 x 20.
#[test]
fn small_pngs_stay_small() {
    let project = victim();
    let pixels = zeros(20 * 61);
    let bomb = zeros(3 << 29);
    for (i, png) in [
        png(
            20,
            20,
            &chunk(b"iCCP", &[b"x\0\0", &bomb[..]].concat()),
            &pixels,
        ),
        png(
            20,
            20,
            &chunk(b"zTXt", &[b"x\0\0", &bomb[..]].concat()),
            &pixels,
        ),
        png(
            20,
            20,
            &chunk(
                b"iTXt",
                &[b"XML:com.adobe.xmp\0\x01\0\0\0", &bomb[..]].concat(),
            ),
            &pixels,
        ),
        png(20, 20, &[], &bomb),
    ]
    .iter()
    .enumerate()
    {
        project.write(&format!("{i}.png"), png);
    }
    let rows: Vec<String> = (0..4).map(picture_row).collect();
    project.write("pictures.jsonl", rows.join("\n"));
    let ended = attack_within(&project, &["run", "mix.toml"], 1 << 20).expect(0);
    assert_eq!(
        project.failures(),
        Vec::<serde_json::Value>::new(),
        "{ended}"
    );
}

/// 13,000 x 13,000 pixels of nothing in half a megabyte: within the limit as it is, and refused by a lower one.
#[test]
fn the_limit_on_pixels_is_the_configs() {
    let project = victim();
    project.write("bomb.png", png(13_000, 13_000, &[], &zeros(1 << 20)));
    let bad = row(&json!({ "image": "bomb.png" }), "<image>");
    project.write("pictures.jsonl", bad.to_string());
    project.edit(
        "mix.toml",
        "[[domain]]",
        "[media]\nfile_max_pixels = 1000000\n[[domain]]",
    );
    assert_says(
        &reasons(&project)[0],
        &["13000x13000 is 169000000 pixels, over the limit of 1000000"],
    );
}
