use toolhost_policy::{ErrorCode, Limit, PublicError};

/// Why a component was not admitted, or a call did not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The file is no WebAssembly, or not of a kind this host runs.
    #[error("{0}")]
    NotAdmitted(String),
    /// The file is native code that some engine compiled. Loading it would be running it outside
    /// the sandbox.
    #[error(
        "the file is a precompiled artefact, which this host never loads; give it the component (.wasm) instead"
    )]
    Precompiled,
    /// The component does not compile, or not within the compiler's limits.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// The directory of compiled artefacts cannot be used.
    #[error("the artefact cache cannot be used: {0}; name another directory with --cache-dir")]
    Cache(String),
    /// The engine cannot be set up on this machine.
    #[error("the engine cannot be set up: {0}")]
    Engine(String),
    /// Every slot is taken.
    #[error("every slot is taken; try again, or raise [server] slots")]
    Busy,
    /// The tenant holds its share of the slots, and others need theirs.
    #[error(
        "the tenant's calls hold its share of the slots; try again when one of them has ended, or raise [server] slots"
    )]
    Share,
    /// A limit of the call.
    #[error("the call reached its limit of {value} {unit} ([limits] {limit})", unit = limit.unit())]
    Limit {
        /// Which one.
        limit: Limit,
        /// Its value.
        value: u64,
    },
    /// The wall clock of the call.
    #[error("the call took longer than its {0} milliseconds ([limits] wall_ms)")]
    Timeout(u64),
    /// The guest trapped. After the reason stands what it wrote last.
    #[error("the plugin trapped: {0}")]
    Trap(String),
    /// The guest ended itself before it answered: its status, and what it wrote last.
    #[error("the plugin ended itself with exit status {0} before it answered{1}")]
    Exit(i32, String),
    /// An adapter did not come to an end over what a system says of itself.
    #[error("the system cannot be looked at: {0}")]
    Discovery(String),
    /// The host failed; the log has the reason.
    #[error("the call failed inside the host")]
    Internal,
}

impl From<&SandboxError> for PublicError {
    fn from(error: &SandboxError) -> Self {
        let code = match error {
            SandboxError::Busy | SandboxError::Share => ErrorCode::Busy,
            SandboxError::Limit { .. } => ErrorCode::LimitExceeded,
            SandboxError::Timeout(_) => ErrorCode::Timeout,
            SandboxError::Internal | SandboxError::Engine(_) | SandboxError::Cache(_) => {
                ErrorCode::Internal
            }
            SandboxError::NotAdmitted(_)
            | SandboxError::Precompiled
            | SandboxError::Compile(_)
            | SandboxError::Discovery(_)
            | SandboxError::Exit(..)
            | SandboxError::Trap(_) => ErrorCode::PluginFailed,
        };
        let public = Self::new(code, error.to_string());
        match error {
            SandboxError::Limit { limit, .. } => public.about(limit.key()),
            SandboxError::Timeout(_) => public.about(Limit::wall_ms.key()),
            SandboxError::Busy | SandboxError::Share => public.about("server.slots"),
            _ => public,
        }
    }
}
