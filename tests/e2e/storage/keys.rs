use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use toolhost_harness::{billing, host};

use crate::storage::World;

#[tokio::test]
async fn keys_are_rotated_while_calls_go_on() {
    let world = World::start().await;
    world.set("acme", &billing::token("acme"));
    let key = world.host.directory().join("data/keys/tenants/acme.key");
    let master = world.host.directory().join("data/master.key");
    let before = (
        std::fs::read(&key).unwrap(),
        std::fs::read(&master).unwrap(),
    );
    for verb in [
        &["key", "rotate", "acme"][..],
        &["key", "rotate", "--master"],
        &["key", "rotate"],
    ] {
        let rotated = world.host.verb(verb);
        assert_eq!(rotated.status, 0, "{rotated:?}");
        assert_eq!(world.invoices("acme").await, (200, None));
    }
    assert_ne!(std::fs::read(&key).unwrap(), before.0);
    assert_ne!(std::fs::read(&master).unwrap(), before.1);
    let World {
        billing,
        issuer,
        host,
    } = world;
    let world = World {
        billing,
        issuer,
        host: host.killed_and_started(),
    };
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(
        world.host.verb(&["audit", "verify"]).status,
        0,
        "old records verify under the old key"
    );
}

#[tokio::test]
async fn a_key_that_others_can_read_or_that_is_missing_stops_the_host() {
    let mut world = World::start().await;
    world.set("acme", &billing::token("acme"));
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;
    let master = world.host.directory().join("data/master.key");
    let run = || {
        host::run(
            world.host.directory(),
            &["run", "--yes", "--listen", "127.0.0.1:0"],
        )
    };
    std::fs::set_permissions(&master, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = run();
    assert!(
        open.status == 2 && open.stderr.contains("master.key"),
        "{open:?}"
    );
    std::fs::remove_file(&master).unwrap();
    let missing = run();
    assert!(
        missing.status == 2 && missing.stderr.contains("master.key"),
        "{missing:?}"
    );
    assert!(
        !master.exists(),
        "another key would lock every space without a word"
    );
}

#[tokio::test]
async fn the_operators_door_is_its_own_users_alone() {
    let world = World::start().await;
    let data = world.host.directory().join("data");
    let mode = |name: &str| {
        std::fs::metadata(data.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode(""), mode("admin.sock"), mode("master.key")),
        (0o700, 0o600, 0o600)
    );
    // Bytes that are no request are answered or dropped, and the next operator is served.
    for bytes in [
        &b""[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x02{}",
        b"\0\0\0\x01",
        b"\xff\xff\xff\xff",
    ] {
        use std::io::Write;
        let mut stream = std::os::unix::net::UnixStream::connect(data.join("admin.sock")).unwrap();
        stream.write_all(bytes).unwrap();
    }
    assert_eq!(world.host.verb(&["credential", "list"]).status, 0);
}
