//! Room for a file of every dataset.

/// More than any run opens.
const ENOUGH: libc::rlim_t = 65_536;

/// Raises the number of files that may be open, as far as the system allows: a run holds one for each dataset, and many
/// systems allow 1,024 until asked for more.
pub(super) fn allow_many() {
    #[expect(
        unsafe_code,
        reason = "the limits are only callable so; both calls get a whole struct of their own type"
    )]
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_cur.max(limit.rlim_max.min(ENOUGH));
            // Where it is refused the old limit stays.
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
