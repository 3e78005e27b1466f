//! JPEG through libjpeg (its mozjpeg branch), whose levels are those of libjpeg-turbo in Pillow and torchvision.
//!
//! The decoder inside `image` has another inverse DCT and chroma upsampling: it differs on 15 % of the levels.
//! Both branches of libjpeg decode alike (integer DCT, smooth upsampling); mozjpeg needs nothing but a C compiler.
//! Arithmetic coding is left out of the crate's build; such a file is an error.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use image::metadata::Orientation as Turn;
use mozjpeg::{ColorSpace, Decompress, Marker};

use super::exif::{EXIF_PREFIX, turn};
use super::guard::guarded;
use super::header::Header;
use super::{MediaError, Rgb, Size, raster};

const FORMAT: &str = "JPEG";
const XMP_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// Progressive files have some ten scans. Each costs a pass over the whole picture, so a small file with thousands
/// would keep a core busy for hours.
const MAX_SCANS: usize = 500;
/// Scans that a picture of any size may have.
const FEW_SCANS: usize = 20;
/// Scans times pixels of one that has more: as much work as few scans of the largest picture that is read by default.
const MAX_SCANNED: u64 = FEW_SCANS as u64 * 178_956_970;

/// A reader that fails at the end instead of reporting it.
///
/// libjpeg makes up the rest of a file that breaks off, in gray, and says so in a warning that the crate does not
/// show. Pillow refuses such a file. It asks for more bytes than there are in the same places as libjpeg here.
struct Strict<R> {
    inner: R,
    ran_out: Rc<Cell<bool>>,
}

impl<R: BufRead> Read for Strict<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf)
    }
}

impl<R: BufRead> BufRead for Strict<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.inner.fill_buf()?;
        if bytes.is_empty() {
            self.ran_out.set(true);
            return Err(io::Error::other("no more bytes"));
        }
        Ok(bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

/// What the header says.
pub(super) fn header(reader: impl BufRead) -> Result<Header, MediaError> {
    reading(reader, |open, _| {
        Ok(Header {
            inks: open.components().len() == 4,
            ..Header::new(size(&open), metadata(&open))
        })
    })
}

/// The levels as stored. The caller has checked the size by [`header`].
pub(super) fn pixels(bytes: &[u8]) -> Result<Rgb, MediaError> {
    let scans = bytes
        .windows(2)
        .filter(|pair| *pair == [0xFF, 0xDA])
        .count();
    if scans > MAX_SCANS {
        return Err(corrupt(&format!(
            "{scans} scans, over the limit of {MAX_SCANS}"
        )));
    }
    reading(bytes, |open, ran_out| {
        let Size { width, height } = size(&open);
        let scanned = size(&open).pixels().saturating_mul(scans as u64);
        if scans > FEW_SCANS && scanned > MAX_SCANNED {
            return Err(corrupt(&format!(
                "{scans} scans of {}, over the limit of {MAX_SCANNED} pixels in all",
                size(&open)
            )));
        }
        let (space, channels) = match open.components().len() {
            1 => (ColorSpace::JCS_GRAYSCALE, 1),
            3 => (ColorSpace::JCS_RGB, 3),
            4 => (ColorSpace::JCS_CMYK, 4),
            n => {
                let what = format!("{n} components");
                return Err(MediaError::Unsupported {
                    format: FORMAT,
                    what,
                });
            }
        };
        let mut rows = open.to_colorspace(space).map_err(|fault| corrupt(&fault))?;
        let levels = rows
            .read_scanlines::<u8>()
            .map_err(|fault| corrupt(&fault))?;
        // Pillow reads on to the end mark: it may be missing, but nothing broken may come before it.
        match guarded(FORMAT, || rows.finish().map_err(|fault| corrupt(&fault))) {
            Err(fault) if !ran_out.get() => return Err(fault),
            _ => {}
        }
        let data = match channels {
            1 => raster::repeated(&levels),
            3 => levels,
            _ => raster::inverted_cmyk(&levels),
        };
        Ok(Rgb {
            width,
            height,
            data,
        })
    })
}

/// Opens the file and runs `f` on it, and tells a file that breaks off from one that is corrupt.
fn reading<R: BufRead, T>(
    reader: R,
    f: impl FnOnce(Decompress<Strict<R>>, &Cell<bool>) -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    let ran_out = Rc::new(Cell::new(false));
    let strict = Strict {
        inner: reader,
        ran_out: Rc::clone(&ran_out),
    };
    let result = guarded(FORMAT, || {
        let open = Decompress::builder()
            .with_markers(&[Marker::APP(1)])
            .from_reader(strict);
        f(open.map_err(|fault| corrupt(&fault))?, &ran_out)
    });
    match result {
        Err(_) if ran_out.get() => Err(MediaError::Truncated { format: FORMAT }),
        result => result,
    }
}

fn size<R>(open: &Decompress<R>) -> Size {
    Size::new(open.width() as u32, open.height() as u32)
}

fn metadata<R>(open: &Decompress<R>) -> Turn {
    let mut exif: Option<Vec<u8>> = None;
    let mut xmp = None;
    for marker in open.markers() {
        if let Some(part) = marker.data.strip_prefix(EXIF_PREFIX) {
            exif.get_or_insert_default().extend_from_slice(part);
        } else if let Some(packet) = marker.data.strip_prefix(XMP_PREFIX) {
            xmp = Some(packet);
        }
    }
    turn(exif.as_deref(), xmp)
}

fn corrupt(reason: &dyn std::fmt::Display) -> MediaError {
    MediaError::Corrupt {
        format: FORMAT,
        reason: reason.to_string(),
    }
}
