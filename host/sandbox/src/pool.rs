//! The pool of slots: each has all that a call of an admitted component may need.
//!
//! wasmtime counts core instances, memories, tables and stacks of a pool apart. Were there fewer of
//! one than the slots may need together, a tenant whose plugins need many of it could use it up,
//! and another would be refused while slots are free. So a slot is sized by the largest component
//! that loads, and a larger one is refused when it is loaded. What that costs is address space: an
//! unused memory, table or stack of the pool has no page, and a core instance is only a count (what
//! one component's instances take together is bounded by [`INSTANCE_BYTES`]).

use toolhost_policy::{Limit, Limits};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::SandboxError;
use crate::engine_config::compile_config;

/// Linear memories of one component, all its parts together; a component of one language has one,
/// and each reserves 4 GiB of address space for every slot.
pub(crate) const MEMORIES: u32 = 4;

/// Tables of one component, all its parts together; a Python guest of 39 core instances has six.
pub(crate) const TABLES: u32 = 8;

/// What the core instances of one component take in the host, without memories and tables: 1 MiB,
/// wasmtime's own default.
const INSTANCE_BYTES: usize = 1 << 20;

/// The beginning of a guest's memory that is cleared by hand when its call ends; what lies behind
/// it is given back to the system. A page that is given back costs a fault at the next call, and on
/// a machine of several cores an interrupt of those that run this process: together more than
/// clearing it. A guest with a stack of 64 KiB has its stack, its data and a small heap in this
/// much; behind the stack of 1 MiB that Rust gives by default nothing is reached, and a larger
/// share would only clear that stack at every call.
const MEMORY_KEPT: usize = 128 << 10;

/// The part of a stack, in bytes, that stays resident and is cleared by hand. With this much a
/// small call faults in no page of it; a larger share saves nothing more.
const STACK_KEPT: usize = 16 << 10;

/// A configuration with a pool of `slots`, each for one call within `limits`.
pub(crate) fn config(slots: u32, limits: &Limits) -> Config {
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let instances = u32::try_from(limits.instances).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(instances))
        .total_memories(slots.saturating_mul(MEMORIES))
        .total_tables(slots.saturating_mul(TABLES))
        .total_stacks(slots)
        .max_memory_size(size(limits.memory_bytes))
        .max_component_instance_size(INSTANCE_BYTES)
        .max_core_instance_size(INSTANCE_BYTES)
        .max_core_instances_per_component(instances)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .table_elements(size(limits.table_elements))
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(MEMORY_KEPT)
        .async_stack_keep_resident(STACK_KEPT)
        .table_keep_resident(16 << 10)
        .decommit_batch_size(1)
        // On wasmtime 48 a page that was swapped out is not reset (fixed in 50).
        .pagemap_scan(Enabled::No);
    let mut config = compile_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Why no slot fits a component, from wasmtime's refusal to load it; `None` where it was refused
/// for something else.
///
/// wasmtime has no type for these refusals. The test of this module pins their texts; one that it
/// does not know stays as it is.
pub(crate) fn too_large(refusal: &str, limits: &Limits) -> Option<SandboxError> {
    let of_limit = |limit: Limit| (limits.get(limit), format!("[limits] {}", limit.key()));
    let fixed = |most: u64| {
        (
            most,
            "any component; build it of fewer or smaller parts".to_owned(),
        )
    };
    let instances = || of_limit(Limit::instances);
    let memories = || fixed(MEMORIES.into());
    let tables = || fixed(TABLES.into());
    let bytes = || fixed(INSTANCE_BYTES as u64);
    type Bound<'a> = &'a dyn Fn() -> (u64, String);
    let refusals: [(&str, &str, &str, Bound<'_>); 9] = [
        (
            "contains ",
            " core module instances",
            "core instances",
            &instances,
        ),
        ("contains ", " Wasm linear memories", "memories", &memories),
        ("memories count of ", " ", "memories", &memories),
        ("contains ", " tables", "tables", &tables),
        ("tables count of ", " ", "tables", &tables),
        ("minimum byte size of ", " ", "bytes of memory", &|| {
            of_limit(Limit::memory_bytes)
        }),
        ("minimum element size of ", " ", "table elements", &|| {
            of_limit(Limit::table_elements)
        }),
        (
            "this component requires ",
            " bytes",
            "bytes for its instances",
            &bytes,
        ),
        (
            "this module requires ",
            " bytes",
            "bytes for its instances",
            &bytes,
        ),
    ];
    refusals.iter().find_map(|(before, after, unit, bound)| {
        let (_, rest) = refusal.split_once(before)?;
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (needed, rest) = rest.split_at_checked(digits)?;
        if needed.is_empty() || !rest.starts_with(after) {
            return None;
        }
        let (most, of) = bound();
        Some(SandboxError::NotAdmitted(format!(
            "each call of the component needs {needed} {unit}, more than the {most} of {of}"
        )))
    })
}

#[cfg(test)]
mod tests {
    use toolhost_policy::Limits;
    use wasmtime::Engine;
    use wasmtime::component::Component;

    use super::{MEMORIES, config, too_large};

    fn refusal(parts: &str) -> String {
        let limits = Limits {
            instances: 3,
            ..Limits::default()
        };
        let engine = Engine::new(&config(1, &limits)).unwrap();
        let component = Component::new(
            &engine,
            wat::parse_str(format!("(component {parts})")).unwrap(),
        );
        let refusal = format!("{:#}", component.err().unwrap());
        too_large(&refusal, &limits).expect(&refusal).to_string()
    }

    #[test]
    fn what_a_component_needs_and_no_slot_has_is_named_with_its_key() {
        let instance = |module: &str, count: usize| {
            let module = format!("(core module $m {module})");
            module + &"(core instance (instantiate $m))".repeat(count)
        };
        for (parts, says) in [
            (
                instance("", 4),
                "needs 4 core instances, more than the 3 of [limits] instances",
            ),
            (
                instance("(memory 1) (memory 1)", 3),
                "needs 6 memories, more than the 4",
            ),
            (
                instance(&"(memory 1)".repeat(5), 1),
                "needs 5 memories, more than the 4",
            ),
            (
                instance(&"(table 1 funcref)".repeat(3), 3),
                "needs 9 tables, more than the 8",
            ),
            (
                instance(&"(table 1 funcref)".repeat(9), 1),
                "needs 9 tables, more than the 8",
            ),
            (
                instance("(memory 1025)", 1),
                "needs 67174400 bytes of memory, more than the 67108864 of [limits] memory_bytes",
            ),
            (
                instance("(table 100001 funcref)", 1),
                "needs 100001 table elements, more than the 100000 of [limits] table_elements",
            ),
            (
                instance(&"(global (mut i64) (i64.const 0))".repeat(70_000), 1),
                "bytes for its instances, more than the 1048576",
            ),
            (
                instance(&"(global (mut i64) (i64.const 0))".repeat(30_000), 3),
                "bytes for its instances, more than the 1048576",
            ),
        ] {
            let said = refusal(&parts);
            assert!(said.contains(says), "{said}");
        }
    }

    /// However few slots there are, a slot has everything that a component may need.
    #[test]
    fn one_slot_holds_the_largest_component_that_loads() {
        let limits = Limits::default();
        let engine = Engine::new(&config(1, &limits)).unwrap();
        let mut parts = format!(
            "(core module $m {}) (core instance (instantiate $m))",
            "(memory 1)".repeat(MEMORIES as usize)
        );
        parts += &format!(
            "(core module $t {}) (core instance (instantiate $t))",
            "(table 1 funcref)".repeat(8)
        );
        parts += "(core module $e)";
        parts += &"(core instance (instantiate $e))".repeat(limits.instances as usize - 2);
        let component = Component::new(
            &engine,
            wat::parse_str(format!("(component {parts})")).unwrap(),
        )
        .unwrap();
        let linker = wasmtime::component::Linker::<()>::new(&engine);
        for _ in 0..3 {
            let mut store = wasmtime::Store::new(&engine, ());
            store.set_epoch_deadline(1);
            linker.instantiate(&mut store, &component).unwrap();
        }
    }
}
