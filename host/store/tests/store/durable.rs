//! A write is on the disk before it is acknowledged: seen from the kernel's side, since kill -9
//! loses nothing that a write system call has taken.

use std::process::Command;

use toolhost_store::Store;

use crate::place::{Place, key, space, tenant};

const WRITES: usize = 10;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below, under strace"]
async fn writes_one_after_another() {
    let place = Place::within(std::env::var_os("STORE_TRACED").unwrap().as_ref());
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    for n in 0..WRITES {
        // Marks that strace shows: the name of a file that is not there.
        let _ = std::fs::metadata(format!("/mark/begin/{n}"));
        store
            .put(&space("acme"), &key("k"), vec![1; 1_000])
            .await
            .unwrap();
        let _ = std::fs::metadata(format!("/mark/acknowledged/{n}"));
    }
}

#[test]
fn an_acknowledged_write_was_synced_before() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    let traced = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-qq",
            "-e",
            "trace=fdatasync,stat,statx,newfstatat",
            "-o",
        ])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["durable::writes_one_after_another", "--exact", "--ignored"])
        .env("STORE_TRACED", directory.path())
        .output();
    let output = traced.expect(
        "strace, of the Debian package strace, shows what was synced: apt-get install strace",
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&trace).unwrap();
    for n in 0..WRITES {
        let begin = text
            .find(&format!("/mark/begin/{n}\""))
            .expect("the mark before");
        let end = text
            .find(&format!("/mark/acknowledged/{n}\""))
            .expect("the mark after");
        let synced = text[begin..end]
            .lines()
            .any(|line| line.contains("fdatasync(") && line.contains("tenants/acme/db>"));
        assert!(
            synced,
            "write {n} was acknowledged before an fdatasync:\n{}",
            &text[begin..end]
        );
    }
}
