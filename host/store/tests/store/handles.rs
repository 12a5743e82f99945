//! Few databases open at once, many tenants.

use std::sync::Arc;

use toolhost_store::{Scan, Store, Table};

use crate::place::{Place, key, space, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn many_tenants_go_through_few_handles() {
    let mut place = Place::new();
    place.settings.handles = 4;
    let store = Arc::new(place.open());
    let tasks = (0..24_u8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let name = format!("t{n}");
            store.create(&tenant(&name)).await.unwrap();
            for round in 0..6_u8 {
                store
                    .put(&space(&name), &key("k"), vec![n, round])
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
                let record = store.get(&space(&name), &key("k")).await.unwrap().unwrap();
                assert_eq!(record.value, [n, round]);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    // Those that were being closed have been.
    for _ in 0..200 {
        if store.open_handles() <= 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(
        store.open_handles() <= 4,
        "{} are open",
        store.open_handles()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_open_a_database_once() {
    let place = Place::new();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    store
        .put(&space("acme"), &key("k"), b"v".to_vec())
        .await
        .unwrap();
    drop(store);
    let store = Arc::new(place.open());
    let callers = (0..100).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.get(&space("acme"), &key("k")).await.unwrap().unwrap() })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap().value, b"v");
    }
    assert_eq!(store.open_handles(), 2, "the host's and the tenant's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_the_opening_to_others() {
    let place = Place::new();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    drop(store);
    for wait in 0..20 {
        let store = place.open();
        let opening = store.revision_of("acme");
        let _ = tokio::time::timeout(std::time::Duration::from_micros(wait * 100), opening).await;
        store.put(&space("acme"), &key("k"), vec![]).await.unwrap();
    }
}

trait Revision {
    async fn revision_of(&self, name: &str) -> u64;
}

impl Revision for toolhost_store::SledStore {
    async fn revision_of(&self, name: &str) -> u64 {
        self.revision(&space(name)).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_space_is_served_while_it_is_checked_and_lists_when_it_was() {
    let mut place = Place::new();
    place.settings.check_at_once = 100;
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    for chunk in 0..20 {
        let changes = (0..200)
            .map(|n| toolhost_store::Change::Put {
                key: key(&format!("k{}", chunk * 200 + n)),
                value: vec![1; 100],
                expect: toolhost_store::Precondition::Absent,
            })
            .collect();
        store.batch(&space("acme"), changes).await.unwrap();
    }
    drop(store);
    let store = place.open();
    assert!(
        store
            .get(&space("acme"), &key("k77"))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.get(&space("acme"), &key("none")).await.unwrap(), None);
    let page = store
        .scan(&space("acme"), &Scan::group(Table::Kv, &[b"billing"]))
        .await
        .unwrap();
    assert_eq!((page.found.len(), page.more), (1_000, true));
    store
        .put(&space("acme"), &key("new"), vec![])
        .await
        .unwrap();
    assert_eq!(store.revision_of("acme").await, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lies_in_files_that_sled_never_syncs() {
    let place = Place::new();
    let store = place.open();
    store.create(&tenant("acme")).await.unwrap();
    for n in 0..20 {
        let value = vec![n; toolhost_store::MAX_VALUE];
        store.put(&space("acme"), &key("k"), value).await.unwrap();
    }
    let blobs = std::fs::read_dir(place.data().join("tenants/acme/blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
}
