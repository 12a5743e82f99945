//! A disk that is full: loud, nothing acknowledged is lost, and it goes on when there is room
//! again.
//!
//! The disk is a small tmpfs in a mount namespace of the test's own. Where none can be made, the
//! test fails.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use toolhost_store::{Store, StoreError};

use crate::place::{Place, key, space, tenant};

/// Runs one of the ignored tests below on a disk of 48 MiB.
fn on_a_small_disk(test: &str) {
    let disk = tempfile::tempdir().unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let script = "mount -t tmpfs -o size=48m,mode=0700 none \"$STORE_DISK\" && exec \"$0\" \"$1\" --exact --ignored --nocapture";
    let output = Command::new("unshare")
        .args(if is_root {
            vec!["-m"]
        } else {
            vec!["-U", "-r", "-m"]
        })
        .args(["sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env("STORE_DISK", disk.path())
        .output()
        .expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test} on a small disk:\n{text}"
    );
    print!("{text}");
}

fn place() -> Place {
    Place::within(std::env::var_os("STORE_DISK").unwrap().as_ref())
}

#[test]
fn a_full_disk_refuses_writes_and_serves_what_it_has() {
    on_a_small_disk("full_disk::fill_by_writing");
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_writes_loses_nothing_acknowledged() {
    on_a_small_disk("full_disk::fill_from_outside");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by a test above, on a small disk"]
async fn fill_by_writing() {
    let place = place();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    let mut written = 0;
    let error = loop {
        match store
            .put(
                &space("acme"),
                &key(&format!("k{written}")),
                vec![7; 40_000],
            )
            .await
        {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 2_000, "the disk is not small");
    };
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert!(written > 50, "{written}");
    for n in 0..written {
        let record = store
            .get(&space("acme"), &key(&format!("k{n}")))
            .await
            .unwrap();
        assert_eq!(record.unwrap().value, vec![7; 40_000]);
    }
    assert_eq!(
        store
            .get(&space("acme"), &key(&format!("k{written}")))
            .await
            .unwrap(),
        None
    );
    // Room can be made, although there is none.
    for n in 0..3 {
        store
            .delete(&space("acme"), &key(&format!("k{n}")))
            .await
            .unwrap();
    }
    drop(store);
    let store = place.open();
    for n in 3..written {
        assert!(
            store
                .get(&space("acme"), &key(&format!("k{n}")))
                .await
                .unwrap()
                .is_some()
        );
    }
    println!("{written} records of 40 KB before it was full");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by a test above, on a small disk"]
async fn fill_from_outside() {
    let place = place();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    let filler = place.path("filler");
    let mut acknowledged = Vec::new();
    let mut errors = std::collections::BTreeMap::<String, u32>::new();
    let mut n = 0_u64;
    for _ in 0..5 {
        let stop = Arc::new(AtomicBool::new(false));
        let fill = std::thread::spawn({
            let (stop, filler) = (stop.clone(), filler.clone());
            move || {
                let mut file = std::fs::File::create(filler).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    if file.write_all(&[0; 512 << 10]).is_err() {
                        std::thread::yield_now();
                    }
                }
            }
        });
        let until = std::time::Instant::now() + std::time::Duration::from_millis(400);
        while std::time::Instant::now() < until {
            n += 1;
            let value = n.to_be_bytes().repeat(500);
            match store
                .put(&space("acme"), &key(&format!("k{}", n % 500)), value)
                .await
            {
                Ok(_) => acknowledged.push(n),
                Err(error @ (StoreError::Full(_) | StoreError::Unavailable(_))) => {
                    let kind = if matches!(error, StoreError::Full(_)) {
                        "full"
                    } else {
                        "unavailable"
                    };
                    *errors.entry(kind.to_owned()).or_default() += 1;
                    // Full says that nothing has changed; after the other nobody knows.
                    if kind == "unavailable" {
                        acknowledged.retain(|known| known % 500 != n % 500);
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        fill.join().unwrap();
        std::fs::remove_file(&filler).unwrap();
        n += 1;
        // It comes back by itself.
        let mut back = store.put(&space("acme"), &key("back"), vec![1]).await;
        for _ in 0..20 {
            if back.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            back = store.put(&space("acme"), &key("back"), vec![1]).await;
        }
        back.expect("the store goes on when there is room");
    }
    assert!(!errors.is_empty() && !acknowledged.is_empty(), "{errors:?}");
    let mut newest = std::collections::BTreeMap::new();
    for n in acknowledged {
        newest.insert(n % 500, n);
    }
    drop(store);
    let store = place.open();
    for (slot, n) in &newest {
        let record = store
            .get(&space("acme"), &key(&format!("k{slot}")))
            .await
            .unwrap();
        assert_eq!(
            record.unwrap().value,
            n.to_be_bytes().repeat(500),
            "k{slot}"
        );
    }
    println!("{} acknowledged slots, errors {errors:?}", newest.len());
}

/// A full disk, or SIGKILL, ends sled in the middle of the snapshot that it writes while it opens a
/// database.
#[tokio::test]
async fn a_snapshot_that_was_not_finished_damages_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::within(directory.path());
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    store
        .put(&space("acme"), &key("k"), b"value".to_vec())
        .await
        .unwrap();
    drop(store);
    for database in ["host", "tenants/acme"] {
        for (name, content) in [
            ("0000000000179131", &b""[..]),
            ("7FFFFFFFFFFFFFFF", &[7; 40]),
        ] {
            let unfinished = format!("data/{database}/snap.{name}.generating");
            std::fs::write(place.path(&unfinished), content).unwrap();
        }
    }
    let store = place.open();
    let record = store.get(&space("acme"), &key("k")).await.unwrap();
    assert_eq!(record.unwrap().value, b"value");
}

/// Writes fail in the middle of sled: the limit on the size of a file is reached, as a disk is that
/// breaks.
#[test]
fn a_write_that_the_disk_refuses_is_not_acknowledged_and_the_database_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -S -f 4096; exec \"$0\" full_disk::write_past_a_limit --exact --ignored --nocapture";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("STORE_DISK", directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test above, under a limit"]
async fn write_past_a_limit() {
    let place = place();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    let mut written = 0_u32;
    let error = loop {
        match store
            .put(
                &space("acme"),
                &key(&format!("k{written}")),
                vec![7; 40_000],
            )
            .await
        {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 500, "there is no limit");
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let lifted = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, lifted).unwrap();
    for n in 0..written {
        let record = store
            .get(&space("acme"), &key(&format!("k{n}")))
            .await
            .unwrap();
        assert_eq!(
            record.unwrap().value,
            vec![7; 40_000],
            "k{n} was acknowledged"
        );
    }
    store
        .put(&space("acme"), &key("back"), vec![1])
        .await
        .expect("it was opened again, and goes on");
    store.check_space(&space("acme")).await.unwrap();
}
