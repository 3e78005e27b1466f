//! The program `madmix`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    madmix::commands::main()
}
