//! How much memory a command took: what a batch system has to be asked for.

/// Says the most that was held in memory at once, where the system tells.
pub(super) fn log_peak() {
    if let Some(kilobytes) = peak_kilobytes() {
        tracing::debug!("peak memory: {:.1} MiB", kilobytes as f64 / 1024.0);
    }
}

/// The high-water mark of the resident set, files mapped into memory included.
fn peak_kilobytes() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let mark = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    mark.trim().strip_suffix(" kB")?.parse().ok()
}
