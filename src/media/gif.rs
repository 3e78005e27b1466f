//! Where the first frame of a GIF lies on its canvas, and what is around it.
//!
//! The codec leaves the rest of the canvas black and cuts off what sticks out. Pillow enlarges the canvas, and fills
//! it with the frame's transparent colour, or else with the first one of its palette.

use std::borrow::Cow;
use std::io::{self, Read};

use super::{Rgb, Size};

/// The first frame's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstFrame {
    left: u16,
    top: u16,
    width: u16,
    height: u16,
    /// The canvas with room for all of the frame.
    pub(super) canvas: Size,
    /// The colour around it.
    around: [u8; 3],
    /// Whether one of its colours is transparent.
    pub(super) transparent: bool,
}

impl FirstFrame {
    /// Reads up to the first frame's pixels.
    pub(super) fn read(reader: &mut impl Read) -> io::Result<Self> {
        let header: [u8; 13] = array(reader)?;
        let global = palette(reader, header[10])?;
        let mut transparent = None;
        loop {
            match array(reader)? {
                [0x21] => {
                    transparent = extension(reader)?.or(transparent);
                }
                [0x2C] => break,
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "no frame")),
            }
        }
        let place: [u8; 9] = array(reader)?;
        let local = palette(reader, place[8])?;
        let [left, top, width, height] =
            [0, 2, 4, 6].map(|at| u16::from_le_bytes([place[at], place[at + 1]]));
        let side = |at: usize, start: u16, len: u16| {
            let screen = u16::from_le_bytes([header[at], header[at + 1]]);
            start.checked_add(len).map(|end| u32::from(screen.max(end)))
        };
        let (Some(columns), Some(rows)) = (side(6, left, width), side(8, top, height)) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a frame beyond 65535 pixels",
            ));
        };
        let canvas = Size::new(columns, rows);
        let index = transparent.unwrap_or(0);
        let around = match local.as_ref().or(global.as_ref()) {
            Some(colours) => colours.get(usize::from(index)).copied().unwrap_or_default(),
            None => [index; 3],
        };
        Ok(Self {
            left,
            top,
            width,
            height,
            canvas,
            around,
            transparent: transparent.is_some(),
        })
    }

    /// The file with its canvas enlarged to hold the frame.
    pub(super) fn enlarged<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let screen =
            [self.canvas.width, self.canvas.height].map(|side| (side as u16).to_le_bytes());
        let screen = screen.as_flattened();
        if bytes[6..10] == *screen {
            return Cow::Borrowed(bytes);
        }
        let mut bytes = bytes.to_vec();
        bytes[6..10].copy_from_slice(screen);
        Cow::Owned(bytes)
    }

    /// Fills what is not covered by the frame.
    pub(super) fn fill_around(&self, picture: &mut Rgb) {
        let columns = u32::from(self.left)..u32::from(self.left) + u32::from(self.width);
        let rows = u32::from(self.top)..u32::from(self.top) + u32::from(self.height);
        let size = picture.size();
        if columns == (0..size.width) && rows == (0..size.height) {
            return;
        }
        let stride = picture.stride();
        for (y, row) in (0..).zip(picture.data.chunks_exact_mut(stride)) {
            for (x, pixel) in (0..).zip(row.chunks_exact_mut(3)) {
                if !(rows.contains(&y) && columns.contains(&x)) {
                    pixel.copy_from_slice(&self.around);
                }
            }
        }
    }
}

/// Whether another frame follows, once the first one's place has been read. What breaks off has none.
pub(super) fn has_another_frame(reader: &mut impl Read) -> bool {
    let mut look = || -> io::Result<bool> {
        // The size of LZW's first codes, then its blocks.
        array::<1>(reader)?;
        skip_blocks(reader)?;
        loop {
            match array(reader)? {
                [0x21] => drop(extension(reader)?),
                [0x2C] => return Ok(true),
                _ => return Ok(false),
            }
        }
    };
    look().unwrap_or(false)
}

fn skip_blocks(reader: &mut impl Read) -> io::Result<()> {
    loop {
        let [len] = array(reader)?;
        if len == 0 {
            return Ok(());
        }
        let mut block = [0; 255];
        reader.read_exact(&mut block[..usize::from(len)])?;
    }
}

/// Skips an extension; the transparent index if it says one.
fn extension(reader: &mut impl Read) -> io::Result<Option<u8>> {
    const GRAPHIC_CONTROL: u8 = 0xF9;
    let [label] = array(reader)?;
    let mut transparent = None;
    loop {
        let [len] = array(reader)?;
        if len == 0 {
            return Ok(transparent);
        }
        let mut block = [0; 255];
        let block = &mut block[..usize::from(len)];
        reader.read_exact(block)?;
        if label == GRAPHIC_CONTROL && len >= 4 && block[0] & 1 == 1 {
            transparent = Some(block[3]);
        }
    }
}

/// The palette that a flags byte announces.
fn palette(reader: &mut impl Read, flags: u8) -> io::Result<Option<Vec<[u8; 3]>>> {
    if flags & 0x80 == 0 {
        return Ok(None);
    }
    (0..2 << (flags & 7))
        .map(|_| array(reader))
        .collect::<io::Result<_>>()
        .map(Some)
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
