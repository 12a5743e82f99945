//! MCP sessions that nobody uses leave the process, and go on with their next request.
use crate::support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Host, call, host, legacy, token};

async fn whoami(host: &Host, token: &str, session: &str) -> (u16, Value) {
    asked(host, token, session, 1).await
}

/// Requests of one session at once have ids of their own.
async fn asked(host: &Host, token: &str, session: &str, id: u64) -> (u16, Value) {
    let answer = host
        .send(legacy(token, Some(session), &call(id, "whoami", json!({}))))
        .await;
    match answer.status.as_u16() {
        200 => (200, answer.last()["result"]["content"][0]["text"].clone()),
        status => (status, Value::Null),
    }
}

#[tokio::test]
async fn a_session_that_was_parked_goes_on_for_its_owner_alone() {
    let host = host();
    let (alice, mallory) = (token("acme", "alice"), token("globex", "mallory"));
    let session = host.session(&alice).await;
    let parking = host.gateway.idle_session_evictor();
    assert_eq!(
        parking.evict_idle(Duration::from_secs(60)).await,
        0,
        "it was used just now"
    );
    for _ in 0..2 {
        assert_eq!(parking.evict_idle(Duration::ZERO).await, 1);
        assert_eq!(
            parking.evict_idle(Duration::ZERO).await,
            0,
            "it is parked already"
        );
        assert_eq!(whoami(&host, &mallory, &session).await.0, 404);
        assert_eq!(
            whoami(&host, &alice, &session).await,
            (200, json!("acme/alice"))
        );
    }
    let ended = support::request("DELETE", "/mcp", Some(&alice))
        .header("mcp-protocol-version", support::LEGACY)
        .header("mcp-session-id", &session)
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(host.send(ended).await.status, 204);
    assert_eq!(whoami(&host, &alice, &session).await.0, 404);
}

#[tokio::test]
async fn a_session_is_not_parked_while_a_call_of_it_runs_whether_its_client_waits_or_not() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    let parking = host.gateway.idle_session_evictor();
    let waiting = host.send(legacy(&alice, Some(&session), &call(7, "slow", json!({}))));
    let beside = async {
        host.calls.started().await;
        let mut parked = 0;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            parked += parking.evict_idle(Duration::ZERO).await;
        }
        parked
    };
    let (answer, parked) = tokio::join!(waiting, beside);
    assert_eq!(
        answer.last()["result"]["content"][0]["text"],
        "slow but done"
    );
    assert_eq!(parked, 0, "a call of it ran all the time");
    // A client that is gone: what its call answers is kept, so the session stays until then.
    let gone = host
        .open(legacy(&alice, Some(&session), &call(8, "slow", json!({}))))
        .await;
    drop(gone);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        whoami(&host, &alice, &session).await,
        (200, json!("acme/alice"))
    );
}

#[tokio::test]
async fn requests_that_meet_the_parking_of_their_session_are_all_answered() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    let parking = host.gateway.idle_session_evictor();
    let calls = async {
        for _ in 0..60 {
            let both = tokio::join!(
                asked(&host, &alice, &session, 1),
                asked(&host, &alice, &session, 2)
            );
            assert_eq!([both.0.0, both.1.0], [200, 200]);
        }
    };
    let parked = async {
        let mut parked = 0;
        for _ in 0..400 {
            parked += parking.evict_idle(Duration::ZERO).await;
            tokio::task::yield_now().await;
        }
        parked
    };
    let ((), parked) = tokio::join!(calls, parked);
    assert!(parked > 0, "they met");
}
