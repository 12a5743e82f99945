mod model;
mod writers;

use std::sync::Arc;

use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_policy::PluginName;

use super::layout::{self, MAX_KEY};
use crate::{
    KvError, KvQuota, KvScope, KvSpace, MemoryStore, PluginKv, Scan, Store, StoreError, Table,
};

fn binding(tenant: &str) -> Binding {
    let tenant = TenantId::parse(tenant).unwrap();
    let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
    let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
    Binding::home(Arc::new(principal), &directory).unwrap()
}

fn space(tenant: &str, plugin: &str, scope: KvScope) -> KvSpace {
    KvSpace::new(&binding(tenant), &PluginName::parse(plugin).unwrap(), scope)
}

fn home() -> KvSpace {
    space("acme", "billing", KvScope::Shared)
}

async fn store() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    for tenant in ["acme", "globex"] {
        store.create(&binding(tenant).space()).await.unwrap();
    }
    store
}

async fn kv() -> PluginKv {
    PluginKv::new(store().await, KvQuota::default())
}

async fn keys(kv: &PluginKv, space: &KvSpace) -> Vec<String> {
    kv.list_keys(space, "", None, 1_000).await.unwrap().keys
}

#[tokio::test]
async fn a_key_is_found_in_its_own_space_alone() {
    let kv = kv().await;
    let long = "k".repeat(MAX_KEY);
    for key in [
        "k",
        "../globex/k",
        "..",
        "globex\0billing\0k",
        "tenant:globex",
        "HOST",
        "/",
        "%2e%2e",
        "k\n",
        "\u{ff}\u{ff}",
        "ﬁ",
        "e\u{301}",
        "personal",
        "support",
        &long,
    ] {
        kv.put(&home(), key, b"v".to_vec()).await.unwrap();
        for other in [
            space("globex", "billing", KvScope::Shared),
            space("acme", "support", KvScope::Shared),
            space("acme", "billing", KvScope::Personal),
        ] {
            assert_eq!(kv.get(&other, key).await.unwrap(), None, "{key:?}");
            assert_eq!(keys(&kv, &other).await.len(), 0, "{key:?}");
            assert!(!kv.delete(&other, key).await.unwrap(), "{key:?}");
        }
        assert!(kv.get(&home(), key).await.unwrap().is_some());
    }
    assert_eq!(
        kv.get(&home(), "\u{e9}").await.unwrap(),
        None,
        "no normal form joins two keys"
    );
}

#[tokio::test]
async fn a_tenant_without_a_space_gets_none_by_asking() {
    let store = store().await;
    let kv = PluginKv::new(store.clone(), KvQuota::default());
    let initech = space("initech", "billing", KvScope::Shared);
    let refused = kv.put(&initech, "k", vec![]).await.unwrap_err();
    assert!(matches!(
        &refused,
        KvError::Unavailable(StoreError::UnknownSpace { .. })
    ));
    assert!(
        !refused.to_string().contains("initech"),
        "a guest reads it: {refused}"
    );
    assert!(kv.get(&initech, "k").await.is_err());
    assert!(kv.list_keys(&initech, "", None, 1).await.is_err());
    assert_eq!(store.tenants().await.unwrap().len(), 2);
}

#[tokio::test]
async fn compare_and_set_writes_once() {
    let kv = kv().await;
    let first = kv
        .compare_and_set(&home(), "k", None, vec![1])
        .await
        .unwrap();
    assert_eq!(
        kv.compare_and_set(&home(), "k", None, vec![2]).await,
        Err(KvError::Conflict)
    );
    let second = kv
        .compare_and_set(&home(), "k", Some(first), vec![3])
        .await
        .unwrap();
    assert_eq!(
        kv.compare_and_set(&home(), "k", Some(first), vec![4]).await,
        Err(KvError::Conflict)
    );
    assert_eq!(kv.get(&home(), "k").await.unwrap().unwrap().version, second);
    kv.delete(&home(), "k").await.unwrap();
    let again = kv.put(&home(), "k", vec![5]).await.unwrap();
    assert!(
        first < second && second < again,
        "a removed key must not come back under an old version"
    );
}

#[tokio::test]
async fn a_full_space_refuses_and_keeps_what_it_has() {
    let quota = KvQuota {
        plugin_bytes: 1_000,
        ..KvQuota::default()
    };
    let kv = PluginKv::new(store().await, quota);
    kv.put(&home(), "a", vec![0; 500]).await.unwrap();
    assert_eq!(kv.put(&home(), "b", vec![0; 500]).await, Err(KvError::Full));
    let personal = space("acme", "billing", KvScope::Personal);
    assert_eq!(
        kv.put(&personal, "b", vec![0; 500]).await,
        Err(KvError::Full),
        "it counts towards the same plugin"
    );
    assert_eq!(
        kv.get(&home(), "a").await.unwrap().unwrap().value.len(),
        500
    );
    kv.put(&home(), "a", vec![0; 10]).await.unwrap();
    kv.put(&home(), "b", vec![0; 500]).await.unwrap();
    assert!(kv.delete(&home(), "b").await.unwrap() && !kv.delete(&home(), "b").await.unwrap());
    kv.put(&home(), "c", vec![0; 500]).await.unwrap();
}

#[tokio::test]
async fn the_tenants_quota_covers_all_its_plugins_and_outlives_the_process() {
    let quota = KvQuota {
        tenant_bytes: 1_000,
        ..KvQuota::default()
    };
    let store = store().await;
    PluginKv::new(store.clone(), quota)
        .put(&home(), "a", vec![0; 500])
        .await
        .unwrap();
    let later = PluginKv::new(store.clone(), quota);
    let other = space("acme", "support", KvScope::Shared);
    assert_eq!(
        later.put(&other, "b", vec![0; 500]).await,
        Err(KvError::Full)
    );
    let globex = space("globex", "support", KvScope::Shared);
    later.put(&globex, "b", vec![0; 500]).await.unwrap();
    // Lowered below what is kept: only what shrinks goes in.
    let lower = KvQuota {
        tenant_bytes: 10,
        ..quota
    };
    let lowered = PluginKv::new(store, lower);
    lowered.put(&home(), "a", vec![0; 400]).await.unwrap();
    assert_eq!(
        lowered.put(&home(), "a", vec![0; 401]).await,
        Err(KvError::Full)
    );
}

#[tokio::test]
async fn pages_go_on_where_they_stopped() {
    let kv = kv().await;
    for key in ["a1", "b1", "b2", "b3", "c1"] {
        kv.put(&home(), key, vec![]).await.unwrap();
    }
    let page = async |cursor, limit| kv.list_keys(&home(), "b", cursor, limit).await.unwrap();
    let first = page(None, 2).await;
    assert_eq!(
        (first.keys, first.cursor.as_deref()),
        (vec!["b1".into(), "b2".into()], Some("b2"))
    );
    let last = page(Some("b2"), 2).await;
    assert_eq!((last.keys, last.cursor), (vec!["b3".into()], None));
    assert_eq!(page(Some("a"), 9).await.keys.len(), 3);
    assert_eq!(page(Some("c"), 9).await.keys.len(), 0);
}

#[tokio::test]
async fn what_is_too_long_is_refused() {
    let kv = kv().await;
    for key in ["k".repeat(MAX_KEY + 1), String::new()] {
        assert_eq!(kv.put(&home(), &key, vec![]).await, Err(KvError::Key));
        assert_eq!(kv.get(&home(), &key).await, Err(KvError::Key));
        assert_eq!(kv.delete(&home(), &key).await, Err(KvError::Key));
    }
    assert_eq!(
        kv.put(&home(), "k", vec![0; (256 << 10) + 1]).await,
        Err(KvError::Value)
    );
    kv.put(&home(), "k", vec![0; 256 << 10]).await.unwrap();
    for limit in [0, 1_001] {
        assert_eq!(
            kv.list_keys(&home(), "", None, limit).await,
            Err(KvError::Page)
        );
    }
    let long = "k".repeat(MAX_KEY + 1);
    assert_eq!(
        kv.list_keys(&home(), &long, None, 1).await,
        Err(KvError::Key)
    );
    assert_eq!(
        kv.list_keys(&home(), "", Some(&long), 1).await,
        Err(KvError::Key)
    );
}

#[tokio::test]
async fn a_damaged_count_refuses_instead_of_counting_from_nothing() {
    let store = store().await;
    let kv = PluginKv::new(store.clone(), KvQuota::default());
    kv.put(&home(), "k", vec![1]).await.unwrap();
    let usage = layout::plugin_usage(&home()).unwrap();
    store.put(home().space(), &usage, vec![0; 7]).await.unwrap();
    let refused = kv.put(&home(), "j", vec![1]).await;
    assert!(matches!(
        refused,
        Err(KvError::Unavailable(StoreError::Corrupt { .. }))
    ));
    assert_eq!(keys(&kv, &home()).await, ["k"]);
}

#[tokio::test]
async fn a_removed_value_leaves_no_record() {
    let store = store().await;
    let kv = PluginKv::new(store.clone(), KvQuota::default());
    kv.put(&home(), "k", vec![1]).await.unwrap();
    kv.delete(&home(), "k").await.unwrap();
    for kind in [&b"head"[..], b"value"] {
        let scan = Scan::group(Table::Kv, &[kind, b"billing", b"shared"]);
        assert!(
            store
                .scan(home().space(), &scan)
                .await
                .unwrap()
                .found
                .is_empty()
        );
    }
}
