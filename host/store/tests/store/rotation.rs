//! A tenant's key is rotated while it is used.

use std::sync::Arc;

use toolhost_store::keys::{Generation, SubkeyPurpose};
use toolhost_store::{SledStore, Store, StoreError};

use crate::place::{Place, key, space, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_without_a_pause_and_the_old_one_opens_nothing() {
    let place = Place::new();
    let (data_dir, keyring) = place.parts(&place.data()).unwrap();
    let store = Arc::new(SledStore::open(data_dir, keyring.clone(), place.settings).unwrap());
    let acme = space("acme");
    store.create(&tenant("acme")).await.unwrap();
    let mut versions = Vec::new();
    for n in 0..150_u8 {
        let size = if n % 30 == 0 { 20_000 } else { 50 };
        versions.push(
            store
                .put(&acme, &key(&format!("k{n}")), vec![n; size])
                .await
                .unwrap(),
        );
    }
    let writer = tokio::spawn({
        let (store, acme) = (store.clone(), acme.clone());
        async move {
            for n in 0..100_u8 {
                store.put(&acme, &key("busy"), vec![n]).await.unwrap();
            }
        }
    });
    assert_eq!(keyring.rotate(&acme).unwrap(), Generation(2));
    // Nothing is retired that is still needed.
    assert_eq!(store.retire_generations(&acme).await.unwrap(), 0);
    let resealed = store.reseal(&acme).await.unwrap();
    assert!((150..=151).contains(&resealed), "{resealed}");
    writer.await.unwrap();
    assert_eq!(store.reseal(&acme).await.unwrap(), 0);
    assert_eq!(store.retire_generations(&acme).await.unwrap(), 1);
    let held = keyring.get(&acme).unwrap();
    assert!(held.subkey(Generation(1), SubkeyPurpose::Records).is_none());
    drop(store);
    drop(keyring);
    let store = place.open();
    for n in 0..150_u8 {
        let record = store
            .get(&acme, &key(&format!("k{n}")))
            .await
            .unwrap()
            .unwrap();
        let size = if n % 30 == 0 { 20_000 } else { 50 };
        assert_eq!(record.value, vec![n; size]);
        assert_eq!(
            record.version,
            versions[usize::from(n)],
            "resealing is no change"
        );
    }
    store.check_space(&acme).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_key_file_put_back_is_locked_and_not_empty() {
    let place = Place::new();
    let (data_dir, keyring) = place.parts(&place.data()).unwrap();
    let store = SledStore::open(data_dir, keyring.clone(), place.settings).unwrap();
    store.create(&tenant("acme")).await.unwrap();
    let path = keyring.path(&space("acme")).unwrap();
    let old = std::fs::read(&path).unwrap();
    keyring.rotate(&space("acme")).unwrap();
    store.put(&space("acme"), &key("k"), vec![1]).await.unwrap();
    drop((store, keyring));
    std::fs::write(&path, old).unwrap();
    let error = place
        .open()
        .get(&space("acme"), &key("k"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
}
