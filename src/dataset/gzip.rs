//! Files that are packed as a whole with gzip: rows are read by their place, so such a file is unpacked before.
//!
//! The unpacked copy lies in the folder for temporary files (`TMPDIR`) as long as the dataset is open. What goes in is
//! untrusted: a file that grows beyond all measure is refused.

use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use flate2::bufread::GzDecoder;
use tempfile::TempPath;

use super::{DatasetProblem, Fault};
use crate::blob::{Blob, Reader};

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// How many times its size a file may grow. The method itself ends at 1,032; rows come to 3 to 30.
const MAX_GROWTH: u64 = 200;
/// What a file may grow to in any case, in bytes.
const MAX_ALWAYS: u64 = 64 << 20;

const CHUNK_BYTES: usize = 256 << 10;

/// The copies of this process, for [`remove_copies`].
static COPIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the unpacked copies of all datasets, which cannot be read any more: for a process that ends without dropping
/// them.
pub fn remove_copies() {
    if let Ok(mut copies) = COPIES.lock() {
        for copy in copies.drain(..) {
            // Most went with their datasets.
            let _ = fs_err::remove_file(copy);
        }
    }
}

/// A copy of what a file holds packed.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// It goes when this is dropped.
    pub(super) copy: TempPath,
    /// What could not be unpacked.
    pub(super) damage: Option<Damage>,
}

/// Where packed bytes end being what they should.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    reason: String,
    /// How many packed bytes were read.
    read: u64,
    /// How many there are behind them.
    left: u64,
}

impl Unpacked {
    pub(super) fn blob(&self) -> Blob {
        Blob::Path(self.copy.to_path_buf())
    }
}

impl Damage {
    /// The fault of a file of which so many rows could be read, which has these faults of its own by it.
    pub(super) fn fault(&self, rows: u64, others: Vec<Fault>) -> Fault {
        let lost = u128::from(rows) * u128::from(self.left) / u128::from(self.read.max(1));
        let lost = u64::try_from(lost).unwrap_or(u64::MAX);
        let mut whole = Fault::new(self.reason.clone(), lost);
        for other in others {
            whole.reason = format!("{}; unpacked: {}", whole.reason, other.reason);
            whole.rows = whole.rows.max(other.rows);
        }
        whole
    }

    /// The problem of a file that this leaves nothing of, for that reason.
    pub(super) fn problem(self, problem: DatasetProblem) -> DatasetProblem {
        DatasetProblem::Gzip {
            reason: self.reason,
            problem: Box::new(problem),
        }
    }
}

/// Unpacks a file that is packed; `None` for one that is not. `progress` hears of the packed bytes.
pub(super) fn unpack(
    blob: &Blob,
    progress: &dyn Fn(u64),
) -> Result<Option<Unpacked>, DatasetProblem> {
    let mut packed = blob.open()?;
    let mut head = [0; MAGIC.len()];
    if packed.len() < head.len() as u64 {
        return Ok(None);
    }
    packed.read_exact(&mut head)?;
    packed.rewind()?;
    if head != MAGIC {
        return Ok(None);
    }
    let mut copy = tempfile::Builder::new().prefix("madmix-").tempfile()?;
    if let Ok(mut copies) = COPIES.lock() {
        copies.push(copy.path().to_owned());
    }
    let damage =
        unpack_into(packed, copy.as_file_mut(), progress).map_err(|problem| match problem {
            Problem::Read(error) => error.into(),
            Problem::Write(error, bytes) => full(error, std::env::temp_dir(), bytes),
            Problem::Grows(limit) => DatasetProblem::GzipGrows {
                limit,
                growth: MAX_GROWTH,
            },
        })?;
    let copy = copy.into_temp_path();
    Ok(Some(Unpacked { copy, damage }))
}

#[derive(Debug)]
enum Problem {
    Read(io::Error),
    /// After so many bytes.
    Write(io::Error, u64),
    /// Beyond so many bytes.
    Grows(u64),
}

fn full(error: io::Error, folder: PathBuf, bytes: u64) -> DatasetProblem {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            DatasetProblem::TemporaryFull { folder, bytes }
        }
        _ => error.into(),
    }
}

/// Unpacks one member after the other; zeros may follow the last.
fn unpack_into(
    packed: Reader,
    out: &mut impl Write,
    progress: &dyn Fn(u64),
) -> Result<Option<Damage>, Problem> {
    let len = packed.len();
    let limit = len.saturating_mul(MAX_GROWTH).max(MAX_ALWAYS);
    let mut packed = BufReader::with_capacity(CHUNK_BYTES, packed);
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut written = 0;
    loop {
        let mut member = GzDecoder::new(packed);
        loop {
            let read = match member.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => {
                    return damage(&error, place(member.get_mut()).map_err(Problem::Read)?, len)
                        .map(Some)
                        .ok_or(Problem::Read(error));
                }
            };
            written += read as u64;
            if written > limit {
                return Err(Problem::Grows(limit));
            }
            out.write_all(&buffer[..read])
                .map_err(|error| Problem::Write(error, written))?;
            progress(place(member.get_mut()).map_err(Problem::Read)?);
        }
        packed = member.into_inner();
        loop {
            let next = packed.fill_buf().map_err(Problem::Read)?;
            let zeros = next.iter().take_while(|byte| **byte == 0).count();
            match next.get(zeros) {
                None if next.is_empty() => return Ok(None),
                None => packed.consume(zeros),
                Some(first) if *first == MAGIC[0] => break packed.consume(zeros),
                Some(_) => {
                    packed.consume(zeros);
                    let at = place(&mut packed).map_err(Problem::Read)?;
                    let reason = format!(
                        "from byte {at} of the packed file on it is no gzip any more; pack it again"
                    );
                    return Ok(Some(Damage {
                        reason,
                        read: at,
                        left: len - at,
                    }));
                }
            }
        }
    }
}

/// How many packed bytes were used.
fn place(packed: &mut BufReader<Reader>) -> io::Result<u64> {
    packed.stream_position()
}

/// What an error says of the packed bytes; `None` when it is not about them.
fn damage(error: &io::Error, at: u64, len: u64) -> Option<Damage> {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "is cut off",
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "is damaged",
        _ => return None,
    };
    let (read, left) = (at, len.saturating_sub(at));
    let reason =
        format!("the gzip {what} at byte {read} of {len} ({error}); copy or write it again");
    Some(Damage { reason, read, left })
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn reader(packed: Vec<u8>) -> Reader {
        Blob::Held(packed.into()).open().unwrap()
    }

    fn unpacked(packed: Vec<u8>) -> (Vec<u8>, Option<Damage>) {
        let mut out = Vec::new();
        let damage = unpack_into(reader(packed), &mut out, &|_| {}).unwrap();
        (out, damage)
    }

    #[test]
    fn members_and_zeros_behind_each_other() {
        let packed = [
            gz(b"one "),
            gz(b""),
            vec![0; 3],
            gz(b"two"),
            vec![0; 700_000],
        ]
        .concat();
        assert_eq!(unpacked(packed), (b"one two".to_vec(), None));
    }

    #[test]
    fn what_comes_before_damage_is_kept() {
        let text: Vec<u8> = (0..200_000_u32)
            .flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        let packed = gz(&text);
        let half = packed.len() / 2;
        let (got, damage) = unpacked(packed[..half].to_vec());
        assert!(got.len() > text.len() / 3 && text.starts_with(&got));
        let damage = damage.unwrap();
        assert!(
            damage.reason.contains("cut off") && damage.fault(100, Vec::new()).rows == 1,
            "{damage:?}"
        );

        let mut wrong_sum = packed.clone();
        *wrong_sum.iter_mut().rev().nth(5).unwrap() ^= 1;
        let (got, damage) = unpacked(wrong_sum);
        assert_eq!(got, text);
        assert!(damage.unwrap().reason.contains("is damaged"));

        let (got, damage) = unpacked([gz(b"rows"), b"trailing".to_vec()].concat());
        assert_eq!(got, b"rows");
        let damage = damage.unwrap();
        assert!(
            damage.reason.contains("no gzip any more") && damage.left == 8,
            "{damage:?}"
        );
        assert_eq!(damage.fault(damage.read, Vec::new()).rows, 8);
    }

    #[test]
    fn growth_has_a_limit() {
        let packed = gz(&vec![0; 70 << 20]);
        let error = unpack_into(reader(packed), &mut io::sink(), &|_| {}).unwrap_err();
        assert!(
            matches!(error, Problem::Grows(limit) if limit >= MAX_ALWAYS),
            "{error:?}"
        );
        // As much from a larger file is well.
        let noise: Vec<u8> = (0..100_000_u32)
            .flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        let packed = [gz(&vec![0; 70 << 20]), gz(&noise)].concat();
        assert!(unpack_into(reader(packed), &mut io::sink(), &|_| {}).is_ok());
    }

    #[test]
    fn a_full_disk_is_named() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let Err(Problem::Write(error, bytes)) =
            unpack_into(reader(gz(b"rows")), &mut Full, &|_| {})
        else {
            panic!("a full disk should be an error");
        };
        let message = full(error, PathBuf::from("/scratch"), bytes).to_string();
        assert!(
            message.contains("/scratch") && message.contains("TMPDIR"),
            "{message}"
        );
    }
}
