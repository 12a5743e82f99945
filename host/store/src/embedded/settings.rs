/// How the embedded store uses the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// Databases that are open at once. Each takes about 240 KB of memory, up to 256 KB of values that were read and four
    /// file descriptors, and a tenant whose database is not open waits some 2 ms for it.
    pub handles: usize,
    /// The cache of each open database, in bytes.
    pub cache_bytes: u64,
    /// Entries from which on a database is checked in the background after it was opened: a record that is there is
    /// served, since its seal proves it; all else waits for the check. Of the host's own, from a
    /// thousand on at the latest, and there everything waits.
    pub check_at_once: u64,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self {
            handles: 256,
            cache_bytes: 1 << 20,
            check_at_once: 20_000,
        }
    }
}
