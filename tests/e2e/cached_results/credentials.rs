//! What came of a credential is found under that very credential alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use toolhost_harness::{Callers, Rig, Upstream, connection};
use toolhost_policy::{ErrorCode, Secret};
use toolhost_tools::CallOptions;
use toolhost_vault::{Credential, CredentialError, CredentialProvider, CredentialRequest};

use crate::cached_results::{World, q};

/// Whatever the tool says: what came with one user's credential is nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_whose_connections_are_the_users_own_shares_nothing() {
    let upstream = Upstream::start(Router::new().route("/echo", get(|| async { "ok" }))).await;
    let mut of_user = connection("billing", "http://127.0.0.1:9");
    of_user.credential_of = toolhost_policy::CredentialOwner::User;
    let rig = Rig::for_plugin("evil")
        .connection(of_user)
        .connection(connection("echo", &upstream.url()))
        .credential("acme", "echo", "tok-acme-0123456789")
        .build()
        .await;
    drop(rig.binding("acme"));
    let callers = Callers::new(&["acme"], "http://127.0.0.1/mcp").await;
    for subject in ["ada", "bob", "ada"] {
        let binding = callers.binding("acme", subject).await;
        rig.call_as(&binding, "cached_shared", q("a"), CallOptions::default())
            .await
            .unwrap();
    }
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_credential_misses_and_a_revoked_one_gives_nothing_of_before() {
    let world = World::start().await;
    let file = world.rig.secrets.path().join("secret-0");
    for _ in 0..2 {
        world.call("acme", "cached_shared", q("a")).await.unwrap();
    }
    assert_eq!(world.asked(), 1);
    std::fs::write(&file, "tok-acme-rotated-0123456789").unwrap();
    for _ in 0..2 {
        world.call("acme", "cached_shared", q("a")).await.unwrap();
    }
    assert_eq!(world.asked(), 2);
    std::fs::remove_file(&file).unwrap();
    let error = world
        .call("acme", "cached_shared", q("a"))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::CredentialUnavailable);
    assert_eq!(world.asked(), 2);
}

/// Answers for `echo` as it is told, question by question.
#[derive(Debug)]
struct Told(Mutex<VecDeque<bool>>);

#[async_trait::async_trait]
impl CredentialProvider for Told {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let is_echo = request.key.connection().as_str() == "echo";
        if is_echo && self.0.lock().unwrap().pop_front() == Some(true) {
            return Ok(Arc::new(Credential {
                secret: Secret::new(b"tok-acme-0123456789".to_vec()),
                attributes: BTreeMap::new(),
                expires_at: None,
                version: 1,
            }));
        }
        Err(CredentialError::NotConnected)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_credential_that_was_set_meanwhile_is_not_kept_as_if_there_were_none() {
    let upstream = Upstream::start(Router::new().route("/echo", get(|| async { "ok" }))).await;
    // None when it is looked for, one when the request is made and when the result is to be kept,
    // then none again.
    let told = Told(Mutex::new(VecDeque::from([false, true, true])));
    let rig = Rig::for_plugin("evil")
        .connection(connection("echo", &upstream.url()))
        .provider(Arc::new(told))
        .build()
        .await;
    rig.call("acme", "cached_shared", q("a")).await.unwrap();
    let error = rig.call("acme", "cached_shared", q("a")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotConnected);
}
