use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_net::Network;
use toolhost_policy::{AuthPlacement, Connection, ConnectionName, PrincipalRule};
use toolhost_vault::{Credential, CredentialError, CredentialProvider, CredentialRequest};

use super::{MAX_NOTE, MAX_STATE, UpstreamStateError};
use crate::testing::{FixedLookup, Recorder, binding, credential, grant_of};
use crate::{Egress, EgressCall};

/// Gives each tenant a credential of the version that it is told; 0: none.
#[derive(Debug)]
struct VersionedProvider(AtomicU64, AtomicU64);

#[async_trait::async_trait]
impl CredentialProvider for VersionedProvider {
    async fn fetch(&self, _: CredentialRequest<'_>) -> Result<Arc<Credential>, CredentialError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        match self.0.load(Ordering::SeqCst) {
            0 => Err(CredentialError::NotConnected),
            version => Ok(Arc::new(Credential {
                version,
                ..credential("a-secret-of-some-length")
            })),
        }
    }
}

struct UpstreamStateFixture {
    egress: Egress,
    provider: Arc<VersionedProvider>,
}

impl UpstreamStateFixture {
    fn new() -> Self {
        let provider = Arc::new(VersionedProvider(AtomicU64::new(1), AtomicU64::new(0)));
        let network = Arc::new(Network::new(Arc::new(FixedLookup::new(Vec::new()))).unwrap());
        let named: Arc<dyn CredentialProvider> = provider.clone();
        let providers = BTreeMap::from([("static".to_owned(), named)]);
        Self {
            egress: Egress::new(network, providers, Arc::new(Recorder::default())).unwrap(),
            provider,
        }
    }

    fn call(&self, binding: Binding, change: impl FnOnce(&mut Connection)) -> EgressCall {
        let grant = grant_of("support", "https://support.example.com/mcp", change);
        let deadline = Instant::now() + Duration::from_secs(30);
        let call = self.egress.call(binding, Arc::new(grant), 1, deadline);
        call.of_adapter(ConnectionName::parse("support").unwrap(), None)
    }

    async fn keep(&self, call: &EgressCall, value: &str) -> u64 {
        let set = self
            .egress
            .set_upstream_state(call, None, Some(value.into()));
        set.await.unwrap()
    }

    async fn kept(&self, call: &EgressCall) -> Option<String> {
        let state = self.egress.upstream_state(call).await.unwrap()?;
        Some(String::from_utf8(state.value).unwrap())
    }
}

/// A person at its tenant, after a switch away and back.
fn after_a_switch(tenant: &str) -> Binding {
    let tenant = TenantId::parse(tenant).unwrap();
    let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
    let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
    Binding::active(Arc::new(principal), &tenant, 2, &directory).unwrap()
}

#[tokio::test]
async fn what_one_caller_keeps_no_other_sees() {
    let room = UpstreamStateFixture::new();
    let acme = room.call(binding("acme"), |_| {});
    room.keep(&acme, "session-of-acme").await;
    assert_eq!(room.kept(&acme).await.as_deref(), Some("session-of-acme"));
    for other in [binding("globex"), after_a_switch("acme")] {
        assert_eq!(room.kept(&room.call(other, |_| {})).await, None);
    }
    // And what another keeps in the meantime changes nothing here.
    room.keep(&room.call(binding("globex"), |_| {}), "session-of-globex")
        .await;
    assert_eq!(room.kept(&acme).await.as_deref(), Some("session-of-acme"));
}

#[tokio::test]
async fn a_renewed_and_a_revoked_credential_end_it() {
    let room = UpstreamStateFixture::new();
    let call = room.call(binding("acme"), |_| {});
    let first = room.keep(&call, "a").await;
    room.provider.0.store(2, Ordering::SeqCst);
    assert_eq!(room.kept(&call).await, None);
    let stale = room
        .egress
        .set_upstream_state(&call, Some(first), Some(b"b".to_vec()));
    assert_eq!(stale.await, Err(UpstreamStateError::Conflict));
    room.keep(&call, "b").await;
    room.provider.0.store(0, Ordering::SeqCst);
    assert_eq!(
        room.egress.upstream_state(&call).await,
        Err(UpstreamStateError::NotConnected)
    );
    let none = room
        .egress
        .set_upstream_state(&call, None, Some(b"c".to_vec()));
    assert_eq!(none.await.unwrap_err().code(), "not-connected");
    room.provider.0.store(2, Ordering::SeqCst);
    assert_eq!(
        room.kept(&call).await,
        None,
        "the same credential again is a new access"
    );
}

#[tokio::test]
async fn what_leads_elsewhere_finds_nothing() {
    let room = UpstreamStateFixture::new();
    room.keep(&room.call(binding("acme"), |_| {}), "a").await;
    let moved = room.call(binding("acme"), |connection| {
        connection.base = url::Url::parse("https://evil.example.com/mcp").unwrap();
    });
    assert_eq!(room.kept(&moved).await, None);
}

#[tokio::test]
async fn a_connection_without_a_credential_has_its_state_all_the_same() {
    let room = UpstreamStateFixture::new();
    room.provider.0.store(0, Ordering::SeqCst);
    let call = room.call(binding("acme"), |connection| {
        connection.auth = AuthPlacement::None
    });
    room.keep(&call, "a").await;
    assert_eq!(room.kept(&call).await.as_deref(), Some("a"));
}

#[tokio::test]
async fn a_plugin_keeps_nothing_here_and_no_value_is_larger_than_the_contract_says() {
    let room = UpstreamStateFixture::new();
    let grant = grant_of("support", "https://support.example.com/mcp", |_| {});
    let deadline = Instant::now() + Duration::from_secs(30);
    let plugin = room
        .egress
        .call(binding("acme"), Arc::new(grant), 1, deadline);
    assert_eq!(
        room.egress.upstream_state(&plugin).await,
        Err(UpstreamStateError::Denied)
    );
    assert_eq!(
        plugin.on_cancel(b"x".to_vec()),
        Err(UpstreamStateError::Denied)
    );
    let adapter = room.call(binding("acme"), |_| {});
    let set = |bytes| {
        room.egress
            .set_upstream_state(&adapter, None, Some(vec![0; bytes]))
    };
    assert_eq!(set(MAX_STATE + 1).await, Err(UpstreamStateError::TooLarge));
    assert!(set(MAX_STATE).await.is_ok());
}

#[test]
fn the_last_note_counts_and_is_taken_once() {
    let room = UpstreamStateFixture::new();
    let call = room.call(binding("acme"), |_| {});
    assert_eq!(call.take_note(), None);
    call.on_cancel(b"first".to_vec()).unwrap();
    call.on_cancel(b"second".to_vec()).unwrap();
    let long = call.on_cancel(vec![0; MAX_NOTE + 1]);
    assert_eq!(long.map_err(UpstreamStateError::code), Err("limit"));
    assert_eq!(call.take_note().as_deref(), Some(&b"second"[..]));
    assert_eq!(call.take_note(), None);
    call.on_cancel(b"third".to_vec()).unwrap();
    call.on_cancel(Vec::new()).unwrap();
    assert_eq!(call.take_note(), None, "nothing is to be told");
}

/// E12: as no request would be sent for it, nothing is looked up for it either.
#[tokio::test]
async fn nothing_is_looked_up_for_a_caller_of_the_wrong_kind() {
    let room = UpstreamStateFixture::new();
    let mut grant = grant_of("support", "https://support.example.com/mcp", |_| {});
    for granted in grant.connections.values_mut() {
        granted.principal = PrincipalRule::Machine;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let call = room
        .egress
        .call(binding("acme"), Arc::new(grant), 1, deadline);
    let call = call.of_adapter(ConnectionName::parse("support").unwrap(), None);
    let got = room.egress.upstream_state(&call).await;
    let set = room
        .egress
        .set_upstream_state(&call, None, Some(b"x".to_vec()))
        .await;
    assert_eq!(
        (got.unwrap_err(), set.unwrap_err()),
        (UpstreamStateError::Denied, UpstreamStateError::Denied)
    );
    assert_eq!(room.provider.1.load(Ordering::SeqCst), 0);
}
