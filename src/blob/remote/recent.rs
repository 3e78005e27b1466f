//! Blocks that were read just now, in memory, and those that are on their way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// An object's version, and the number of a block of it.
pub(super) type BlockId = (u128, u64);

pub(super) struct Recent {
    most: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    blocks: HashMap<BlockId, (u64, Arc<[u8]>)>,
    /// Counts uses, to know the oldest.
    clock: u64,
    under_way: HashSet<BlockId>,
}

/// What there is of a block.
pub(super) enum Wanted<'a> {
    /// Here it is.
    Here(Arc<[u8]>),
    /// Who asked has to bring it, and has the word of all others that they wait.
    Bring(UnderWay<'a>),
}

/// Blocks that others wait for until this is dropped.
pub(super) struct UnderWay<'a> {
    recent: &'a Recent,
    ids: Vec<BlockId>,
}

impl Recent {
    /// Keeps so many blocks.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block, once nobody else is bringing it.
    pub(super) fn want(&self, id: BlockId) -> Wanted<'_> {
        let mut state = self.state();
        loop {
            if let Some(bytes) = state.get(id) {
                return Wanted::Here(bytes);
            }
            if state.under_way.insert(id) {
                let ids = vec![id];
                return Wanted::Bring(UnderWay { recent: self, ids });
            }
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn put(&self, id: BlockId, bytes: Arc<[u8]>) {
        let mut state = self.state();
        state.clock += 1;
        let now = state.clock;
        state.blocks.insert(id, (now, bytes));
        if state.blocks.len() > self.most {
            let oldest = state.blocks.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(id) = oldest.map(|(id, _)| *id) {
                state.blocks.remove(&id);
            }
        }
    }
}

impl State {
    fn get(&mut self, id: BlockId) -> Option<Arc<[u8]>> {
        self.clock += 1;
        let now = self.clock;
        let (used, bytes) = self.blocks.get_mut(&id)?;
        *used = now;
        Some(Arc::clone(bytes))
    }
}

impl UnderWay<'_> {
    /// Brings a further block as well, unless it is here or somebody else brings it.
    pub(super) fn add(&mut self, id: BlockId) -> bool {
        let mut state = self.recent.state();
        let free = !state.blocks.contains_key(&id) && state.under_way.insert(id);
        if free {
            self.ids.push(id);
        }
        free
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.recent.state();
        for id in &self.ids {
            state.under_way.remove(id);
        }
        drop(state);
        self.recent.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn the_oldest_goes() {
        let recent = Recent::new(2);
        let is_here = |number| matches!(recent.want((0, number)), Wanted::Here(_));
        recent.put((0, 1), [1].into());
        recent.put((0, 2), [2].into());
        assert!(is_here(1));
        recent.put((0, 3), [3].into());
        assert!(is_here(1) && is_here(3) && !is_here(2));
    }

    #[test]
    fn a_block_is_brought_once() {
        let (recent, brought) = (Recent::new(8), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| match recent.want((7, 0)) {
                    Wanted::Here(bytes) => assert_eq!(*bytes, [9]),
                    Wanted::Bring(mut way) => {
                        assert!(way.add((7, 1)) && !way.add((7, 1)));
                        brought.fetch_add(1, Ordering::Relaxed);
                        recent.put((7, 0), [9].into());
                        drop(way);
                    }
                });
            }
        });
        assert_eq!(brought.into_inner(), 1);
    }

    #[test]
    fn who_gives_up_lets_the_next_try() {
        let recent = Recent::new(8);
        let Wanted::Bring(way) = recent.want((7, 0)) else {
            panic!("nothing is there");
        };
        std::thread::scope(|scope| {
            let next = scope.spawn(|| matches!(recent.want((7, 0)), Wanted::Bring(_)));
            drop(way);
            assert!(next.join().unwrap());
        });
    }
}
