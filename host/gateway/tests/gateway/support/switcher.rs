use std::sync::Arc;

use toolhost_audit::LogSink;
use toolhost_gateway::{SwitchMode, TenantSwitcher};
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::{MemoryStore, StateSealer, Store as _};
use toolhost_tenancy::{
    AuthorityCredentials, AuthorityTokens, LocalAuthority, Reach, SessionDeps, SystemClock,
};

use super::directory;

/// A switcher over a store in memory, with the spaces of acme and globex.
pub fn switcher() -> Arc<TenantSwitcher> {
    let store = Arc::new(MemoryStore::default());
    for tenant in ["acme", "globex"] {
        let tenant = TenantId::parse(tenant).unwrap();
        let space = TenantSpace::of_operator(tenant, &Operator::of_this_process());
        futures::executor::block_on(store.create(&space)).unwrap();
    }
    let clock = Arc::new(SystemClock::default());
    let sessions = SessionDeps {
        store,
        directory: Arc::new(directory()),
        tokens: Arc::new(AuthorityTokens::new(clock.clone())),
        reach: Reach::Tree,
        clock,
        max_age: None,
    };
    let credentials = Arc::new(AuthorityCredentials::new(
        Arc::new(LocalAuthority),
        &sessions,
    ));
    let states = Arc::new(StateSealer::of_process(Arc::new(MemoryStore::default())).unwrap());
    let switcher = TenantSwitcher::new(
        sessions,
        credentials,
        SwitchMode::Free,
        Arc::new(LogSink),
        states,
    );
    Arc::new(switcher)
}
