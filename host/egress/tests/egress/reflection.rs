//! A credential that comes back in a response: in its body, its headers and its trailers.
use crate::support;

use support::{ACME, Upstream, get, grant, house};
use toolhost_egress::EgressCode;

async fn echo(
    head: &str,
    body: &str,
) -> Result<toolhost_egress::GuestResponse, toolhost_egress::EgressFailure> {
    let upstream = Upstream::saying(head, body).await;
    let house = house();
    let result = house
        .egress
        .send(
            &house.call("acme", grant(&upstream.base())),
            get("/v1/invoices"),
        )
        .await;
    let outcomes = house.recorder.outcomes();
    assert!(
        outcomes.len() == 1 && outcomes[0].reflections > 0,
        "{outcomes:?}"
    );
    assert!(!house.recorder.text().contains(ACME));
    result
}

#[tokio::test]
async fn an_echo_in_body_and_headers_is_redacted_and_counted() {
    let head =
        format!("200 OK\r\ncontent-type: application/json\r\netag: \"{ACME}\"\r\nx-echo: {ACME}");
    let response = echo(&head, &format!("{{\"authorization\":\"Bearer {ACME}\"}}"))
        .await
        .unwrap();
    assert_eq!(
        response.body,
        &br#"{"authorization":"Bearer [redacted]"}"#[..]
    );
    let headers = [
        ("content-type", "application/json"),
        ("etag", "\"[redacted]\""),
        ("content-length", "37"),
    ];
    assert_eq!(
        response.headers,
        headers.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[tokio::test]
async fn an_echo_that_cannot_be_redacted_withholds_the_response() {
    let failure = echo("200 OK\r\ncontent-type: application/pdf", ACME)
        .await
        .unwrap_err();
    assert_eq!((failure.code, failure.sent), (EgressCode::Reflected, true));
    let spaced: String = ACME.chars().flat_map(|c| [c, ' ']).collect();
    let failure = echo("200 OK\r\ncontent-type: text/plain", &spaced)
        .await
        .unwrap_err();
    assert_eq!(failure.code, EgressCode::Reflected);
}

#[tokio::test]
async fn an_echo_in_trailers_is_dropped_and_counted() {
    let pieces = [
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\ntrailer: etag\r\n\r\n2\r\nok\r\n0\r\n".to_owned(),
        format!("etag: {ACME}\r\n\r\n"),
    ];
    let upstream = Upstream::answering(pieces).await;
    let house = house();
    let response = house
        .egress
        .send(
            &house.call("acme", grant(&upstream.base())),
            get("/v1/invoices"),
        )
        .await
        .unwrap();
    assert_eq!(response.body, &b"ok"[..]);
    assert!(response.headers.iter().all(|(name, _)| name != "etag"));
    assert_eq!(house.recorder.outcomes()[0].reflections, 1);
}
