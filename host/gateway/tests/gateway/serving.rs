//! The server itself: shutdown, and clients that behave badly.
use crate::support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Host, host, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<std::io::Result<()>>,
}

async fn serve(host: Host, grace: Duration) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(host.gateway.serve(listener, shutdown.clone(), grace));
    Served {
        address,
        shutdown,
        running,
    }
}

fn post(address: SocketAddr, tool: &str) -> String {
    let body = json!({"arguments": {}}).to_string();
    let token = token("acme", "alice");
    format!(
        "POST /api/v1/tools/{tool}/call HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn say(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let _reset = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn calls_in_flight_finish_before_the_server_returns() {
    let host = host();
    let calls = host.calls.clone();
    let served = serve(host, Duration::from_secs(10)).await;
    let stream = say(served.address, &post(served.address, "slow")).await;
    calls.started().await;
    served.shutdown.cancel();
    assert!(rest(stream).await.contains("slow but done"));
    tokio::time::timeout(Duration::from_secs(60), served.running)
        .await
        .expect("it returns")
        .unwrap()
        .unwrap();
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "nothing more is accepted"
    );
}

#[tokio::test]
async fn a_call_that_does_not_finish_is_dropped_at_the_end_of_the_grace_period() {
    let host = host();
    let calls = host.calls.clone();
    let served = serve(host, Duration::from_millis(300)).await;
    let stream = say(served.address, &post(served.address, "wait")).await;
    calls.started().await;
    let begun = Instant::now();
    served.shutdown.cancel();
    served.running.await.unwrap().unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(300) && begun.elapsed() < Duration::from_secs(25)
    );
    assert!(!rest(stream).await.contains("200 OK"));
}

#[tokio::test]
async fn a_quiet_stream_does_not_hold_up_a_shutdown() {
    let host = host();
    let alice = token("acme", "alice");
    let id = host.session(&alice).await;
    let served = serve(host, Duration::from_secs(30)).await;
    let get = format!(
        "GET /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {alice}\r\naccept: text/event-stream\r\nmcp-session-id: {id}\r\n\r\n",
        served.address
    );
    let mut stream = say(served.address, &get).await;
    let mut head = [0; 512];
    assert!(stream.read(&mut head).await.unwrap() > 0);
    assert!(
        head.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    let begun = Instant::now();
    served.shutdown.cancel();
    served.running.await.unwrap().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_call_leaves_the_rest_served() {
    let host = host();
    let calls = host.calls.clone();
    let served = serve(host, Duration::from_secs(1)).await;
    drop(say(served.address, &post(served.address, "slow")).await);
    calls.started().await;
    let answer = rest(
        say(
            served.address,
            &post(served.address, "whoami").replace("host:", "connection: close\r\nhost:"),
        )
        .await,
    )
    .await;
    assert!(answer.contains("acme/alice"), "{answer}");
}

#[tokio::test]
async fn bytes_that_are_no_request_end_their_connection_alone() {
    let served = serve(host(), Duration::from_secs(1)).await;
    let long = "a".repeat(300 << 10);
    let many: String = (0..200).map(|i| format!("x-{i}: y\r\n")).collect();
    for bad in [
        "\u{16}\u{3}\u{1}tls?".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!(
            "GET /health HTTP/1.1\r\nhost: {}\r\nx: {long}\r\n\r\n",
            served.address
        ),
        format!(
            "GET /health HTTP/1.1\r\nhost: {}\r\n{many}\r\n",
            served.address
        ),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let _reset = stream.write_all(bad.as_bytes()).await;
        let _reset = stream.shutdown().await;
        let answer = rest(stream).await;
        assert!(
            !answer.contains("200 OK"),
            "{answer} to {}",
            bad.chars().take(40).collect::<String>()
        );
    }
    let good = format!(
        "GET /health HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        served.address
    );
    assert!(
        rest(say(served.address, &good).await)
            .await
            .contains("200 OK")
    );
}
