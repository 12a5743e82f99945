//! The whole way of a request, against an upstream that keeps every byte.
use crate::support;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use support::{
    ACME, GLOBEX, House, Provider, Recorder, Upstream, get, grant, grant_with, house, house_with,
};
use toolhost_egress::{EgressCode, GuestRequest};
use toolhost_policy::{AuthPlacement, Grant, HeaderTemplate, PrincipalRule};

#[tokio::test]
async fn each_tenants_credential_goes_out_and_nothing_of_it_comes_back() {
    let upstream = Upstream::saying(
        "200 OK\r\ncontent-type: application/json",
        r#"{"invoices":[]}"#,
    )
    .await;
    let house = house();
    for (tenant, secret) in [("acme", ACME), ("globex", GLOBEX)] {
        let mut request = get("/v1/invoices");
        request.query = vec![("limit".into(), "5&x=1".into())];
        let response = house
            .egress
            .send(&house.call(tenant, grant(&upstream.base())), request)
            .await
            .unwrap();
        assert_eq!(
            (response.status, &response.body[..]),
            (200, &br#"{"invoices":[]}"#[..])
        );
        let received = upstream.received();
        let last = received.rsplit("GET ").next().unwrap().to_owned();
        assert!(
            last.starts_with("/v1/invoices?limit=5%26x%3D1 HTTP/1.1\r\n"),
            "{last}"
        );
        assert!(
            last.contains(&format!("authorization: Bearer {secret}\r\n"))
                && last.contains("accept-encoding: identity\r\n")
        );
        assert_eq!(last.matches("tok_live_").count(), 1);
    }
    let text = house.recorder.text();
    assert!(!text.contains("tok_live") && !text.contains("limit") && house.recorder.intents() == 2);
    let outcome = &house.recorder.outcomes()[1];
    assert_eq!(
        (
            outcome.status,
            outcome.outcome.as_str(),
            outcome.sent,
            outcome.response_bytes
        ),
        (Some(200), "ok", true, 15)
    );
    assert_eq!(outcome.address, Some(upstream.address.to_string()));
}

#[tokio::test]
async fn headers_from_attributes_and_other_placements_arrive_as_configured() {
    let upstream = Upstream::saying("200 OK", "").await;
    let house = house();
    let with = |auth: AuthPlacement| {
        let template = HeaderTemplate::parse("acct-{external_tenant_id}").unwrap();
        grant_with(&upstream.base(), |c| {
            c.headers = vec![(HeaderName::from_static("x-account-id"), template)];
            c.auth = auth;
        })
    };
    let key = AuthPlacement::Query {
        key: "api_key".into(),
    };
    house
        .egress
        .send(&house.call("acme", with(key)), get("/v1/invoices"))
        .await
        .unwrap();
    assert!(
        upstream.received().contains(
            "GET /v1/invoices?api_key=tok_live_a1B2c3%2FD4e5%2BF6g7H8%3D%3D HTTP/1.1\r\n"
        )
    );
    assert!(
        upstream
            .received()
            .contains("x-account-id: acct-ext-acme-77\r\n")
    );
    let header = AuthPlacement::Header {
        name: HeaderName::from_static("x-api-key"),
        prefix: String::new(),
    };
    house
        .egress
        .send(&house.call("acme", with(header)), get("/v1/invoices"))
        .await
        .unwrap();
    assert!(
        upstream
            .received()
            .contains(&format!("x-api-key: {ACME}\r\n"))
    );
    let mut post = get("/v1/refunds");
    post.method = "POST".into();
    post.headers = vec![("Content-Type".into(), "application/json".into())];
    post.body = Some(Bytes::from_static(br#"{"amount":1}"#));
    let body = AuthPlacement::Body {
        pointer: "/key".into(),
    };
    house
        .egress
        .send(&house.call("acme", with(body)), post)
        .await
        .unwrap();
    assert!(
        upstream
            .received()
            .ends_with(&format!(r#"{{"amount":1,"key":"{ACME}"}}"#))
    );
}

type Change = fn(&mut GuestRequest);

#[tokio::test]
async fn a_refused_request_leaves_no_byte_and_asks_for_no_credential() {
    let attacks: &[(&str, Change)] = &[
        ("undeclared connection", |r| r.connection = "crm".into()),
        ("absolute URL for a connection", |r| {
            r.connection = "http://127.0.0.1".into()
        }),
        ("method", |r| r.method = "DELETE".into()),
        ("CONNECT", |r| r.method = "CONNECT".into()),
        ("method with CRLF", |r| {
            r.method = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET".into()
        }),
        ("path", |r| r.path = "/v1/admin".into()),
        ("absolute path", |r| {
            r.path = "http://169.254.169.254/latest".into()
        }),
        ("dots in the path", |r| {
            r.path = "/v1/invoices/../admin".into()
        }),
        ("dots in a value", |r| {
            (r.path, r.parameters) = ("/v1/invoices/{id}".into(), vec![("id".into(), "..".into())])
        }),
        ("encoded dots", |r| {
            (r.path, r.parameters) = (
                "/v1/invoices/{id}".into(),
                vec![("id".into(), "%2e%2e".into())],
            )
        }),
        ("slash in a value", |r| {
            (r.path, r.parameters) = (
                "/v1/invoices/{id}".into(),
                vec![("id".into(), "a/../../x".into())],
            )
        }),
        ("query key", |r| {
            r.query = vec![("admin".into(), "1".into())]
        }),
        ("query key with an ampersand", |r| {
            r.query = vec![("limit=1&admin".into(), "1".into())]
        }),
        ("authorization", |r| {
            r.headers = vec![("aUtHoRiZaTiOn".into(), "Bearer x".into())]
        }),
        ("host", |r| {
            r.headers = vec![("Host".into(), "evil.example".into())]
        }),
        ("length", |r| {
            r.headers = vec![("Content-Length".into(), "0".into())]
        }),
        ("smuggling", |r| {
            r.headers = vec![("Transfer-Encoding".into(), "chunked".into())]
        }),
        ("CRLF in a value", |r| {
            r.headers = vec![("Accept".into(), "a\r\nAuthorization: Bearer x".into())]
        }),
        ("header twice", |r| {
            r.headers = vec![("Accept".into(), "a".into()), ("accept".into(), "b".into())]
        }),
        ("header that is not granted", |r| {
            r.headers = vec![("X-Debug".into(), "1".into())]
        }),
        ("body", |r| {
            r.body = Some(Bytes::from(vec![0; (1 << 20) + 1]))
        }),
    ];
    let upstream = Upstream::saying("200 OK", "").await;
    for (name, change) in attacks {
        let house = house();
        let mut request = get("/v1/invoices");
        change(&mut request);
        let failure = house
            .egress
            .send(&house.call("acme", grant(&upstream.base())), request)
            .await
            .unwrap_err();
        assert!(!failure.sent, "{name}");
        assert!(
            !failure.message.contains("127.0.0.1:") && !failure.message.contains("tok_live"),
            "{name}: {failure}"
        );
        assert_eq!((house.asked(), house.recorder.intents()), (0, 0), "{name}");
        let outcomes = house.recorder.outcomes();
        assert_eq!(outcomes.len(), 1, "{name}");
        assert_eq!(
            (outcomes[0].outcome.as_str(), outcomes[0].sent),
            (failure.code.as_str(), false),
            "{name}"
        );
    }
    assert_eq!(
        (upstream.connections(), upstream.received().as_str()),
        (0, "")
    );
}

#[tokio::test]
async fn a_caller_or_a_configuration_that_does_not_fit_is_stopped_before_the_network() {
    let upstream = Upstream::saying("200 OK", "").await;
    let house = house();
    let base = upstream.base();
    let cases: [(&str, &str, Grant); 4] = [
        (
            "machines only",
            "acme",
            grant_with(&base, |c| c.principal = PrincipalRule::Machine),
        ),
        (
            "loopback not allowed",
            "acme",
            grant_with(&base, |c| c.allow_loopback = false),
        ),
        ("unknown tenant", "initech", grant(&base)),
        (
            "unknown provider",
            "acme",
            grant_with(&base, |c| c.credentials = "vault".into()),
        ),
    ];
    for (name, tenant, grant) in cases {
        let failure = house
            .egress
            .send(&house.call(tenant, grant), get("/v1/invoices"))
            .await
            .unwrap_err();
        assert!(
            matches!(failure.code, EgressCode::Denied | EgressCode::NotConnected) && !failure.sent,
            "{name}: {failure}"
        );
        assert!(
            !failure.message.contains("127.0.0.1") && !failure.message.contains("initech"),
            "{name}: {failure}"
        );
    }
    assert_eq!(
        (
            upstream.connections(),
            house.recorder.outcomes().len(),
            house.recorder.intents()
        ),
        (0, 4, 0)
    );
}

#[tokio::test]
async fn special_addresses_are_refused_whatever_they_are_called() {
    let house = house();
    for base in [
        "http://169.254.169.254",
        "http://[fd00:ec2::254]",
        "http://10.0.0.7",
        "http://[::ffff:169.254.169.254]",
        "http://[64:ff9b::a9fe:a9fe]",
        "http://0.0.0.0",
        "http://metadata.google.internal",
        "http://100.100.100.200",
    ] {
        let failure = house
            .egress
            .send(&house.call("acme", grant(base)), get("/v1/invoices"))
            .await
            .unwrap_err();
        assert_eq!(
            (failure.code, failure.sent),
            (EgressCode::Denied, false),
            "{base}"
        );
        assert_eq!(
            failure.message,
            "connection billing leads to a place that is not allowed"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_sent_and_its_response_not_handed_on() {
    let upstream = Upstream::saying("200 OK\r\ncontent-type: text/plain", "paid").await;
    let stopped = house_with(
        Provider::default(),
        Recorder {
            fails_from: Some(0),
            ..Recorder::default()
        },
    );
    let failure = stopped
        .egress
        .send(
            &stopped.call("acme", grant(&upstream.base())),
            get("/v1/invoices"),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (failure.code, failure.sent, upstream.connections()),
        (EgressCode::Denied, false, 0)
    );
    let withheld = house_with(
        Provider::default(),
        Recorder {
            fails_from: Some(1),
            ..Recorder::default()
        },
    );
    let failure = withheld
        .egress
        .send(
            &withheld.call("acme", grant(&upstream.base())),
            get("/v1/invoices"),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (failure.code, failure.sent, upstream.connections()),
        (EgressCode::Denied, true, 1)
    );
}

#[tokio::test]
async fn a_read_goes_unrecorded_only_where_the_operator_says_so_and_neither_tool_nor_method_changes_anything()
 {
    for (serves_reads, of_read_only_tool, method, path, goes) in [
        (true, true, "GET", "/v1/invoices", true),
        (true, true, "HEAD", "/v1/invoices", true),
        (true, true, "POST", "/v1/refunds", false),
        (true, false, "GET", "/v1/invoices", false),
        (false, true, "GET", "/v1/invoices", false),
    ] {
        let upstream = Upstream::saying(
            "200 OK\r\ncontent-type: text/plain\r\ncontent-length: 0",
            "",
        )
        .await;
        let recorder = Recorder {
            fails_from: Some(0),
            serves_reads,
            ..Recorder::default()
        };
        let house = house_with(Provider::default(), recorder);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let grant = std::sync::Arc::new(grant(&upstream.base()));
        let call = house
            .egress
            .call(support::binding("acme"), grant, 7, deadline)
            .of_read_only_tool(of_read_only_tool);
        let mut request = get(path);
        request.method = method.into();
        let sent = house.egress.send(&call, request).await;
        assert_eq!(
            (sent.is_ok(), upstream.connections()),
            (goes, usize::from(goes)),
            "{serves_reads} {of_read_only_tool} {method}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn the_intent_says_which_version_of_the_credential_goes_along() {
    let upstream = Upstream::saying("200 OK", "").await;
    let house = house();
    let call = house.call("acme", grant(&upstream.base()));
    house.egress.send(&call, get("/v1/invoices")).await.unwrap();
    assert!(
        house.recorder.text().contains("\"credential_version\":"),
        "{}",
        house.recorder.text()
    );
}

#[tokio::test]
async fn a_redirect_is_handed_over_without_its_address_and_not_followed() {
    let elsewhere = Upstream::saying("200 OK", "").await;
    let head = format!(
        "307 Temporary Redirect\r\nlocation: {}/steal",
        elsewhere.base()
    );
    let upstream = Upstream::saying(&head, "").await;
    let house = house();
    let grant = grant_with(&upstream.base(), |c| {
        c.response_headers = vec![http::header::LOCATION]
    });
    let response = house
        .egress
        .send(&house.call("acme", grant), get("/v1/invoices"))
        .await
        .unwrap();
    assert_eq!((response.status, elsewhere.connections()), (307, 0));
    assert!(response.headers.iter().all(|(name, _)| name != "location"));
}

async fn answer(house: &House, pieces: &[&str]) -> (EgressCode, bool) {
    let upstream = Upstream::answering(pieces).await;
    let call = house.call_for("acme", grant(&upstream.base()), Duration::from_millis(300));
    let failure = house
        .egress
        .send(&call, get("/v1/invoices"))
        .await
        .unwrap_err();
    assert!(
        !failure.message.contains("127.0.0.1") && !failure.message.contains("evil-text"),
        "{failure}"
    );
    (failure.code, failure.sent)
}

#[tokio::test]
async fn an_upstream_that_does_not_keep_to_the_rules_is_a_typed_failure() {
    let house = house();
    let compressed = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(
        answer(&house, &[compressed]).await,
        (EgressCode::Upstream, true)
    );
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    assert_eq!(
        answer(&house, &[switching]).await,
        (EgressCode::Upstream, true)
    );
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n";
    assert_eq!(
        answer(&house, &[announced, "HANG"]).await,
        (EgressCode::Limit, true)
    );
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n",
        "x-a: b\r\n".repeat(80)
    );
    assert_eq!(answer(&house, &[&many]).await, (EgressCode::Limit, true));
    let broken = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
    assert_eq!(
        answer(&house, &[broken]).await,
        (EgressCode::Upstream, true)
    );
    assert_eq!(
        answer(&house, &["evil-text\r\n\r\n"]).await,
        (EgressCode::Upstream, true)
    );
    assert_eq!(answer(&house, &["HANG"]).await, (EgressCode::Timeout, true));
    assert_eq!(
        answer(
            &house,
            &["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", "HANG"]
        )
        .await,
        (EgressCode::Timeout, true)
    );
    let outcomes = house.recorder.outcomes();
    assert!(outcomes.len() == 8 && outcomes.iter().all(|outcome| outcome.sent));
}

#[tokio::test]
async fn a_place_where_nobody_listens_is_not_named() {
    let gone = Upstream::saying("200 OK", "").await.base();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let house = house();
    let failure = house
        .egress
        .send(&house.call("acme", grant(&base)), get("/v1/invoices"))
        .await
        .unwrap_err();
    assert_eq!((failure.code, failure.sent), (EgressCode::Upstream, false));
    assert_eq!(failure.message, "connection billing could not be reached");
    assert!(!house.recorder.outcomes()[0].sent && gone.starts_with("http"));
}

#[tokio::test]
async fn a_provider_that_hangs_ends_with_the_call_and_nothing_was_sent() {
    let upstream = Upstream::saying("200 OK", "").await;
    let house = house_with(
        Provider {
            hangs: true,
            ..Provider::default()
        },
        Recorder::default(),
    );
    let call = house.call_for("acme", grant(&upstream.base()), Duration::from_millis(100));
    let failure = house
        .egress
        .send(&call, get("/v1/invoices"))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.code, failure.sent, upstream.connections()),
        (EgressCode::CredentialUnavailable, false, 0)
    );
}

#[tokio::test]
async fn a_request_that_is_dropped_while_it_waits_is_recorded_as_cancelled_and_sent() {
    let upstream = Upstream::answering(["HANG"]).await;
    let house = house();
    let call = house.call("acme", grant(&upstream.base()));
    let sending = house.egress.send(&call, get("/v1/invoices"));
    assert!(
        tokio::time::timeout(Duration::from_millis(100), sending)
            .await
            .is_err()
    );
    let outcomes = house.recorder.outcomes();
    assert_eq!(
        (
            outcomes.len(),
            outcomes[0].outcome.as_str(),
            outcomes[0].sent
        ),
        (1, "cancelled", true)
    );
}

#[tokio::test]
async fn parallel_requests_share_one_budget() {
    let upstream = Upstream::saying("200 OK", "").await;
    let house = house();
    let mut grant = grant(&upstream.base());
    grant.limits.http_calls = 5;
    let call = house.call("acme", grant);
    let sent =
        futures::future::join_all((0..20).map(|_| house.egress.send(&call, get("/v1/invoices"))))
            .await;
    assert_eq!(sent.iter().filter(|result| result.is_ok()).count(), 5);
    assert_eq!(
        sent.iter()
            .filter(|r| r.as_ref().is_err_and(|f| f.code == EgressCode::Limit))
            .count(),
        15
    );
    // Of refusals alike the first eight have a record each.
    assert_eq!(
        (upstream.connections(), house.recorder.outcomes().len()),
        (5, 5 + 8)
    );
}
