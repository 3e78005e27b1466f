//! An open object.
//!
//! Opening it takes one request, which asks for its start unless the content is the one that is known already. From then
//! on it is that version which is read: every answer has to be of it.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use fs_err::File;
use fs_err::os::unix::fs::FileExt;
use futures_util::StreamExt;
use object_store::{GetOptions, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::address::Address;
use super::blocks::{self, Ahead, BLOCK, OPENING};
use super::client::Clients;
use super::disk::{Disk, Version};
use super::failed::{Cause, Failed};
use super::recent::{Recent, Wanted};
use super::retry::{Takes, patiently};
use super::settings::Settings;
use super::wording;
use crate::blob::reader::ReadAt;

/// Blocks in memory: 64 MiB, and four times as many where none are kept on disk.
const IN_MEMORY: usize = 256;
/// So many objects are known at most; then all are asked for anew.
const KNOWN: usize = 1 << 16;
/// A connection that is silent for this part of the patience is given up.
const SILENCE: u32 = 6;

/// What all objects share.
pub(super) struct Remote {
    pub(super) settings: Settings,
    pub(super) clients: Clients,
    disk: Disk,
    recent: Recent,
    known: Mutex<HashMap<String, Arc<Object>>>,
    /// Tells versions apart that the server does not.
    start: u64,
}

impl Remote {
    pub(super) fn get() -> io::Result<&'static Self> {
        static REMOTE: OnceLock<Remote> = OnceLock::new();
        static MAKING: Mutex<()> = Mutex::new(());
        let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = REMOTE.get() {
            return Ok(remote);
        }
        let settings = Settings::from_env()?;
        let disk = Disk::new(&settings.cache, settings.cache_bytes);
        let in_memory = if disk.is_kept() {
            IN_MEMORY
        } else {
            4 * IN_MEMORY
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let remote = Self {
            clients: Clients::new(settings.patience / SILENCE)?,
            settings,
            disk,
            recent: Recent::new(in_memory),
            known: Mutex::default(),
            start: now.map_or(0, |now| now.as_nanos() as u64) ^ u64::from(std::process::id()),
        };
        Ok(REMOTE.get_or_init(|| remote))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Object>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens an object. While the program runs it is asked for once.
pub(in crate::blob) fn open(url: &str) -> io::Result<Arc<dyn ReadAt>> {
    let remote = Remote::get()?;
    if let Some(object) = remote.known().get(url) {
        return Ok(Arc::<Object>::clone(object));
    }
    let address = Address::of(url)?;
    let store = remote.clients.of(&address)?;
    let last = remote.disk.version(url);
    let opened = patiently(
        &remote.clients,
        remote.settings.patience,
        Takes::Bounded,
        &address,
        async || start(&store, &address, last.as_ref()).await,
    );
    let (version, bytes) = match (opened, last) {
        (Ok((version, bytes)), _) => (version, Some(bytes)),
        (Err(failed), Some(last)) if failed.is_not_modified() => (last, None),
        // An empty object has no first byte.
        (Err(failed), _) if failed.status == Some(416) => (size(remote, &address, &store)?, None),
        (Err(failed), _) if failed.is_without_ranges() => {
            return Ok(Arc::new(Whole::download(remote, &address, &store)?));
        }
        (Err(failed), _) => return Err(wording::failed(&address, &failed)),
    };
    let object = Object {
        key: version.key(url, remote.start),
        remote,
        address,
        store,
        version,
        ahead: Mutex::new(Ahead::opened()),
    };
    if let Some(bytes) = bytes {
        remote.disk.put_version(url, &object.version);
        object.keep(0, &bytes);
    }
    let object = Arc::new(object);
    let mut known = remote.known();
    if known.len() >= KNOWN {
        known.clear();
    }
    known.insert(url.to_owned(), Arc::clone(&object));
    Ok(object)
}

impl Failed {
    fn is_not_modified(&self) -> bool {
        matches!(
            self.cause,
            Cause::Store(object_store::Error::NotModified { .. })
        )
    }

    /// Whether the server sent the whole object where a part was asked for.
    fn is_without_ranges(&self) -> bool {
        self.status == Some(200) && matches!(self.cause, Cause::Store(_)) && !self.is_passing()
    }
}

/// The object's version and its start, if it is not the `last` version.
async fn start(
    store: &dyn ObjectStore,
    address: &Address,
    last: Option<&Version>,
) -> Result<(Version, Vec<u8>), Cause> {
    let mut options = GetOptions::new().with_range(Some(0..OPENING * BLOCK));
    if let Some(last) = last {
        if last.etag.is_some() {
            options.if_none_match.clone_from(&last.etag);
        } else {
            let modified = Duration::from_secs(last.modified.unsigned_abs());
            options.if_modified_since = Some((SystemTime::UNIX_EPOCH + modified).into());
        }
    }
    let result = store.get_opts(&address.path, options).await?;
    let version = version_of(&result.meta);
    Ok((version, body(result).await?))
}

fn version_of(meta: &ObjectMeta) -> Version {
    Version {
        etag: meta.e_tag.clone(),
        // Servers that share their work may have it from different times.
        modified: match &meta.e_tag {
            Some(_) => 0,
            None => meta.last_modified.timestamp(),
        },
        bytes: meta.size,
    }
}

async fn body(result: GetResult) -> Result<Vec<u8>, Cause> {
    let length = result.range.end - result.range.start;
    let bytes = result.bytes().await?;
    if bytes.len() as u64 != length {
        return Err(Cause::Cut);
    }
    Ok(bytes.into())
}

/// The version of an object that has no bytes.
fn size(remote: &Remote, address: &Address, store: &dyn ObjectStore) -> io::Result<Version> {
    let (clients, patience) = (&remote.clients, remote.settings.patience);
    patiently(clients, patience, Takes::Bounded, address, async || {
        Ok(store.head(&address.path).await?)
    })
    .map(|meta| version_of(&meta))
    .map_err(|failed| wording::failed(address, &failed))
}

struct Object {
    remote: &'static Remote,
    address: Address,
    store: Arc<dyn ObjectStore>,
    version: Version,
    key: u128,
    ahead: Mutex<Ahead>,
}

impl ReadAt for Object {
    fn len(&self) -> u64 {
        self.version.bytes
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = offset.saturating_add(buffer.len() as u64).min(self.len());
        if offset >= end {
            return Ok(0);
        }
        let number = offset / BLOCK;
        let block = self.block(number, end.div_ceil(BLOCK))?;
        let rest = &block[(offset - number * BLOCK) as usize..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Object {
    /// A block; more will be read, up to that before `wanted`.
    fn block(&self, number: u64, wanted: u64) -> io::Result<Arc<[u8]>> {
        let mut way = match self.remote.recent.want((self.key, number)) {
            Wanted::Here(block) => return Ok(block),
            Wanted::Bring(way) => way,
        };
        let range = blocks::bytes_of(number..number + 1, self.len());
        let length = (range.end - range.start) as usize;
        if let Some(block) = self.remote.disk.get((self.key, number), length) {
            self.remote
                .recent
                .put((self.key, number), Arc::clone(&block));
            return Ok(block);
        }
        let most = {
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            ahead.blocks(number, wanted)
        };
        let all = self.len().div_ceil(BLOCK);
        let mut end = number + 1;
        while end < all.min(number + most)
            && !self.remote.disk.has((self.key, end))
            && way.add((self.key, end))
        {
            end += 1;
        }
        let bytes = self.fetch(blocks::bytes_of(number..end, self.len()))?;
        let first = self.keep(number, &bytes);
        drop(way);
        first.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn fetch(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let (clients, patience) = (&self.remote.clients, self.remote.settings.patience);
        let (version, bytes) = patiently(
            clients,
            patience,
            Takes::Bounded,
            &self.address,
            async || {
                let options = GetOptions::new().with_range(Some(range.clone()));
                let result = self.store.get_opts(&self.address.path, options).await?;
                let version = version_of(&result.meta);
                // Nothing of another version is of use.
                let is_same = version == self.version;
                Ok((
                    version,
                    if is_same {
                        body(result).await?
                    } else {
                        Vec::new()
                    },
                ))
            },
        )
        .map_err(|failed| match failed.status {
            // It has become shorter.
            Some(416) => self.changed(),
            _ => wording::failed(&self.address, &failed),
        })?;
        if version != self.version {
            return Err(self.changed());
        }
        Ok(bytes)
    }

    /// Whoever opens it next shall have the new version.
    fn changed(&self) -> io::Error {
        self.remote.known().remove(&self.address.url);
        wording::changed(&self.address)
    }

    /// Keeps blocks from `number` on, and hands out the first.
    fn keep(&self, number: u64, bytes: &[u8]) -> Option<Arc<[u8]>> {
        let mut first = None;
        for (number, block) in (number..).zip(bytes.chunks(BLOCK as usize)) {
            self.remote.disk.put((self.key, number), block);
            let block: Arc<[u8]> = block.into();
            first.get_or_insert_with(|| Arc::clone(&block));
            self.remote.recent.put((self.key, number), block);
        }
        first
    }
}

/// An object of a server that knows no ranges: all of it, in a file without a name.
struct Whole {
    file: File,
    bytes: u64,
}

impl Whole {
    fn download(remote: &Remote, address: &Address, store: &dyn ObjectStore) -> io::Result<Self> {
        // How long that takes is not bounded, only how long it stands still.
        let attempt = async || -> Result<io::Result<Self>, Cause> {
            let result = store.get(&address.path).await?;
            let bytes = result.meta.size;
            let (mut stream, mut done) = (result.into_stream(), 0);
            let mut file = match remote.disk.unnamed() {
                Ok(file) => file,
                Err(error) => return Ok(Err(error)),
            };
            while let Some(chunk) = stream.next().await {
                let chunk = chunk?;
                done += chunk.len() as u64;
                if let Err(error) = file.write_all(&chunk) {
                    return Ok(Err(error));
                }
            }
            if done != bytes {
                return Err(Cause::Cut);
            }
            Ok(Ok(Self { file, bytes }))
        };
        let (clients, patience) = (&remote.clients, remote.settings.patience);
        patiently(clients, patience, Takes::AsLongAsItComes, address, attempt)
            .map_err(|failed| wording::failed(address, &failed))?
    }
}

impl ReadAt for Whole {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}
