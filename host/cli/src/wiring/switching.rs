use std::sync::Arc;

use toolhost_gateway::{SwitchMode, Switching};
use toolhost_store::Store;
use toolhost_tenancy::{
    AuthorityTokens, LocalAuthority, NoPreparation, Reach, Rooms, SystemClock, TenantDirectory,
};

/// Switching by the host's own tree, with choices kept in its store.
pub(crate) fn switching(
    store: Arc<dyn Store>,
    directory: Arc<dyn TenantDirectory>,
    mode: SwitchMode,
) -> Arc<Switching> {
    let clock = Arc::new(SystemClock::default());
    let rooms = Rooms {
        store,
        directory,
        tokens: Arc::new(AuthorityTokens::new(Arc::clone(&clock) as _)),
        reach: Reach::Tree,
        clock,
        // This process has the store alone.
        max_age: None,
    };
    Arc::new(Switching::new(
        rooms,
        Arc::new(LocalAuthority),
        Arc::new(NoPreparation),
        mode,
    ))
}
