//! Vault and OpenBao's key/value store, version 2: against a strict stand-in that knows the public
//! API and nothing else.

use crate::server;
use crate::support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use server::{Answer, Asked, Server, network, secret_file};
use support::{key, user_key};
use toolhost_vault::{
    CredentialError, CredentialProvider as _, FRESH_FOR, KvAuth, KvSettings, KvStore, NameTemplate,
    NameTemplates, UserId, user_name,
};

const NONE: &str = r#"{"errors": []}"#;

/// Tokens that hold, and how many logins there were.
#[derive(Default)]
struct State {
    good: String,
    logins: usize,
    /// No login succeeds.
    is_broken: bool,
}

fn strict(asked: &Asked, state: &mut State) -> Answer {
    let no = |status: u16| (status, r#"{"errors": ["permission denied"]}"#.to_owned());
    if asked.header("x-vault-request") != "true" || asked.header("x-vault-namespace") != "team" {
        return no(400);
    }
    if asked.path == "/v1/auth/approle/login" {
        let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
        let expected = json!({ "role_id": "role-1", "secret_id": "the hosts own secret id" });
        if asked.method != "POST" || body != expected || !asked.header("x-vault-token").is_empty() {
            return no(400);
        }
        state.logins += 1;
        if state.is_broken {
            return no(503);
        }
        state.good = format!("hvs.token-number-{}", state.logins);
        let auth =
            json!({ "client_token": state.good, "lease_duration": 3_600, "renewable": true });
        return (200, json!({ "auth": auth, "data": null }).to_string());
    }
    if asked.method != "GET"
        || asked.header("x-vault-token") != state.good
        || !asked.body.is_empty()
    {
        return no(403);
    }
    let entry = |secret: &str, version: u64| {
        let metadata = json!({ "version": version, "deletion_time": "", "destroyed": false });
        let data = json!({ "secret": secret, "external_tenant_id": "acct-7" });
        (
            200,
            json!({ "request_id": "r", "data": { "data": data, "metadata": metadata } })
                .to_string(),
        )
    };
    match asked.path.as_str() {
        "/v1/kv/tools/data/hosts/acme/billing" => entry("tok_of_acme_0123", 4),
        path if path.starts_with("/v1/kv/tools/data/hosts/acme/billing/of/") => {
            entry("tok_of_a_user_01", 1)
        }
        "/v1/kv/tools/data/hosts/acme/support" => {
            let metadata = json!({ "version": 2, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": false });
            (
                404,
                json!({ "data": { "data": null, "metadata": metadata } }).to_string(),
            )
        }
        "/v1/kv/tools/data/hosts/acme/odd" => {
            let metadata = json!({ "version": 2, "deletion_time": "", "destroyed": false });
            (
                200,
                json!({ "data": { "data": { "api_key": "tok_of_acme_0123" }, "metadata": metadata } })
                    .to_string(),
            )
        }
        _ => (404, NONE.to_owned()),
    }
}

async fn server() -> (Server, Arc<Mutex<State>>) {
    let state = Arc::new(Mutex::new(State::default()));
    let own = Arc::clone(&state);
    let server = Server::answering(move |asked| {
        let answer = strict(&asked, &mut own.lock().unwrap());
        async move { answer }
    })
    .await;
    (server, state)
}

fn store(server: &Server, auth: impl FnOnce(&tempfile::TempDir) -> KvAuth) -> KvStore {
    let directory = tempfile::tempdir().unwrap();
    let settings = KvSettings {
        place: server.place("/"),
        mount: "kv/tools".to_owned(),
        namespace: Some("team".to_owned()),
        auth: auth(&directory),
        names: NameTemplates {
            tenant: Some(NameTemplate::parse("hosts/{tenant}/{connection}").unwrap()),
            user: Some(NameTemplate::parse("hosts/{tenant}/{connection}/of/{user}").unwrap()),
        },
        fresh_for: FRESH_FOR,
    };
    let store = KvStore::new(settings, network()).unwrap();
    std::mem::forget(directory);
    store
}

fn approle(directory: &tempfile::TempDir) -> KvAuth {
    KvAuth::AppRole {
        mount: "approle".to_owned(),
        role_id: "role-1".to_owned(),
        secret_id: secret_file(directory, "secret-id", "the hosts own secret id"),
    }
}

#[tokio::test]
async fn a_secret_is_read_with_a_token_of_an_approle_and_one_login_serves_all() {
    let (server, state) = server().await;
    let store = store(&server, approle);
    let got = store.get(&key("acme", "billing")).await.unwrap();
    assert_eq!(got.secret.expose(), b"tok_of_acme_0123");
    assert_eq!(got.attributes["external_tenant_id"], "acct-7");
    let own = user_key("acme", "billing");
    assert_eq!(
        store.get(&own).await.unwrap().secret.expose(),
        b"tok_of_a_user_01"
    );
    let last = server.asked().last().unwrap().path.clone();
    assert!(last.ends_with(&user_name(own.user().unwrap())), "{last}");
    assert_eq!(state.lock().unwrap().logins, 1);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_got_anew_once() {
    let (server, state) = server().await;
    let store = store(&server, approle);
    store.get(&key("acme", "billing")).await.unwrap();
    state.lock().unwrap().good = "hvs.nobody-has-this-one".to_owned();
    tokio::time::sleep(FRESH_FOR + Duration::from_millis(50)).await;
    store.get(&key("acme", "billing")).await.unwrap();
    assert_eq!(state.lock().unwrap().logins, 2);
}

#[tokio::test]
async fn a_token_of_a_file_is_shown_and_a_refused_one_is_no_credential() {
    let (server, state) = server().await;
    state.lock().unwrap().good = "hvs.token-of-a-file".to_owned();
    let token = |text: &'static str| {
        move |directory: &tempfile::TempDir| KvAuth::Token(secret_file(directory, "token", text))
    };
    let good = store(&server, token("hvs.token-of-a-file"));
    assert!(good.get(&key("acme", "billing")).await.is_ok());
    let bad = store(&server, token("hvs.another-token"));
    let refused = bad.get(&key("acme", "billing")).await.unwrap_err();
    assert!(matches!(refused, CredentialError::Unavailable(_)));
}

#[tokio::test]
async fn what_is_not_there_or_deleted_is_not_connected_and_what_is_no_credential_is_not_used() {
    let (server, _) = server().await;
    let store = store(&server, approle);
    for none in [
        key("globex", "billing"),
        key("acme", "support"),
        key("acme", "nothing"),
    ] {
        assert_eq!(
            store.get(&none).await.unwrap_err(),
            CredentialError::NotConnected,
            "{none}"
        );
    }
    let odd = store.get(&key("acme", "odd")).await.unwrap_err();
    assert!(
        matches!(odd, CredentialError::Unavailable(_)),
        "a member that is none of a credential's"
    );
}

/// A13: those that waited for a login do not each make another.
#[tokio::test]
async fn a_login_that_failed_is_told_to_those_that_waited_for_it() {
    let (server, state) = server().await;
    state.lock().unwrap().is_broken = true;
    let store = store(&server, approle);
    let keys: Vec<_> = (0..40).map(|n| key("acme", &format!("c{n}"))).collect();
    let all = futures::future::join_all(keys.iter().map(|key| store.get(key))).await;
    assert!(all.iter().all(Result::is_err));
    let logins = state.lock().unwrap().logins;
    assert!(logins < 20, "{logins}");
}

#[tokio::test]
async fn settings_that_could_reach_elsewhere_are_refused() {
    let (server, _) = server().await;
    let directory = tempfile::tempdir().unwrap();
    let make = |change: fn(&mut KvSettings)| {
        let mut settings = KvSettings {
            place: server.place("/"),
            mount: "secret".to_owned(),
            namespace: None,
            auth: KvAuth::Token(secret_file(&directory, "token", "hvs.token-of-a-file")),
            names: NameTemplates {
                tenant: Some(NameTemplate::parse("{tenant}/{connection}").unwrap()),
                user: None,
            },
            fresh_for: FRESH_FOR,
        };
        change(&mut settings);
        KvStore::new(settings, network()).map(|_| ())
    };
    assert!(make(|_| {}).is_ok());
    assert!(make(|settings| settings.mount = "secret/../sys".to_owned()).is_err());
    assert!(make(|settings| settings.mount = String::new()).is_err());
    assert!(make(|settings| settings.namespace = Some("a\r\nb".to_owned())).is_err());
    assert!(make(|settings| settings.names = NameTemplates::default()).is_err());
    assert!(make(|settings| settings.names.user = settings.names.tenant.clone()).is_err());
    assert!(make(|settings| settings.place.destination.allow_http = false).is_err());
    assert!(make(|settings| settings.fresh_for = Duration::from_secs(301)).is_err());
}

#[test]
fn a_user_is_named_by_issuer_and_subject_and_no_two_share_a_name() {
    let user = |issuer: &str, subject: &str| {
        let (issuer, subject) = (issuer.into(), subject.into());
        user_name(&UserId { issuer, subject })
    };
    let names = [
        user("ab", "c"),
        user("a", "bc"),
        user("a", "../b"),
        user("b", "c"),
    ];
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    assert!(
        names
            .iter()
            .all(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
    );
}
