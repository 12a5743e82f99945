//! What an outside system may answer, through the real sandbox and a real socket: redirects, other
//! protocols, encoded bodies, heads and bodies without measure or with a false one (T6, T12, T39,
//! T44).

use std::time::{Duration, Instant};

use axum::Router;
use serde_json::{Value, json};
use toolhost_harness::{RawUpstream, Rig, Say, Upstream, connection};
use toolhost_policy::{Connection, LimitsPatch};

const ACME: &str = "tok-acme-0123456789abcdef";

async fn fine() -> Upstream {
    Upstream::start(Router::new().fallback(|| async { "fine" })).await
}

async fn rig(echo: Connection, billing: Connection, limits: impl FnOnce(&mut LimitsPatch)) -> Rig {
    Rig::for_plugin("evil")
        .connection(echo)
        .connection(billing)
        .credential("acme", "echo", ACME)
        .limits(limits)
        .build()
        .await
}

/// A rig whose connection `echo` leads to a server that answers these bytes.
async fn answered(answer: impl Into<Vec<u8>>) -> (Rig, RawUpstream) {
    let upstream = RawUpstream::saying(answer).await;
    let mut echo = connection("echo", &upstream.url());
    // Even where the operator lists it.
    echo.response_headers = vec![http::header::LOCATION];
    (
        rig(echo, connection("billing", "http://127.0.0.1:9"), |_| {}).await,
        upstream,
    )
}

async fn probe(rig: &Rig, tenant: &str, request: Value) -> Value {
    rig.call(tenant, "http", request)
        .await
        .unwrap()
        .structured
        .unwrap()
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("answered")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_an_answer_and_nobody_follows_it() {
    let second = fine().await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
        "300 Choices",
    ] {
        let head = format!(
            "HTTP/1.1 {status}\r\nlocation: {}/steal\r\nrefresh: 0; url={}/steal\r\ncontent-length: 0\r\n\r\n",
            second.url(),
            second.url()
        );
        let (rig, upstream) = answered(head).await;
        for tool in ["http", "http_start"] {
            let request =
                json!({"connection": "echo", "method": "POST", "path": "/echo", "body": "x"});
            let answer = rig
                .call("acme", tool, request)
                .await
                .unwrap()
                .structured
                .unwrap();
            assert_eq!(answer["status"].to_string(), status[..3], "{answer}");
            assert!(
                !answer.to_string().contains(&second.url()),
                "the address is not shown: {answer}"
            );
        }
        assert_eq!(upstream.connections(), 2);
    }
    assert!(second.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_switches_protocols_or_never_becomes_final_is_refused() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\u{1}raw bytes";
    for head in [
        switching,
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
        "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200",
        "\u{0}\u{1}garbage\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
    ] {
        for tool in ["http", "http_start"] {
            let (rig, _upstream) = answered(head).await;
            let answer = rig
                .call("acme", tool, json!({"connection": "echo", "path": "/echo"}))
                .await
                .unwrap();
            let answer = answer.structured.unwrap();
            assert_eq!(code(&answer), "upstream", "{head:?}: {answer}");
            assert_eq!(answer["error"]["sent"], true);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_body_that_cannot_be_decoded_is_refused() {
    for encoding in [
        "gzip",
        "br",
        "zstd",
        "deflate",
        "x-unknown",
        "identity, gzip",
        "GZIP",
        "identity\r\ncontent-encoding: gzip",
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: {encoding}\r\ncontent-length: 4\r\n\r\n\u{1f}abc"
        );
        let (rig, _upstream) = answered(head).await;
        for tool in ["http", "http_start"] {
            let answer = rig
                .call("acme", tool, json!({"connection": "echo", "path": "/echo"}))
                .await
                .unwrap();
            assert_eq!(code(&answer.structured.unwrap()), "upstream", "{encoding}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_without_measure_are_refused_and_the_host_goes_on() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}content-length: 2\r\n\r\nok");
    let many: String = (0..70).map(|n| format!("x-h{n}: v\r\n")).collect();
    let thousands: String = (0..5_000).map(|n| format!("x-h{n}: v\r\n")).collect();
    for (fields, expected) in [
        (format!("x-long: {}\r\n", "v".repeat(20 << 10)), "limit"),
        (many, "limit"),
        (format!("x-huge: {}\r\n", "v".repeat(1 << 20)), "upstream"),
        (thousands, "upstream"),
    ] {
        let (rig, _upstream) = answered(head(&fields)).await;
        let answer = probe(&rig, "acme", json!({"connection": "echo", "path": "/echo"})).await;
        assert_eq!(code(&answer), expected, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_lies_never_gives_a_body_that_is_cut_or_prolonged() {
    for (head, expected) in [
        ("content-length: 100\r\n\r\nshort", "upstream"),
        (
            "content-length: 5\r\ncontent-length: 6\r\n\r\nshort!",
            "upstream",
        ),
        (
            "content-length: 99999999999999999999999\r\n\r\nx",
            "upstream",
        ),
        ("content-length: 99999999\r\n\r\nx", "limit"),
        ("content-length: -1\r\n\r\nx", "upstream"),
        (
            "transfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
            "upstream",
        ),
        (
            "transfer-encoding: chunked\r\n\r\nZZ\r\nshort\r\n",
            "upstream",
        ),
        (
            "transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nshort\r\n",
            "upstream",
        ),
    ] {
        let (rig, _upstream) = answered(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n{head}"
        ))
        .await;
        let answer = probe(&rig, "acme", json!({"connection": "echo", "path": "/echo"})).await;
        assert_eq!(code(&answer), expected, "{head:?}: {answer}");
    }
    // What stands behind the announced end is of no answer: neither of this one nor of the next on
    // that connection.
    let extra = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let (rig, _upstream) = answered(extra).await;
    for _ in 0..3 {
        let answer = probe(&rig, "acme", json!({"connection": "echo", "path": "/echo"})).await;
        assert_eq!(answer["body"], "ok", "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_drops_ends_with_the_call_and_an_endless_one_at_its_limit() {
    let head = || Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n".to_vec());
    let slow = RawUpstream::start(move |_| {
        let drops = (0..200).flat_map(|_| {
            [
                Say::Bytes(b"x".to_vec()),
                Say::Wait(Duration::from_millis(50)),
            ]
        });
        std::iter::once(head()).chain(drops).collect()
    })
    .await;
    let rig_of = async |url: String| {
        rig(
            connection("echo", &url),
            connection("billing", "http://127.0.0.1:9"),
            |limits| {
                limits.wall_ms = Some(700);
                limits.response_bytes = Some(100_000);
            },
        )
        .await
    };
    let slow_rig = rig_of(slow.url()).await;
    for tool in ["http", "http_start"] {
        let started = Instant::now();
        let result = slow_rig
            .call("acme", tool, json!({"connection": "echo", "path": "/echo"}))
            .await;
        let said = result.map_or_else(
            |error| error.code.to_string(),
            |output| output.structured.unwrap().to_string(),
        );
        assert!(said.contains("timeout"), "{said}");
        assert!(started.elapsed() < Duration::from_secs(14));
    }
    let endless = RawUpstream::start(move |_| {
        std::iter::once(head())
            .chain((0..100).map(|_| Say::Bytes(vec![b'x'; 10_000])))
            .collect()
    })
    .await;
    let rig = rig_of(endless.url()).await;
    for tool in ["http", "http_start"] {
        let answer = rig
            .call("acme", tool, json!({"connection": "echo", "path": "/echo"}))
            .await
            .unwrap();
        let answer = answer.structured.unwrap();
        assert_eq!(code(&answer), "limit", "{answer}");
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .contains("response_bytes"),
            "{answer}"
        );
    }
}
