//! Goes from header to header of a tar and says where its members lie.
//!
//! The crate `tar` reads what a header says; the steps from one to the next are taken here, because an archive that is
//! cut off or damaged must say where (the crate takes one that ends inside a body for whole), because members are found
//! again by the place of their first header (a long name has headers of its own before it), and because reads go
//! through a window: the crate makes one for every header.
//!
//! Read are the ustar, GNU and PAX forms with long names and sizes. Links and sparse files are told from files and not
//! followed. As for `tar` and Python's tarfile, the first block of zeros ends the archive.

use std::borrow::Cow;
use std::io;

use tar::{EntryType, Header};

use super::window::Window;
use crate::blob::Reader;

pub(super) const BLOCK: u64 = 512;

/// The longest name or list of attributes that is read, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;

/// A file in an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name; what is not UTF-8 in it is replaced.
    pub(super) name: String,
    /// Where the first of its headers starts.
    pub(super) header: u64,
    /// Where its bytes start.
    pub(super) start: u64,
    /// How many there are.
    pub(super) bytes: u64,
    /// Whether it has them itself: it is neither a link nor sparse.
    pub(super) is_plain: bool,
}

/// Why there is no next member.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file cannot be read.
    Io(io::Error),
    /// What comes from here on cannot be used.
    Broken(Broken),
}

/// Where and why an archive breaks off.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) offset: u64,
    /// Completes "expected …".
    pub(super) expected: &'static str,
    pub(super) found: String,
    /// The name of the member that is cut, if that much is known.
    pub(super) name: Option<String>,
    /// Whether it is cut off, and whole members and nothing else come before.
    pub(super) between_members: bool,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What headers before a member say of it.
#[derive(Default)]
struct Extension {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

/// The way through an archive.
pub(super) struct Walk<'a> {
    window: Window<'a>,
    len: u64,
    at: u64,
}

impl<'a> Walk<'a> {
    /// Starts at the headers of a member.
    pub(super) fn new(file: &'a Reader, at: u64) -> Self {
        Self {
            window: Window::new(file),
            len: file.len(),
            at,
        }
    }

    /// The bytes of the member that was found last.
    pub(super) fn bytes_of(&mut self, member: &Member) -> io::Result<&[u8]> {
        self.window.at(member.start, member.bytes)
    }

    /// How far it has come.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next file, link or sparse file; folders, devices and the like are passed over. `None` at the end mark.
    pub(super) fn next(&mut self) -> Result<Option<Member>, Stop> {
        let mut first = self.at;
        let mut said = Extension::default();
        loop {
            let at = self.at;
            let block = self.window.at(at, BLOCK)?;
            if block.len() < BLOCK as usize {
                let found = match block.len() {
                    0 => "the end of the file".to_owned(),
                    left => format!("the end of the file {left} bytes on"),
                };
                let broken = broken(at, "a header or the end mark", found);
                return Err(Stop::Broken(Broken {
                    between_members: at == first,
                    ..broken
                }));
            }
            if block.iter().all(|byte| *byte == 0) {
                if at > first {
                    let expected = "the header that a long name belongs to";
                    return Err(stop(at, expected, "the end mark".to_owned()));
                }
                return Ok(None);
            }
            if !has_checksum(block) {
                return Err(stop(
                    at,
                    "a header",
                    "a block with a wrong checksum".to_owned(),
                ));
            }
            let header = Header::from_byte_slice(block);
            let size = header
                .entry_size()
                .map_err(|_| stop(at, "a size", "a header without one".to_owned()))?;
            let kind = header.entry_type();
            match kind {
                EntryType::XHeader => {
                    let records = self.body(size)?;
                    if read_records(records, &mut said).is_none() {
                        let found = "something else".to_owned();
                        return Err(stop(at, "the attributes of a PAX header", found));
                    }
                }
                EntryType::GNULongName => {
                    let name = self.body(size)?;
                    let end = name.iter().position(|byte| *byte == 0);
                    said.name = Some(name[..end.unwrap_or(name.len())].to_vec());
                }
                EntryType::GNULongLink | EntryType::XGlobalHeader => {
                    self.pass(None, BLOCK, size)?;
                    if kind == EntryType::XGlobalHeader && at == first {
                        first = self.at;
                    }
                }
                kind => {
                    if let Some(member) =
                        self.member(kind, size, first, std::mem::take(&mut said))?
                    {
                        return Ok(Some(member));
                    }
                    first = self.at;
                }
            }
        }
    }

    /// What a header that is no extension stands for; the walk goes on behind it.
    fn member(
        &mut self,
        kind: EntryType,
        size: u64,
        first: u64,
        said: Extension,
    ) -> Result<Option<Member>, Stop> {
        let header = Header::from_byte_slice(self.window.at(self.at, BLOCK)?);
        let name = said.name.map_or_else(|| header.path_bytes(), Cow::Owned);
        let name = String::from_utf8_lossy(&name).into_owned();
        let is_link = matches!(kind, EntryType::Link | EntryType::Symlink);
        // Version 7 had no type for a folder.
        let is_folder = header.as_bytes()[156] == 0 && name.ends_with('/');
        let has_body = !is_folder
            && !is_link
            && !matches!(
                kind,
                EntryType::Directory | EntryType::Char | EntryType::Block | EntryType::Fifo
            );
        let size = match said.size {
            _ if !has_body => 0,
            Some(size) => size,
            None => size,
        };
        let mut headers = BLOCK;
        if kind == EntryType::GNUSparse {
            headers += self.sparse_headers()?;
        }
        let start = self.at + headers;
        self.pass(Some(&name), headers, size)?;
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous) && !is_folder;
        let is_sparse = kind == EntryType::GNUSparse || said.is_sparse;
        Ok((is_file || is_link || is_sparse).then_some(Member {
            name,
            header: first,
            start,
            bytes: size,
            is_plain: is_file && !is_sparse,
        }))
    }

    /// The body of an extension; the walk goes on behind it.
    fn body(&mut self, size: u64) -> Result<&[u8], Stop> {
        let at = self.at;
        if size > MAX_EXTENSION {
            let found = format!("{size} bytes");
            return Err(stop(at, "a name or attributes of at most 1 MiB", found));
        }
        self.pass(None, BLOCK, size)?;
        Ok(self.window.at(at + BLOCK, size)?)
    }

    /// Goes on behind the headers and the body that start here.
    fn pass(&mut self, name: Option<&str>, headers: u64, size: u64) -> Result<(), Stop> {
        let start = self.at + headers;
        let left = self.len.saturating_sub(start);
        if size > left {
            let what = name.map_or_else(|| "an extension".to_owned(), |name| format!("`{name}`"));
            let found = format!("{left} of the {size} bytes of {what}");
            let broken = broken(start, "a whole member", found);
            return Err(Stop::Broken(Broken {
                name: name.map(str::to_owned),
                ..broken
            }));
        }
        // The last body may lack what fills its block.
        let next = size
            .checked_next_multiple_of(BLOCK)
            .and_then(|size| start.checked_add(size));
        self.at = next.map_or(self.len, |next| next.min(self.len));
        Ok(())
    }

    /// How many bytes of further headers an old GNU sparse file has.
    fn sparse_headers(&mut self) -> Result<u64, Stop> {
        let (mut bytes, mut flag) = (0, 482);
        loop {
            let block = self.window.at(self.at + bytes, BLOCK)?;
            match block.get(flag) {
                Some(0) => return Ok(bytes),
                Some(_) => bytes += BLOCK,
                None => {
                    let found = "the end of the file".to_owned();
                    return Err(stop(self.at + bytes, "a header of a sparse file", found));
                }
            }
            flag = 504;
        }
    }
}

fn broken(offset: u64, expected: &'static str, found: String) -> Broken {
    Broken {
        offset,
        expected,
        found,
        name: None,
        between_members: false,
    }
}

fn stop(offset: u64, expected: &'static str, found: String) -> Stop {
    Stop::Broken(broken(offset, expected, found))
}

/// Whether a block holds the sum of its bytes, its own place counted as spaces.
pub(super) fn has_checksum(block: &[u8]) -> bool {
    let Some(block) = block.get(..BLOCK as usize) else {
        return false;
    };
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let expected = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
    Header::from_byte_slice(block)
        .cksum()
        .is_ok_and(|found| found == expected)
}

/// Reads the records of a PAX header, each `LENGTH KEY=VALUE\n`. A value may hold line breaks, which the crate does not
/// allow for.
fn read_records(mut records: &[u8], said: &mut Extension) -> Option<()> {
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ')?;
        let length: usize = str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" | b"GNU.sparse.name" => said.name = Some(value.to_vec()),
            b"size" => said.size = Some(str::from_utf8(value).ok()?.parse().ok()?),
            _ => {}
        }
        said.is_sparse |= key.starts_with(b"GNU.sparse.");
        records = &records[length..];
    }
    Some(())
}
