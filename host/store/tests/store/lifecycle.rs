//! Making and destroying that are cut short anywhere are gone on with, and never leave an empty
//! tenant.

use toolhost_store::{Space, Store, StoreError};

use crate::place::{Place, key, space, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn a_making_that_was_cut_short_is_finished() {
    // After the key; after a part of the database; after the database.
    for step in 0..3 {
        let place = Place::new();
        let store = place.open();
        store.create(&tenant("acme")).await.unwrap();
        store.create(&tenant("spare")).await.unwrap();
        // The record is the last thing: without it, what is there is a making that was cut short.
        let record = toolhost_store::Key::new(toolhost_store::Table::Tenant, &[], b"acme").unwrap();
        store.delete(&Space::Host, &record).await.unwrap();
        drop(store);
        let directory = place.data().join("tenants/acme");
        match step {
            0 => std::fs::remove_dir_all(&directory).unwrap(),
            1 => {
                std::fs::rename(&directory, place.data().join("tenants/acme.new")).unwrap();
                std::fs::write(place.data().join("tenants/acme.new/db"), b"half").unwrap();
            }
            _ => {}
        }
        let store = place.open();
        let unknown = store.get(&space("acme"), &key("k")).await.unwrap_err();
        assert!(
            matches!(unknown, StoreError::UnknownSpace { .. }),
            "{step}: {unknown}"
        );
        // Nothing of it is damaged, and nothing is there to bring back.
        for report in store.check().await.unwrap() {
            assert!(report.outcome.is_ok(), "{step}: {report:?}");
        }
        assert!(store.create(&tenant("acme")).await.unwrap(), "{step}");
        store
            .put(&space("acme"), &key("k"), b"v".to_vec())
            .await
            .unwrap();
        drop(store);
        let store = place.open();
        assert!(
            store
                .get(&space("acme"), &key("k"))
                .await
                .unwrap()
                .is_some(),
            "{step}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_record_was_lost_is_not_made_anew_over_its_records() {
    let place = Place::new();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    store
        .put(&space("acme"), &key("k"), b"v".to_vec())
        .await
        .unwrap();
    let record = toolhost_store::Key::new(toolhost_store::Table::Tenant, &[], b"acme").unwrap();
    store.delete(&Space::Host, &record).await.unwrap();
    drop(store);
    let store = place.open();
    let error = store.create(&tenant("acme")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let stray = store.check().await.unwrap();
    assert!(
        stray
            .iter()
            .any(|report| report.space == space("acme") && report.outcome.is_err())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_that_was_cut_short_is_locked_until_it_is_finished() {
    // After the key; after the database.
    for step in 0..2 {
        let place = Place::new();
        let store = place.open();
        store.create(&tenant("acme")).await.unwrap();
        store
            .put(&space("acme"), &key("k"), b"v".to_vec())
            .await
            .unwrap();
        drop(store);
        std::fs::remove_file(place.data().join("keys/tenants/acme.key")).unwrap();
        if step == 1 {
            std::fs::remove_dir_all(place.data().join("tenants/acme")).unwrap();
        }
        let store = place.open();
        let error = store.get(&space("acme"), &key("k")).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Locked { .. }),
            "{step}: {error}"
        );
        assert!(store.destroy(&tenant("acme")).await.unwrap());
        assert_eq!(store.tenants().await.unwrap(), vec![]);
        assert!(!place.data().join("tenants/acme").exists());
        assert!(store.create(&tenant("acme")).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_during_a_destruction_are_refused_and_bring_nothing_back() {
    let place = Place::new();
    let store = std::sync::Arc::new(place.open());
    for round in 0..5 {
        store.create(&tenant("acme")).await.unwrap();
        let writers = (0..4).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..200 {
                    let name = key(&format!("{writer}-{n}"));
                    match store.put(&space("acme"), &name, vec![1; 100]).await {
                        Ok(_) => {}
                        Err(
                            StoreError::Locked { .. }
                            | StoreError::UnknownSpace { .. }
                            | StoreError::Unavailable(_),
                        ) => return,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        assert!(
            store.destroy(&tenant("acme")).await.unwrap(),
            "round {round}"
        );
        for writer in writers {
            writer.await.unwrap();
        }
        assert!(!place.data().join("tenants/acme").exists());
        let error = store.get(&space("acme"), &key("0-0")).await.unwrap_err();
        assert!(matches!(error, StoreError::UnknownSpace { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_was_cut_short_is_finished() {
    let place = Place::new();
    drop(place.open());
    // The key was made and the database was not finished.
    let (host, partial) = (place.data().join("host"), place.data().join("host.new"));
    std::fs::rename(&host, &partial).unwrap();
    std::fs::write(partial.join("db"), b"half").unwrap();
    let store = place.open();
    store.put(&Space::Host, &key("k"), vec![]).await.unwrap();
    assert!(!partial.exists());
}
