use std::sync::Arc;

use futures::FutureExt as _;
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::{KvQuota, MemoryStore, PluginKv, Store};

/// What plugins keep for these tenants, and for no others, until the test ends.
#[must_use]
pub fn values(tenants: &[&str]) -> Arc<PluginKv> {
    let store = Arc::new(MemoryStore::default());
    let by = Operator::of_this_process();
    for tenant in tenants {
        let tenant = TenantId::parse(tenant).unwrap();
        make(&store, &TenantSpace::of_operator(tenant, &by));
    }
    Arc::new(PluginKv::new(store, KvQuota::default()))
}

/// Makes a tenant's space where there is none.
pub(crate) fn make(store: &MemoryStore, space: &TenantSpace) {
    let made = store.create(space).now_or_never();
    made.expect("a store in memory never waits").unwrap();
}
