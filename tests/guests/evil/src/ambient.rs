//! What the standard library shows of the world.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use toolhost_sdk::{Call, Failure, Output, Plugin, Tool};

use crate::{Anything, Nothing};

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("read_env", read_env)
                .description("the environment")
                .read_only(),
        )
        .tool(
            Tool::new("read_args", read_args)
                .description("the command line")
                .read_only(),
        )
        .tool(
            Tool::new("read_files", read_files)
                .description("files, directories and standard input")
                .read_only(),
        )
        .tool(
            Tool::new("open_socket", open_socket)
                .description("sockets to the address given")
                .read_only(),
        )
        .tool(
            Tool::new("clock", clock)
                .description("both clocks")
                .read_only(),
        )
        .tool(
            Tool::new("random", random)
                .description("a random number")
                .read_only(),
        )
        .tool(
            Tool::new("exit", exit)
                .description("ends the process")
                .read_only(),
        )
}

fn read_env(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let variables: Vec<_> = std::env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect();
    report(json!({ "variables": variables }))
}

fn read_args(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let arguments: Vec<_> = std::env::args_os()
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    report(json!({ "arguments": arguments }))
}

fn read_files(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let mut seen = Vec::new();
    for path in [
        "/",
        ".",
        "..",
        "/etc/passwd",
        "/proc/self/environ",
        "/tmp",
        "host.toml",
    ] {
        if std::fs::read(path).is_ok()
            || std::fs::read_dir(path).is_ok()
            || std::fs::metadata(path).is_ok()
        {
            seen.push(path);
        }
    }
    for path in ["/tmp/evil", "evil", "/evil"] {
        if std::fs::write(path, b"x").is_ok() {
            seen.push(path);
        }
    }
    let mut input = Vec::new();
    let input = std::io::stdin()
        .lock()
        .take(1024)
        .read_to_end(&mut input)
        .map_or(0, |length| length);
    report(json!({ "seen": seen, "stdin_bytes": input }))
}

fn open_socket(arguments: Anything, _: &Call) -> Result<Output, Failure> {
    let address = arguments
        .0
        .get("address")
        .and_then(Value::as_str)
        .unwrap_or("127.0.0.1:80");
    let text = |result: std::io::Result<()>| {
        result.map_or_else(|error| error.to_string(), |()| "opened".to_owned())
    };
    report(json!({
        "tcp": text(TcpStream::connect(address).map(drop)),
        "listen": text(TcpListener::bind("127.0.0.1:0").map(drop)),
        "udp": text(UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", address)).map(drop)),
        "lookup": text(std::net::ToSocketAddrs::to_socket_addrs("localhost:80").map(drop)),
    }))
}

fn clock(_: Nothing, _: &Call) -> Result<Output, Failure> {
    let begin = Instant::now();
    let mut steps = 0_u32;
    let mut last = begin;
    for _ in 0..1_000 {
        let now = Instant::now();
        if now != last {
            steps += 1;
            last = now;
        }
    }
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    report(json!({
        "wall_seconds": wall.as_secs(), "wall_nanoseconds": wall.subsec_nanos(),
        "up_for_an_hour": begin.checked_sub(Duration::from_secs(3_600)).is_some(),
        "monotonic_steps": steps, "monotonic_nanoseconds": u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX),
    }))
}

fn random(_: Nothing, _: &Call) -> Result<Output, Failure> {
    use std::hash::{BuildHasher, RandomState};
    report(json!({ "value": format!("{:016x}", RandomState::new().hash_one(1_u8)) }))
}

fn exit(_: Nothing, _: &Call) -> Result<Output, Failure> {
    std::process::exit(0)
}

fn report(seen: Value) -> Result<Output, Failure> {
    Ok(Output::text(seen.to_string()).with_structured(seen))
}
