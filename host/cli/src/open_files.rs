//! How many files this process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit to as many as the process may have. The lower one that shells and services
/// give, often 1,024, is for programs that call select(2), which can count no further; this one
/// does not, and has a file for each connection, each database and each audit chain that is open.
pub(crate) fn raise_open_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Of the files that this process may open, how many client connections may take: a quarter. The
/// rest is for the databases, the audit chains, the admin socket and outside systems, which
/// connections of nobody must not starve.
pub(crate) fn connections() -> usize {
    usize::try_from(open_file_limit() / 4).unwrap_or(usize::MAX)
}

/// How many of them sockets to outside systems may take: another quarter.
pub(crate) fn sockets() -> usize {
    connections()
}

/// How many it may have now.
pub(crate) fn open_file_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
