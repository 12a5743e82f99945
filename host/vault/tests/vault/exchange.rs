//! A stored token is exchanged for one of the outside system (RFC 8693), against a strict endpoint.

use crate::server;
use crate::support;

use std::sync::Arc;

use server::{Server, network, secret_file};
use support::{House, by, key, name, new, space, user_key};
use toolhost_oauth::TokenKind;
use toolhost_vault::{
    ClientSettings, CredentialError, CredentialProvider as _, TokenExchange, TokenExchangeSettings,
};

const GOOD: &str = r#"{"access_token": "exchanged-token-1", "token_type": "Bearer", "expires_in": 600,
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}"#;

async fn provider(server: &Server, house: &House) -> TokenExchange {
    let vault = house.vault();
    vault
        .set(
            &space("acme"),
            &name("billing"),
            new("subject-token-of-acme"),
            &by(),
        )
        .await
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = TokenExchangeSettings {
        token: server.place("/token"),
        client: ClientSettings {
            id: Some("toolhost".to_owned()),
            secret: Some(secret_file(&directory, "own", "the hosts own secret")),
            ..ClientSettings::default()
        },
        subject: TokenKind::Jwt,
        actor: Some((
            secret_file(&directory, "actor", "the actors own token"),
            TokenKind::AccessToken,
        )),
        audience: vec!["billing".to_owned()],
        resource: vec!["https://billing.example.com/".to_owned()],
        scope: vec!["invoices:read".to_owned()],
    };
    let provider = TokenExchange::new(settings, network(), Arc::new(vault)).unwrap();
    std::mem::forget(directory);
    provider
}

#[tokio::test]
async fn the_stored_token_is_the_subject_and_nothing_of_a_caller_goes_along() {
    let (house, server) = (House::new().await, Server::saying(200, GOOD).await);
    let provider = provider(&server, &house).await;
    let got = provider.get(&key("acme", "billing")).await.unwrap();
    assert_eq!(got.secret.expose(), b"exchanged-token-1");
    let asked = &server.asked()[0];
    let form: Vec<(String, String)> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    let expected = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", "subject-token-of-acme"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("audience", "billing"),
        ("resource", "https://billing.example.com/"),
        ("scope", "invoices:read"),
        ("actor_token", "the actors own token"),
        (
            "actor_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
    ];
    assert_eq!(
        form,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    for other in [key("globex", "billing"), user_key("acme", "billing")] {
        assert_eq!(
            provider.get(&other).await.unwrap_err(),
            CredentialError::NotConnected,
            "{other}"
        );
    }
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn another_kind_of_token_is_not_shown_to_anybody() {
    for text in [
        r#"{"access_token": "exchanged-token-1", "token_type": "Bearer"}"#,
        r#"{"access_token": "exchanged-token-1", "token_type": "N_A", "issued_token_type": "urn:ietf:params:oauth:token-type:jwt"}"#,
        r#"{"access_token": "exchanged-token-1", "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}"#,
        r#"{"access_token": "exchanged-token-1", "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:id_token"}"#,
    ] {
        let (house, server) = (House::new().await, Server::saying(200, text).await);
        let refused = provider(&server, &house)
            .await
            .get(&key("acme", "billing"))
            .await
            .unwrap_err();
        assert!(matches!(refused, CredentialError::Unavailable(_)), "{text}");
    }
}

#[tokio::test]
async fn a_no_is_not_connected() {
    let (house, server) = (
        House::new().await,
        Server::saying(400, r#"{"error": "invalid_grant"}"#).await,
    );
    let refused = provider(&server, &house)
        .await
        .get(&key("acme", "billing"))
        .await
        .unwrap_err();
    assert_eq!(refused, CredentialError::NotConnected);
}
