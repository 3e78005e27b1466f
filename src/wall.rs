//! A wall around libraries that read what others made: a panic behind it is an error in front of it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

thread_local! {
    /// How many walls this thread is behind.
    static BEHIND: Cell<u32> = const { Cell::new(0) };
}

/// Runs `f`; a panic in it is its text. Whatever state `f` leaves behind must not be used again.
pub(crate) fn behind<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    BEHIND.with(|depth| depth.set(depth.get() + 1));
    let result = catch_unwind(AssertUnwindSafe(f));
    BEHIND.with(|depth| depth.set(depth.get() - 1));
    result.map_err(|panic| text(panic.as_ref()))
}

/// Keeps panics behind walls from being reported as the program's own; to be called once, when it starts.
pub(crate) fn keep_quiet() {
    let report = take_hook();
    set_hook(Box::new(move |panic| {
        if BEHIND.with(Cell::get) == 0 {
            report(panic);
        }
    }));
}

fn text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the library panicked")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_text_and_no_more_than_that() {
        assert_eq!(behind(|| 3), Ok(3));
        let odd = behind(|| -> u8 { panic!("row {} is odd", 7) });
        assert_eq!(odd.unwrap_err(), "row 7 is odd");
        let nested = behind(|| behind(|| -> u8 { panic!("in") }).unwrap_or(1));
        assert_eq!(nested, Ok(1));
        assert_eq!(BEHIND.with(Cell::get), 0);
    }
}
