use wasmtime::Config;

use crate::features;

/// Stack of a guest. Guests in Rust, C and Go stay far below; an engine inside a guest brings its
/// own.
pub(crate) const WASM_STACK: usize = 512 << 10;
/// Stack of a guest and of the host functions it calls; the difference is the host's, whose
/// overflow would abort the process.
pub(crate) const ASYNC_STACK: usize = 1 << 20;

/// Everything that an artefact depends on. The compiler process and the host share it.
pub(crate) fn compile_config() -> Config {
    let mut config = Config::new();
    config
        // Off: we offer WASI 0.2, and each store is cheaper without the tasks of 0.3.
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_features(features::left_off(), false)
        // The same results on every processor.
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // A stack that another tenant's call has used holds nothing of it (GHSA-6wgr-89rj-399p was
        // of that class).
        .async_stack_zeroing(true);
    config
}
