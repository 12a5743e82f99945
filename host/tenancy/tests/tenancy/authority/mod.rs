//! What a remote authority is asked, what it may return, and the token that comes of it: N7, N8,
//! N9, N11.

mod answers;
mod asked;
mod exchange;
use crate::support;
mod tokens;

use std::sync::Arc;

use serde_json::Value;
use support::town::{FakePost, Town, claims, tenant_of};
use support::{ISSUER, config};
use toolhost_identity::Binding;
use toolhost_policy::Secret;
use toolhost_tenancy::{
    Destination, ExchangeAuthority, ExchangeSettings, SessionId, VerifiedCaller,
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

fn token_of(town: &Town, binding: &Binding) -> Result<Value, CredentialError> {
    let credential = town.deps.tokens.credential(binding)?;
    Ok(claims(
        std::str::from_utf8(credential.secret.expose()).unwrap(),
    ))
}

fn exchange(town: &Town, post: Arc<FakePost>) -> Arc<ExchangeAuthority> {
    let settings = ExchangeSettings {
        destination: Destination::new("https://idp.example/token".parse().unwrap()),
        client_id: "toolhost".into(),
        client_secret: Secret::from("s3cr3t".to_owned()),
        audience: Some("https://api.example".into()),
        resource: None,
        scope_prefix: "tenant:".into(),
        issuer: config(ISSUER),
    };
    let (net, clock) = (town.net.clone(), town.clock.clone());
    Arc::new(ExchangeAuthority::with_clock(settings, post, net, clock).unwrap())
}
