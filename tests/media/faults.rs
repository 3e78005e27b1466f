//! Every fault is a value with a text that helps.

use madmix::blob::Blob;
use madmix::media::{
    AnyresPlan, Limits, MediaError, Orientation, Resampler, Rgb, Size, decode, load, probe_file,
};

use super::{bytes_of, crc};

#[test]
fn faults_name_the_file_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let fault = |name: &str, bytes: Option<&[u8]>, limits: Limits| {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            fs_err::write(&path, bytes).unwrap();
        }
        let loaded = load(&Blob::at(&path), Orientation::Apply, limits).unwrap_err();
        assert!(loaded.to_string().contains(name), "{loaded}");
        (
            loaded.kind(),
            loaded.to_string(),
            probe_file(&Blob::at(&path), Orientation::Apply, limits).is_err(),
        )
    };
    let jpeg = bytes_of("jpeg_large.jpg");
    let any = Limits::default();

    let (kind, text, probed) = fault("missing.jpg", None, any);
    assert!(kind == "unreadable" && probed, "{text}");
    let (kind, text, probed) = fault("empty.png", Some(&[]), any);
    assert!(
        kind == "empty" && text.contains("empty") && probed,
        "{text}"
    );
    let (kind, text, probed) = fault("page.jpg", Some(b"<!DOCTYPE html><html>"), any);
    assert!(
        kind == "unknown-format" && text.contains("<!DOCTYPE html>") && probed,
        "{text}"
    );
    let (kind, text, probed) = fault("half.jpg", Some(&jpeg[..jpeg.len() / 2]), any);
    assert!(
        kind == "truncated" && text.contains("truncated JPEG") && !probed,
        "{text}"
    );
    let (kind, text, _) = fault("magic.jpg", Some(&[0xFF, 0xD8, 0xFF]), any);
    assert_eq!(kind, "truncated", "{text}");
    let (kind, text, _) = fault("marker.jpg", Some(&[0xFF, 0xD8, 0xFF, 0xD9, 0, 0]), any);
    assert_eq!(kind, "corrupt", "{text}");
    let pixels = Limits {
        max_pixels: 100_000,
        ..any
    };
    let (kind, text, probed) = fault("wide.jpg", Some(&jpeg), pixels);
    assert!(
        kind == "too-large" && text.contains("119899") && text.contains("100000"),
        "{text}"
    );
    assert!(probed);
    let (kind, text, probed) = fault(
        "big.jpg",
        Some(&jpeg),
        Limits {
            max_bytes: 100,
            ..any
        },
    );
    assert!(
        kind == "too-large" && text.contains("100") && probed,
        "{text}"
    );
    let folder_fault = load(&Blob::at(folder.path()), Orientation::Apply, any).unwrap_err();
    assert!(
        folder_fault.to_string().contains("not a regular file"),
        "{folder_fault}"
    );
}

/// Renews the checksum of a PNG's header.
fn sign(png: &mut [u8]) {
    let checksum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
}

#[test]
fn a_strip_of_a_million_pixels_is_refused() {
    let mut png = bytes_of("png_rgb.png");
    png[16..24].copy_from_slice(&[0, 0x10, 0, 0, 0, 0, 0, 1]);
    sign(&mut png);
    let fault = decode(&png, Orientation::Ignore, Limits::default()).unwrap_err();
    assert!(matches!(fault, MediaError::TooLong { .. }), "{fault}");
    assert_eq!(
        fault.to_string(),
        "1048576x1 has a side over the limit of 65535 pixels"
    );
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_decoding() {
    // The sizes in the headers are raised; there are not nearly enough bytes behind them.
    let mut png = bytes_of("png_rgb.png");
    png[16..24].copy_from_slice(&[0, 0, 0xFF, 0, 0, 0, 0xFF, 0]);
    sign(&mut png);
    let mut gif = bytes_of("gif_plain.gif");
    gif[6..10].fill(0xFF);
    let mut jpeg = bytes_of("jpeg_baseline_420.jpg");
    let frame = jpeg
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC0])
        .unwrap();
    jpeg[frame + 5..frame + 9].fill(0x7F);
    for bytes in [gif, jpeg, png] {
        let fault = decode(&bytes, Orientation::Ignore, Limits::default()).unwrap_err();
        assert!(matches!(fault, MediaError::TooManyPixels { .. }), "{fault}");
    }
}

#[test]
fn plans_are_refused_for_what_cannot_be_tiled() {
    let size = Size::new(640, 480);
    let plan = |pinpoints: &[(u32, u32)], tile| AnyresPlan::new(size, pinpoints, tile);
    assert!(matches!(plan(&[], 384), Err(MediaError::NoPinpoints)));
    assert!(matches!(
        plan(&[(384, 400)], 384),
        Err(MediaError::BadPinpoint { width: 400, .. })
    ));
    assert!(matches!(
        plan(&[(0, 384)], 384),
        Err(MediaError::BadPinpoint { height: 0, .. })
    ));
    assert!(matches!(
        plan(&[(384, 384)], 0),
        Err(MediaError::BadPinpoint { tile: 0, .. })
    ));
    let empty = AnyresPlan::new(Size::new(0, 3), &[(384, 384)], 384);
    assert!(matches!(empty, Err(MediaError::NoPixels(_))));
    let other = Rgb::filled(Size::new(640, 481), [0; 3]);
    let rendered = plan(&[(384, 384)], 384)
        .unwrap()
        .render(&other, Resampler::Torchvision);
    assert!(matches!(rendered, Err(MediaError::SizeChanged { .. })));
}

#[cfg(not(feature = "object-store"))]
#[test]
fn without_clients_a_url_is_no_fault_of_the_picture() {
    let blob = Blob::at("s3://bucket/a.jpg?X-Amz-Signature=secret".as_ref());
    let limits = Limits::default();
    for fault in [
        load(&blob, Orientation::Apply, limits).unwrap_err(),
        probe_file(&blob, Orientation::Apply, limits).unwrap_err(),
    ] {
        assert!(fault.is_of_machine(), "{fault}");
        let text = fault.to_string();
        assert!(text.contains("--features object-store"), "{text}");
        for text in [text, fault.problem()] {
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
