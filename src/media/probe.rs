//! What a picture's header tells: the size that it will have, and what is odd about it.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};

use image::ImageFormat;
use image::metadata::Orientation as Turn;

use super::decode::{asked, checked, decoder, io_fault, metadata, open};
use super::exif::turned_size;
use super::format::Format;
use super::gif::{self, FirstFrame};
use super::guard::guarded;
use super::header::Header;
use super::{Limits, Mark, MediaError, Oddity, Orientation, Size, jpeg};
use crate::blob::{self, Blob, Reader};

/// Bytes of a GIF in which a second frame is looked for.
const GIF_BYTES: u64 = 1 << 20;
/// Chunks of a PNG in which the mark of an animation is looked for.
const PNG_CHUNKS: usize = 256;

/// What is known of a picture without decoding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The size that [`load`](super::load) will give.
    pub size: Size,
    /// What tells it from other files; `None` where its end cannot be read.
    pub mark: Option<Mark>,
    /// What is odd about it.
    pub oddities: Vec<Oddity>,
}

/// The size that [`decode`](super::decode()) will give, from the header alone.
///
/// # Errors
/// A header that cannot be read, and sizes over the limits.
pub fn probe(bytes: &[u8], orientation: Orientation, limits: Limits) -> Result<Size, MediaError> {
    let len = bytes.len() as u64;
    if len > limits.max_bytes {
        return Err(MediaError::TooManyBytes {
            bytes: len,
            limit: limits.max_bytes,
        });
    }
    let (format, header) = header(Cursor::new(bytes), limits)?;
    Ok(upright(format, &header, orientation))
}

/// The size that [`load`](super::load) will give, reading no more of the file than its header.
///
/// # Errors
/// A header that cannot be read, and sizes over the limits; the text names the file.
pub fn probe_file(
    blob: &Blob,
    orientation: Orientation,
    limits: Limits,
) -> Result<Size, MediaError> {
    let (_, format, header) = looked_at(blob, limits)?;
    Ok(upright(format, &header, orientation))
}

/// As [`probe_file`], with what is odd about the picture called `name`, and its mark: some 16 KiB are read.
///
/// # Errors
/// As [`probe_file`].
pub fn inspect(
    blob: &Blob,
    name: &str,
    orientation: Orientation,
    limits: Limits,
) -> Result<Inspected, MediaError> {
    let (file, format, header) = looked_at(blob, limits)?;
    let told = [
        (Oddity::is_misnamed(name, format.kind), Oddity::OtherFormat),
        (is_animated(&file, format.kind), Oddity::Animated),
        (header.inks, Oddity::Inks),
        (header.deep, Oddity::Deep),
        (header.transparent, Oddity::Transparent),
        (header.turn != Turn::NoTransforms, Oddity::Turned),
    ];
    let told = told
        .into_iter()
        .filter_map(|(is, oddity)| is.then_some(oddity));
    Ok(Inspected {
        size: upright(format, &header, orientation),
        oddities: told.chain(Oddity::of_size(header.size)).collect(),
        mark: Mark::of_reader(&file).ok(),
    })
}

fn looked_at(blob: &Blob, limits: Limits) -> Result<(Reader, Format, Header), MediaError> {
    let file = open(blob)?;
    let bytes = file.len();
    if bytes > limits.max_bytes {
        let limit = limits.max_bytes;
        return Err(MediaError::TooManyBytes { bytes, limit }.within(blob));
    }
    let fault = Cell::new(None);
    let noting = Noting {
        file: file.clone(),
        fault: &fault,
    };
    let looked = header(BufReader::new(noting), limits);
    let (format, header) = looked.map_err(|found| match fault.take() {
        // Codecs would call the picture corrupt.
        Some(fault) => MediaError::File(fault),
        None => found.within(blob),
    })?;
    Ok((file, format, header))
}

/// Keeps a fault of the machine in reading.
struct Noting<'a> {
    file: Reader,
    fault: &'a Cell<Option<io::Error>>,
}

impl Read for Noting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).inspect_err(|error| {
            if let Some(fault) = blob::again(error) {
                self.fault.set(Some(fault));
            }
        })
    }
}

impl Seek for Noting<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

fn header(mut reader: impl BufRead + Seek, limits: Limits) -> Result<(Format, Header), MediaError> {
    let format = Format::of(reader.fill_buf().map_err(MediaError::File)?)?;
    let header = match format.kind {
        ImageFormat::Jpeg => jpeg::header(reader)?,
        ImageFormat::Gif => {
            let frame = FirstFrame::read(&mut reader).map_err(|e| io_fault(format, &e))?;
            Header {
                transparent: frame.transparent,
                ..Header::new(frame.canvas, Turn::NoTransforms)
            }
        }
        _ => guarded(format.name, || {
            metadata(&mut decoder(reader, format, limits)?, format)
        })?,
    };
    Ok((format, checked(header, limits)?))
}

fn upright(format: Format, header: &Header, orientation: Orientation) -> Size {
    turned_size(header.size, asked(header.turn, orientation, format))
}

/// Whether a picture that can be read has several frames, as far as the start of its file tells.
fn is_animated(file: &Reader, format: ImageFormat) -> bool {
    match format {
        ImageFormat::Gif => {
            let mut reader = BufReader::new(file.clone()).take(GIF_BYTES);
            FirstFrame::read(&mut reader).is_ok() && gif::has_another_frame(&mut reader)
        }
        ImageFormat::Png => has_animation_chunk(file).unwrap_or(false),
        ImageFormat::WebP => {
            const ANIMATION: u8 = 2;
            let mut head = [0; 21];
            let extended = file.read_exact_at(&mut head, 0).is_ok() && head[12..16] == *b"VP8X";
            extended && head[20] & ANIMATION != 0
        }
        _ => false,
    }
}

/// Whether the chunk `acTL` comes before the first of pixels.
fn has_animation_chunk(file: &Reader) -> io::Result<bool> {
    let mut at = 8;
    for _ in 0..PNG_CHUNKS {
        let mut chunk = [0; 8];
        file.read_exact_at(&mut chunk, at)?;
        let [a, b, c, d, kind @ ..] = chunk;
        match &kind {
            b"acTL" => return Ok(true),
            b"IDAT" => return Ok(false),
            // Length, kind and checksum.
            _ => at += 12 + u64::from(u32::from_be_bytes([a, b, c, d])),
        }
    }
    Ok(false)
}
