//! An application's own store of credentials: asked for exactly one key, and believed for exactly
//! one grammar.

use crate::server;
use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use server::{Server, network, place, secret_file};
use support::{key, user_key};
use toolhost_net::Destination;
use toolhost_vault::{
    Broker, BrokerSettings, CredentialError, CredentialProvider as _, FRESH_FOR, ProviderEndpoint,
    ProviderSettingsError,
};

/// What is to be within a second is, on a machine that does much else, within this.
const SOON: Duration = Duration::from_secs(60);

const OWN: &str = "broker-secret-0123456789";
const ACME: &str =
    r#"{"secret": "tok_of_acme_0123", "external_tenant_id": "acct-7", "version": 3}"#;

fn broker(place: ProviderEndpoint, fresh_for: Duration) -> Broker {
    let directory = tempfile::tempdir().unwrap();
    let secret = Some(secret_file(&directory, "own", OWN));
    let settings = BrokerSettings {
        place,
        secret,
        fresh_for,
    };
    let broker = Broker::new(settings, network()).unwrap();
    // The file must outlive the broker.
    std::mem::forget(directory);
    broker
}

#[tokio::test]
async fn the_broker_is_asked_for_tenant_connection_and_user_with_the_hosts_own_secret() {
    let server = Server::saying(200, ACME).await;
    let broker = broker(server.place("/credentials"), FRESH_FOR);
    let got = broker.get(&key("acme", "billing")).await.unwrap();
    assert_eq!(got.secret.expose(), b"tok_of_acme_0123");
    assert_eq!(got.attributes["external_tenant_id"], "acct-7");
    broker.get(&user_key("acme", "billing")).await.unwrap();
    let asked = server.asked();
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("POST", "/credentials")
    );
    assert_eq!(asked[0].header("authorization"), format!("Bearer {OWN}"));
    assert_eq!(asked[0].body, r#"{"connection":"billing","tenant":"acme"}"#);
    let user: serde_json::Value = serde_json::from_str(&asked[1].body).unwrap();
    assert!(
        user["user"]["issuer"].is_string() && user["user"]["subject"].is_string(),
        "{user}"
    );
    assert_eq!(
        (user["tenant"].as_str(), user["connection"].as_str()),
        (Some("acme"), Some("billing"))
    );
}

#[tokio::test]
async fn e19_anything_but_a_whole_200_is_no_credential_and_404_says_there_is_none() {
    for (status, text, error) in [
        (404, "{}", Some(CredentialError::NotConnected)),
        (200, "{}", None),
        (200, "", None),
        (200, r#"{"secret": "tok_of_acme_0123", "x": 1}"#, None),
        (204, "", None),
        (301, ACME, None),
        (307, ACME, None),
        (401, ACME, None),
        (403, ACME, None),
        (410, ACME, None),
        (500, ACME, None),
    ] {
        let server = Server::saying(status, text).await;
        let refused = broker(server.place("/"), FRESH_FOR)
            .get(&key("acme", "billing"))
            .await
            .unwrap_err();
        match error {
            Some(error) => assert_eq!(refused, error),
            None => assert!(
                matches!(refused, CredentialError::Unavailable(_)),
                "{status} {text}: {refused}"
            ),
        }
        // No redirect: one question, where it was meant to go.
        assert_eq!(server.count(), 1, "{status}");
        assert!(
            !format!("{refused:?}{refused}").contains("tok_of"),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_expired_answer_is_refused() {
    let server = Server::saying(200, r#"{"secret": "tok_of_acme_0123", "expires_at": 1000}"#).await;
    let refused = broker(server.place("/"), FRESH_FOR)
        .get(&key("acme", "billing"))
        .await;
    assert_eq!(refused.unwrap_err(), CredentialError::Expired);
}

#[tokio::test]
async fn an_endless_answer_is_refused() {
    let text = format!(
        r#"{{"secret": "tok_of_acme_0123", "attributes": {{"a": "{}"}}}}"#,
        "x".repeat(300 << 10)
    );
    let server = Server::saying(200, &text).await;
    let refused = broker(server.place("/"), FRESH_FOR)
        .get(&key("acme", "billing"))
        .await;
    assert!(matches!(
        refused.unwrap_err(),
        CredentialError::Unavailable(_)
    ));
}

#[tokio::test]
async fn a_place_in_the_clear_or_on_this_machine_needs_the_operators_word() {
    let server = Server::saying(200, ACME).await;
    let directory = tempfile::tempdir().unwrap();
    let make = |change: fn(&mut Destination)| {
        let mut place = server.place("/");
        change(&mut place.destination);
        let secret = Some(secret_file(&directory, "own", OWN));
        let settings = BrokerSettings {
            place,
            secret,
            fresh_for: FRESH_FOR,
        };
        Broker::new(settings, network())
    };
    let refused = make(|destination| destination.allow_http = false).unwrap_err();
    assert_eq!(refused, ProviderSettingsError::Cleartext("url"));
    assert!(make(|destination| destination.url.set_username("u").unwrap()).is_err());
    let broker = make(|destination| destination.allow_loopback = false).unwrap();
    assert!(broker.get(&key("acme", "billing")).await.is_err());
    assert_eq!(server.count(), 0);
    let settings = |fresh_for, secret| BrokerSettings {
        place: server.place("/"),
        secret,
        fresh_for,
    };
    assert!(
        Broker::new(settings(FRESH_FOR, None), network()).is_err(),
        "nobody proves who asks"
    );
    let secret = Some(secret_file(&directory, "own", OWN));
    let long = Broker::new(settings(Duration::from_secs(301), secret), network()).unwrap_err();
    assert_eq!(long, ProviderSettingsError::FreshFor("fresh_for"));
}

#[tokio::test]
async fn t41_no_key_gets_what_another_was_given() {
    let server = Server::answering(|asked| async move {
        let question: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
        let whose = format!(
            "{}-{}-{}",
            question["tenant"],
            question["connection"],
            question["user"].is_object()
        );
        (
            200,
            serde_json::json!({ "secret": format!("token of {whose}") }).to_string(),
        )
    })
    .await;
    let broker = broker(server.place("/"), Duration::from_secs(60));
    let keys = [
        key("acme", "billing"),
        key("globex", "billing"),
        key("acme", "support"),
        user_key("acme", "billing"),
        user_key("globex", "billing"),
    ];
    let mut secrets = std::collections::BTreeSet::new();
    let mut versions = std::collections::BTreeSet::new();
    for _ in 0..2 {
        for key in &keys {
            let got = broker.get(key).await.unwrap();
            let text = String::from_utf8(got.secret.expose().to_vec()).unwrap();
            assert!(
                text.contains(key.tenant().as_str()) && text.contains(key.connection().as_str()),
                "{text}"
            );
            assert!(text.ends_with(&key.user().is_some().to_string()), "{text}");
            secrets.insert(text);
            versions.insert(got.version);
        }
    }
    assert_eq!((secrets.len(), versions.len(), server.count()), (5, 5, 5));
}

#[tokio::test]
async fn a_hundred_calls_at_once_ask_once_and_a_caller_that_goes_away_stops_nothing() {
    let server = Server::answering(|_| async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        (200, ACME.to_owned())
    })
    .await;
    let broker = Arc::new(broker(server.place("/"), Duration::from_secs(60)));
    let first = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { broker.get(&key("acme", "billing")).await.map(|_| ()) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    first.abort();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                broker
                    .get(&key("acme", "billing"))
                    .await
                    .map(|got| got.version)
            })
        })
        .collect();
    let mut versions = std::collections::BTreeSet::new();
    for call in calls {
        versions.insert(call.await.unwrap().unwrap());
    }
    assert_eq!((server.count(), versions.len()), (1, 1));
}

#[tokio::test]
async fn t54_what_was_revoked_there_is_refused_within_a_second() {
    let (is_revoked, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (revoked, count) = (Arc::clone(&is_revoked), Arc::clone(&asked));
    let server = Server::answering(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let is_revoked = revoked.load(Ordering::SeqCst);
        async move {
            if is_revoked {
                (404, String::new())
            } else {
                (200, ACME.to_owned())
            }
        }
    })
    .await;
    let broker = broker(server.place("/"), FRESH_FOR);
    let key = key("acme", "billing");
    let first = broker.get(&key).await.unwrap();
    assert_eq!(broker.get(&key).await.unwrap().version, first.version);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it is kept for a while");
    is_revoked.store(true, Ordering::SeqCst);
    let since = Instant::now();
    let refused = loop {
        match broker.get(&key).await {
            Err(error) => break error,
            Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!(refused, CredentialError::NotConnected);
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    // A no is believed for a while, and a yes after it counts again.
    let before = asked.load(Ordering::SeqCst);
    assert!(broker.get(&key).await.is_err() && broker.get(&key).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), before);
    is_revoked.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let again = broker.get(&key).await.unwrap();
    assert_ne!(again.version, first.version, "a version does not come back");
}

#[tokio::test]
async fn the_same_answer_keeps_its_version_and_another_version_there_is_another_here() {
    let mark = Arc::new(AtomicUsize::new(1));
    let marked = Arc::clone(&mark);
    let server = Server::answering(move |_| {
        let mark = marked.load(Ordering::SeqCst);
        async move {
            (
                200,
                format!(r#"{{"secret": "tok_of_acme_0123", "version": {mark}}}"#),
            )
        }
    })
    .await;
    let broker = broker(server.place("/"), Duration::ZERO);
    let key = key("acme", "billing");
    let first = broker.get(&key).await.unwrap().version;
    assert_eq!(broker.get(&key).await.unwrap().version, first);
    mark.store(2, Ordering::SeqCst);
    assert_ne!(broker.get(&key).await.unwrap().version, first);
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_credential_that_was_refused_is_asked_for_again_and_a_new_one_is_not() {
    let server = Server::saying(200, ACME).await;
    let broker = broker(server.place("/"), Duration::from_secs(60));
    let key = key("acme", "billing");
    let version = broker.get(&key).await.unwrap().version;
    broker.evict(&key, version);
    broker.get(&key).await.unwrap();
    assert_eq!(
        server.count(),
        1,
        "an upstream that refuses everything makes nobody ask at its rate"
    );
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    broker.evict(&key, version + 1);
    broker.get(&key).await.unwrap();
    assert_eq!(server.count(), 1, "another version is left alone");
    broker.evict(&key, version);
    broker.get(&key).await.unwrap();
    assert_eq!(server.count(), 2);
    broker.forget(&key);
    broker.get(&key).await.unwrap();
    assert_eq!(server.count(), 3);
    broker.forget_tenant(&support::space("globex"));
    broker.get(&key).await.unwrap();
    broker.forget_tenant(&support::space("acme"));
    broker.get(&key).await.unwrap();
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn a_system_that_is_down_is_not_asked_at_the_rate_of_the_calls_and_nothing_old_stands_in() {
    let down = place("http://127.0.0.1:1/".parse().unwrap());
    let broker = broker(down, FRESH_FOR);
    let started = Instant::now();
    for _ in 0..100 {
        let refused = broker.get(&key("acme", "billing")).await.unwrap_err();
        assert!(matches!(refused, CredentialError::Unavailable(_)));
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}
