//! Switching and resetting: N9, N10, N12 to N14, N17, N18, N21.

use crate::support;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use serde_json::json;
use support::town::{FakePost, Town, answer, by, id, tenant_of};
use toolhost_audit::LogSink;
use toolhost_identity::Binding;
use toolhost_policy::ErrorCode;
use toolhost_tenancy::{
    Authority, ChoiceError, LocalAuthority, Preparation, PreparationError, Reach, SessionId,
    Switch, SwitchError, SwitchTarget, VerifiedCaller,
};
use toolhost_vault::CredentialError;

async fn at(town: &Town, session: &SessionId, who: &VerifiedCaller) -> (String, u64) {
    let binding = town
        .sessions
        .binding(session, &who.principal)
        .await
        .unwrap();
    (tenant_of(&binding).to_owned(), binding.generation())
}

#[tokio::test]
async fn n18_a_switch_says_where_the_session_is_now_was_before_and_can_go_back_to() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let switched = town
        .switch()
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    assert_eq!(switched.active, id("acme-eu"));
    assert_eq!(switched.previous, Some(id("acme")));
    assert_eq!(switched.home, Some(id("acme")));
    assert_eq!(switched.generation, 1);
    assert_eq!(at(&town, &session, &owner).await, ("acme-eu".into(), 1));
}

#[tokio::test]
async fn n13_a_reset_goes_home_by_the_same_way() {
    let town = Town::new(Reach::Tree).await;
    let admin = town.who("adam", "ADMIN", Some("acme-eu")).await;
    let session = town.sessions.create(&admin.principal).await.unwrap();
    let switched = town
        .switch()
        .session(&session, &admin, SwitchTarget::Home)
        .await
        .unwrap();
    assert_eq!(
        (switched.active, switched.generation),
        (id("acme-eu"), 1),
        "anybody may go home (N15)"
    );
    town.directory.suspend(&id("acme-eu"), &by()).await.unwrap();
    let error = town
        .switch()
        .session(&session, &admin, SwitchTarget::Home)
        .await
        .unwrap_err();
    assert_eq!(error.public().code, ErrorCode::TenantUnavailable);
}

#[tokio::test]
async fn n14_a_reset_without_a_home_is_an_error_and_keeps_the_active_tenant() {
    let town = Town::new(Reach::Tree).await;
    let root = town.who("root", "SUPERADMIN", None).await;
    let session = town.sessions.create(&root.principal).await.unwrap();
    let switch = town.switch();
    assert_eq!(
        switch
            .session(&session, &root, SwitchTarget::Home)
            .await
            .unwrap_err(),
        SwitchError::HomeUnavailable
    );
    switch
        .session(&session, &root, SwitchTarget::Tenant("globex"))
        .await
        .unwrap();
    let error = switch
        .session(&session, &root, SwitchTarget::Home)
        .await
        .unwrap_err();
    assert_eq!(error.public().code, ErrorCode::HomeTenantUnavailable);
    assert_eq!(at(&town, &session, &root).await, ("globex".into(), 1));
    let error = switch
        .context(None, &root, SwitchTarget::Home)
        .await
        .unwrap_err();
    assert_eq!(error, SwitchError::HomeUnavailable);
}

#[tokio::test]
async fn n21_unknown_forbidden_suspended_and_malformed_tenants_are_one_error() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    town.directory.suspend(&id("acme-us"), &by()).await.unwrap();
    let post = FakePost::new(|_| answer(403, &json!({"error": "no"})));
    let endpoint = town.switch_by(town.endpoint(post));
    let mut seen = Vec::new();
    for name in [
        "globex", "nowhere", "acme-us", "", "ACME-EU", "acme-eu ", "../acme", "default", "acme\0",
    ] {
        for switch in [&town.switch(), &endpoint] {
            let error = switch
                .session(&session, &owner, SwitchTarget::Tenant(name))
                .await
                .unwrap_err();
            seen.push(error.public());
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].code, ErrorCode::TenantUnavailable);
    assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
}

#[derive(Debug)]
struct Fails(usize, AtomicUsize);

#[async_trait]
impl Preparation for Fails {
    async fn prepare(&self, _binding: &Binding) -> Result<(), PreparationError> {
        // Several things are made ready, and one of them fails.
        for n in 0..3 {
            tokio::task::yield_now().await;
            self.1.fetch_add(1, Ordering::SeqCst);
            if n == self.0 {
                return Err(PreparationError("the credential of mail is missing".into()));
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn n9_when_the_last_of_many_is_missing_nothing_has_changed() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "acme-eu");
    let endpoint = town.endpoint(FakePost::new(move |_| answer(200, &granted)));
    let writes = town.store.writes.load(Ordering::SeqCst);
    for n in 0..3 {
        let fails = Arc::new(Fails(n, AtomicUsize::new(0)));
        let switch = Switch::new(
            town.sessions.clone(),
            town.contexts.clone(),
            town.credentials(endpoint.clone()),
            Arc::new(LogSink),
        );
        let switch = switch.with_preparation(fails);
        let error = switch
            .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
            .await
            .unwrap_err();
        assert_eq!(error.public().code, ErrorCode::NotConnected);
        assert!(!error.public().message.contains("mail"));
        assert!(
            switch
                .context(None, &owner, SwitchTarget::Tenant("acme-eu"))
                .await
                .is_err()
        );
    }
    assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
    assert_eq!(town.store.writes.load(Ordering::SeqCst), writes);
    assert!(town.deps.tokens.is_empty());
}

/// Answers when it is told to.
#[derive(Debug, Default)]
struct Slow(tokio::sync::Notify);

#[async_trait]
impl Preparation for Slow {
    async fn prepare(&self, _binding: &Binding) -> Result<(), PreparationError> {
        self.0.notified().await;
        Ok(())
    }
}

#[tokio::test]
async fn n9_a_slow_old_switch_does_not_overwrite_a_new_one() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let slow = Arc::new(Slow::default());
    let (sessions, contexts) = (town.sessions.clone(), town.contexts.clone());
    let old = Switch::new(
        sessions,
        contexts,
        town.credentials(Arc::new(LocalAuthority)),
        Arc::new(LogSink),
    );
    let old = old.with_preparation(slow.clone());
    let mut waiting = pin!(old.session(&session, &owner, SwitchTarget::Tenant("acme-eu")));
    for _ in 0..20 {
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    town.switch()
        .session(&session, &owner, SwitchTarget::Tenant("acme-us"))
        .await
        .unwrap();
    slow.0.notify_one();
    assert_eq!(waiting.await, Err(SwitchError::Choice(ChoiceError::Fenced)));
    assert_eq!(at(&town, &session, &owner).await, ("acme-us".into(), 1));
}

#[tokio::test]
async fn n9_of_switches_at_once_each_generation_is_made_once() {
    let town = Arc::new(Town::new(Reach::Tree).await);
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let switching = (0..16).map(|n| {
        let (town, owner, session) = (town.clone(), owner.clone(), session.clone());
        let to = ["acme-eu", "acme-us", "acme"][n % 3];
        tokio::spawn(async move {
            town.switch()
                .session(&session, &owner, SwitchTarget::Tenant(to))
                .await
        })
    });
    let mut made = Vec::new();
    for task in switching.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(switched) => made.push(switched),
            Err(error) => assert_eq!(error, SwitchError::Choice(ChoiceError::Fenced)),
        }
    }
    made.sort_by_key(|switched| switched.generation);
    for (n, switched) in made.iter().enumerate() {
        assert_eq!(switched.generation, n as u64 + 1);
    }
    let last = made.last().unwrap();
    assert_eq!(
        at(&town, &session, &owner).await,
        (last.active.to_string(), last.generation)
    );
}

#[tokio::test]
async fn n17_a_switch_that_is_dropped_at_any_await_is_made_or_not_made_and_never_half() {
    let (mut kept, mut made) = (0, 0);
    for steps in 0..60 {
        let town = Town::new(Reach::Authority).await;
        let owner = town.owner().await;
        let session = town.sessions.create(&owner.principal).await.unwrap();
        let granted = town.granting(|_| (), "olga", "acme-eu");
        let post = FakePost::pausing(3, move |_| answer(200, &granted));
        let switch = town.switch_by(town.endpoint(post));
        // The authority's keys are there.
        switch
            .context(None, &owner, SwitchTarget::Tenant("acme-eu"))
            .await
            .unwrap();
        {
            let mut switching =
                Box::pin(switch.session(&session, &owner, SwitchTarget::Tenant("acme-eu")));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..steps {
                let polled: Poll<_> = switching.as_mut().poll(&mut context);
                if polled.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // What was handed to the store goes on without its caller.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let (restarted, _) = town.neighbour(None);
        let binding = town
            .sessions
            .binding(&session, &owner.principal)
            .await
            .unwrap();
        let stored = restarted.binding(&session, &owner.principal).await.unwrap();
        assert_eq!(
            (binding.tenant(), binding.generation()),
            (stored.tenant(), stored.generation()),
            "memory and store agree after {steps} steps"
        );
        let credential = town.deps.tokens.credential(&binding);
        match (tenant_of(&binding), binding.generation()) {
            ("acme", 0) => {
                kept += 1;
                assert_eq!(credential.unwrap_err(), CredentialError::NotConnected);
                assert_eq!(town.deps.tokens.len(), 1, "only the context's: {steps}");
            }
            ("acme-eu", 1) => {
                made += 1;
                assert!(credential.is_ok(), "{steps}");
            }
            other => panic!("{other:?} after {steps} steps"),
        }
    }
    assert!(
        kept > 3 && made > 20,
        "both ends were met: {kept} and {made}"
    );
}

#[tokio::test]
async fn n10_a_reading_that_began_before_a_switch_does_not_outlive_it() {
    for steps in 0..8 {
        let town = Town::new(Reach::Tree).await;
        let owner = town.owner().await;
        let session = town.sessions.create(&owner.principal).await.unwrap();
        let (fresh, contexts) = town.neighbour(None);
        let switch = Switch::new(
            fresh.clone(),
            contexts,
            town.credentials(Arc::new(LocalAuthority)),
            Arc::new(LogSink),
        );
        let mut reading = Box::pin(fresh.binding(&session, &owner.principal));
        let mut read = false;
        for _ in 0..steps {
            read = read || futures::poll!(reading.as_mut()).is_ready();
            tokio::task::yield_now().await;
        }
        switch
            .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
            .await
            .unwrap();
        if !read {
            reading.await.unwrap();
        }
        let binding = fresh.binding(&session, &owner.principal).await.unwrap();
        assert_eq!(
            (tenant_of(&binding), binding.generation()),
            ("acme-eu", 1),
            "{steps}"
        );
    }
}

/// While it is made ready, the tenant is suspended.
#[derive(Debug)]
struct Revokes(Arc<toolhost_tenancy::StoredDirectory>);

#[async_trait]
impl Preparation for Revokes {
    async fn prepare(&self, binding: &Binding) -> Result<(), PreparationError> {
        self.0.suspend(binding.tenant(), &by()).await.unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn a_tenant_that_is_revoked_while_it_is_made_ready_is_not_switched_to() {
    for reach in [Reach::Tree, Reach::Authority] {
        let town = Town::new(reach).await;
        let owner = town.owner().await;
        let session = town.sessions.create(&owner.principal).await.unwrap();
        let granted = town.granting(|_| (), "olga", "acme-eu");
        let authority: Arc<dyn Authority> = match reach {
            Reach::Tree => Arc::new(LocalAuthority),
            Reach::Authority => town.endpoint(FakePost::new(move |_| answer(200, &granted))),
        };
        let revokes = Arc::new(Revokes(town.directory.clone()));
        let switch = Switch::new(
            town.sessions.clone(),
            town.contexts.clone(),
            town.credentials(authority),
            Arc::new(LogSink),
        );
        let switch = switch.with_preparation(revokes);
        assert_eq!(
            switch
                .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
                .await,
            Err(SwitchError::TenantUnavailable)
        );
        assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
        assert!(town.deps.tokens.is_empty());
    }
}
