//! Access tokens for tenants' own clients, against a strict token endpoint.

use crate::server;
use crate::support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use server::{Asked, Server, network};
use support::{House, by, key, name, space};
use toolhost_oauth::ClientAuth;
use toolhost_policy::{Secret, UnixTime};
use toolhost_vault::{
    ClientCredentials, ClientCredentialsSettings, ClientSettings, CredentialError,
    CredentialProvider as _, CredentialRequest, NewCredential, SealedVault,
};

/// What is to be within a second is, on a machine that does much else, within this.
const SOON: Duration = Duration::from_secs(60);

const BASIC_ACME: &str = "Basic YWNtZSUzQWNsaWVudDpjbGllbnQrc2VjcmV0JTJGb2YrYWNtZQ==";

/// `access-token-N` that lives for so many seconds.
async fn tokens(life: u64) -> Server {
    tokens_of(move |_| life).await
}

/// A token endpoint whose tokens each have a life of their own.
async fn tokens_of(life: impl Fn(usize) -> u64 + Send + Sync + 'static) -> Server {
    let count = Arc::new(AtomicUsize::new(0));
    Server::answering(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let life = life(number);
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            (200, format!(r#"{{"access_token": "access-token-{number}", "token_type": "Bearer", "expires_in": {life}}}"#))
        }
    })
    .await
}

async fn vault(house: &House, secret: &str) -> SealedVault {
    let vault = house.vault();
    let attributes = [
        ("client_id", "acme:client"),
        ("external_tenant_id", "acct-7"),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let new = NewCredential {
        secret: Secret::from(secret.to_owned()),
        attributes: Some(BTreeMap::from(attributes)),
        expires_at: None,
    };
    vault
        .set(&space("acme"), &name("billing"), new, &by())
        .await
        .unwrap();
    vault
}

fn settings(server: &Server, auth: ClientAuth) -> ClientCredentialsSettings {
    ClientCredentialsSettings {
        token: server.place("/token"),
        client: ClientSettings {
            auth,
            ..ClientSettings::default()
        },
        scope: vec!["invoices:read".to_owned(), "invoices:write".to_owned()],
        audience: Some("https://billing.example.com".to_owned()),
        resource: vec![
            "https://a.example/".to_owned(),
            "https://b.example/".to_owned(),
        ],
    }
}

async fn provider(server: &Server, house: &House) -> ClientCredentials {
    let vault = Arc::new(vault(house, "client secret/of acme").await);
    let settings = settings(server, ClientAuth::ClientSecretBasic);
    ClientCredentials::new(settings, network(), vault).unwrap()
}

fn text(credential: &toolhost_vault::Credential) -> String {
    String::from_utf8(credential.secret.expose().to_vec()).unwrap()
}

#[tokio::test]
async fn a_tenants_client_gets_its_token_with_the_tenants_attributes() {
    let (house, server) = (House::new().await, tokens(3_600).await);
    let provider = provider(&server, &house).await;
    let got = provider.get(&key("acme", "billing")).await.unwrap();
    assert_eq!(text(&got), "access-token-0");
    assert_eq!(got.attributes["external_tenant_id"], "acct-7");
    let Asked { method, path, .. } = &server.asked()[0];
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/token"));
    let asked = &server.asked()[0];
    assert_eq!(
        asked.header("authorization"),
        BASIC_ACME,
        "both parts are form-encoded first"
    );
    assert_eq!(
        asked.body,
        "grant_type=client_credentials&scope=invoices%3Aread+invoices%3Awrite&audience=https%3A%2F%2Fbilling.example.com\
         &resource=https%3A%2F%2Fa.example%2F&resource=https%3A%2F%2Fb.example%2F"
    );
    let refused = provider.get(&key("globex", "billing")).await.unwrap_err();
    assert_eq!(refused, CredentialError::NotConnected);
    assert_eq!(
        server.count(),
        1,
        "nobody asks for a tenant that has nothing"
    );
}

#[tokio::test]
async fn a_secret_goes_into_the_form_where_the_server_wants_it_there() {
    let (house, server) = (House::new().await, tokens(3_600).await);
    let vault = Arc::new(vault(&house, "client secret/of acme").await);
    let settings = settings(&server, ClientAuth::ClientSecretPost);
    let provider = ClientCredentials::new(settings, network(), vault).unwrap();
    provider.get(&key("acme", "billing")).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.header("authorization"), "");
    assert_eq!(
        asked.form("client_secret").unwrap(),
        "client secret/of acme"
    );
    assert_eq!(asked.form("client_id").unwrap(), "acme:client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e15_a_hundred_calls_that_need_one_expired_token_make_one_refresh() {
    let life = |number| if number == 0 { 600 } else { 36_000 };
    let (house, server) = (House::new().await, tokens_of(life).await);
    let provider = Arc::new(provider(&server, &house).await);
    let first = provider.get(&key("acme", "billing")).await.unwrap();
    // The calls' own time, so that nobody waits: the first token has expired by then, the second
    // lives.
    let until = UnixTime::now().after(Duration::from_secs(1_200));
    assert!(!first.is_valid_at(until));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let provider = Arc::clone(&provider);
            let got = async move {
                provider
                    .fetch(CredentialRequest::until(&key("acme", "billing"), until))
                    .await
            };
            tokio::spawn(async move { got.await.map(|got| text(&got)) })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "access-token-1");
    }
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_would_end_in_the_call() {
    let (house, server) = (House::new().await, tokens(600).await);
    let provider = provider(&server, &house).await;
    let key = key("acme", "billing");
    provider.get(&key).await.unwrap();
    let until = |seconds| UnixTime::now().after(Duration::from_secs(seconds));
    provider
        .fetch(CredentialRequest::until(&key, until(530)))
        .await
        .unwrap();
    assert_eq!(server.count(), 1, "more than a minute is left at its end");
    provider
        .fetch(CredentialRequest::until(&key, until(545)))
        .await
        .unwrap();
    assert_eq!(server.count(), 2, "less than a minute");
}

#[tokio::test]
async fn a_short_token_is_used_for_what_it_is_worth_and_no_longer() {
    let (house, server) = (House::new().await, tokens(30).await);
    let provider = provider(&server, &house).await;
    let key = key("acme", "billing");
    for _ in 0..5 {
        provider
            .fetch(CredentialRequest::until(&key, UnixTime::now()))
            .await
            .unwrap();
    }
    assert_eq!(server.count(), 1);
    // One that cannot last through the call is got anew, once.
    let until = UnixTime::now().after(Duration::from_secs(60));
    provider
        .fetch(CredentialRequest::until(&key, until))
        .await
        .unwrap();
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn t54_a_removed_or_rotated_client_takes_its_token_along() {
    let (house, server) = (House::new().await, tokens(3_600).await);
    let provider = provider(&server, &house).await;
    let (key, acme) = (key("acme", "billing"), space("acme"));
    let first = provider.get(&key).await.unwrap();
    let elsewhere = house.vault();
    elsewhere
        .rotate(
            &acme,
            &name("billing"),
            support::new("another client secret"),
            &by(),
        )
        .await
        .unwrap();
    let since = Instant::now();
    while provider.get(&key).await.unwrap().version == first.version {
        assert!(since.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let shown = server.asked()[1].header("authorization").to_owned();
    let client = Secret::from("another client secret".to_owned());
    assert_eq!(
        shown,
        toolhost_oauth::client_secret_basic("acme:client", &client)
            .to_str()
            .unwrap()
    );
    elsewhere
        .remove(&acme, &name("billing"), &by())
        .await
        .unwrap();
    let since = Instant::now();
    while provider.get(&key).await.is_ok() {
        assert!(since.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        provider.get(&key).await.unwrap_err(),
        CredentialError::NotConnected
    );
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_clear_no_is_not_connected_and_anything_else_is_not_and_leaves_a_good_token() {
    for (status, body, error) in [
        (
            400,
            r#"{"error": "invalid_grant"}"#,
            CredentialError::NotConnected,
        ),
        (
            401,
            r#"{"error": "invalid_client"}"#,
            CredentialError::NotConnected,
        ),
        (
            400,
            r#"{"error": "invalid_scope"}"#,
            CredentialError::Unavailable("the token endpoint gave no token"),
        ),
        (
            503,
            "",
            CredentialError::Unavailable("the token endpoint gave no token"),
        ),
        (
            302,
            "",
            CredentialError::Unavailable("the token endpoint gave no token"),
        ),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let server = Server::answering(move |_| {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            let good =
                r#"{"access_token": "access-token-0", "token_type": "Bearer", "expires_in": 600}"#;
            let answer = if first {
                (200, good.to_owned())
            } else {
                (status, body.to_owned())
            };
            async move { answer }
        })
        .await;
        let house = House::new().await;
        let provider = provider(&server, &house).await;
        let key = key("acme", "billing");
        provider.get(&key).await.unwrap();
        let soon = UnixTime::now().after(Duration::from_secs(560));
        let late = UnixTime::now().after(Duration::from_secs(700));
        let renewed = provider.fetch(CredentialRequest::until(&key, soon)).await;
        match error {
            CredentialError::NotConnected => {
                assert_eq!(renewed.unwrap_err(), error);
                assert_eq!(
                    provider.get(&key).await.unwrap_err(),
                    error,
                    "it was taken back"
                );
            }
            _ => {
                assert_eq!(
                    text(&renewed.unwrap()),
                    "access-token-0",
                    "it lasts to the end of this call"
                );
                assert_eq!(
                    provider
                        .fetch(CredentialRequest::until(&key, late))
                        .await
                        .unwrap_err(),
                    error,
                    "and not of this one"
                );
            }
        }
        assert!(server.count() <= 3, "{status}: {}", server.count());
    }
}

#[tokio::test]
async fn a_credential_without_a_client_and_a_client_with_two_secrets_are_refused() {
    let (house, server) = (House::new().await, tokens(600).await);
    let vault = Arc::new(house.vault());
    vault
        .set(
            &space("acme"),
            &name("billing"),
            support::new("a client secret"),
            &by(),
        )
        .await
        .unwrap();
    let with_none = settings(&server, ClientAuth::ClientSecretBasic);
    let provider = ClientCredentials::new(with_none, network(), vault.clone()).unwrap();
    assert!(matches!(
        provider.get(&key("acme", "billing")).await.unwrap_err(),
        CredentialError::Unavailable(_)
    ));
    assert_eq!(server.count(), 0);
    let public = settings(&server, ClientAuth::None);
    assert!(ClientCredentials::new(public, network(), vault.clone()).is_err());
    let mut clear = settings(&server, ClientAuth::ClientSecretBasic);
    clear.token.destination.allow_http = false;
    assert!(ClientCredentials::new(clear, network(), vault).is_err());
}
