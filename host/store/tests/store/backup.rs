//! Backups that are made while the store is used, and brought back where something is lost.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use toolhost_store::{
    Change, Precondition, RestoreOutcome, RestoreScope, SledStore, Space, Store, StoreError,
};

use crate::place::{Place, key, space, tenant};

async fn furnished() -> (Place, SledStore) {
    let place = Place::new();
    let store = place.open();
    for name in ["acme", "globex"] {
        store.create(&tenant(name)).await.unwrap();
        for n in 0..20_u8 {
            let size = if n % 5 == 0 { 20_000 } else { 60 };
            store
                .put(&space(name), &key(&format!("k{n}")), vec![n; size])
                .await
                .unwrap();
        }
    }
    store
        .put(&Space::Host, &key("h"), b"host".to_vec())
        .await
        .unwrap();
    (place, store)
}

async fn assert_whole(store: &SledStore, name: &str) {
    for n in 0..20_u8 {
        let size = if n % 5 == 0 { 20_000 } else { 60 };
        let record = store
            .get(&space(name), &key(&format!("k{n}")))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(record.value, vec![n; size]);
    }
    store.check_space(&space(name)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_brought_back_into_an_empty_directory() {
    let (place, store) = furnished().await;
    let backup = place.path("backup");
    let made = store.backup(&backup).await.unwrap();
    assert_eq!(made.len(), 3);
    for one in &made {
        let mode = std::fs::metadata(&one.file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
    let version = store
        .get(&space("acme"), &key("k3"))
        .await
        .unwrap()
        .unwrap()
        .version;
    let (data_dir, keyring) = place.parts(&place.path("elsewhere")).unwrap();
    let (restored, outcomes) = SledStore::restore(
        data_dir,
        keyring,
        place.settings,
        &backup,
        &RestoreScope::All,
    )
    .await
    .unwrap();
    assert_eq!(outcomes.len(), 3);
    for name in ["acme", "globex"] {
        assert_whole(&restored, name).await;
    }
    assert_eq!(
        restored
            .get(&Space::Host, &key("h"))
            .await
            .unwrap()
            .unwrap()
            .value,
        b"host"
    );
    assert_eq!(
        restored
            .get(&space("acme"), &key("k3"))
            .await
            .unwrap()
            .unwrap()
            .version,
        version
    );
    // Versions go on where they were.
    assert!(
        restored
            .put(&space("acme"), &key("new"), vec![])
            .await
            .unwrap()
            > version
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_writers_is_of_one_moment() {
    let (place, store) = furnished().await;
    let store = Arc::new(store);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let mut n = 0_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                n += 1;
                let put = |name: &str| Change::Put {
                    key: key(name),
                    value: n.to_be_bytes().repeat(2_000),
                    expect: Precondition::Any,
                };
                store
                    .batch(&space("acme"), vec![put("left"), put("right")])
                    .await
                    .unwrap();
            }
            n
        }
    });
    for round in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let backup = place.path(&format!("backup-{round}"));
        store.backup(&backup).await.unwrap();
        let (data_dir, keyring) = place
            .parts(&place.path(&format!("elsewhere-{round}")))
            .unwrap();
        let (restored, _) = SledStore::restore(
            data_dir,
            keyring,
            place.settings,
            &backup,
            &RestoreScope::All,
        )
        .await
        .unwrap();
        let left = restored.get(&space("acme"), &key("left")).await.unwrap();
        let right = restored.get(&space("acme"), &key("right")).await.unwrap();
        assert_eq!(left, right, "round {round}");
        assert!(left.is_some());
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(writer.await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_tenant_is_brought_back_while_the_others_are_served() {
    let (place, store) = furnished().await;
    let backup = place.path("backup");
    store.backup(&backup).await.unwrap();
    let sound = store
        .restore_tenant(&backup, &tenant("acme"))
        .await
        .unwrap_err();
    assert!(matches!(sound, StoreError::Exists(_)), "{sound}");
    drop(store);
    std::fs::write(place.data().join("tenants/acme/db"), b"").unwrap();
    let store = place.open();
    let error = store.get(&space("acme"), &key("k1")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("host store restore"));
    assert!(
        store.backup(&place.path("other")).await.is_err(),
        "not a backup of everything"
    );
    let restored = store
        .restore_tenant(&backup, &tenant("acme"))
        .await
        .unwrap();
    let RestoreOutcome::Placed {
        records,
        quarantined,
    } = restored.outcome
    else {
        panic!("{restored:?}");
    };
    assert_eq!(records, 20);
    assert!(quarantined.unwrap().join("db").exists());
    assert_whole(&store, "acme").await;
    drop(store);
    assert_whole(&place.open(), "acme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_host_and_a_lost_tenant_are_brought_back() {
    let (place, store) = furnished().await;
    let backup = place.path("backup");
    store.backup(&backup).await.unwrap();
    drop(store);
    std::fs::write(place.data().join("host/db"), b"").unwrap();
    std::fs::remove_dir_all(place.data().join("tenants/acme")).unwrap();
    std::fs::remove_file(place.data().join("keys/tenants/acme.key")).unwrap();
    assert!(place.try_open().is_err());
    let (data_dir, keyring) = place.parts(&place.data()).unwrap();
    let (store, outcomes) = SledStore::restore(
        data_dir,
        keyring,
        place.settings,
        &backup,
        &RestoreScope::All,
    )
    .await
    .unwrap();
    let kept: Vec<_> = outcomes
        .iter()
        .filter(|one| one.outcome == RestoreOutcome::Kept)
        .collect();
    assert_eq!((outcomes.len(), kept.len()), (3, 1));
    for name in ["acme", "globex"] {
        assert_whole(&store, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_changed_anywhere_is_refused_and_nothing_is_put_in_place() {
    let (place, store) = furnished().await;
    let backup = place.path("backup");
    store.backup(&backup).await.unwrap();
    store.destroy(&tenant("acme")).await.unwrap();
    let file = backup.join("tenants/acme.space");
    let bytes = std::fs::read(&file).unwrap();
    // All of the head, and some of the rest.
    let places = (0..160)
        .chain((0..60).map(|n| n * bytes.len() / 60))
        .chain([bytes.len() - 1]);
    for at in places {
        for is_cut in [false, true] {
            let mut changed = bytes.clone();
            if is_cut {
                changed.truncate(at);
            } else {
                changed[at] ^= 0x10;
            }
            std::fs::write(&file, &changed).unwrap();
            let refused = store
                .restore_tenant(&backup, &tenant("acme"))
                .await
                .unwrap_err();
            assert!(
                matches!(
                    refused,
                    StoreError::Corrupt { .. } | StoreError::Locked { .. }
                ),
                "byte {at}: {refused}"
            );
            assert!(!place.data().join("tenants/acme").exists());
            assert!(!place.data().join("keys/tenants/acme.key").exists());
        }
    }
    // Whole, and with more after its end; whole, and another tenant's.
    std::fs::write(&file, [bytes.as_slice(), b"x"].concat()).unwrap();
    assert!(
        store
            .restore_tenant(&backup, &tenant("acme"))
            .await
            .is_err()
    );
    std::fs::copy(backup.join("tenants/globex.space"), &file).unwrap();
    assert!(
        store
            .restore_tenant(&backup, &tenant("acme"))
            .await
            .is_err()
    );
    std::fs::write(&file, &bytes).unwrap();
    store
        .restore_tenant(&backup, &tenant("acme"))
        .await
        .unwrap();
    assert_whole(&store, "acme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_needs_a_directory_of_its_own_and_its_master_key() {
    let (place, store) = furnished().await;
    let backup = place.path("backup");
    store.backup(&backup).await.unwrap();
    let refused = store.backup(&backup).await.unwrap_err();
    assert!(matches!(refused, StoreError::Exists(_)), "{refused}");
    let other = Place::new();
    let (data_dir, keyring) = other.parts(&other.data()).unwrap();
    let refused = SledStore::restore(
        data_dir,
        keyring,
        other.settings,
        &backup,
        &RestoreScope::All,
    )
    .await
    .unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert!(!other.data().join("host").exists());
}
