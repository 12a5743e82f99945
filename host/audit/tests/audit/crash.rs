//! kill -9 at random moments: what was acknowledged is there, and the chain is whole.

use crate::support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use support::{assert_whole, finished, intent, lines, sink, small, started, tenant};
use toolhost_audit::Sink;

/// Where the child writes its chain; without it, it is no child.
const CHILD: &str = "AUDIT_CRASH_CHILD";

const WRITERS: u64 = 4;

/// Not a test of its own: what the test below starts and kills.
#[test]
fn child() {
    let Some(root) = std::env::var_os(CHILD) else {
        return;
    };
    let sink = Arc::new(sink(root.as_ref(), small(20_000)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write(Arc::clone(&sink), writer)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write(sink: Arc<impl Sink>, writer: u64) {
    let base = u64::from(std::process::id()) * 1_000_000_000 + writer * 100_000_000;
    for at in 0.. {
        let (call, tenant) = (base + at, format!("t{}", at % 3));
        sink.record(&started(&tenant, call, true)).await.unwrap();
        let method = if at % 4 == 0 { "POST" } else { "GET" };
        sink.record(&intent(&tenant, call, method)).await.unwrap();
        sink.record(&finished(&tenant, call)).await.unwrap();
        // One write, after the acknowledgement.
        std::io::stdout()
            .write_all(format!("ack {tenant} {call}\n").as_bytes())
            .unwrap();
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_and_the_chain_is_whole() {
    let rounds: u64 =
        std::env::var("AUDIT_CRASH_ROUNDS").map_or(30, |rounds| rounds.parse().unwrap());
    let root = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--nocapture"])
            .env(CHILD, root.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut acknowledged = Vec::new();
            let mut line = String::new();
            while output.read_line(&mut line).unwrap() > 0 {
                let whole = line
                    .strip_suffix('\n')
                    .and_then(|line| line.split_once("ack "));
                acknowledged.extend(whole.map(|(_, what)| what.to_owned()));
                line.clear();
            }
            acknowledged
        });
        // Spread over the child's start, its first records and a rotation.
        std::thread::sleep(Duration::from_millis(15 + round * 37 % 180));
        child.kill().unwrap();
        child.wait().unwrap();
        let new = reader.join().unwrap();
        acknowledged.extend(new);
        for name in ["t0", "t1", "t2"] {
            let chain = tenant(name);
            if chain.directory(root.path()).join("head").exists() {
                assert_whole(root.path(), &chain);
            }
        }
    }
    assert!(
        acknowledged.len() as u64 > rounds,
        "{} in {rounds} rounds",
        acknowledged.len()
    );
    // Opened once more, so that what a kill left is settled.
    let last = sink(root.path(), small(20_000));
    for name in ["t0", "t1", "t2"] {
        last.record_now(&finished(name, 1)).unwrap();
    }
    drop(last);
    let mut found = std::collections::HashMap::new();
    for name in ["t0", "t1", "t2"] {
        assert_eq!(assert_whole(root.path(), &tenant(name)).unfinished_bytes, 0);
        for line in lines(root.path(), &tenant(name)) {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let (Some(event), Some(call)) = (line["event"].as_str(), line["call"].as_u64()) {
                *found.entry(format!("{name} {call}")).or_insert(0) |= match event {
                    "call_started" => 1,
                    "egress_intent" => 2,
                    "call_finished" => 4,
                    _ => 0,
                };
            }
        }
    }
    for call in &acknowledged {
        assert_eq!(found.get(call), Some(&7), "{call} was acknowledged");
    }
}
