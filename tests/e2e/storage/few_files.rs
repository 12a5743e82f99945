//! A host that may open few files: what nobody holds open takes none of those that tenants and
//! operators need.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use toolhost_harness::{Billing, Host, Issuer};

use crate::storage::World;

/// Open files of the host. Of these 32 may be connections, and 32 sockets to outside systems.
const FILES: &str = "128";

/// The same command in a process that may have so many open files, and can raise it no more.
fn with_few_files(command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\"", FILES])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited
}

#[tokio::test]
async fn connections_of_nobody_leave_files_for_the_store_the_verbs_and_outside_systems() {
    let (billing, issuer) = (
        Billing::start().await,
        Issuer::es256("https://issuer.test", "k1"),
    );
    let builder = Host::with().sealed_billing(&billing.url()).issuer(&issuer);
    let (directory, command) = builder.write();
    let world = World {
        host: Host::launch(directory, with_few_files(&command)),
        billing,
        issuer,
    };
    let set = |world: &World| {
        for tenant in ["acme", "globex"] {
            world.set(tenant, &toolhost_harness::billing::token(tenant));
        }
    };
    set(&world);
    let until = Instant::now() + Duration::from_secs(60);
    while world.invoices("acme").await.0 != 200 {
        assert!(
            Instant::now() < until,
            "the plugin is not loaded: {}",
            world.host.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut held = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(world.host.address()).unwrap();
        if number % 2 == 0 {
            // It may have given way already.
            let _closed = stream.write_all(b"POST /mcp HTTP/1.1\r\nhost: ");
        }
        held.push(stream);
    }
    set(&world);
    for _ in 0..3 {
        for tenant in ["acme", "globex"] {
            let (status, body) = world.call(tenant, "list_invoices", json!({})).await;
            assert_eq!(status, 200, "{tenant}: {body}\n{}", world.host.log());
        }
    }
    for verb in [&["audit", "verify"][..], &["credential", "list"]] {
        let ended = world.host.verb(verb);
        assert_eq!(ended.status, 0, "{verb:?}: {ended:?}");
    }
    // Also while they came, faster than those that gave way were closed.
    let log = world.host.log();
    assert!(!log.contains("could not be accepted"), "{log}");
    drop(held);
}
