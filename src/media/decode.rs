//! From bytes to [`Rgb`], whatever the format, within limits.

use std::io::{self, BufRead, Cursor, Read, Seek};

use image::error::ImageError;
use image::metadata::Orientation as Turn;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::exif::{turn, turned};
use super::format::Format;
use super::gif::FirstFrame;
use super::guard::guarded;
use super::header::Header;
use super::{Limits, MediaError, Orientation, Rgb, Size, jpeg, raster};
use crate::blob::{Blob, Reader, is_no_file};

/// Reads and decodes a picture.
///
/// # Errors
/// Every fault of the file or the picture; the text names the file.
pub fn load(blob: &Blob, orientation: Orientation, limits: Limits) -> Result<Rgb, MediaError> {
    let mut bytes = Vec::new();
    // One byte over the limit is enough to know, also for a file that grows while it is read.
    open(blob)?
        .take(limits.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(MediaError::File)?;
    decode(&bytes, orientation, limits).map_err(|fault| fault.within(blob))
}

/// Decodes a picture: the levels of Pillow's `Image.open(…).convert("RGB")`, the first frame of an animation.
///
/// The format is told from the bytes. A codec that panics is a [`MediaError::Corrupt`]; its message still goes
/// through the process's panic hook.
///
/// # Errors
/// Every fault of the picture, and sizes over the limits (checked before anything is decoded).
pub fn decode(bytes: &[u8], orientation: Orientation, limits: Limits) -> Result<Rgb, MediaError> {
    let len = bytes.len() as u64;
    if len > limits.max_bytes {
        return Err(MediaError::TooManyBytes {
            bytes: len,
            limit: limits.max_bytes,
        });
    }
    let format = Format::of(bytes)?;
    let (picture, turn) = match format.kind {
        ImageFormat::Jpeg => {
            let turn = checked(jpeg::header(bytes)?, limits)?.turn;
            (jpeg::pixels(bytes)?, turn)
        }
        ImageFormat::Gif => {
            let frame = FirstFrame::read(&mut &bytes[..]).map_err(|e| io_fault(format, &e))?;
            let (mut picture, _) = raster(&frame.enlarged(bytes), format, limits)?;
            frame.fill_around(&mut picture);
            (picture, Turn::NoTransforms)
        }
        ImageFormat::WebP if !riff_is_whole(bytes) => {
            return Err(MediaError::Truncated {
                format: format.name,
            });
        }
        _ => raster(bytes, format, limits)?,
    };
    Ok(turned(picture, asked(turn, orientation, format)))
}

/// The levels as stored and the turn that the metadata ask for, by `image`.
fn raster(bytes: &[u8], format: Format, limits: Limits) -> Result<(Rgb, Turn), MediaError> {
    guarded(format.name, || {
        let mut decoder = decoder(Cursor::new(bytes), format, limits)?;
        let turn = checked(metadata(&mut decoder, format)?, limits)?.turn;
        let image = DynamicImage::from_decoder(decoder).map_err(|e| fault(format, e))?;
        match raster::rgb(image, clips_gray(bytes, format)) {
            Some(picture) => Ok((picture, turn)),
            None => Err(MediaError::Unsupported {
                format: format.name,
                what: "floating-point samples".into(),
            }),
        }
    })
}

/// Opens a picture's file.
pub(super) fn open(blob: &Blob) -> Result<Reader, MediaError> {
    blob.open().map_err(|error| {
        if is_no_file(&error) {
            MediaError::NotAFile.within(blob)
        } else {
            MediaError::File(error)
        }
    })
}

pub(super) fn decoder<'r>(
    mut reader: impl BufRead + Seek + 'r,
    format: Format,
    limits: Limits,
) -> Result<impl ImageDecoder + 'r, MediaError> {
    let pixels = match format.kind {
        ImageFormat::Png => png_pixels(reader.fill_buf().map_err(MediaError::File)?),
        _ => None,
    };
    // A small picture may have a colour profile that unpacks to gigabytes.
    let pixels = pixels.unwrap_or(u64::MAX).min(limits.max_pixels);
    let mut reader = ImageReader::with_format(reader, format.kind);
    let mut bounds = image::Limits::no_limits();
    // Four channels of 16 bits, as much again for the codec's own work, and what texts and profiles take.
    bounds.max_alloc = Some(pixels.saturating_mul(16).saturating_add(64 << 20));
    reader.limits(bounds);
    reader.into_decoder().map_err(|e| fault(format, e))
}

/// The pixels of a PNG that begins so.
fn png_pixels(head: &[u8]) -> Option<u64> {
    let side = |at: usize| {
        let bytes = head.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_be_bytes(bytes)))
    };
    Some(side(16)? * side(20)?)
}

/// What the header says.
pub(super) fn metadata(
    decoder: &mut impl ImageDecoder,
    format: Format,
) -> Result<Header, MediaError> {
    let (width, height) = decoder.dimensions();
    let turn = if format.kind == ImageFormat::Tiff {
        decoder.orientation().map_err(|e| fault(format, e))?
    } else {
        // Metadata that cannot be read are no reason to lose the picture.
        let exif = decoder.exif_metadata().ok().flatten();
        let xmp = decoder.xmp_metadata().ok().flatten();
        turn(exif.as_deref(), xmp.as_deref())
    };
    Ok(Header::new(Size::new(width, height), turn).coloured(decoder))
}

/// The longest side that JPEG and GIF can have. Of the other formats only a bomb is longer: the weights to resample a
/// strip of a hundred million pixels would fill gigabytes.
const MAX_SIDE: u32 = 65_535;

pub(super) fn checked(header: Header, limits: Limits) -> Result<Header, MediaError> {
    let size = header.size;
    if size.pixels() == 0 {
        return Err(MediaError::NoPixels(size));
    }
    if size.width.max(size.height) > MAX_SIDE {
        return Err(MediaError::TooLong {
            size,
            limit: MAX_SIDE,
        });
    }
    if size.pixels() > limits.max_pixels {
        return Err(MediaError::TooManyPixels {
            size,
            limit: limits.max_pixels,
        });
    }
    Ok(header)
}

/// The turn to make: Pillow turns a TIFF on loading, whether it is asked to or not.
pub(super) fn asked(turn: Turn, orientation: Orientation, format: Format) -> Turn {
    if orientation == Orientation::Apply || format.kind == ImageFormat::Tiff {
        turn
    } else {
        Turn::NoTransforms
    }
}

/// Whether 16-bit gray is clipped. A PNG with gray *and* an alpha channel is the exception: Pillow opens it as 8-bit
/// `LA`. Gray with a transparent level looks the same once decoded, so the header's colour type decides (byte 25).
fn clips_gray(bytes: &[u8], format: Format) -> bool {
    format.kind != ImageFormat::Png || bytes.get(25) == Some(&0)
}

/// Whether a WebP file is as long as its header says; the codec would overlook a few missing bytes.
fn riff_is_whole(bytes: &[u8]) -> bool {
    let size = bytes
        .get(4..8)
        .and_then(|size| size.try_into().ok())
        .map(u32::from_le_bytes);
    size.is_some_and(|size| u64::from(size) + 8 <= bytes.len() as u64)
}

fn fault(format: Format, error: ImageError) -> MediaError {
    match error {
        ImageError::IoError(error) => io_fault(format, &error),
        ImageError::Unsupported(error) => MediaError::Unsupported {
            format: format.name,
            what: error.to_string(),
        },
        error => MediaError::Corrupt {
            format: format.name,
            reason: error.to_string(),
        },
    }
}

pub(super) fn io_fault(format: Format, error: &io::Error) -> MediaError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        MediaError::Truncated {
            format: format.name,
        }
    } else {
        MediaError::Corrupt {
            format: format.name,
            reason: error.to_string(),
        }
    }
}
