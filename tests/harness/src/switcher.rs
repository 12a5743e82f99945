use std::sync::Arc;

use toolhost_audit::LogSink;
use toolhost_gateway::{SwitchMode, TenantSwitcher};
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::{MemoryStore, StateSealer, Store as _};
use toolhost_tenancy::{
    AuthorityCredentials, AuthorityTokens, LocalAuthority, Reach, SessionDeps, SystemClock,
    TenantDirectory,
};

/// A switcher of tenants over a store in memory, which has a space for each of `tenants`.
pub async fn switcher(
    directory: Arc<dyn TenantDirectory>,
    tenants: &[&str],
) -> Arc<TenantSwitcher> {
    let store = Arc::new(MemoryStore::default());
    for tenant in tenants {
        let tenant = TenantId::parse(tenant).unwrap();
        let space = TenantSpace::of_operator(tenant, &Operator::of_this_process());
        store.create(&space).await.unwrap();
    }
    let clock = Arc::new(SystemClock::default());
    let sessions = SessionDeps {
        store,
        directory,
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
