//! What keeps a secret that is in this process's memory from leaving with it (T49).

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Which of the settings the system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HygieneError {
    /// The limit on core dumps.
    #[error("core dumps could not be turned off (RLIMIT_CORE: {0})")]
    CoreLimit(rustix::io::Errno),
    /// The mark that the process is not to be dumped or traced.
    #[error("the process could not be made undumpable (PR_SET_DUMPABLE: {0})")]
    Dumpable(rustix::io::Errno),
}

/// Turns core dumps off, and keeps other processes of the same user from reading this one's memory.
/// First thing in `main`, before a secret is read: children inherit the limit, and executing a
/// program makes it dumpable again.
///
/// Both, because a core that is piped to a program passes the limit by (core(5)), and because a
/// limit alone lets a debugger in. Memory is not locked: that needs a privilege or a raised limit,
/// and wasm memories would count towards it. Where swap is not encrypted, turn it off.
///
/// # Errors
/// The system refused one; nothing sensitive should be read then.
pub fn harden() -> Result<(), HygieneError> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(HygieneError::CoreLimit)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(HygieneError::Dumpable)
}
