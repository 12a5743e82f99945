use std::sync::Arc;

use toolhost_audit::LogSink;
use toolhost_gateway::{Gateway, SwitchMode, TenantSwitcher};
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::{MemoryStore, StateSealer, Store as _};
use toolhost_tenancy::{
    AuthorityCredentials, AuthorityTokens, LocalAuthority, NoPreparation, Reach, SessionDeps, SystemClock,
};

use super::{Fake, Host, config, directory, tenancy};

/// A host whose sessions are kept in a store.
pub async fn kept_host() -> Host {
    let store = Arc::new(MemoryStore::default());
    for tenant in ["acme", "globex"] {
        let tenant = TenantId::parse(tenant).unwrap();
        let space = TenantSpace::of_operator(tenant, &Operator::of_this_process());
        store.create(&space).await.unwrap();
    }
    let clock = Arc::new(SystemClock::default());
    let rooms = SessionDeps {
        store,
        directory: Arc::new(directory()),
        tokens: Arc::new(AuthorityTokens::new(clock.clone())),
        reach: Reach::Tree,
        clock,
        max_age: None,
    };
    let credentials = Arc::new(AuthorityCredentials::new(Arc::new(LocalAuthority), &rooms));
    let states = Arc::new(StateSealer::of_process(Arc::new(MemoryStore::default())).unwrap());
    let (preparation, audit) = (Arc::new(NoPreparation), Arc::new(LogSink));
    let switching = TenantSwitcher::new(rooms, credentials, preparation, SwitchMode::Free, audit, states);
    let calls = Arc::new(Fake::default());
    let gateway = Gateway::with_switcher(calls.clone(), tenancy(), Arc::new(switching), config());
    Host {
        router: gateway.router(),
        gateway,
        calls,
    }
}
