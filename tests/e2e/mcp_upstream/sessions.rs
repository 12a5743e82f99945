//! A session of a server belongs to one caller and one credential (T30, E16).

use std::collections::HashSet;

use serde_json::json;
use toolhost_harness::mcp_server::{Kind, McpServer};
use toolhost_harness::{Host, Issuer};

use crate::mcp_upstream::{builder, call, issuer, start, text};

async fn session(host: &Host, token: &str) -> String {
    let (status, body) = call(host, token, "session", json!({})).await;
    assert_eq!(status, 200, "{body}");
    text(&body).to_owned()
}

fn token_of(issuer: &Issuer, tenant: &str, subject: &str) -> String {
    issuer.mint(&json!({"tenantId": tenant, "sub": subject}))
}

#[tokio::test]
async fn two_tenants_and_two_people_never_share_a_session_and_one_keeps_its_own() {
    let (server, issuer) = (McpServer::python(Kind::Stateful), issuer());
    let host = start(builder(&issuer, &server.url())).await;
    let callers = [
        ("acme", "ann"),
        ("acme", "bob"),
        ("globex", "ann"),
        ("globex", "bob"),
    ];
    let mut seen = HashSet::new();
    for (tenant, subject) in callers {
        let token = token_of(&issuer, tenant, subject);
        let first = session(&host, &token).await;
        assert_eq!(session(&host, &token).await, first, "it is used again");
        assert!(seen.insert(first), "{tenant} {subject}");
    }
    assert!(!seen.contains("none") && seen.len() == 4);
}

#[tokio::test]
async fn calls_side_by_side_share_the_callers_session_and_no_answer_is_anothers() {
    let (server, issuer) = (McpServer::python(Kind::Stateful), issuer());
    let host = start(builder(&issuer, &server.url())).await;
    let tokens = ["acme", "globex"].map(|tenant| issuer.token(tenant));
    session(&host, &tokens[0]).await;
    let calls = (0..24).map(|number| {
        let (host, token) = (&host, &tokens[number % 2]);
        async move {
            let (status, body) = call(host, token, "add", json!({"a": number, "b": 1_000})).await;
            assert_eq!(
                (status, body["structured"]["result"].as_u64()),
                (200, Some(number as u64 + 1_000)),
                "{body}"
            );
        }
    });
    futures::future::join_all(calls).await;
}

#[tokio::test]
async fn a_renewed_credential_begins_a_new_session() {
    let (server, issuer) = (McpServer::python(Kind::Stateful), issuer());
    let host = start(builder(&issuer, &server.url())).await;
    let token = issuer.token("acme");
    let first = session(&host, &token).await;
    toolhost_harness::host::write(host.directory(), "acme.secret", "another-secret-of-acme-01");
    let mut second = first.clone();
    for _ in 0..100 {
        second = session(&host, &token).await;
        if second != first {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_ne!(second, first);
}

#[tokio::test]
async fn a_server_that_was_restarted_is_met_again() {
    let (server, issuer) = (McpServer::python(Kind::Stateful), issuer());
    let host = start(builder(&issuer, &server.url())).await;
    let token = issuer.token("acme");
    session(&host, &token).await;
    let again = server.restarted();
    let (status, body) = call(&host, &token, "add", json!({"a": 1, "b": 2})).await;
    assert_eq!(status, 200, "{body}");
    drop(again);
}
