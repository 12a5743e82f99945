#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]
//! Attacks on a login: another's state, an old one, another server's answer.

mod server;
mod support;

use server::{Server, network};
use sha2::{Digest as _, Sha256};
use support::{House, binding, connection, user_key};
use toolhost_policy::CredentialOwner::{Tenant, User};
use toolhost_vault::{
    ClientAuth, ClientSettings, CredentialProvider as _, Login, LoginError, LoginSettings, SealedVault,
};
use url::Url;

const ISSUER: &str = "https://idp.example.com";
const GOOD: &str =
    r#"{"access_token": "access-token-1", "token_type": "Bearer", "refresh_token": "refresh-token-1"}"#;

fn settings(server: &Server) -> LoginSettings {
    LoginSettings {
        issuer: ISSUER.to_owned(),
        authorization_url: "https://idp.example.com/auth?prompt=consent".parse().unwrap(),
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

fn back(state: &str) -> String {
    format!("code=the-code-0123&state={state}&iss=https%3A%2F%2Fidp.example.com")
}

#[tokio::test]
async fn a_login_sends_a_challenge_and_redeems_the_code_with_its_verifier() {
    let (_house, server, vault, login) = house(GOOD).await;
    let (acme, billing) = (binding("acme"), connection("billing", User));
    let url = login.begin(&acme, &billing).unwrap();
    assert!(
        url.as_str().starts_with(
            "https://idp.example.com/auth?prompt=consent&response_type=code&client_id=toolhost&"
        )
    );
    assert_eq!(
        part(&url, "redirect_uri"),
        "https://tools.example.com/connections/billing/login"
    );
    assert_eq!(
        (part(&url, "code_challenge_method"), part(&url, "scope")),
        ("S256".into(), "offline_access".into())
    );
    let state = part(&url, "state");
    assert_eq!(state.len(), 43, "256 bits");
    login.finish(&acme, &billing, &back(&state)).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.form("grant_type").unwrap(), "authorization_code");
    assert_eq!(asked.form("code").unwrap(), "the-code-0123");
    assert_eq!(asked.form("redirect_uri").unwrap(), part(&url, "redirect_uri"));
    let verifier = asked.form("code_verifier").unwrap();
    let challenge = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        Sha256::digest(verifier.as_bytes()),
    );
    assert_eq!(challenge, part(&url, "code_challenge"));
    let got = vault.get(&user_key("acme", "billing")).await.unwrap();
    assert_eq!(got.secret.expose(), b"refresh-token-1");
}

#[tokio::test]
async fn a_state_counts_once_and_for_who_began_it_alone() {
    let (_house, server, vault, login) = house(GOOD).await;
    let (acme, globex) = (binding("acme"), binding("globex"));
    let (billing, support) = (connection("billing", User), connection("support", User));
    for (who, what) in [
        (&globex, &billing),
        (&acme, &support),
        (&acme, &connection("billing", Tenant)),
    ] {
        let state = part(&login.begin(&acme, &billing).unwrap(), "state");
        let stolen = login.finish(who, what, &back(&state)).await;
        assert_eq!(stolen.unwrap_err(), LoginError::State);
        let after = login.finish(&acme, &billing, &back(&state)).await;
        assert_eq!(after.unwrap_err(), LoginError::State, "it is used up");
    }
    let made_up = login.finish(&acme, &billing, &back("x")).await;
    assert_eq!(made_up.unwrap_err(), LoginError::State);
    assert_eq!(server.count(), 0, "no code of theirs was redeemed");
    assert!(vault.get(&user_key("globex", "billing")).await.is_err());
    assert!(vault.get(&user_key("acme", "billing")).await.is_err());
    assert_eq!(
        login.begin(&acme, &connection("billing", Tenant)).unwrap_err(),
        LoginError::NotPersonal
    );
}

#[tokio::test]
async fn an_answer_of_another_server_or_of_none_is_refused() {
    let (_house, server, _vault, login) = house(GOOD).await;
    let (acme, billing) = (binding("acme"), connection("billing", User));
    for iss in [
        "",
        "&iss=https%3A%2F%2Fevil.example",
        "&iss=https%3A%2F%2Fidp.example.com%2F",
        "&iss=",
    ] {
        let state = part(&login.begin(&acme, &billing).unwrap(), "state");
        let query = format!("code=the-code-0123&state={state}{iss}");
        let refused = login.finish(&acme, &billing, &query).await;
        assert_eq!(refused.unwrap_err(), LoginError::Issuer, "{iss}");
    }
    let state = part(&login.begin(&acme, &billing).unwrap(), "state");
    let query = format!("error=access_denied&state={state}&iss=https%3A%2F%2Fidp.example.com");
    assert_eq!(
        login.finish(&acme, &billing, &query).await.unwrap_err(),
        LoginError::Denied
    );
    let after = login.finish(&acme, &billing, &back(&state)).await;
    assert_eq!(after.unwrap_err(), LoginError::State, "a no uses it up");
    assert_eq!(server.count(), 0);
    let silent = LoginSettings {
        is_silent_about_issuer: true,
        ..settings(&server)
    };
    let login = Login::new(silent, network(), _house.vault()).unwrap();
    let state = part(&login.begin(&acme, &billing).unwrap(), "state");
    assert!(
        login
            .finish(&acme, &billing, &format!("code=the-code-0123&state={state}"))
            .await
            .is_ok()
    );
    let state = part(&login.begin(&acme, &billing).unwrap(), "state");
    let other = format!("code=the-code-0123&state={state}&iss=https%3A%2F%2Fevil.example");
    assert_eq!(
        login.finish(&acme, &billing, &other).await.unwrap_err(),
        LoginError::Issuer
    );
}

#[tokio::test]
async fn tokens_that_do_not_last_are_not_stored_and_logins_on_the_way_are_bounded() {
    let only_access = r#"{"access_token": "access-token-1", "token_type": "Bearer"}"#;
    let (_house, _server, vault, login) = house(only_access).await;
    let (acme, billing) = (binding("acme"), connection("billing", User));
    let state = part(&login.begin(&acme, &billing).unwrap(), "state");
    let refused = login.finish(&acme, &billing, &back(&state)).await;
    assert_eq!(refused.unwrap_err(), LoginError::NoRefreshToken);
    assert!(vault.get(&user_key("acme", "billing")).await.is_err());
    for _ in 0..8 {
        login.begin(&acme, &billing).unwrap();
    }
    assert_eq!(login.begin(&acme, &billing).unwrap_err(), LoginError::Busy);
    assert!(
        login.begin(&binding("globex"), &billing).is_ok(),
        "one user's many are nobody else's"
    );
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
        (|s: &mut LoginSettings| s.authorization_url = "http://idp.example.com/auth".parse().unwrap())
            as fn(&mut LoginSettings),
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
