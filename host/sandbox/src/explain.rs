use toolhost_policy::{Limit, Limits};
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap};

use crate::SandboxError;
use crate::limiter::LimitHit;
use crate::state::HostState;

/// What a caller hears of wasmtime's error. A limit that was hit explains a trap better than the trap.
pub(crate) fn explain(
    error: &wasmtime::Error,
    store: &Store<HostState>,
    limits: &Limits,
    call: u64,
) -> SandboxError {
    let limit = |limit: Limit| SandboxError::Limit {
        limit,
        value: limits.get(limit),
    };
    if let Some(LimitHit(which)) = error.downcast_ref::<LimitHit>() {
        return limit(*which);
    }
    if let Some(which) = store.data().limiter.hit() {
        return limit(which);
    }
    tracing::debug!(call, error = %format_args!("{error:#}"), "a guest trapped");
    let text = format!("{error:#}");
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return limit(Limit::handles);
    }
    // wasmtime gives these no type of their own.
    if text.contains("store handle limit exceeded") {
        return limit(Limit::handles);
    }
    if text.contains("fuel allocated for hostcalls") {
        return limit(Limit::hostcall_bytes);
    }
    if text.contains("maximum concurrent") && text.contains("limit") {
        return SandboxError::Busy;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => SandboxError::Trap("its call stack is exhausted".into()),
        Some(trap) => SandboxError::Trap(trap.to_string()),
        None => SandboxError::Trap("it broke the contract of a call".into()),
    }
}
