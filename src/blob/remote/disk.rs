//! Blocks of objects on this machine's disk, for all programs that read them.
//!
//! A block is a file, named by the object's version and its number; its bytes are preceded by their checksum. Files are
//! written beside and renamed, so that a reader sees whole ones; which one vanishes or is damaged is brought anew. When
//! there are too many, those go that were not read for the longest time. A cache that cannot be written is no error:
//! everything is read from afar then.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, SystemTime};

use fs_err::File;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

use super::recent::BlockId;

const MAGIC: [u8; 8] = *b"mdmxblk1";
const HEADER: usize = 16;
/// What a file takes besides its bytes, about.
const OF_FILE: u64 = 4096;
/// A use is noted if the last one is longer ago.
const NOTED_AFTER: Duration = Duration::from_mins(1);
/// Unfinished files older than this were left by a program that was killed.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// What is known of an object's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// The server's tag for the content, if it gives one.
    pub(super) etag: Option<String>,
    /// When it was written, in seconds since 1970; 0 when there is a tag, or the server does not say.
    pub(super) modified: i64,
    pub(super) bytes: u64,
}

impl Version {
    /// Whether another content would be told by it.
    pub(super) fn tells(&self) -> bool {
        self.etag.is_some() || self.modified != 0
    }

    /// What the blocks of a URL are known by; of two versions that do not tell, `unlike` does.
    pub(super) fn key(&self, url: &str, unlike: u64) -> u128 {
        let unlike = if self.tells() { 0 } else { unlike };
        xxh3_128(format!("{url}\n{self:?}\n{unlike}").as_bytes())
    }
}

pub(super) struct Disk {
    /// None when nothing is kept.
    folder: Option<PathBuf>,
    most: u64,
    /// How much there is, as far as this program knows.
    used: Mutex<Option<u64>>,
    warned: Once,
}

impl Disk {
    pub(super) fn new(folder: &Path, most: u64) -> Self {
        Self {
            folder: (most > 0).then(|| folder.join("v1")),
            most,
            used: Mutex::new(None),
            warned: Once::new(),
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.folder.is_some()
    }

    /// Where something lies: in one of 256 folders.
    fn place(&self, key: u128, end: &str) -> Option<PathBuf> {
        let mut name = format!("{key:032x}");
        let shelf = name[..2].to_owned();
        let _ = write!(name, "{end}");
        Some(self.folder.as_ref()?.join(shelf).join(name))
    }

    fn block(&self, (key, number): BlockId) -> Option<PathBuf> {
        self.place(key, &format!("-{number}"))
    }

    /// Whether a block may be here.
    pub(super) fn has(&self, id: BlockId) -> bool {
        self.block(id).is_some_and(|path| path.exists())
    }

    /// A block of so many bytes, if it is here and sound.
    pub(super) fn get(&self, id: BlockId, bytes: usize) -> Option<Arc<[u8]>> {
        let file = File::open(self.block(id)?).ok()?;
        let mut content = Vec::with_capacity(HEADER + bytes + 1);
        let most = (HEADER + bytes) as u64 + 1;
        (&file).take(most).read_to_end(&mut content).ok()?;
        let (header, block) = content.split_at_checked(HEADER)?;
        if block.len() != bytes || header != header_of(id, block) {
            tracing::warn!(file = %file.path().display(), "a damaged block in the cache is read anew");
            return None;
        }
        note_use(&file);
        Some(block.into())
    }

    pub(super) fn put(&self, id: BlockId, block: &[u8]) {
        if let Some(path) = self.block(id) {
            self.write(&path, &[&header_of(id, block), block]);
        }
    }

    /// What a URL held when it was last asked for.
    pub(super) fn version(&self, url: &str) -> Option<Version> {
        let content = fs_err::read(self.place(xxh3_128(url.as_bytes()), ".json")?).ok()?;
        serde_json::from_slice(&content).ok()
    }

    pub(super) fn put_version(&self, url: &str, version: &Version) {
        if let Some(path) = self.place(xxh3_128(url.as_bytes()), ".json")
            && version.tells()
            && self.version(url).as_ref() != Some(version)
            && let Ok(content) = serde_json::to_vec(version)
        {
            self.write(&path, &[&content]);
        }
    }

    /// A file of its own that goes when it is closed.
    pub(super) fn unnamed(&self) -> io::Result<File> {
        let folder = match &self.folder {
            Some(folder) if fs_err::create_dir_all(folder).is_ok() => folder.clone(),
            _ => std::env::temp_dir(),
        };
        let file = tempfile::tempfile_in(&folder)?;
        Ok(File::from_parts(
            file,
            folder.join("(a file without a name)"),
        ))
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) {
        if let Err(error) = self.try_write(path, parts) {
            self.warned.call_once(|| {
                tracing::warn!(
                    "nothing is kept of what is read from afar: {error}; MADMIX_REMOTE_CACHE names another folder, \
                     MADMIX_REMOTE_CACHE_GB=0 turns the cache off"
                );
            });
        }
    }

    fn try_write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let bytes = parts.iter().map(|part| part.len() as u64).sum::<u64>() + OF_FILE;
        self.make_room(bytes)?;
        let shelf = path.parent().unwrap_or(path);
        fs_err::create_dir_all(shelf)?;
        let mut file = tempfile::NamedTempFile::with_prefix_in(".new-", shelf)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.persist(path)?;
        Ok(())
    }

    /// Counts what will be written, and first lets go of the oldest if it is too much.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match *used {
            Some(known) if known + bytes <= self.most => known,
            _ => sweep(folder, self.most.saturating_sub(bytes), self.most / 8)?,
        };
        *used = Some(known + bytes);
        Ok(())
    }
}

/// Binds a block's bytes to its place, too.
fn header_of((key, number): BlockId, block: &[u8]) -> [u8; HEADER] {
    let seed = (key as u64) ^ ((key >> 64) as u64) ^ number;
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&xxh3_64_with_seed(block, seed).to_le_bytes());
    header
}

/// The time of a file's last use is that of its last change: times of access are rarely kept.
fn note_use(file: &File) {
    let now = SystemTime::now();
    let last = file.metadata().and_then(|data| data.modified());
    if last.is_ok_and(|last| now.duration_since(last).is_ok_and(|ago| ago > NOTED_AFTER)) {
        // Of no consequence but the order in which blocks go.
        drop(file.file().set_modified(now));
    }
}

/// If there is more than `most`, removes the oldest and `spare` more than needed. Says how much is left.
fn sweep(folder: &Path, most: u64, spare: u64) -> io::Result<u64> {
    let mut files = Vec::new();
    let now = SystemTime::now();
    for shelf in list(folder)? {
        if !shelf.is_dir() {
            continue;
        }
        for path in list(&shelf)? {
            // Another program may have removed it just now.
            let Ok(data) = fs_err::metadata(&path) else {
                continue;
            };
            let used = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let is_new = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(".new-"));
            if is_new && now.duration_since(used).is_ok_and(|age| age > LEFT_BEHIND) {
                drop(fs_err::remove_file(&path));
            } else {
                files.push((used, data.len() + OF_FILE, path));
            }
        }
    }
    let mut left: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    if left > most {
        files.sort();
        for (_, bytes, path) in &files {
            if left <= most.saturating_sub(spare) {
                break;
            }
            drop(fs_err::remove_file(path));
            left -= bytes;
        }
    }
    Ok(left)
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs_err::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(etag: &str) -> Version {
        Version {
            etag: Some(etag.to_owned()),
            modified: 5,
            bytes: 10,
        }
    }

    #[test]
    fn what_is_put_is_had_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (
            Disk::new(folder.path(), 1 << 20),
            Disk::new(folder.path(), 1 << 20),
        );
        one.put((7, 3), b"block");
        assert_eq!(&*other.get((7, 3), 5).unwrap(), b"block");
        assert!(other.get((7, 3), 4).is_none());
        assert!(other.get((7, 2), 5).is_none());
        one.put_version("s3://b/k", &version("e"));
        assert_eq!(other.version("s3://b/k"), Some(version("e")));
        assert_eq!(other.version("s3://b/l"), None);
    }

    #[test]
    fn what_is_damaged_or_elsewhere_is_not_had() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path(), 1 << 20);
        disk.put((7, 0), b"block");
        let path = disk.block((7, 0)).unwrap();
        fs_err::copy(&path, disk.block((7, 1)).unwrap()).unwrap();
        assert!(disk.get((7, 1), 5).is_none());
        let sound = fs_err::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            fs_err::write(&path, damaged).unwrap();
            assert!(disk.get((7, 0), 5).is_none(), "byte {at}");
        }
        fs_err::write(&path, &sound[..9]).unwrap();
        assert!(disk.get((7, 0), 5).is_none());
    }

    #[test]
    fn the_oldest_go_when_there_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let block = vec![1; 10_000];
        let each = block.len() as u64 + HEADER as u64 + OF_FILE;
        let disk = Disk::new(folder.path(), 16 * each);
        for number in 0..16 {
            disk.put((7, number), &block);
            let file = fs_err::OpenOptions::new()
                .write(true)
                .open(disk.block((7, number)).unwrap())
                .unwrap();
            let age = Duration::from_secs(1000 - number);
            file.file().set_modified(SystemTime::now() - age).unwrap();
        }
        assert!(disk.get((7, 0), block.len()).is_some());
        disk.put((7, 16), &block);
        let here: Vec<_> = (0..17).filter(|number| disk.has((7, *number))).collect();
        assert_eq!(here, [vec![0], (4..17).collect()].concat());
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path(), 0);
        disk.put((7, 0), b"block");
        disk.put_version("u", &version("e"));
        assert_eq!(list(folder.path()).unwrap().len(), 0);
        assert!(!disk.has((7, 0)) && disk.version("u").is_none());
        let file = folder.path().join("file");
        fs_err::write(&file, "").unwrap();
        Disk::new(&file, 1 << 20).put((7, 0), b"block");
    }

    #[test]
    fn versions_are_told_apart() {
        let none = Version {
            etag: None,
            modified: 0,
            bytes: 3,
        };
        assert_ne!(version("a").key("u", 1), version("b").key("u", 1));
        assert_eq!(version("a").key("u", 1), version("a").key("u", 2));
        assert_ne!(version("a").key("u", 1), version("a").key("v", 1));
        assert_ne!(none.key("u", 1), none.key("u", 2));
    }
}
