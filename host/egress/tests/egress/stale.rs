//! A connection that stayed open from a request before, and that the outside system closes under
//! the next one.
use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{get, grant, house};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use toolhost_egress::{EgressCode, GuestRequest};

/// Answers the first request of each connection and closes it under the second, after these bytes.
/// Counts connections and requests.
async fn closing(last: &'static [u8]) -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counts.0.fetch_add(1, Ordering::SeqCst);
            let requests = Arc::clone(&counts.1);
            tokio::spawn(async move {
                let mut buffer = [0; 4_096];
                for nth in 0..2 {
                    if socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        requests.fetch_add(1, Ordering::SeqCst);
                        if nth == 0 {
                            let answer =
                                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok";
                            socket.write_all(answer).await.unwrap();
                        } else {
                            socket.write_all(last).await.unwrap();
                        }
                    }
                }
            });
        }
    });
    (base, connections, requests)
}

fn post() -> GuestRequest {
    GuestRequest {
        method: "POST".into(),
        body: Some("{}".into()),
        ..get("/v1/refunds")
    }
}

#[tokio::test]
async fn an_idempotent_request_is_sent_once_more_on_a_new_connection_and_counted() {
    let (base, connections, requests) = closing(b"").await;
    let house = house();
    let call = house.call("acme", grant(&base));
    assert_eq!(
        house
            .egress
            .send(&call, get("/v1/invoices"))
            .await
            .unwrap()
            .body,
        "ok"
    );
    assert_eq!(
        house
            .egress
            .send(&call, get("/v1/invoices"))
            .await
            .unwrap()
            .body,
        "ok"
    );
    assert_eq!(
        (
            connections.load(Ordering::SeqCst),
            requests.load(Ordering::SeqCst)
        ),
        (2, 3)
    );
    let outcomes = house.recorder.outcomes();
    let ends: Vec<&str> = outcomes
        .iter()
        .map(|outcome| outcome.outcome.as_str())
        .collect();
    assert_eq!(ends, ["ok", "upstream", "ok"]);
    assert!(outcomes.iter().all(|outcome| outcome.sent) && house.recorder.intents() == 3);
}

#[tokio::test]
async fn what_changes_something_is_never_sent_twice() {
    let (base, _, requests) = closing(b"").await;
    let house = house();
    let call = house.call("acme", grant(&base));
    house.egress.send(&call, get("/v1/invoices")).await.unwrap();
    let failure = house.egress.send(&call, post()).await.unwrap_err();
    assert_eq!((failure.code, failure.sent), (EgressCode::Upstream, true));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_a_request_left_in_the_budget_the_failure_stands() {
    let (base, _, requests) = closing(b"").await;
    let house = house();
    let mut granted = grant(&base);
    granted.limits.http_calls = 2;
    let call = house.call("acme", granted);
    house.egress.send(&call, get("/v1/invoices")).await.unwrap();
    assert!(house.egress.send(&call, get("/v1/invoices")).await.is_err());
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

/// RFC 9110 section 9.2.2 is about a connection that was gone: here the system has begun to answer.
#[tokio::test]
async fn what_was_answered_in_part_is_not_sent_again() {
    for last in [
        "H",
        "HTTP/1.1 200 OK\r\ncontent-",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
    ] {
        let (base, _, requests) = closing(last.as_bytes()).await;
        let house = house();
        let call = house.call("acme", grant(&base));
        house.egress.send(&call, get("/v1/invoices")).await.unwrap();
        let failure = house
            .egress
            .send(&call, get("/v1/invoices"))
            .await
            .unwrap_err();
        assert_eq!(
            (failure.code, failure.sent),
            (EgressCode::Upstream, true),
            "{last}"
        );
        assert_eq!(requests.load(Ordering::SeqCst), 2, "{last}");
    }
}
