//! Many writers at once, on two hosts.

use std::sync::Arc;

use async_trait::async_trait;
use toolhost_identity::{TenantId, TenantSpace};

use super::{home, space, store};
use crate::kv::layout;
use crate::{
    Change, Key, KvError, KvQuota, KvScope, KvSpace, MemoryStore, PluginKv, Record, RecordPage,
    Scan, Space, Store, StoreError,
};

/// A store that lets others go first after every read, so that what was read is often changed by
/// then.
#[derive(Debug)]
struct Interrupted(Arc<MemoryStore>);

#[async_trait]
impl Store for Interrupted {
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        let found = self.0.get(space, key).await;
        tokio::task::yield_now().await;
        found
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        self.0.scan(space, scan).await
    }

    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        self.0.batch(space, changes).await
    }

    async fn create(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.0.create(space).await
    }

    async fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.0.destroy(space).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.0.tenants().await
    }
}

/// What the counts should say: what the heads of all groups say, read one by one.
async fn counted(store: &MemoryStore, spaces: &[KvSpace]) -> u64 {
    let mut sum = 0;
    for space in spaces {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let scan = layout::heads(space);
            let scan = after.iter().fold(scan, |scan, after| scan.after(after));
            let page = store.scan(space.space(), &scan).await.unwrap();
            for found in &page.found {
                sum += layout::count(&found.record, space).unwrap();
                after = Some(found.key.name().to_vec());
            }
            if !page.more {
                break;
            }
        }
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_on_two_hosts_never_pass_the_quota_and_count_exactly() {
    let quota = KvQuota {
        plugin_bytes: 40_000,
        tenant_bytes: 60_000,
    };
    let store = store().await;
    let hosts = [
        Arc::new(PluginKv::new(Arc::new(Interrupted(store.clone())), quota)),
        Arc::new(PluginKv::new(Arc::new(Interrupted(store.clone())), quota)),
    ];
    let spaces = [home(), space("acme", "support", KvScope::Shared)];
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16 {
        let kv = Arc::clone(&hosts[writer % 2]);
        let space = spaces[writer / 2 % 2].clone();
        writers.spawn(async move {
            for round in 0..200_usize {
                // Some keys are every writer's.
                let key = format!("{}-{}", writer % 3 * writer, round % 40);
                let done = match round % 5 {
                    4 => kv.delete(&space, &key).await.map(|_| 0),
                    _ => {
                        kv.put(&space, &key, vec![0; (round * 37 + writer) % 900])
                            .await
                    }
                };
                assert!(matches!(done, Ok(_) | Err(KvError::Full)), "{done:?}");
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let mut tenant = 0;
    for space in &spaces {
        let usage = layout::plugin_usage(space).unwrap();
        let record = store.get(space.space(), &usage).await.unwrap().unwrap();
        let plugin = layout::count(&record, space).unwrap();
        assert_eq!(plugin, counted(&store, std::slice::from_ref(space)).await);
        assert!(plugin <= quota.plugin_bytes, "{plugin}");
        tenant += plugin;
    }
    let usage = layout::tenant_usage().unwrap();
    let record = store.get(home().space(), &usage).await.unwrap().unwrap();
    assert_eq!(layout::count(&record, &home()).unwrap(), tenant);
    assert!(tenant <= quota.tenant_bytes, "{tenant}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_compare_and_set_one_key_on_two_hosts_each_sees_the_last() {
    let store = store().await;
    let hosts = [
        Arc::new(PluginKv::new(
            Arc::new(Interrupted(store.clone())),
            KvQuota::default(),
        )),
        Arc::new(PluginKv::new(
            Arc::new(Interrupted(store.clone())),
            KvQuota::default(),
        )),
    ];
    hosts[0].put(&home(), "n", vec![0; 8]).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let kv = Arc::clone(&hosts[writer % 2]);
        writers.spawn(async move {
            let mut done = 0;
            while done < 200 {
                let entry = kv.get(&home(), "n").await.unwrap().unwrap();
                let next = u64::from_be_bytes(entry.value.try_into().unwrap()) + 1;
                let value = next.to_be_bytes().to_vec();
                match kv
                    .compare_and_set(&home(), "n", Some(entry.version), value)
                    .await
                {
                    Ok(_) => done += 1,
                    Err(error) => assert_eq!(error, KvError::Conflict),
                }
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let entry = hosts[0].get(&home(), "n").await.unwrap().unwrap();
    assert_eq!(entry.value, 1_600_u64.to_be_bytes());
}
