//! Rows moved, removed and put back by who knows sled's format, and files that are gone.

use std::time::Duration;

use toolhost_store::{Scan, Space, Store, StoreError, Table};

use crate::damage::copy;
use crate::place::{Place, key, space, tenant};

/// The database of a space as sled sees it, without a store.
fn raw(place: &Place, name: &str) -> sled::Db {
    let path = place.data().join("tenants").join(name);
    for _ in 0..200 {
        match sled::Config::new().path(&path).flush_every_ms(None).open() {
            Ok(db) => return db,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("sled does not open")
}

fn entry(prefix: u8, name: &str) -> Vec<u8> {
    [&[prefix], key(name).as_bytes()].concat()
}

async fn two_tenants() -> Place {
    let place = Place::new();
    let store = place.open();
    for name in ["acme", "globex"] {
        store.create(&tenant(name)).await.unwrap();
        for n in 0..5 {
            let value = format!("{name} {n}").into_bytes();
            store
                .put(&space(name), &key(&format!("k{n}")), value)
                .await
                .unwrap();
        }
        store
            .put(&space(name), &key("long"), vec![1; 30_000])
            .await
            .unwrap();
    }
    drop(store);
    place
}

async fn must_be_refused(place: &Place, what: &str, name: &str) {
    let store = place.open();
    let error = store.get(&space("globex"), &key(name)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupt { .. }),
        "{what}: {error}"
    );
    let listed = store
        .scan(&space("globex"), &Scan::group(Table::Kv, &[b"billing"]))
        .await;
    assert!(listed.is_err(), "{what}: it is listed");
    store
        .get(&space("acme"), &key("k1"))
        .await
        .unwrap()
        .unwrap();
    // A restart does not forget it.
    drop(store);
    let store = place.open();
    assert!(
        store.get(&space("globex"), &key(name)).await.is_err(),
        "{what}: served again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_whole_database_in_anothers_place_does_not_open() {
    let place = two_tenants().await;
    let tenants = place.data().join("tenants");
    std::fs::remove_dir_all(tenants.join("globex")).unwrap();
    copy(&tenants.join("acme"), &tenants.join("globex"));
    must_be_refused(&place, "database", "k1").await;
    // With its key, too: the key's file is bound to its tenant.
    let keys = place.data().join("keys/tenants");
    std::fs::copy(keys.join("acme.key"), keys.join("globex.key")).unwrap();
    let store = place.open();
    let error = store.get(&space("globex"), &key("k1")).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_tenant_in_anothers_database_do_not_open() {
    let place = two_tenants().await;
    {
        let (acme, globex) = (raw(&place, "acme"), raw(&place, "globex"));
        let row = acme.get(entry(b'r', "k1")).unwrap().unwrap();
        globex.insert(entry(b'r', "k1"), row).unwrap();
        globex.flush().unwrap();
    }
    must_be_refused(&place, "row", "k1").await;
}

/// What the seals alone detect, without the tally.
#[tokio::test(flavor = "multi_thread")]
async fn before_the_check_has_ended_a_foreign_or_moved_row_does_not_open() {
    let mut place = two_tenants().await;
    {
        let (acme, globex) = (raw(&place, "acme"), raw(&place, "globex"));
        let row = acme.get(entry(b'r', "k1")).unwrap().unwrap();
        globex.insert(entry(b'r', "k1"), row).unwrap();
        let moved = globex.get(entry(b'r', "k2")).unwrap().unwrap();
        globex.insert(entry(b'r', "k3"), moved).unwrap();
        let part = |index: u16| [entry(b'p', "long"), index.to_be_bytes().to_vec()].concat();
        let second = globex.get(part(2)).unwrap().unwrap();
        globex.insert(part(1), second).unwrap();
        globex.flush().unwrap();
    }
    // Every database is checked in the background.
    place.settings.check_at_once = 0;
    for name in ["k1", "k3", "long"] {
        let damage = place.data().join("tenants/globex.damaged");
        let _ = std::fs::remove_file(&damage);
        let store = place.open();
        let error = store.get(&space("globex"), &key(name)).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "{name}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_missing_added_or_old_is_found_before_anything_is_said_to_be_absent() {
    for (what, check_at_once) in [
        ("removed", 9_999),
        ("removed", 0),
        ("old", 9_999),
        ("doubled", 9_999),
        ("part", 9_999),
    ] {
        let mut place = two_tenants().await;
        place.settings.check_at_once = check_at_once;
        let old = raw(&place, "globex")
            .get(entry(b'r', "k1"))
            .unwrap()
            .unwrap();
        if what == "old" {
            let store = place.open();
            store
                .put(&space("globex"), &key("k1"), b"new".to_vec())
                .await
                .unwrap();
        }
        {
            let globex = raw(&place, "globex");
            match what {
                "removed" => drop(globex.remove(entry(b'r', "k1")).unwrap().unwrap()),
                "old" => drop(globex.insert(entry(b'r', "k1"), old).unwrap()),
                "doubled" => drop(globex.insert(entry(b'r', "k9"), old).unwrap()),
                _ => {
                    let part = [entry(b'p', "long"), vec![0, 2]].concat();
                    globex.remove(part).unwrap().unwrap();
                }
            }
            globex.flush().unwrap();
        }
        must_be_refused(
            &place,
            what,
            if what == "removed" { "k1" } else { "absent" },
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_or_key_that_is_gone_is_no_empty_one() {
    for (gone, is_locked) in [
        ("tenants/globex", false),
        ("tenants/globex/db", false),
        ("tenants/globex/conf", false),
        ("keys/tenants/globex.key", true),
    ] {
        let place = two_tenants().await;
        let path = place.data().join(gone);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        for _ in 0..2 {
            let store = place.open();
            let error = store.get(&space("globex"), &key("k1")).await.unwrap_err();
            assert_eq!(
                matches!(error, StoreError::Locked { .. }),
                is_locked,
                "{gone}: {error}"
            );
            assert_eq!(
                matches!(error, StoreError::Corrupt { .. }),
                !is_locked,
                "{gone}: {error}"
            );
            // It is there, so it is not made.
            assert!(!store.create(&tenant("globex")).await.unwrap());
            assert!(
                store
                    .put(&space("globex"), &key("k"), vec![])
                    .await
                    .is_err()
            );
            assert!(!path.exists(), "{gone} was made");
        }
    }
    for gone in ["host", "keys/host.key"] {
        let place = two_tenants().await;
        let path = place.data().join(gone);
        std::fs::remove_dir_all(&path)
            .or_else(|_| std::fs::remove_file(&path))
            .unwrap();
        let error = place.try_open().unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Corrupt { .. } | StoreError::Locked { .. }
            ),
            "{gone}: {error}"
        );
    }
    // All of the host's, and the tenants' left.
    let place = two_tenants().await;
    std::fs::remove_dir_all(place.data().join("host")).unwrap();
    std::fs::remove_file(place.data().join("keys/host.key")).unwrap();
    assert!(matches!(place.try_open(), Err(StoreError::Corrupt { .. })));
}

/// Of a ciphertext with its tag as it was: the check at open does not open records.
#[tokio::test(flavor = "multi_thread")]
async fn damage_that_reading_found_is_remembered_by_the_next_process() {
    let place = two_tenants().await;
    {
        let globex = raw(&place, "globex");
        let mut row = globex.get(entry(b'r', "k1")).unwrap().unwrap().to_vec();
        row[30] ^= 1;
        globex.insert(entry(b'r', "k1"), row).unwrap();
        globex.flush().unwrap();
    }
    let store = place.open();
    assert!(
        store
            .get(&space("globex"), &key("k2"))
            .await
            .unwrap()
            .is_some()
    );
    for _ in 0..2 {
        let error = store.get(&space("globex"), &key("k1")).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    assert!(store.get(&space("globex"), &key("k2")).await.is_err());
    drop(store);
    let store = place.open();
    assert!(
        store.get(&space("globex"), &key("k2")).await.is_err(),
        "a restart forgot it"
    );
    let reports = store.check().await.unwrap();
    let bad: Vec<_> = reports
        .iter()
        .filter(|report| report.outcome.is_err())
        .collect();
    assert_eq!((reports.len(), bad.len()), (3, 1));
    assert_eq!(bad[0].space, space("globex"));
}

/// In a space so large that it is asked before the check has come far.
#[tokio::test(flavor = "multi_thread")]
async fn that_a_record_is_absent_is_said_after_the_check() {
    let mut place = two_tenants().await;
    let store = place.open();
    for chunk in 0..10 {
        let changes = (0..2_000)
            .map(|n| toolhost_store::Change::Put {
                key: key(&format!("n{}", chunk * 2_000 + n)),
                value: vec![],
                expect: toolhost_store::Precondition::Absent,
            })
            .collect();
        store.batch(&space("globex"), changes).await.unwrap();
    }
    drop(store);
    {
        let globex = raw(&place, "globex");
        globex.remove(entry(b'r', "k1")).unwrap().unwrap();
        globex.flush().unwrap();
    }
    place.settings.check_at_once = 0;
    let store = place.open();
    let error = store.get(&space("globex"), &key("k1")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

/// An older record opens: of the host's, which says which tenants and versions there are, none is
/// told before the check.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_of_the_hosts_space_before_its_check() {
    let mut place = Place::new();
    let store = place.open();
    // As many as make the check take longer than a read.
    let changes = (0..5_000)
        .map(|n| toolhost_store::Change::Put {
            key: key(&format!("n{n}")),
            value: vec![],
            expect: toolhost_store::Precondition::Absent,
        })
        .collect();
    store.batch(&Space::Host, changes).await.unwrap();
    store
        .put(&Space::Host, &key("k1"), b"old".to_vec())
        .await
        .unwrap();
    drop(store);
    let old = raw(&place, "../host")
        .get(entry(b'r', "k1"))
        .unwrap()
        .unwrap();
    let store = place.open();
    store
        .put(&Space::Host, &key("k1"), b"new".to_vec())
        .await
        .unwrap();
    drop(store);
    {
        let host = raw(&place, "../host");
        host.insert(entry(b'r', "k1"), old).unwrap();
        host.flush().unwrap();
    }
    place.settings.check_at_once = 0;
    let store = place.open();
    let error = store.get(&Space::Host, &key("k1")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}
