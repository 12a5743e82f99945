//! What the tests of the steps stand on.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use toolhost_audit::{Event, Sink, SinkError};
use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_net::{Lookup, NetError};
use toolhost_policy::{
    CheckedConnection, Connection, ConnectionGrant, ConnectionName, Endpoint, Grant, Limits,
    Method, PathTemplate, PluginName, Secret,
};
use toolhost_vault::{Credential, CredentialError, CredentialProvider, CredentialRequest};

use crate::{EgressCall, GuestRequest};

pub(crate) fn binding(tenant: &str) -> Binding {
    let tenant = TenantId::parse(tenant).unwrap();
    let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
    let directory = StaticDirectory::new([(tenant, vec![])]).unwrap();
    Binding::home(Arc::new(principal), &directory).unwrap()
}

pub(crate) fn connection(name: &str, base: &str) -> Connection {
    Connection::new(
        ConnectionName::parse(name).unwrap(),
        url::Url::parse(base).unwrap(),
    )
}

fn endpoint(method: Method, path: &str, query: &[&str]) -> Endpoint {
    let query = query.iter().map(|&key| key.to_owned()).collect();
    Endpoint {
        method,
        path: PathTemplate::parse(path).unwrap(),
        query,
        query_objects: vec![],
        headers: vec![],
    }
}

pub(crate) fn test_grant(base: &str, change: impl FnOnce(&mut Connection)) -> ConnectionGrant {
    let mut connection = connection("billing", base);
    change(&mut connection);
    ConnectionGrant {
        principal: connection.principal,
        guest_base: connection.base.clone(),
        connection: CheckedConnection::new(connection).unwrap(),
        endpoints: vec![
            endpoint(Method::Get, "/v1/invoices", &["limit", "cursor"]),
            endpoint(Method::Get, "/v1/invoices/{id}", &[]),
            endpoint(Method::Get, "/v1/invoices/recent", &[]),
            endpoint(Method::Post, "/v1/refunds", &[]),
        ],
    }
}

pub(crate) fn grant_of(name: &str, base: &str, change: impl FnOnce(&mut Connection)) -> Grant {
    Grant {
        plugin: PluginName::parse("billing").unwrap(),
        connections: BTreeMap::from([(
            ConnectionName::parse(name).unwrap(),
            test_grant(base, change),
        )]),
        limits: Limits::default(),
    }
}

pub(crate) fn call(grant: Grant) -> EgressCall {
    call_for(grant, Duration::from_secs(30))
}

pub(crate) fn call_for(grant: Grant, time: Duration) -> EgressCall {
    EgressCall::new(binding("acme"), Arc::new(grant), 1, Instant::now() + time)
}

pub(crate) fn get(path: &str) -> GuestRequest {
    GuestRequest {
        connection: "billing".into(),
        method: "GET".into(),
        path: path.into(),
        ..GuestRequest::default()
    }
}

/// A credential with the attributes that tests use.
pub(crate) fn credential(secret: &str) -> Credential {
    let attributes = [("external_tenant_id", "ext-acme-7"), ("broken", "a\r\nb")];
    Credential {
        secret: Secret::from(secret.to_owned()),
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        expires_at: None,
        version: 1,
    }
}

/// Answers by tenant and counts how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct CountingProvider {
    secrets: BTreeMap<String, String>,
    expires_at: Option<u64>,
    hangs: bool,
    asked: AtomicUsize,
}

impl CountingProvider {
    pub(crate) fn with_secrets(secrets: &[(&str, &str)]) -> Self {
        let secrets = secrets
            .iter()
            .map(|&(tenant, secret)| (tenant.to_owned(), secret.to_owned()))
            .collect();
        Self {
            secrets,
            ..Self::default()
        }
    }

    pub(crate) fn hanging() -> Self {
        Self {
            hangs: true,
            ..Self::default()
        }
    }

    pub(crate) fn expiring(mut self, at: u64) -> Self {
        self.expires_at = Some(at);
        self
    }

    pub(crate) fn request_count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl CredentialProvider for CountingProvider {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let key = request.key;
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let secret = self
            .secrets
            .get(key.tenant().as_str())
            .ok_or(CredentialError::NotConnected)?;
        Ok(Arc::new(Credential {
            expires_at: self.expires_at,
            ..credential(secret)
        }))
    }
}

/// A name server that always answers the same.
#[derive(Debug)]
pub(crate) struct FixedLookup(Vec<IpAddr>);

impl FixedLookup {
    pub(crate) fn new(addresses: Vec<IpAddr>) -> Self {
        Self(addresses)
    }
}

impl Lookup for FixedLookup {
    fn lookup<'a>(
        &'a self,
        _host: &'a str,
    ) -> futures::future::BoxFuture<'a, Result<Vec<IpAddr>, NetError>> {
        Box::pin(async move { Ok(self.0.clone()) })
    }
}

/// Keeps events, or fails to.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<Event>>,
    fails: bool,
}

impl Recorder {
    pub(crate) fn failing() -> Self {
        Self {
            fails: true,
            ..Self::default()
        }
    }

    pub(crate) fn outcomes(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let outcome = |event: &Event| match event {
            Event::EgressOutcome(outcome) => Some(outcome.outcome.clone()),
            _ => None,
        };
        events.iter().filter_map(outcome).collect()
    }

    pub(crate) fn repeated_refusals(&self) -> u64 {
        let events = self.events.lock().unwrap();
        let refused = |event: &Event| match event {
            Event::EgressOutcome(outcome) => outcome.refused_alike,
            _ => 0,
        };
        events.iter().map(refused).sum()
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(&*self.events.lock().unwrap()).unwrap()
    }
}

impl Sink for Recorder {
    fn record_now(&self, event: &Event) -> Result<(), SinkError> {
        if self.fails {
            return Err(SinkError::Unwritable("full".into()));
        }
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }
}
