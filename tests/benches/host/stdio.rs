//! A large argument and answer through the built program, over its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use toolhost_harness::guests;

use crate::bare::Bare;
use crate::process::Home;
use crate::table::{Table, Target, median, micros, quantile};
use crate::wiring::invocation;

const CALLS: usize = 600;

struct Session {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: String,
}

impl Session {
    fn send(&mut self, message: &str) {
        self.stdin.write_all(message.as_bytes()).unwrap();
        self.stdin.flush().unwrap();
    }

    fn answer(&mut self) -> &str {
        self.line.clear();
        self.stdout.read_line(&mut self.line).unwrap();
        &self.line
    }
}

fn message(value: &Value) -> String {
    format!("{value}\n")
}

/// The same guest with the same argument in bare wasmtime: what no host could take away.
fn guest_alone(text: &str) -> Vec<Duration> {
    let bare = Bare::new(&guests::component("echo"), 8);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut invocation = invocation(text);
    invocation.name = "echo_raw".into();
    let once = |_| {
        let started = Instant::now();
        assert!(runtime.block_on(bare.call(&invocation)).is_ok());
        started.elapsed()
    };
    (0..CALLS).map(once).collect()
}

pub fn measure() -> Vec<Table> {
    let home = Home::new();
    let mut command = home.command("echo", &[]);
    command
        .arg("--stdio")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut session = Session {
        stdin: child.stdin.take().unwrap(),
        stdout: BufReader::with_capacity(256 << 10, child.stdout.take().unwrap()),
        line: String::new(),
    };
    session.send(&message(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "0"},
    }})));
    assert!(session.answer().contains("serverInfo"), "{}", session.line);
    session.send(&message(
        &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ));
    let alone = guest_alone(&text_of(100_000));
    let mut table = Table::new("echo over stdio, the built program", &["p50 us", "p99 us"]);
    for (name, bytes, most) in [
        ("100 bytes there and back", 100, None),
        ("100 KB there and back", 100_000, Some(400.0)),
    ] {
        let samples = series(&mut session, bytes);
        let middle = micros(median(&samples));
        let cells = vec![
            format!("{middle:.0}"),
            format!("{:.0}", micros(quantile(&samples, 0.99))),
        ];
        match most {
            None => table.row(name, cells),
            Some(most) => table.judged(name, cells, Target::AtMost(most), middle),
        }
    }
    let cells = vec![
        format!("{:.0}", micros(median(&alone))),
        format!("{:.0}", micros(quantile(&alone, 0.99))),
    ];
    table.row("  of that the guest, in bare wasmtime", cells);
    drop(session);
    assert!(
        child.wait().unwrap().success(),
        "the host ends when its client does"
    );
    vec![table]
}

fn text_of(bytes: usize) -> String {
    let mut text = "the quick brown fox jumps over the lazy dog ".repeat(bytes / 44 + 1);
    text.truncate(bytes);
    text
}

fn series(session: &mut Session, bytes: usize) -> Vec<Duration> {
    let text = text_of(bytes);
    let call = message(
        &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "echo_raw", "arguments": {"message": text},
        }}),
    );
    (0..CALLS + 50)
        .map(|_| {
            let started = Instant::now();
            session.send(&call);
            let answer = session.answer();
            let took = started.elapsed();
            assert!(
                answer.len() > bytes && answer.contains("\"isError\":false"),
                "{:.300}",
                answer
            );
            took
        })
        .skip(50)
        .collect()
}
