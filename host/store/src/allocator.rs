//! What this process asks of its allocator.

/// From how many bytes on an allocation is a mapping of its own, which goes back to the system when
/// it is freed.
const MMAP_THRESHOLD: libc::c_int = 128 << 10;

/// Tunes glibc's allocator for databases that are opened and closed: 128 open ones took 1 GB with
/// its moving threshold, and 28 MB with a fixed one. To be called once, when the process starts.
pub fn tune_allocator() {
    #[cfg(target_env = "gnu")]
    #[expect(
        unsafe_code,
        reason = "mallopt has no safe binding; M_MMAP_THRESHOLD is documented to take any size, and changes no memory"
    )]
    // SAFETY: mallopt only sets a parameter of the allocator (mallopt(3)); glibc takes its own lock
    // for it.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    }
}

/// Gives memory that was freed back to the system. It looks through the whole heap, some
/// milliseconds for each 100 MB, so it is for after something large has gone.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    #[expect(
        unsafe_code,
        reason = "malloc_trim has no safe binding; it changes no memory that is in use"
    )]
    // SAFETY: malloc_trim only releases free pages of the allocator's own (malloc_trim(3)); glibc
    // takes its own locks for it.
    unsafe {
        libc::malloc_trim(0);
    }
}
