//! The stdio transport.
use crate::support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Fake, MODERN, call, development, initialize, switcher, tenancy, token, token_for};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;
use toolhost_gateway::{StdioCaller, StdioError, serve_streams};
use toolhost_policy::Secret;

struct Client {
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
    serving: tokio::task::JoinHandle<Result<(), StdioError>>,
}

fn start(caller: StdioCaller) -> Client {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serving = serve_streams(
        tokio::io::split(far),
        Arc::new(Fake::default()),
        caller,
        "0",
        CancellationToken::new(),
    );
    let (reader, writer) = tokio::io::split(near);
    Client {
        lines: BufReader::new(reader).lines(),
        writer,
        serving: tokio::spawn(serving),
    }
}

impl Client {
    async fn tell(&mut self, message: &Value) {
        self.writer
            .write_all(format!("{message}\n").as_bytes())
            .await
            .unwrap();
    }

    /// Every line is a message, whatever happens.
    async fn ask(&mut self, message: &Value) -> Value {
        self.tell(message).await;
        let line = tokio::time::timeout(Duration::from_secs(5), self.lines.next_line())
            .await
            .unwrap();
        serde_json::from_str(&line.unwrap().unwrap()).unwrap()
    }

    async fn begin(&mut self) {
        let answer = self.ask(&initialize(json!({}))).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
        self.tell(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
    }
}

#[tokio::test]
async fn the_caller_is_whom_the_token_speaks_for() {
    let token = Secret::from(token("globex", "bob"));
    let mut client = start(StdioCaller::token(tenancy(), switcher(), token));
    client.begin().await;
    let answer = client.ask(&call(1, "whoami", json!({}))).await;
    assert_eq!(answer["result"]["content"][0]["text"], "globex/bob");
    let answer = client.ask(&call(2, "panic", json!({}))).await;
    assert_eq!(answer["result"]["isError"], true);
}

#[tokio::test]
async fn the_token_is_verified_again_at_every_call() {
    // On a machine under load its two seconds may be over before the first call.
    let mut client = loop {
        let token = Secret::from(token_for("acme", "alice", 2));
        let mut client = start(StdioCaller::token(tenancy(), switcher(), token));
        client.begin().await;
        let answer = client.ask(&call(1, "whoami", json!({}))).await;
        if answer["result"]["content"][0]["text"] == "acme/alice" {
            break client;
        }
    };
    let mut number = 1;
    let answer = loop {
        number += 1;
        let answer = client.ask(&call(number, "whoami", json!({}))).await;
        if answer["result"]["content"][0]["text"] != "acme/alice" {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        answer
            .get("result")
            .is_none_or(|result| result["isError"] == true),
        "{answer}"
    );
    assert!(answer.to_string().contains("unauthenticated"), "{answer}");
}

#[tokio::test]
async fn a_caller_without_a_token_is_the_development_principal_or_nobody() {
    let mut client = start(StdioCaller::development(development(), switcher()));
    client.begin().await;
    let answer = client.ask(&call(1, "whoami", json!({}))).await;
    assert!(
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with("acme/")
    );
    let mut client = start(StdioCaller::development(tenancy(), switcher()));
    client.begin().await;
    let answer = client.ask(&call(1, "whoami", json!({}))).await;
    assert_eq!(answer["error"]["data"]["code"], "unauthenticated");
}

#[tokio::test]
async fn the_newer_protocol_needs_no_handshake() {
    let mut client = start(StdioCaller::token(
        tenancy(),
        switcher(),
        Secret::from(token("acme", "alice")),
    ));
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
    });
    let discover =
        json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}});
    let answer = client.ask(&discover).await;
    assert!(
        answer["result"]["supportedVersions"]
            .as_array()
            .unwrap()
            .contains(&json!(MODERN)),
        "{answer}"
    );
    let mut whoami = call(2, "whoami", json!({}));
    whoami["params"]["_meta"] = meta;
    let answer = client.ask(&whoami).await;
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"]["content"][0]["text"], "acme/alice");
}

#[tokio::test]
async fn what_comes_before_the_handshake_and_is_no_request_is_passed_over() {
    let before = [
        json!({"jsonrpc": "2.0", "id": 7, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -1, "message": "no"}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "whoami"}}),
    ];
    let mut client = start(StdioCaller::development(development(), switcher()));
    for message in &before {
        client.tell(message).await;
    }
    let mut early = call(1, "whoami", json!({}));
    early["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2099-01-01",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    // A request that begins nothing is answered, and the same holds after it.
    for request in [&early, &call(2, "whoami", json!({}))] {
        assert!(client.ask(request).await["error"].is_object());
        for message in &before {
            client.tell(message).await;
        }
    }
    client.begin().await;
    let answer = client.ask(&call(3, "whoami", json!({}))).await;
    assert!(answer["result"].is_object(), "{answer}");
}

#[tokio::test]
async fn a_client_that_closes_its_end_ends_the_server_without_an_error() {
    let mut client = start(StdioCaller::development(development(), switcher()));
    client.begin().await;
    client.writer.shutdown().await.unwrap();
    drop(client.lines);
    tokio::time::timeout(Duration::from_secs(5), client.serving)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
