use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, SemaphorePermit};
use toolhost_policy::Limits;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::engine_config::compile_config;
use crate::state::HostState;
use crate::{SandboxError, cpu, imports};

/// The largest document that an adapter is given (`wit/adapter.wit`); the largest public ones have
/// some 20 MiB.
pub const MAX_DOCUMENT: u64 = 64 << 20;

/// Memory of a discovery: the tree of a large document, and the tools made of it.
const MEMORY: u64 = 1 << 30;

/// CPU of a discovery, in milliseconds.
const CPU_MS: u64 = 30_000;

/// Wall clock of a discovery, in milliseconds: its CPU on a loaded machine, or the answers of a
/// slow system.
const WALL_MS: u64 = 120_000;

/// What a discovery gives back, in bytes; GitHub's 1,222 tools have some tens of megabytes.
const RETURNED: u64 = 256 << 20;

/// Discoveries at once: each may use a gigabyte, and they are rare.
const AT_ONCE: usize = 1;

/// Where adapters look at documents: an engine beside that of the calls, whose slots are too small,
/// with memory on demand. It is made when it is first needed; a host whose tools are all known
/// never needs it.
pub(crate) struct DiscoveryEngine {
    made: OnceLock<Result<EngineParts, SandboxError>>,
    turn: Semaphore,
}

#[derive(Clone)]
pub(crate) struct EngineParts {
    pub(crate) engine: Engine,
    pub(crate) linker: Arc<Linker<HostState>>,
}

impl Default for DiscoveryEngine {
    fn default() -> Self {
        Self {
            made: OnceLock::new(),
            turn: Semaphore::new(AT_ONCE),
        }
    }
}

impl DiscoveryEngine {
    /// Waits for its turn.
    ///
    /// # Errors
    /// The engine cannot be set up.
    pub(crate) async fn acquire_engine(
        &self,
    ) -> Result<(EngineParts, SemaphorePermit<'_>), SandboxError> {
        let permit = self
            .turn
            .acquire()
            .await
            .map_err(|_| SandboxError::Internal)?;
        let made = self.made.get_or_init(make).clone()?;
        Ok((made, permit))
    }
}

fn make() -> Result<EngineParts, SandboxError> {
    let fail = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
    let engine = Engine::new(&compile_config()).map_err(fail)?;
    cpu::spawn_ticker(&engine).map_err(|error| SandboxError::Engine(error.to_string()))?;
    let linker = Arc::new(imports::linker(&engine).map_err(fail)?);
    Ok(EngineParts { engine, linker })
}

/// The bounds of a discovery: its own of memory, CPU, time and what it returns, and a call's of all
/// else.
pub(crate) fn limits(of_calls: &Limits) -> Limits {
    Limits {
        memory_bytes: MEMORY,
        cpu_ms: CPU_MS,
        wall_ms: WALL_MS,
        hostcall_bytes: RETURNED,
        ..of_calls.clone()
    }
}
