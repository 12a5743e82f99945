//! More calls than slots, and guests that never stop, against the built program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use tokio::runtime::Builder;
use tokio::sync::Barrier;

use crate::load::Connection;
use crate::process::{Home, Host};
use crate::table::{Table, Target, quantile};

const CALLS: usize = 1_000;

/// As many as a host has by default.
const SLOTS: usize = 64;

/// How long an outside system takes, so that calls overlap.
const UPSTREAM: Duration = Duration::from_millis(50);

const PROBES: usize = 300;

pub fn measure() -> Vec<Table> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let home = Home::new();
    let tables = runtime.block_on(async { vec![many(&home).await, spinning(&home).await] });
    runtime.shutdown_background();
    tables
}

async fn upstream() -> String {
    let slow = || async {
        tokio::time::sleep(UPSTREAM).await;
        (
            [("content-type", "application/json")],
            r#"{"invoices":[],"next_cursor":null}"#,
        )
    };
    let router = axum::Router::new().route("/v1/invoices", axum::routing::get(slow));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn call(connection: &mut Connection, tool: &str, body: &'static str) -> (StatusCode, Bytes) {
    let headers = [("content-type", "application/json")];
    let path = format!("/api/v1/tools/{tool}/call");
    let (status, _, body) = connection
        .send("POST", &path, &headers, Bytes::from_static(body.as_bytes()))
        .await;
    (status, body)
}

/// All at the same moment, twice.
async fn many(home: &Home) -> Table {
    let host = home.start(home.command("billing", &[("billing", upstream().await)]));
    let mut table = Table::new(
        format!(
            "{CALLS} calls at once, {SLOTS} slots, an outside system of {} ms",
            UPSTREAM.as_millis()
        ),
        &["answered", "busy", "other", "took ms", "RSS MiB"],
    );
    let mebibytes = |host: &Host| host.memory().resident as f64 / f64::from(1 << 20);
    table.row(
        "before",
        vec![
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            format!("{:.0}", mebibytes(&host)),
        ],
    );
    for round in ["first wave", "second wave", "third wave"] {
        let together = Arc::new(Barrier::new(CALLS + 1));
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let (together, address) = (Arc::clone(&together), host.address);
                tokio::spawn(async move {
                    let mut connection = Connection::open(address).await;
                    together.wait().await;
                    let (status, body) =
                        call(&mut connection, "list_invoices", r#"{"arguments":{}}"#).await;
                    let is_busy = String::from_utf8_lossy(&body).contains("\"code\":\"busy\"");
                    (status, is_busy)
                })
            })
            .collect();
        together.wait().await;
        let started = Instant::now();
        let (mut answered, mut busy, mut other) = (0, 0, 0);
        for call in calls {
            match call.await.unwrap() {
                (StatusCode::OK, _) => answered += 1,
                (StatusCode::SERVICE_UNAVAILABLE, true) => busy += 1,
                _ => other += 1,
            }
        }
        let cells = vec![
            format!("{answered}"),
            format!("{busy}"),
            format!("{other}"),
            format!("{}", started.elapsed().as_millis()),
            format!("{:.0}", mebibytes(&host)),
        ];
        table.judged(
            format!("{round}: errors other than busy"),
            cells,
            Target::AtMost(0.0),
            f64::from(other),
        );
    }
    table
}

/// The health check while every slot spins.
async fn spinning(home: &Home) -> Table {
    let nowhere = || "http://127.0.0.1:9".to_owned();
    let host = home.start(home.command("evil", &[("billing", nowhere()), ("echo", nowhere())]));
    let quiet = probes(host.address).await;
    let calls: Vec<_> = (0..SLOTS)
        .map(|_| {
            let address = host.address;
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                call(&mut connection, "spin", r#"{"arguments":{}}"#).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // One more finds no slot, so all of them spin.
    let mut extra = Connection::open(host.address).await;
    let (status, _) = call(&mut extra, "spin", r#"{"arguments":{}}"#).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "a slot was free");
    let loud = probes(host.address).await;
    let ended = calls.iter().filter(|call| call.is_finished()).count();
    assert_eq!(
        ended, 0,
        "a guest stopped spinning while the health check was measured"
    );
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    let mut table = Table::new(
        format!("/health while {SLOTS} guests spin, n = {PROBES}"),
        &["p50 ms", "p99 ms", "worst ms"],
    );
    let millis = |samples: &[Duration], at: f64| quantile(samples, at).as_secs_f64() * 1e3;
    let cells = |samples: &[Duration]| {
        [0.5, 0.99, 1.0]
            .map(|at| format!("{:.2}", millis(samples, at)))
            .to_vec()
    };
    table.row("nothing runs", cells(&quiet));
    let later = millis(&loud, 0.99) - millis(&quiet, 0.99);
    table.judged(
        "every slot spins: p99 is later by, ms",
        cells(&loud),
        Target::AtMost(50.0),
        later,
    );
    table
}

async fn probes(address: SocketAddr) -> Vec<Duration> {
    let mut connection = Connection::open(address).await;
    let mut samples = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let started = Instant::now();
        let (status, ..) = connection.send("GET", "/health", &[], Bytes::new()).await;
        samples.push(started.elapsed());
        assert_eq!(status, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    samples
}
