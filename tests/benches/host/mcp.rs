//! `tools/call` of echo over HTTP: this host, and a native server, in turns.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use toolhost_gateway::{Gateway, GatewayConfig};
use toolhost_harness::switcher;

use crate::load::{Connection, Run, run};
use crate::native;
use crate::table::{Table, Target, micros, quantile};
use crate::wiring::{Callers, Rooms, TENANT};

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// What is measured at once, and how often. The counts keep a session's stored events far below
/// what would matter.
const ROUNDS: usize = 9;
const REQUESTS: usize = 1_600;

const MESSAGE: &str = "say this again";

#[derive(Clone, Copy, PartialEq)]
enum Era {
    Modern,
    Legacy,
}

pub fn measure() -> Vec<Table> {
    let servers = Builder::new_multi_thread()
        .thread_name("door")
        .enable_all()
        .build()
        .unwrap();
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    let (ours, theirs, token) = servers.block_on(async {
        let callers = Callers::new().await;
        let switching = switcher(callers.directory.clone(), &[TENANT]).await;
        let rooms = Rooms::echo(64, None).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = listener.local_addr().unwrap();
        let config = GatewayConfig {
            public_url: format!("http://{ours}/mcp").parse().unwrap(),
            allowed_hosts: vec![],
            allowed_origins: vec![],
            max_body_bytes: 1 << 20,
            version: "0",
        };
        let gateway = Gateway::new(
            rooms.tools.clone(),
            Arc::clone(&callers.tenancy),
            switching,
            config,
        );
        tokio::spawn(async move {
            let _rooms = rooms;
            gateway
                .serve(listener, CancellationToken::new(), Duration::from_secs(1))
                .await
                .unwrap();
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = listener.local_addr().unwrap();
        tokio::spawn(native::serve(listener, Arc::clone(&callers.tenancy)));
        (ours, theirs, callers.token)
    });
    let mut tables = Vec::new();
    for era in [Era::Modern, Era::Legacy] {
        for connections in [1, 8] {
            tables.push(clients.block_on(compare(era, connections, ours, theirs, &token)));
        }
    }
    servers.shutdown_background();
    tables
}

async fn compare(
    era: Era,
    connections: usize,
    ours: SocketAddr,
    theirs: SocketAddr,
    token: &str,
) -> Table {
    let mut sides = [
        Side::open(era, theirs, connections, token).await,
        Side::open(era, ours, connections, token).await,
    ];
    for side in &mut sides {
        side.round().await;
    }
    let mut runs: [Vec<Run>; 2] = [vec![], vec![]];
    for _ in 0..ROUNDS {
        for (side, runs) in sides.iter_mut().zip(&mut runs) {
            runs.push(side.round().await);
        }
    }
    let what = if era == Era::Modern {
        "2026-07-28, JSON"
    } else {
        "2025-11-25, session"
    };
    let mut table = Table::new(
        format!("tools/call over HTTP, {what}, connections: {connections}"),
        &["req/s", "p50 us", "p99 us", "server CPU us", "x native"],
    );
    let rates = runs.each_ref().map(|runs| {
        let mut rates: Vec<f64> = runs.iter().map(Run::per_second).collect();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    for (index, name) in [
        "native server of the same SDK, same token check",
        "this host",
    ]
    .into_iter()
    .enumerate()
    {
        let samples: Vec<Duration> = runs[index]
            .iter()
            .flat_map(|run| run.each.iter().copied())
            .collect();
        let cpu: Duration = runs[index].iter().map(|run| run.cpu).sum();
        let ratio = rates[index] / rates[0];
        let cells = vec![
            format!("{:.0}", rates[index]),
            format!("{:.0}", micros(quantile(&samples, 0.5))),
            format!("{:.0}", micros(quantile(&samples, 0.99))),
            format!("{:.0}", micros(cpu) / samples.len() as f64),
            format!("{ratio:.2}"),
        ];
        if index == 0 {
            table.row(name, cells);
        } else {
            table.judged(name, cells, Target::AtLeast(0.6), ratio);
        }
    }
    table
}

/// One server, its connections, and what each of them sends.
struct Side {
    connections: Vec<Connection>,
    headers: Vec<Vec<(String, String)>>,
    body: Bytes,
}

impl Side {
    async fn open(era: Era, address: SocketAddr, connections: usize, token: &str) -> Self {
        let mut opened = Vec::new();
        let mut headers = Vec::new();
        for _ in 0..connections {
            let mut connection = Connection::open(address).await;
            headers.push(match era {
                Era::Modern => modern_headers(token),
                Era::Legacy => session(&mut connection, token).await,
            });
            opened.push(connection);
        }
        let mut params = json!({"name": "echo", "arguments": {"message": MESSAGE}});
        if era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "0"},
            });
        }
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        Self {
            connections: opened,
            headers,
            body: message.to_string().into(),
        }
    }

    async fn round(&mut self) -> Run {
        let times = REQUESTS / self.connections.len();
        run(
            &mut self.connections,
            &self.headers,
            &self.body,
            MESSAGE,
            times,
        )
        .await
    }
}

fn common(token: &str, version: &str) -> Vec<(String, String)> {
    [
        ("authorization", format!("Bearer {token}").as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", version),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn modern_headers(token: &str) -> Vec<(String, String)> {
    let mut headers = common(token, MODERN);
    headers.push(("mcp-method".into(), "tools/call".into()));
    headers.push(("mcp-name".into(), "echo".into()));
    headers
}

/// The handshake of the older protocol.
async fn session(connection: &mut Connection, token: &str) -> Vec<(String, String)> {
    let mut headers = common(token, LEGACY);
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"},
    }});
    let (_, answered, _) = post(connection, &headers, &initialize).await;
    let id = answered["mcp-session-id"].to_str().unwrap().to_owned();
    headers.push(("mcp-session-id".into(), id));
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let (status, ..) = post(connection, &headers, &initialized).await;
    assert_eq!(status, 202);
    headers
}

async fn post(
    connection: &mut Connection,
    headers: &[(String, String)],
    message: &Value,
) -> (http::StatusCode, http::HeaderMap, Bytes) {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    connection
        .send("POST", "/mcp", &headers, message.to_string().into())
        .await
}
