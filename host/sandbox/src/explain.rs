use std::sync::PoisonError;

use toolhost_policy::{Limit, Limits};
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;

use crate::SandboxError;
use crate::limiter::LimitHit;
use crate::log_lines::clean;
use crate::state::HostState;

/// Bytes of wasmtime's own word for a broken contract: an index, a type, a length.
const MAX_WHY: usize = 200;

/// What a caller hears of wasmtime's error. A limit that was hit explains a trap better than the
/// trap.
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
    if text.contains("instance count too high") {
        return limit(Limit::instances);
    }
    if let Some(short) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        // A call that holds a slot has all it needs, so this is a fault of the host.
        tracing::error!(call, error = %short, "the pool is smaller than its slots");
        return SandboxError::Internal;
    }
    // What the guest wrote last is its author's own message: a panic's text, an exception and where
    // it came from. While a plugin describes itself there is only an operator, who reads the log.
    let mut log = store
        .data()
        .log
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let last = log
        .last_lines()
        .filter(|_| store.data().scope.is_some())
        .map_or_else(String::new, |last| format!("; it wrote: {last}"));
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return SandboxError::Exit(*status, last);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => SandboxError::Trap("its call stack is exhausted".into()),
        Some(trap) => SandboxError::Trap(format!("{trap}{last}")),
        None => {
            let why = clean(&error.root_cause().to_string(), MAX_WHY);
            SandboxError::Trap(format!("it broke the contract of a call: {why}{last}"))
        }
    }
}
