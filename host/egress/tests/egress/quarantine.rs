//! What follows once an outside system has sent a credential back: for the call, and for the plugin
//! of that tenant.
use crate::support;

use std::sync::Arc;

use support::{ACME, GLOBEX, House, Upstream, get, grant, grant_with, house};
use toolhost_egress::{EgressCode, EgressFailure, GuestRequest, GuestResponse};
use toolhost_policy::{Connection, Endpoint, Method, OperationRule, PathTemplate, PluginName};

fn rule(path: &str) -> Vec<OperationRule> {
    vec![OperationRule {
        method: Method::Get,
        path: PathTemplate::parse(path).unwrap(),
    }]
}

/// A mirror of both tenants' credentials, as one that answers guesses is.
async fn mirror() -> Upstream {
    let body = format!("{ACME} {GLOBEX}");
    Upstream::saying("200 OK\r\ncontent-type: text/plain", &body).await
}

async fn send(
    house: &House,
    tenant: &str,
    upstream: &Upstream,
    change: impl FnOnce(&mut Connection),
) -> Result<GuestResponse, EgressFailure> {
    let call = house.call(tenant, grant_with(&upstream.base(), change));
    house.egress.send(&call, get("/v1/invoices")).await
}

fn is_reflected<T: std::fmt::Debug>(result: Result<T, EgressFailure>) -> String {
    let failure = result.unwrap_err();
    assert_eq!(failure.code, EgressCode::Reflected, "{failure}");
    failure.message
}

#[tokio::test]
async fn a_mirror_answers_one_guess_and_is_then_cut_off_for_its_own_tenant_and_plugin_alone() {
    let (upstream, house) = (mirror().await, house());
    let first = send(&house, "acme", &upstream, |_| {}).await.unwrap();
    assert_eq!(first.body, format!("[redacted] {GLOBEX}"));
    let second = is_reflected(send(&house, "acme", &upstream, |_| {}).await);
    assert!(
        second.contains("quarantined") && second.contains("host connection lift billing"),
        "{second}"
    );
    let sent = upstream.connections();
    is_reflected(send(&house, "acme", &upstream, |_| {}).await);
    is_reflected(
        house
            .egress
            .start(
                house.call("acme", grant(&upstream.base())),
                get("/v1/invoices"),
            )
            .await
            .map(|_| ()),
    );
    assert_eq!(upstream.connections(), sent, "nothing leaves any more");
    // Another tenant, and another plugin of this one, go on.
    let other = send(&house, "globex", &upstream, |_| {}).await.unwrap();
    assert_eq!(other.body, format!("{ACME} [redacted]"));
    let mut granted = grant(&upstream.base());
    granted.plugin = PluginName::parse("another").unwrap();
    let call = house.call("acme", granted);
    assert!(house.egress.send(&call, get("/v1/invoices")).await.is_ok());
}

#[tokio::test]
async fn a_reflection_ends_the_connection_for_its_call() {
    let (upstream, house) = (mirror().await, house());
    let call = house.call("acme", grant(&upstream.base()));
    assert!(house.egress.send(&call, get("/v1/invoices")).await.is_ok());
    let message = is_reflected(house.egress.send(&call, get("/v1/invoices")).await);
    assert!(message.contains("in this call"), "{message}");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn of_many_answers_at_once_one_is_handed_on() {
    let (upstream, house) = (mirror().await, house());
    for same_call in [true, false] {
        let shared = house.call("globex", grant(&upstream.base()));
        let requests = (0..6).map(|_| {
            let call = if same_call {
                Arc::clone(&shared)
            } else {
                house.call("acme", grant(&upstream.base()))
            };
            let house = &house;
            async move { house.egress.send(&call, get("/v1/invoices")).await }
        });
        let answers = futures::future::join_all(requests).await;
        assert_eq!(
            answers.iter().filter(|answer| answer.is_ok()).count(),
            1,
            "{same_call}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_reflects_counts_before_the_piece_is_handed_on() {
    let body = [
        format!("data: {}", &ACME[..9]),
        format!("{}\n\n", &ACME[9..]),
        format!("data: {ACME}\n\n"),
    ];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        .to_owned();
    let upstream = Upstream::answering([head].into_iter().chain(body)).await;
    let house = house();
    for (end, text) in [
        (None, "data: [redacted]\n\ndata: [redacted]\n\n"),
        (Some(EgressCode::Reflected), ""),
    ] {
        let call = house.call("acme", grant(&upstream.base()));
        let mut exchange = house.egress.start(call, get("/v1/invoices")).await.unwrap();
        let (mut out, mut failed) = (String::new(), None);
        while let Some(piece) = exchange.body.next().await {
            match piece {
                Ok(bytes) => out.push_str(std::str::from_utf8(&bytes).unwrap()),
                Err(failure) => failed = Some(failure.code),
            }
        }
        assert_eq!((out.as_str(), failed), (text, end));
    }
}

#[tokio::test]
async fn an_operation_whose_reflection_is_accepted_stays_redacted_and_counts_for_nothing() {
    let (upstream, house) = (mirror().await, house());
    for _ in 0..4 {
        let answer = send(&house, "acme", &upstream, |connection| {
            connection.reflects = rule("/v1/{what}")
        })
        .await;
        assert_eq!(answer.unwrap().body, format!("[redacted] {GLOBEX}"));
    }
    // A rule for another operation is none for this one.
    let other = |connection: &mut Connection| connection.reflects = rule("/v1/other");
    assert!(send(&house, "acme", &upstream, other).await.is_ok());
    is_reflected(send(&house, "acme", &upstream, other).await);
}

#[tokio::test]
async fn a_result_that_holds_the_credential_counts_too() {
    let upstream = Upstream::saying("200 OK\r\ncontent-type: text/plain", "fine").await;
    let house = house();
    for _ in 0..2 {
        let call = house.call("acme", grant(&upstream.base()));
        house.egress.send(&call, get("/v1/invoices")).await.unwrap();
        let spelt = ACME.to_uppercase();
        let hit = call.credential_in(spelt.as_bytes()).unwrap();
        assert!(hit.is_certain);
        house.egress.record_reflection(&call, &hit).await;
    }
    is_reflected(send(&house, "acme", &upstream, |_| {}).await);
}

/// An artifact, progress and log lines reach callers, and a guest learns whether they were handed
/// on.
#[tokio::test]
async fn what_a_guest_says_before_its_result_answers_one_guess_and_counts() {
    let upstream = Upstream::saying("200 OK\r\ncontent-type: text/plain", "fine").await;
    let house = house();
    let egress = Arc::clone(&house.egress);
    for _ in 0..2 {
        let call = Arc::new(house.call("acme", grant(&upstream.base())));
        house.egress.send(&call, get("/v1/invoices")).await.unwrap();
        assert!(egress.search_output(&call, b"fine").is_none());
        assert!(egress.search_output(&call, ACME.as_bytes()).is_some());
        assert!(
            egress.search_output(&call, b"fine").is_some(),
            "nothing more is handed on"
        );
        is_reflected(house.egress.send(&call, get("/v1/invoices")).await);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    let last = is_reflected(send(&house, "acme", &upstream, |_| {}).await);
    assert!(last.contains("quarantined"), "{last}");
}

/// Else a caller cuts a tool off by arguments that it hands back.
#[tokio::test]
async fn a_result_that_cannot_be_searched_is_withheld_and_counts_for_nothing() {
    let upstream = Upstream::saying("200 OK\r\ncontent-type: text/plain", "fine").await;
    let house = house();
    let plain = "an ordinary text of Some Words, and 1234567890 digits".to_owned();
    let nested = (0..5).fold(plain, |text, _| {
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
    });
    for _ in 0..3 {
        let call = house.call("acme", grant(&upstream.base()));
        house.egress.send(&call, get("/v1/invoices")).await.unwrap();
        let hit = call.credential_in(nested.as_bytes()).unwrap();
        assert!(!hit.is_certain);
        house.egress.record_reflection(&call, &hit).await;
    }
    assert!(send(&house, "acme", &upstream, |_| {}).await.is_ok());
}

#[tokio::test]
async fn a_part_of_an_answer_is_asked_for_and_taken_only_where_a_rule_says_so() {
    let upstream = Upstream::saying(
        "206 Partial Content\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-3/9",
        "part",
    )
    .await;
    let house = house();
    let ask = async |fields: &[(&str, &str)], ruled: bool| {
        let mut granted = grant_with(&upstream.base(), |connection| {
            if ruled {
                connection.ranges = rule("/v1/invoices");
            }
        });
        let headers = vec!["range".to_owned(), "x-ms-range".to_owned()];
        for grant in granted.connections.values_mut() {
            grant.endpoints.push(Endpoint {
                method: Method::Get,
                path: PathTemplate::parse("/v1/files").unwrap(),
                query: vec![],
                query_objects: vec![],
                headers: headers.clone(),
            });
            grant.endpoints[0].headers = headers.clone();
        }
        let headers = fields
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let request = GuestRequest {
            headers,
            ..get("/v1/invoices")
        };
        house
            .egress
            .send(&house.call("acme", granted), request)
            .await
    };
    for field in [("Range", "bytes=0-10"), ("x-ms-range", "bytes=0-10")] {
        let failure = ask(&[field], false).await.unwrap_err();
        assert_eq!(
            (failure.code, failure.sent),
            (EgressCode::Denied, false),
            "{failure}"
        );
        assert!(
            failure.message.contains("connections.billing.ranges"),
            "{failure}"
        );
        assert_eq!(ask(&[field], true).await.unwrap().body, "part");
    }
    let failure = ask(&[], false).await.unwrap_err();
    assert_eq!((failure.code, failure.sent), (EgressCode::Upstream, true));
}
