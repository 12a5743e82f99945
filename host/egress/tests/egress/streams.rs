//! Responses that are read piece by piece.
use crate::support;

use std::time::Duration;

use futures::FutureExt as _;
use support::{ACME, House, Upstream, get, grant, house};
use toolhost_egress::{EgressCode, StreamingResponse};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nset-cookie: a=b\r\nconnection: close\r\n\r\n";

async fn start(house: &House, upstream: &Upstream) -> StreamingResponse {
    house
        .egress
        .start(
            house.call("acme", grant(&upstream.base())),
            get("/v1/invoices"),
        )
        .await
        .unwrap()
}

async fn rest(exchange: &mut StreamingResponse) -> (String, Option<EgressCode>) {
    let mut text = String::new();
    while let Some(piece) = exchange.body.next().await {
        match piece {
            Ok(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            Err(failure) => {
                assert!(failure.sent && exchange.body.next().await.is_none());
                return (text, Some(failure.code));
            }
        }
    }
    (text, None)
}

#[tokio::test]
async fn events_arrive_while_the_upstream_is_still_talking() {
    let upstream = Upstream::answering([HEAD, "data: one\n\n", "HANG"]).await;
    let house = house();
    let mut exchange = start(&house, &upstream).await;
    assert_eq!(
        exchange.head.headers,
        [("content-type".to_owned(), "text/event-stream".to_owned())]
    );
    let first = tokio::time::timeout(Duration::from_secs(60), exchange.body.next())
        .await
        .unwrap();
    assert_eq!(first.unwrap().unwrap(), &b"data: one\n\n"[..]);
    assert!(house.recorder.outcomes().is_empty());
    drop(exchange);
    let outcomes = house.recorder.outcomes();
    assert_eq!(
        (
            outcomes.len(),
            outcomes[0].outcome.as_str(),
            outcomes[0].response_bytes
        ),
        (1, "cancelled", 11)
    );
}

/// Wasmtime asks like this whether something is there.
#[tokio::test]
async fn a_reader_that_polls_once_and_drops_comes_to_the_end_all_the_same() {
    let upstream = Upstream::answering([HEAD, "data: one\n\n", "HANG"]).await;
    let mut exchange = start(&house(), &upstream).await;
    for _ in 0..10_000 {
        if let Some(piece) = exchange.body.next().now_or_never() {
            assert_eq!(piece.unwrap().unwrap(), &b"data: one\n\n"[..]);
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came");
}

#[tokio::test]
async fn a_secret_across_pieces_is_redacted() {
    let (a, b) = ACME.split_at(9);
    let pieces = [
        HEAD.to_owned(),
        format!("data: {a}"),
        b.to_owned(),
        "\n\ndata: two\n\n".to_owned(),
    ];
    let upstream = Upstream::answering(pieces).await;
    let house = house();
    let (text, failure) = rest(&mut start(&house, &upstream).await).await;
    assert_eq!(
        (text.as_str(), failure),
        ("data: [redacted]\n\ndata: two\n\n", None)
    );
    let outcomes = house.recorder.outcomes();
    assert_eq!(
        (
            outcomes.len(),
            outcomes[0].outcome.as_str(),
            outcomes[0].reflections
        ),
        (1, "ok", 1)
    );
}

#[tokio::test]
async fn a_secret_in_disguise_across_pieces_ends_the_stream() {
    let pieces = std::iter::once(HEAD.to_owned()).chain(ACME.chars().map(|c| format!("{c} ")));
    let upstream = Upstream::answering(pieces).await;
    let house = house();
    let (text, failure) = rest(&mut start(&house, &upstream).await).await;
    assert_eq!(failure, Some(EgressCode::Reflected));
    let unshared = "a1B2c3/D4e5+F6g7H8==";
    let shown: String = text.split_whitespace().collect();
    assert!(!shown.contains(&unshared[..12]), "{shown}");
    assert_eq!(
        (
            house.recorder.outcomes().len(),
            house.recorder.outcomes()[0].outcome.as_str()
        ),
        (1, "reflected")
    );
}

#[tokio::test]
async fn a_stream_ends_at_its_cap_and_at_the_calls_deadline() {
    let house = house();
    let upstream = Upstream::answering([HEAD.to_owned(), "x".repeat(100), "y".repeat(100)]).await;
    let mut small = grant(&upstream.base());
    small.limits.response_bytes = 150;
    let mut exchange = house
        .egress
        .start(house.call("acme", small), get("/v1/invoices"))
        .await
        .unwrap();
    assert_eq!(rest(&mut exchange).await.1, Some(EgressCode::Limit));
    let upstream = Upstream::answering([HEAD, "HANG"]).await;
    let call = house.call_for("acme", grant(&upstream.base()), Duration::from_millis(200));
    let mut exchange = house.egress.start(call, get("/v1/invoices")).await.unwrap();
    assert_eq!(rest(&mut exchange).await.1, Some(EgressCode::Timeout));
    assert_eq!(house.recorder.outcomes().len(), 2);
}

#[tokio::test]
async fn a_refused_start_is_recorded_once() {
    let upstream = Upstream::answering([HEAD]).await;
    let house = house();
    let failure = house
        .egress
        .start(
            house.call("acme", grant(&upstream.base())),
            get("/v1/admin"),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (
            failure.code,
            upstream.connections(),
            house.recorder.outcomes().len()
        ),
        (EgressCode::Denied, 0, 1)
    );
}
