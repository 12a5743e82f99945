//! A switch that the record does not know is not made.

use crate::support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use support::town::{FakePost, Town, answer};
use toolhost_audit::{Event, Sink, SinkError};
use toolhost_tenancy::{Reach, Switch, SwitchError, SwitchTarget};

#[derive(Debug, Default)]
struct Recorder {
    broken: AtomicBool,
    outcomes: Mutex<Vec<String>>,
}

impl Sink for Recorder {
    fn record_now(&self, event: &Event) -> Result<(), SinkError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(SinkError::Unwritable("told to fail".into()));
        }
        let Event::TenantSwitched(switched) = event else {
            panic!("another event: {event:?}");
        };
        self.outcomes.lock().unwrap().push(switched.outcome.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_switch_that_cannot_be_recorded_is_not_made_and_its_bearer_stays_here() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "acme-eu");
    let post = FakePost::new(move |_| answer(200, &granted));
    let audit = Arc::new(Recorder::default());
    let switch = Switch::new(
        town.sessions.clone(),
        town.contexts.clone(),
        town.credentials(town.endpoint(post.clone())),
        audit.clone(),
    );
    audit.broken.store(true, Ordering::SeqCst);
    let error = switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await;
    assert!(
        matches!(error, Err(SwitchError::Unrecorded(_))),
        "{error:?}"
    );
    let error = switch
        .context(None, &owner, SwitchTarget::Tenant("acme-eu"))
        .await;
    assert!(
        matches!(error, Err(SwitchError::Unrecorded(_))),
        "{error:?}"
    );
    assert_eq!(post.count(), 0);
    assert!(town.deps.tokens.is_empty());
    let view = town
        .sessions
        .show(&session, &owner.principal)
        .await
        .unwrap();
    assert_eq!(view.generation, 0);

    audit.broken.store(false, Ordering::SeqCst);
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    let refused = switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-us"))
        .await;
    assert!(refused.is_err());
    let outcomes = audit.outcomes.lock().unwrap();
    assert_eq!(*outcomes, ["asked", "done", "asked", "tenant_unavailable"]);
}
