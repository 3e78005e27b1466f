//! Stopping on request: the first signal ends a run after the batch in hand, a second one at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::RESUMABLE;
use crate::dataset;

/// Ends the program at the first signal, for a command that leaves nothing to go on from: only the unpacked copies of
/// datasets are taken away.
pub(super) fn at_once() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            dataset::remove_copies();
            std::process::exit(i32::from(RESUMABLE));
        }
    });
    Ok(())
}

/// A flag that Ctrl-C, a termination request, or the warning signal of a batch system sets.
pub(super) fn on_signal() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGUSR1] {
        // Takes effect only once the flag is set, so it has to be registered first.
        flag::register_conditional_shutdown(signal, i32::from(RESUMABLE), Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
