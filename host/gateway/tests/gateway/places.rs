//! Who gets a connection, a stream and a session, whatever others hold; and how a host goes that is
//! stopped.
use crate::support;

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::json;
use support::{Host, call, host, initialize, legacy, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
}

async fn serve(host: Host, connections: usize, drain: Duration) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let gateway = host.gateway.with_connections(connections).with_drain(drain);
    let running = tokio::spawn(gateway.serve(listener, shutdown.clone(), Duration::from_secs(10)));
    Served {
        address,
        shutdown,
        running,
    }
}

async fn say(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// What comes before the connection ends.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut text));
    let _reset = read.await.expect("the connection ends");
    text
}

/// The head of an answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = vec![];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn get(path: &str, host: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n")
}

fn whoami(address: SocketAddr, token: &str) -> String {
    let body = r#"{"arguments":{}}"#;
    format!(
        "POST /api/v1/tools/whoami/call HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn events(address: SocketAddr, token: &str, session: &str) -> String {
    let more = format!(
        "authorization: Bearer {token}\r\naccept: text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\nmcp-session-id: {session}\r\n"
    );
    get("/mcp", &address.to_string(), &more)
}

const CLOSE: &str = "connection: close\r\n";

#[tokio::test]
async fn connections_of_nobody_keep_nobody_out() {
    let served = serve(host(), 16, Duration::ZERO).await;
    let mut idle = vec![];
    for _ in 0..64 {
        idle.push(TcpStream::connect(served.address).await.unwrap());
        // Half a head is not a request either.
        idle.push(say(served.address, "GET /health HT").await);
    }
    let address = served.address;
    let health = rest(say(address, &get("/health", &address.to_string(), CLOSE)).await).await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let globex = rest(say(address, &whoami(address, &token("globex", "bob"))).await).await;
    assert!(globex.contains("globex/bob"), "{globex}");
    drop(idle);
}

#[tokio::test]
async fn streams_of_one_session_end_when_it_has_too_many_and_those_of_one_tenant_leave_room() {
    let host = host();
    let alice = token("acme", "alice");
    let mut sessions = vec![];
    for _ in 0..8 {
        sessions.push(host.session(&alice).await);
    }
    let served = serve(host, 16, Duration::ZERO).await;
    let mut streams = vec![];
    for _ in 0..8 {
        let mut stream = say(
            served.address,
            &events(served.address, &alice, &sessions[0]),
        )
        .await;
        let head = head(&mut stream).await;
        // Of 16 connections one caller may hold three with a verified request.
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        streams.push(stream);
    }
    let oldest = rest(streams.remove(0)).await;
    assert!(!oldest.is_empty(), "it was a stream until it ended");
    for session in sessions.iter().cycle().take(40) {
        streams.push(say(served.address, &events(served.address, &alice, session)).await);
    }
    let address = served.address;
    let globex = rest(say(address, &whoami(address, &token("globex", "bob"))).await).await;
    assert!(globex.contains("globex/bob"), "{globex}");
    let health = rest(say(address, &get("/health", &address.to_string(), CLOSE)).await).await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}

/// A stock client connects, calls and goes without a word.
#[tokio::test]
async fn a_client_that_never_ends_its_sessions_is_never_locked_out() {
    let host = host();
    let alice = token("acme", "alice");
    let mut sessions = vec![];
    for _ in 0..103 {
        let session = host.session(&alice).await;
        let answer = host
            .send(legacy(
                &alice,
                Some(&session),
                &call(1, "whoami", json!({})),
            ))
            .await;
        assert_eq!(answer.status, 200);
        sessions.push(session);
    }
    let called = async |session: &str| {
        let call = legacy(&alice, Some(session), &call(2, "whoami", json!({})));
        host.send(call).await.status.as_u16()
    };
    assert_eq!(
        called(&sessions[0]).await,
        404,
        "the longest idle one gave way"
    );
    assert_eq!(called(&sessions[102]).await, 200);
    let mut gone = 0;
    for session in &sessions {
        gone += usize::from(called(session).await == 404);
    }
    assert_eq!(gone, 3, "as many as were too many");
}

#[tokio::test]
async fn a_host_that_is_stopped_says_so_and_serves_what_still_comes() {
    let served = serve(host(), 64, Duration::from_millis(600)).await;
    let address = served.address;
    let own = address.to_string();
    let mut kept = say(address, &get("/ready", &own, "")).await;
    let before = head(&mut kept).await;
    assert!(
        before.starts_with("HTTP/1.1 200") && !before.contains("close"),
        "{before}"
    );
    served.shutdown.cancel();
    let ready = loop {
        let ready = rest(say(address, &get("/ready", &own, CLOSE)).await).await;
        if ready.starts_with("HTTP/1.1 503") {
            break ready;
        }
    };
    assert!(ready.contains("connection: close"), "{ready}");
    // Without the client's word, the answer closes the connection.
    let alice = token("acme", "alice");
    let call = whoami(address, &alice).replace("connection: close\r\n", "");
    let called = rest(say(address, &call).await).await;
    assert!(
        called.contains("acme/alice") && called.contains("connection: close"),
        "{called}"
    );
    // Opened before the listener closes, and a request only afterwards.
    let mut late = TcpStream::connect(address).await.unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    late.write_all(call.as_bytes()).await.unwrap();
    let late = rest(late).await;
    assert!(late.contains("acme/alice"), "{late}");
    served.running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_loopback_listener_answers_to_every_name_of_this_machine() {
    let served = serve(host(), 64, Duration::ZERO).await;
    let port = served.address.port();
    for (path, host, status) in [
        ("/api/v1/openapi.json", format!("localhost:{port}"), 200),
        ("/api/v1/openapi.json", format!("127.0.0.1:{port}"), 200),
        ("/api/v1/openapi.json", format!("[::1]:{port}"), 200),
        ("/api/v1/openapi.json", format!("localhost.:{port}"), 200),
        ("/api/v1/openapi.json", format!("evil.test:{port}"), 403),
        ("/api/v1/openapi.json", "localhost".to_owned(), 403),
        ("/health", "10.0.0.7:9".to_owned(), 200),
        ("/ready", "10.0.0.7:9".to_owned(), 200),
    ] {
        let answer = rest(say(served.address, &get(path, &host, CLOSE)).await).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path} {host}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_request_that_a_proxy_could_read_otherwise_is_refused() {
    let served = serve(host(), 64, Duration::ZERO).await;
    let own = served.address.to_string();
    let good = get("/health", &own, "");
    for bad in [
        good.replace("HTTP/1.1\r\n", "HTTP/1.1\n"),
        good.replace("\r\n\r\n", "\r\nx: y\nz: w\r\n\r\n"),
        good.replace("\r\n\r\n", "\n\n"),
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {own}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
    ] {
        // After a good one on the same connection.
        let answers = rest(say(served.address, &format!("{good}{bad}")).await).await;
        assert!(
            answers.contains("HTTP/1.1 200") && answers.contains("HTTP/1.1 400"),
            "{bad:?}: {answers}"
        );
    }
    let body = "{\n\n\"arguments\": {}\n}";
    let call = whoami(served.address, &token("acme", "alice"));
    let (head, _) = call.split_once("content-length").unwrap();
    let call = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    assert!(
        rest(say(served.address, &call).await)
            .await
            .contains("acme/alice")
    );
}

#[tokio::test]
async fn an_answer_begins_with_an_empty_event_only_where_the_client_knows_of_it() {
    let host = host();
    let alice = token("acme", "alice");
    for (settled, version, primes) in [
        ("2025-03-26", None, false),
        ("2025-03-26", Some("2025-03-26"), false),
        ("2025-06-18", Some("2025-06-18"), false),
        ("2025-11-25", Some("2025-11-25"), true),
        // What the handshake settled counts, and not what a header says.
        ("2025-06-18", Some("2025-11-25"), false),
        ("2025-06-18", None, false),
        ("2025-11-25", Some("2025-06-18"), true),
        ("2025-11-25", None, true),
        ("2024-10-07", None, true),
    ] {
        let old = |session: Option<&str>, message: &serde_json::Value| {
            let mut request = legacy(&alice, session, message);
            let headers = request.headers_mut();
            headers.remove("mcp-protocol-version");
            if let Some(version) = version.filter(|_| session.is_some()) {
                headers.insert("mcp-protocol-version", version.parse().unwrap());
            }
            request
        };
        let mut first = initialize(json!({}));
        first["params"]["protocolVersion"] = json!(settled);
        let begun = host.send(old(None, &first)).await;
        assert_eq!(begun.status, 200, "{settled} {version:?}");
        let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(
            host.send(old(Some(&session), &initialized)).await.status,
            202
        );
        // The first goes through the transport, the second is answered at once.
        for name in ["slow", "whoami", "whoami"] {
            let answer = host
                .send(old(Some(&session), &call(1, name, json!({}))))
                .await;
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            assert_eq!(
                begins_empty(&text),
                primes,
                "{settled} {version:?} {name}: {text}"
            );
            assert!(text.contains("data: {"), "{text}");
        }
        let mut events = old(Some(&session), &json!({}));
        *events.method_mut() = http::Method::GET;
        // As another host would have it, or this one after a restart.
        assert!(
            host.gateway
                .idle_session_evictor()
                .evict_idle(Duration::ZERO)
                .await
                > 0
        );
        let mut events = host.open(events).await.into_body();
        let head = events.frame().await.unwrap().unwrap().into_data().unwrap();
        let head = String::from_utf8(head.to_vec()).unwrap();
        assert_eq!(begins_empty(&head), primes, "{settled} {version:?}: {head}");
        let answer = host
            .send(old(Some(&session), &call(1, "whoami", json!({}))))
            .await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(begins_empty(&text), primes, "{settled} {version:?}: {text}");
    }
}

/// Whether the first event of a stream has empty data.
fn begins_empty(text: &str) -> bool {
    let is_empty = |line: &str| {
        line.strip_prefix("data:")
            .is_some_and(|data| data.trim().is_empty())
    };
    text.split("\n\n").next().unwrap().lines().any(is_empty)
}

#[tokio::test]
async fn a_malformed_message_is_answered_with_the_error_that_json_rpc_has_for_it() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    let post = |session: Option<&str>, body: &[u8], kind: &str| {
        let mut request = legacy(&alice, session, &json!({}));
        request
            .headers_mut()
            .insert("content-type", kind.parse().unwrap());
        *request.body_mut() = axum::body::Body::from(body.to_vec());
        request
    };
    let no_version = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let odd = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": []}});
    for (in_session, body, code, id) in [
        (
            true,
            r#"{"jsonrpc":"2.0","id":1,"#.to_owned(),
            -32700,
            json!(null),
        ),
        (
            true,
            r#"{"id":1,"method":"ping"}"#.to_owned(),
            -32600,
            json!(1),
        ),
        (
            true,
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.to_owned(),
            -32600,
            json!(null),
        ),
        (true, odd.to_string(), -32602, json!(1)),
        (false, odd.to_string(), -32602, json!(1)),
        (false, no_version.to_string(), -32602, json!(1)),
        (
            false,
            r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#.to_owned(),
            -32600,
            json!(5),
        ),
    ] {
        let session = in_session.then_some(session.as_str());
        let answer = host
            .send(post(session, body.as_bytes(), "application/json"))
            .await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        let error = answer.json();
        assert_eq!(
            (&error["error"]["code"], &error["id"]),
            (&json!(code), &id),
            "{body}: {error}"
        );
    }
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(
        host.send(post(Some(&session), ping, "text/plain"))
            .await
            .status,
        415
    );
    assert_eq!(
        host.send(post(Some(&session), ping, "application/json"))
            .await
            .status,
        200
    );
}
