//! Keeping freed memory for the next tensor.

/// Tells glibc's allocator to keep large freed blocks. Every operation on the CPU allocates its result,
/// tens of megabytes each; given back to the kernel and asked for again, their pages are mapped and
/// zeroed anew every time, which took a seventh of the forward pass.
pub(super) fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(
        unsafe_code,
        reason = "mallopt is only callable so; it is called before any thread starts"
    )]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
