//! A certified OpenID provider: a user connects an account, its refresh token rotates at every use,
//! and a client gets tokens of its own.

use crate::clients;
use crate::server;
use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clients::Accounts;
use server::{network, place, secret_file};
use support::{House, binding, by, connection, key, name, space, user_key};
use toolhost_oauth::ClientAuth;
use toolhost_policy::{CredentialOwner, Secret};
use toolhost_vault::{
    ClientCredentials, ClientCredentialsSettings, ClientSettings, CodeVerifier, CredentialError,
    CredentialName, CredentialProvider as _, Login, LoginAnswer, LoginSettings, NewCredential,
    ProviderEndpoint, RefreshToken, RefreshTokenSettings, SealedVault,
};

const SECRET: &str = "a-secret-of-the-client-0123";
const REDIRECT: &str = "http://127.0.0.1:4999/connections/billing/login";

fn token(accounts: &Accounts) -> ProviderEndpoint {
    place(format!("{}/token", accounts.issuer).parse().unwrap())
}

fn client(directory: &tempfile::TempDir) -> ClientSettings {
    ClientSettings {
        id: Some("toolhost".to_owned()),
        secret: Some(secret_file(directory, "own", SECRET)),
        auth: ClientAuth::ClientSecretBasic,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_connects_an_account_and_its_refresh_token_goes_from_hand_to_hand() {
    let (house, directory) = (House::new().await, tempfile::tempdir().unwrap());
    let mut accounts = Accounts::start(SECRET, REDIRECT);
    let vault = house.vault();
    let settings = LoginSettings {
        issuer: accounts.issuer.clone(),
        authorization_url: format!("{}/auth", accounts.issuer).parse().unwrap(),
        token: token(&accounts),
        client: client(&directory),
        redirect_uri: REDIRECT.parse().unwrap(),
        scope: vec!["openid".to_owned()],
        resource: vec![],
        is_silent_about_issuer: false,
    };
    let login = Login::new(settings, network(), vault.clone()).unwrap();
    let (acme, billing) = (
        binding("acme"),
        connection("billing", CredentialOwner::User),
    );
    let verifier = CodeVerifier::random().unwrap();
    let sent_to = login.begin("a-sealed-state", &verifier);
    let back = tokio::task::block_in_place(|| accounts.visit(&sent_to));
    let own = user_key("acme", "billing");
    let answer = || LoginAnswer::read(back.query().unwrap()).unwrap();
    assert_eq!(answer().state(), "a-sealed-state");
    let stored = login
        .finish(&own, &verifier, answer(), || std::future::ready(true))
        .await
        .unwrap();
    assert_eq!(vault.get(&own).await.unwrap().version, stored.version);
    assert_eq!(
        vault.get(&key("acme", "billing")).await.unwrap_err(),
        CredentialError::NotConnected
    );
    let settings = RefreshTokenSettings {
        token: token(&accounts),
        client: client(&directory),
        resource: vec![],
        among_hosts: true,
    };
    let provider = RefreshToken::new(settings, network(), vault.clone()).unwrap();
    let (mut tokens, mut refreshes) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let got = provider.get(&own).await.unwrap();
        tokens.push(String::from_utf8(got.secret.expose().to_vec()).unwrap());
        let kept = vault.get(&own).await.unwrap();
        refreshes.push(String::from_utf8(kept.secret.expose().to_vec()).unwrap());
        provider.forget(&own);
    }
    for texts in [&tokens, &refreshes] {
        let unique: BTreeSet<_> = texts.iter().collect();
        assert_eq!(
            unique.len(),
            3,
            "each refresh token was used once, and the next one kept"
        );
    }

    // One that was used before is stolen, as far as the server can tell: it ends the whole line.
    let name = CredentialName {
        connection: own.connection().clone(),
        user: own.user().cloned(),
    };
    let used = support::new(&refreshes[0]);
    vault.set(&space("acme"), &name, used, &by()).await.unwrap();
    assert_eq!(
        provider.get(&own).await.unwrap_err(),
        CredentialError::NotConnected
    );

    assert!(login.disconnect(&acme, &billing).await.unwrap());
    assert_eq!(
        vault.get(&own).await.unwrap_err(),
        CredentialError::NotConnected
    );
    assert!(!login.disconnect(&acme, &billing).await.unwrap());
}

#[tokio::test]
async fn a_tenants_client_gets_a_token_and_one_with_a_wrong_secret_none() {
    let (house, accounts) = (House::new().await, Accounts::start(SECRET, REDIRECT));
    let vault: Arc<SealedVault> = Arc::new(house.vault());
    for (tenant, secret) in [("acme", SECRET), ("globex", "not the secret of the client")] {
        let new = NewCredential {
            secret: Secret::from(secret.to_owned()),
            attributes: Some(BTreeMap::from([(
                "client_id".to_owned(),
                "toolhost".to_owned(),
            )])),
            expires_at: None,
        };
        vault
            .set(&space(tenant), &name("billing"), new, &by())
            .await
            .unwrap();
    }
    let settings = ClientCredentialsSettings {
        token: token(&accounts),
        client: ClientSettings::default(),
        scope: vec![],
        audience: None,
        resource: vec![],
    };
    let provider = ClientCredentials::new(settings, network(), vault).unwrap();
    let got = provider.get(&key("acme", "billing")).await.unwrap();
    assert!(got.expires_at.is_some());
    assert_eq!(
        provider.get(&key("globex", "billing")).await.unwrap_err(),
        CredentialError::NotConnected
    );
}
