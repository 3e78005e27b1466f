//! The picture itself, its size, and how large it may be.

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// A size from width and height, in this order.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// A square.
    pub const fn square(side: u32) -> Self {
        Self {
            width: side,
            height: side,
        }
    }

    /// Width times height.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// The size of the picture turned by a quarter.
    #[must_use]
    pub const fn transposed(self) -> Self {
        Self {
            width: self.height,
            height: self.width,
        }
    }

    /// Bytes of the picture in RGB.
    pub(super) const fn rgb_len(self) -> usize {
        self.width as usize * self.height as usize * 3
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// An 8-bit RGB picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Levels, row by row, red, green, blue: `width * height * 3` bytes.
    pub data: Vec<u8>,
}

impl Rgb {
    /// A picture of one colour.
    pub fn filled(size: Size, level: [u8; 3]) -> Self {
        let data = if level[0] == level[1] && level[1] == level[2] {
            vec![level[0]; size.rgb_len()]
        } else {
            level.iter().copied().cycle().take(size.rgb_len()).collect()
        };
        Self {
            width: size.width,
            height: size.height,
            data,
        }
    }

    /// Width and height.
    pub const fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }

    #[cfg(test)]
    /// Puts another picture on this one, which has room for it at that place.
    #[cfg(test)]
    pub(super) fn paste(&mut self, picture: &Rgb, left: u32, top: u32) {
        let (stride, len) = (self.stride(), picture.stride());
        if len == 0 {
            return;
        }
        let rows = self.data.chunks_exact_mut(stride).skip(top as usize);
        for (to, from) in rows.zip(picture.data.chunks_exact(len)) {
            to[left as usize * 3..][..len].copy_from_slice(from);
        }
    }

    /// Bytes in a row.
    pub(super) const fn stride(&self) -> usize {
        self.width as usize * 3
    }
}

impl std::fmt::Debug for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgb({})", self.size())
    }
}

/// How large a picture may be. Both bounds are checked before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pixels, by the header. The default, 178,956,970, is where Pillow refuses a picture as a decompression bomb
    /// (twice its `MAX_IMAGE_PIXELS`); it is 512 MiB of RGB.
    pub max_pixels: u64,
    /// Bytes of the file. 256 MiB by default.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 178_956_970,
            max_bytes: 256 << 20,
        }
    }
}
