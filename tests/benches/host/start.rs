//! From start to ready, and what the process holds: idle, and with every slot waiting for an
//! outside system.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Builder;

use crate::load::Connection;
use crate::process::Home;
use crate::table::{Table, Target, median, quantile};

const STARTS: usize = 15;

/// As many calls as one tenant may have at once on a host with the default slots, of which some are
/// kept for newcomers.
const IN_FLIGHT: usize = 56;

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

pub fn measure() -> Vec<Table> {
    let home = Home::new();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let waiting = Arc::new(AtomicUsize::new(0));
    let upstream = runtime.block_on(upstream(Arc::clone(&waiting)));
    let start = || home.start(home.command("billing", &[("billing", upstream.clone())]));
    let cold = start().took;
    let warm: Vec<Duration> = (0..STARTS).map(|_| start().took).collect();

    let mut table = Table::new("the built program, billing plugin", &["p50", "worst"]);
    table.row(
        "start to /ready, nothing compiled yet, ms",
        vec![format!("{:.0}", millis(cold))],
    );
    let cells = vec![
        format!("{:.1}", millis(median(&warm))),
        format!("{:.1}", millis(quantile(&warm, 1.0))),
    ];
    table.judged(
        format!("start to /ready, warm cache, ms, n = {STARTS}"),
        cells,
        Target::AtMost(100.0),
        millis(median(&warm)),
    );

    let host = start();
    std::thread::sleep(Duration::from_millis(500));
    let idle = host.memory();
    let cells = vec![format!("{:.1}", mebibytes(idle.resident))];
    table.judged(
        "resident when idle, MiB",
        cells,
        Target::AtMost(60.0),
        mebibytes(idle.resident),
    );

    let body = Bytes::from_static(br#"{"arguments":{"limit":5}}"#);
    // Once before, so that what the first call of a process sets up is not counted as the price of
    // each.
    let calls: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let body = body.clone();
            let address = host.address;
            runtime.spawn(async move {
                let headers = [("content-type", "application/json")];
                let mut connection = Connection::open(address).await;
                connection
                    .send("POST", "/api/v1/tools/list_invoices/call", &headers, body)
                    .await
                    .0
            })
        })
        .collect();
    let started = Instant::now();
    while waiting.load(Ordering::SeqCst) < IN_FLIGHT {
        let ended = calls.iter().filter(|call| call.is_finished()).count();
        assert!(
            started.elapsed() < Duration::from_secs(20) && ended == 0,
            "{ended} calls ended before they waited"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    let busy = host.memory();
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / IN_FLIGHT as f64 / 1024.0;
    let (all, own) = (
        each(idle.resident, busy.resident),
        each(idle.guests, busy.guests),
    );
    table.row(
        format!("more for each of {IN_FLIGHT} calls in flight, KiB"),
        vec![format!("{all:.0}")],
    );
    table.row(
        "  of that the guest's own pages, KiB",
        vec![format!("{own:.0}")],
    );
    table.judged(
        "  and the rest, KiB",
        vec![format!("{:.0}", all - own)],
        Target::AtMost(100.0),
        all - own,
    );
    drop(host);
    runtime.shutdown_background();
    vec![table]
}

/// Takes requests and never answers.
async fn upstream(waiting: Arc<AtomicUsize>) -> String {
    let never = move || {
        waiting.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<&'static str>()
    };
    let router = axum::Router::new().route("/v1/invoices", axum::routing::get(never));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
