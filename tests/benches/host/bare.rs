//! The least that a safe call can cost: wasmtime with the settings of the host, a fresh instance,
//! and nothing else.

use std::time::Duration;

use toolhost_sandbox::contract::{Failure, Invocation, Outcome};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    StoreLimits, StoreLimitsBuilder, UpdateDeadline, WasmFeatures,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

const TOOLS: &str = "toolhost:plugin/tools@0.1.0";
const TYPES: &str = "toolhost:plugin/types@0.1.0";

pub struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    limits: StoreLimits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A component, ready to be instantiated.
pub struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
    invoke: ComponentExportIndex,
}

impl Bare {
    /// Compiles a component that imports no more than WASI.
    pub fn new(component: &[u8], slots: u32) -> Self {
        let engine = Engine::new(&config(slots)).unwrap();
        let component = Component::from_binary(&engine, component).unwrap();
        Self::from_component(engine, &component)
    }

    pub fn from_component(engine: Engine, component: &Component) -> Self {
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        // It has types alone.
        linker.instance(TYPES).unwrap();
        let pre = linker.instantiate_pre(component).unwrap();
        let tools = component.get_export_index(None, TOOLS).unwrap();
        let invoke = component.get_export_index(Some(&tools), "invoke").unwrap();
        component.initialize_copy_on_write_image().unwrap();
        let weak = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self {
            engine,
            pre,
            invoke,
        }
    }

    /// One call in a fresh store.
    pub async fn call(&self, invocation: &Invocation) -> Result<Outcome, Failure> {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            limits: StoreLimitsBuilder::new()
                .memory_size(64 << 20)
                .table_elements(100_000)
                .instances(32)
                .tables(64)
                .memories(8)
                .build(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let invoke = instance
            .get_typed_func::<(&Invocation,), (Result<Outcome, Failure>,)>(&mut store, &self.invoke)
            .unwrap();
        let (answer,) = invoke.call_async(&mut store, (invocation,)).await.unwrap();
        answer
    }
}

/// As the sandbox has it.
pub fn config(slots: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * 8)
        .total_memories(slots * 2)
        .total_tables(slots * 4)
        .total_stacks(slots)
        .max_memory_size(64 << 20)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_core_instances_per_component(32)
        .max_memories_per_component(4)
        .max_tables_per_component(8)
        .table_elements(100_000)
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(128 << 10)
        .async_stack_keep_resident(16 << 10)
        .table_keep_resident(16 << 10)
        .decommit_batch_size(1)
        .pagemap_scan(Enabled::No);
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_features(
            WasmFeatures::THREADS
                | WasmFeatures::SHARED_EVERYTHING_THREADS
                | WasmFeatures::GC
                | WasmFeatures::FUNCTION_REFERENCES
                | WasmFeatures::EXCEPTIONS
                | WasmFeatures::MEMORY64
                | WasmFeatures::STACK_SWITCHING
                | WasmFeatures::CM_ASYNC,
            false,
        )
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .async_stack_zeroing(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
