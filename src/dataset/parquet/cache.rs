//! The pages that were unpacked last, of all files together.
//!
//! Writers make pages of up to a thousand pictures. Rows that are read in ascending order, or again, find the page of the
//! row before; without this each row would unpack it anew: 200 ms for a page of 100 MB.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use parquet::column::page::Page;

/// What all pages together may take.
const MAX_BYTES: usize = 256 << 20;
/// How many they may be: they are looked through one by one.
const MAX_PAGES: usize = 1024;

static CACHE: Mutex<Cache> = Mutex::new(Cache {
    pages: VecDeque::new(),
    bytes: 0,
});
static FILES: AtomicU64 = AtomicU64::new(0);

/// The file's pages, as long as this lives.
#[derive(Debug)]
pub(super) struct CachedFile(u64);

impl CachedFile {
    pub(super) fn new() -> Self {
        Self(FILES.fetch_add(1, Ordering::Relaxed))
    }

    /// What its pages are kept under.
    pub(super) fn key(&self, offset: u64) -> Key {
        (self.0, offset)
    }
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        with(|cache| cache.retain(|(file, _)| *file != self.0));
    }
}

/// A file, and where in it the page starts.
pub(super) type Key = (u64, u64);

struct Cache {
    /// The last used last.
    pages: VecDeque<(Key, Page)>,
    bytes: usize,
}

fn with<T>(work: impl FnOnce(&mut Cache) -> T) -> T {
    work(&mut CACHE.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(super) fn get(key: Key) -> Option<Page> {
    with(|cache| cache.get(key))
}

pub(super) fn put(key: Key, page: &Page) {
    with(|cache| cache.put(key, page, MAX_BYTES));
}

impl Cache {
    fn get(&mut self, key: Key) -> Option<Page> {
        let at = self.pages.iter().rposition(|(it, _)| *it == key)?;
        let found = self.pages.remove(at)?;
        let page = found.1.clone();
        self.pages.push_back(found);
        Some(page)
    }

    /// Pages that would drive out all others are not kept.
    fn put(&mut self, key: Key, page: &Page, max_bytes: usize) {
        let bytes = page.buffer().len();
        if bytes > max_bytes / 2 || self.pages.iter().any(|(it, _)| *it == key) {
            return;
        }
        self.bytes += bytes;
        self.pages.push_back((key, page.clone()));
        while self.bytes > max_bytes || self.pages.len() > MAX_PAGES {
            let Some((_, oldest)) = self.pages.pop_front() else {
                return;
            };
            self.bytes -= oldest.buffer().len();
        }
    }

    fn retain(&mut self, keep: impl Fn(&Key) -> bool) {
        self.pages.retain(|(key, _)| keep(key));
        self.bytes = self.pages.iter().map(|(_, page)| page.buffer().len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use parquet::basic::Encoding;

    use super::*;

    fn page(bytes: usize) -> Page {
        Page::DictionaryPage {
            buf: vec![0; bytes].into(),
            num_values: 0,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        }
    }

    #[test]
    fn the_pages_used_last_stay() {
        let mut cache = Cache {
            pages: VecDeque::new(),
            bytes: 0,
        };
        for offset in 0..3 {
            cache.put((0, offset), &page(30), 100);
        }
        assert!(cache.get((0, 0)).is_some());
        cache.put((1, 0), &page(30), 100);
        cache.put((1, 1), &page(51), 100);
        let there = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)].map(|key| cache.get(key).is_some());
        assert_eq!(there, [true, false, true, true, false]);
        cache.retain(|(file, _)| *file == 1);
        assert_eq!((cache.pages.len(), cache.bytes), (1, 30));
    }
}
