//! One process a data directory, and a directory that nobody else reaches.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use toolhost_store::{DataDir, Store, StoreError};

use crate::place::{Place, key, space, tenant};

#[test]
#[ignore = "started by the test below"]
fn owner() {
    let _held = DataDir::open(&PathBuf::from(std::env::var_os("STORE_OWNED").unwrap())).unwrap();
    println!("owned");
    let _ = std::io::stdin().lock().lines().next();
}

#[test]
fn a_second_process_is_refused_with_the_firsts_id() {
    let place = Place::new();
    let mut first = Command::new(std::env::current_exe().unwrap())
        .args(["owner::owner", "--exact", "--ignored", "--nocapture"])
        .env("STORE_OWNED", place.data())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("owned") {}
    let refused = DataDir::open(&place.data()).unwrap_err();
    assert_eq!(
        refused,
        StoreError::Owned {
            pid: first.id(),
            directory: place.data().display().to_string()
        }
    );
    assert!(refused.to_string().contains(&first.id().to_string()));
    first.kill().unwrap();
    first.wait().unwrap();
    // Nothing is left of it that keeps others out.
    DataDir::open(&place.data()).unwrap();
}

#[test]
fn a_directory_that_others_reach_is_refused() {
    for mode in [0o750, 0o705, 0o777, 0o701] {
        let place = Place::new();
        drop(DataDir::open(&place.data()).unwrap());
        assert_eq!(
            std::fs::metadata(place.data())
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
        std::fs::set_permissions(place.data(), PermissionsExt::from_mode(mode)).unwrap();
        let error = DataDir::open(&place.data()).unwrap_err();
        assert!(
            matches!(error, StoreError::Directory { .. }),
            "{mode:o}: {error}"
        );
    }
}

#[test]
fn a_directory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Nobody else can give a directory away.
        return;
    }
    let place = Place::new();
    drop(DataDir::open(&place.data()).unwrap());
    std::os::unix::fs::chown(place.data(), Some(12_345), None).unwrap();
    assert!(matches!(
        DataDir::open(&place.data()),
        Err(StoreError::Directory { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn times_of_files_that_jump_change_nothing() {
    let place = Place::new();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    store
        .put(&space("acme"), &key("k"), b"v".to_vec())
        .await
        .unwrap();
    drop(store);
    let far = [
        std::time::SystemTime::UNIX_EPOCH,
        std::time::SystemTime::now() + std::time::Duration::from_secs(40 * 365 * 86_400),
    ];
    for (n, time) in far.into_iter().enumerate() {
        for name in ["tenants/acme/db", "host/db", "keys/host.key", "lock"] {
            let file = std::fs::File::options()
                .write(true)
                .open(place.data().join(name))
                .unwrap();
            file.set_modified(time).unwrap();
        }
        let store = place.open();
        let record = store.get(&space("acme"), &key("k")).await.unwrap().unwrap();
        assert_eq!(record.value, b"v");
        let version = store
            .put(&space("acme"), &key("k"), b"v".to_vec())
            .await
            .unwrap();
        assert_eq!(version, n as u64 + 2, "versions count, and are no times");
    }
}

/// Whatever the clock says: the store asks it for a name in `quarantine/`, and how long an artifact
/// is to be kept, and for nothing else.
#[test]
fn the_store_does_not_ask_for_the_time_of_day() {
    let mut asked = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if path.file_name().unwrap() != "tests.rs"
                && ["SystemTime::now", "UnixTime::now"]
                    .iter()
                    .any(|clock| text.contains(clock))
            {
                asked.push(path.file_name().unwrap().to_owned());
            }
        }
    }
    asked.sort();
    // The trait's own clock, which PostgreSQL's server replaces, and the time of a restoration.
    assert_eq!(asked, ["restore.rs", "store.rs"]);
}
