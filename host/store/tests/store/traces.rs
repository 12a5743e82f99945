//! What is left on the disk.

use std::path::Path;

use toolhost_store::{Space, Store};

use crate::place::{Place, key, space, tenant};

fn contains(directory: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contains(&path, needles));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for needle in needles {
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_stands_on_the_disk_before_or_after_its_space_is_destroyed() {
    let place = Place::new();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    let secrets: Vec<_> = (0..20)
        .map(|n| format!("tok_live_{n:02}_9f8e7d6c5b4a").into_bytes())
        .collect();
    for round in 0..3 {
        for (n, secret) in secrets.iter().enumerate() {
            for at in [Space::Host, space("acme")] {
                store
                    .put(&at, &key(&format!("k{n}")), secret.repeat(1 + round * 500))
                    .await
                    .unwrap();
            }
        }
    }
    let backup = place.path("backup");
    store.backup(&backup).await.unwrap();
    assert_eq!(contains(&place.data(), &secrets), Vec::<String>::new());
    assert_eq!(contains(&backup, &secrets), Vec::<String>::new());
    for n in 0..20 {
        store
            .delete(&Space::Host, &key(&format!("k{n}")))
            .await
            .unwrap();
    }
    store.destroy(&tenant("acme")).await.unwrap();
    assert_eq!(contains(&place.data(), &secrets), Vec::<String>::new());
    drop(store);
    assert_eq!(contains(&place.data(), &secrets), Vec::<String>::new());
}

/// The guard behind the test above: files that somebody kept open nothing without the key.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_destroyed_tenant_are_of_no_use_to_who_kept_them() {
    let place = Place::new();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    store
        .put(&space("acme"), &key("k"), b"v".to_vec())
        .await
        .unwrap();
    drop(store);
    let (directory, kept) = (place.data().join("tenants/acme"), place.path("kept"));
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([&directory, &kept])
        .status();
    assert!(status.unwrap().success());
    let store = place.open();
    store.destroy(&tenant("acme")).await.unwrap();
    store.create(&tenant("acme")).await.unwrap();
    drop(store);
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::rename(&kept, &directory).unwrap();
    assert!(place.open().get(&space("acme"), &key("k")).await.is_err());
}
