//! Attacks on a login: another's state, an old one, another server's answer.

use crate::server;
use crate::support;

use server::{Server, network};
use sha2::{Digest as _, Sha256};
use support::{House, binding, connection, key, user_key};
use toolhost_oauth::ClientAuth;
use toolhost_policy::CredentialOwner::{Tenant, User};
use toolhost_vault::{
    ClientSettings, CodeVerifier, CredentialKey, CredentialProvider as _, Login, LoginAnswer,
    LoginError, LoginSettings, SealedVault,
};
use url::Url;

const ISSUER: &str = "https://idp.example.com";
const GOOD: &str = r#"{"access_token": "access-token-1", "token_type": "Bearer", "refresh_token": "refresh-token-1"}"#;

fn settings(server: &Server) -> LoginSettings {
    LoginSettings {
        issuer: ISSUER.to_owned(),
        authorization_url: "https://idp.example.com/auth?prompt=consent"
            .parse()
            .unwrap(),
        token: server.place("/token"),
        client: ClientSettings {
            id: Some("toolhost".to_owned()),
            secret: None,
            auth: ClientAuth::None,
        },
        redirect_uri: "https://tools.example.com/connections/billing/login"
            .parse()
            .unwrap(),
        scope: vec!["offline_access".to_owned()],
        resource: vec![],
        is_silent_about_issuer: false,
    }
}

async fn house(answer: &str) -> (House, Server, SealedVault, Login) {
    let (house, server) = (House::new().await, Server::saying(200, answer).await);
    let vault = house.vault();
    let login = Login::new(settings(&server), network(), vault.clone()).unwrap();
    (house, server, vault, login)
}

fn part(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(own, _)| own == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {url}"))
        .1
        .into_owned()
}

fn back() -> LoginAnswer {
    LoginAnswer::read("code=the-code-0123&state=s&iss=https%3A%2F%2Fidp.example.com").unwrap()
}

fn account() -> CredentialKey {
    user_key("acme", "billing")
}

#[tokio::test]
async fn a_login_sends_a_challenge_and_redeems_the_code_with_its_verifier() {
    let (_house, server, vault, login) = house(GOOD).await;
    let verifier = CodeVerifier::random().unwrap();
    let url = login.begin("a-sealed-state", &verifier);
    assert!(url.as_str().starts_with(
        "https://idp.example.com/auth?prompt=consent&response_type=code&client_id=toolhost&"
    ));
    assert_eq!(
        part(&url, "redirect_uri"),
        "https://tools.example.com/connections/billing/login"
    );
    assert_eq!(
        (part(&url, "code_challenge_method"), part(&url, "scope")),
        ("S256".into(), "offline_access".into())
    );
    assert_eq!(part(&url, "state"), "a-sealed-state");
    // Another host has the verifier from the state alone.
    let verifier = CodeVerifier::from_sealed(&verifier.to_sealed()).unwrap();
    let answer =
        LoginAnswer::read("code=the-code-0123&state=s&iss=https%3A%2F%2Fidp.example.com").unwrap();
    login
        .finish(&account(), &verifier, answer, || std::future::ready(true))
        .await
        .unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.form("grant_type").unwrap(), "authorization_code");
    assert_eq!(asked.form("code").unwrap(), "the-code-0123");
    assert_eq!(
        asked.form("redirect_uri").unwrap(),
        part(&url, "redirect_uri")
    );
    let shown = asked.form("code_verifier").unwrap();
    assert_eq!(shown.len(), 43, "256 bits");
    let challenge = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        Sha256::digest(shown.as_bytes()),
    );
    assert_eq!(challenge, part(&url, "code_challenge"));
    let got = vault.get(&account()).await.unwrap();
    assert_eq!(got.secret.expose(), b"refresh-token-1");
    assert!(CodeVerifier::from_sealed(b"short").is_none());
}

#[tokio::test]
async fn an_account_is_a_users_own() {
    let (_house, server, _vault, login) = house(GOOD).await;
    let refused = Login::account(&binding("acme"), &connection("billing", Tenant));
    assert_eq!(refused.unwrap_err(), LoginError::NotPersonal);
    let own = Login::account(&binding("acme"), &connection("billing", User)).unwrap();
    assert_eq!(own, account());
    let verifier = CodeVerifier::random().unwrap();
    let of_tenant = login
        .finish(&key("acme", "billing"), &verifier, back(), || {
            std::future::ready(true)
        })
        .await;
    assert_eq!(of_tenant.unwrap_err(), LoginError::NotPersonal);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn the_tenant_is_looked_at_before_the_code_is_redeemed_and_before_anything_is_stored() {
    let (_house, server, vault, login) = house(GOOD).await;
    let verifier = CodeVerifier::random().unwrap();
    for (answers, redeemed) in [(vec![false], 0), (vec![true, false], 1)] {
        let left = std::sync::Mutex::new(answers.into_iter());
        let serves = || std::future::ready(left.lock().unwrap().next().unwrap());
        let refused = login.finish(&account(), &verifier, back(), serves).await;
        assert_eq!(refused.unwrap_err(), LoginError::Tenant);
        assert_eq!(server.count(), redeemed);
        assert!(vault.get(&account()).await.is_err());
    }
}

#[tokio::test]
async fn an_answer_of_another_server_or_of_none_is_refused() {
    let (_house, server, _vault, login) = house(GOOD).await;
    let verifier = CodeVerifier::random().unwrap();
    let finish = async |login: &Login, query: &str| {
        let answer = LoginAnswer::read(query).unwrap();
        login
            .finish(&account(), &verifier, answer, || std::future::ready(true))
            .await
    };
    for iss in [
        "",
        "&iss=https%3A%2F%2Fevil.example",
        "&iss=https%3A%2F%2Fidp.example.com%2F",
        "&iss=",
    ] {
        let refused = finish(&login, &format!("code=the-code-0123&state=s{iss}")).await;
        assert_eq!(refused.unwrap_err(), LoginError::Issuer, "{iss}");
    }
    let no = finish(
        &login,
        "error=access_denied&state=s&iss=https%3A%2F%2Fidp.example.com",
    )
    .await;
    assert_eq!(no.unwrap_err(), LoginError::Denied);
    assert_eq!(server.count(), 0);
    let silent = LoginSettings {
        is_silent_about_issuer: true,
        ..settings(&server)
    };
    let login = Login::new(silent, network(), _house.vault()).unwrap();
    assert!(finish(&login, "code=the-code-0123&state=s").await.is_ok());
    let other = finish(
        &login,
        "code=the-code-0123&state=s&iss=https%3A%2F%2Fevil.example",
    )
    .await;
    assert_eq!(other.unwrap_err(), LoginError::Issuer);
}

#[tokio::test]
async fn tokens_that_do_not_last_are_not_stored_and_an_odd_access_token_costs_no_login() {
    let verifier = CodeVerifier::random().unwrap();
    for (answer, error) in [
        (
            r#"{"access_token": "access-token-1", "token_type": "Bearer"}"#,
            Some(LoginError::NoRefreshToken),
        ),
        (
            r#"{"access_token": "access-token-1", "refresh_token": null}"#,
            Some(LoginError::NoRefreshToken),
        ),
        (
            r#"{"access_token": "access-token-1", "refresh_token": ""}"#,
            Some(LoginError::NoRefreshToken),
        ),
        (
            r#"{"refresh_token": "refresh-token-1", "expires_in": null}"#,
            None,
        ),
        (
            r#"{"access_token": 7, "token_type": "DPoP", "refresh_token": "refresh-token-1"}"#,
            None,
        ),
    ] {
        let (_house, _server, vault, login) = house(answer).await;
        let done = login
            .finish(&account(), &verifier, back(), || std::future::ready(true))
            .await;
        assert_eq!(done.err(), error, "{answer}");
        assert_eq!(
            vault.get(&account()).await.is_ok(),
            error.is_none(),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn settings_that_would_send_a_user_or_a_code_astray_are_refused() {
    let server = Server::saying(200, GOOD).await;
    let vault = House::new().await.vault();
    let make = |change: fn(&mut LoginSettings)| {
        let mut settings = settings(&server);
        change(&mut settings);
        Login::new(settings, network(), vault.clone()).map(|_| ())
    };
    assert!(make(|_| {}).is_ok());
    for change in [
        (|s: &mut LoginSettings| {
            s.authorization_url = "http://idp.example.com/auth".parse().unwrap()
        }) as fn(&mut LoginSettings),
        |s| s.authorization_url = "https://u@idp.example.com/auth".parse().unwrap(),
        |s| s.authorization_url = "https://idp.example.com/auth#x".parse().unwrap(),
        |s| s.authorization_url = "https://idp.example.com/auth?state=x".parse().unwrap(),
        |s| {
            s.authorization_url = "https://idp.example.com/auth?redirect_uri=https://evil.example"
                .parse()
                .unwrap()
        },
        |s| s.redirect_uri = "http://tools.example.com/login".parse().unwrap(),
        |s| s.redirect_uri = "https://tools.example.com/login#x".parse().unwrap(),
        |s| s.issuer = String::new(),
        |s| s.client.id = None,
        |s| s.client.auth = ClientAuth::ClientSecretBasic,
        |s| s.token.destination.allow_http = false,
    ] {
        assert!(make(change).is_err());
    }
}
