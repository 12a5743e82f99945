use std::sync::Arc;
use std::time::Duration;

use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_policy::{PluginName, UnixTime};

use super::head::ArtifactHead;
use super::layout;
use super::{ArtifactError, ArtifactStore, DEFAULT_TTL, MAX_TTL, NewArtifact};
use crate::{KvQuota, KvScope, MemoryStore, Space, Store, StoreError};

fn binding(tenant: &str) -> Binding {
    let tenant = TenantId::parse(tenant).unwrap();
    let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
    let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
    Binding::home(Arc::new(principal), &directory).unwrap()
}

fn plugin(name: &str) -> PluginName {
    PluginName::parse(name).unwrap()
}

fn new(bytes: usize) -> NewArtifact {
    NewArtifact {
        scope: KvScope::Shared,
        name: Some("report.bin".into()),
        mime_type: "application/octet-stream".into(),
        bytes: vec![7; bytes],
        ttl: None,
    }
}

async fn over(quota: KvQuota) -> ArtifactStore {
    let store = Arc::new(MemoryStore::default());
    for tenant in ["acme", "globex"] {
        store.create(&binding(tenant).space()).await.unwrap();
    }
    ArtifactStore::new(store, quota)
}

async fn artifacts() -> ArtifactStore {
    over(KvQuota::default()).await
}

#[tokio::test]
async fn an_artifact_comes_back_whole_to_its_own_tenant_and_plugin_alone() {
    let artifacts = over(KvQuota {
        plugin_bytes: 32 << 20,
        tenant_bytes: 32 << 20,
    })
    .await;
    let (acme, billing) = (binding("acme"), plugin("billing"));
    for bytes in [0, 1, layout::PART, layout::PART + 1, 3 << 20] {
        let id = artifacts
            .put(&acme, &billing, new(bytes))
            .await
            .unwrap()
            .to_string();
        let found = artifacts.get(&acme, &billing, &id).await.unwrap().unwrap();
        assert_eq!(
            (found.bytes.len(), found.name.as_deref()),
            (bytes, Some("report.bin"))
        );
        assert_eq!(artifacts.fetch(&acme, &id).await.unwrap(), Some(found));
        assert_eq!(
            artifacts.get(&acme, &plugin("support"), &id).await,
            Ok(None)
        );
        assert_eq!(
            artifacts.delete(&acme, &plugin("support"), &id).await,
            Ok(false)
        );
        let globex = binding("globex");
        assert_eq!(artifacts.get(&globex, &billing, &id).await, Ok(None));
        assert_eq!(artifacts.fetch(&globex, &id).await, Ok(None));
        assert_eq!(artifacts.delete(&globex, &billing, &id).await, Ok(false));
        assert_eq!(artifacts.delete(&acme, &billing, &id).await, Ok(true));
        assert_eq!(artifacts.fetch(&acme, &id).await, Ok(None));
        assert_eq!(artifacts.delete(&acme, &billing, &id).await, Ok(false));
    }
}

#[tokio::test]
async fn equal_bytes_get_different_ids_that_say_nothing() {
    let artifacts = artifacts().await;
    let (acme, billing) = (binding("acme"), plugin("billing"));
    let first = artifacts.put(&acme, &billing, new(10)).await.unwrap();
    let second = artifacts.put(&acme, &billing, new(10)).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(first.to_string().len(), 32);
    assert_eq!(format!("{first:?}"), "ArtifactId(…)");
}

#[tokio::test]
async fn what_is_no_id_names_nothing() {
    let artifacts = artifacts().await;
    let (acme, billing) = (binding("acme"), plugin("billing"));
    let id = artifacts
        .put(&acme, &billing, new(1))
        .await
        .unwrap()
        .to_string();
    for other in [
        "",
        "..",
        "../globex/x",
        &id[1..],
        &format!("{id}0"),
        &format!("{id}\0"),
        &id.to_uppercase(),
        &format!("{}é", &id[2..]),
        &"0".repeat(32),
        &"x".repeat(1 << 20),
        &format!("artifact:{id}"),
    ] {
        assert_eq!(artifacts.get(&acme, &billing, other).await, Ok(None));
        assert_eq!(artifacts.fetch(&acme, other).await, Ok(None));
        assert_eq!(artifacts.delete(&acme, &billing, other).await, Ok(false));
    }
    assert!(artifacts.fetch(&acme, &id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_persons_artifact_is_no_other_persons_and_an_expired_one_is_nobodys() {
    let artifacts = artifacts().await;
    let (acme, billing) = (binding("acme"), plugin("billing"));
    let own = NewArtifact {
        scope: KvScope::Personal,
        ..new(1)
    };
    let id = artifacts.put(&acme, &billing, own).await.unwrap();
    let space = Space::from(acme.space());
    let head = artifacts.head(&space, id).await.unwrap().unwrap();
    assert!(head.is_for(&acme, UnixTime::now().secs()));
    let others = ArtifactHead {
        owner: head.owner.map(|mut owner| {
            owner[0] ^= 1;
            owner
        }),
        ..head.clone()
    };
    assert!(head.owner.is_some() && !others.is_for(&acme, UnixTime::now().secs()));
    assert!(!head.is_for(&acme, head.expires_at));
    let old = artifacts
        .put_at(&acme, &billing, new(1), 1_000)
        .await
        .unwrap()
        .to_string();
    assert_eq!(artifacts.delete(&acme, &billing, &old).await, Ok(false));
    assert_eq!(
        artifacts.delete(&acme, &billing, &id.to_string()).await,
        Ok(true)
    );
}

#[tokio::test]
async fn what_has_expired_is_gone_and_makes_room() {
    let one = 1_000 + 1_034;
    let artifacts = over(KvQuota {
        plugin_bytes: one,
        tenant_bytes: one,
    })
    .await;
    let (acme, billing, begin) = (binding("acme"), plugin("billing"), UnixTime::now().secs());
    let short = NewArtifact {
        ttl: Some(Duration::from_secs(10)),
        ..new(1_000)
    };
    let id = artifacts
        .put_at(&acme, &billing, short, begin)
        .await
        .unwrap()
        .to_string();
    assert_eq!(
        artifacts
            .put_at(&acme, &billing, new(1_000), begin + 9)
            .await,
        Err(ArtifactError::Full)
    );
    let read = async |now| artifacts.read(&acme, &id, |_| true, now).await.unwrap();
    assert!(read(begin + 9).await.is_some());
    assert!(
        read(begin + 10).await.is_none(),
        "before anything removes it"
    );
    artifacts
        .put_at(&acme, &billing, new(1_000), begin + 10)
        .await
        .unwrap();
    let space = Space::from(acme.space());
    let parts = layout::parts(super::ArtifactId::parse(&id).unwrap(), 1_000).unwrap();
    assert_eq!(artifacts.store.get(&space, &parts[0]).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_plugin_and_a_full_tenant_keep_what_they_have_and_nobody_else_is_touched() {
    let artifacts = over(KvQuota {
        plugin_bytes: 3_000,
        tenant_bytes: 5_000,
    })
    .await;
    let (acme, billing, support) = (binding("acme"), plugin("billing"), plugin("support"));
    let first = artifacts
        .put(&acme, &billing, new(1_000))
        .await
        .unwrap()
        .to_string();
    let full = Err(ArtifactError::Full);
    assert_eq!(artifacts.put(&acme, &billing, new(1_000)).await, full);
    artifacts.put(&acme, &support, new(1_000)).await.unwrap();
    assert_eq!(
        artifacts.put(&acme, &plugin("third"), new(1_000)).await,
        full
    );
    artifacts
        .put(&binding("globex"), &billing, new(1_000))
        .await
        .unwrap();
    assert!(artifacts.delete(&acme, &billing, &first).await.unwrap());
    artifacts.put(&acme, &billing, new(1_000)).await.unwrap();
    for _ in 0..10 {
        assert_eq!(
            artifacts.put(&acme, &billing, new(0)).await,
            full,
            "empty ones cost too"
        );
    }
}

#[tokio::test]
async fn what_could_not_stand_in_a_header_or_a_file_name_is_refused() {
    let artifacts = artifacts().await;
    let (acme, billing) = (binding("acme"), plugin("billing"));
    let put = async |change: &dyn Fn(&mut NewArtifact)| {
        let mut wanted = new(1);
        change(&mut wanted);
        artifacts.put(&acme, &billing, wanted).await.err()
    };
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\nb",
        "a\0b",
        &"n".repeat(256),
    ] {
        let refused = put(&|wanted| wanted.name = Some(name.to_owned())).await;
        assert_eq!(refused, Some(ArtifactError::Name), "{name:?}");
    }
    for name in ["..a", "Ünïcode ٪ 名.pdf", &"n".repeat(255)] {
        assert_eq!(
            put(&|wanted| wanted.name = Some(name.to_owned())).await,
            None,
            "{name:?}"
        );
    }
    for mime in [
        "",
        "text",
        "text/",
        "/x",
        "te xt/x",
        "text/x\r\nSet-Cookie: a",
        "tëxt/x",
        &"x/".repeat(99),
    ] {
        let refused = put(&|wanted| wanted.mime_type = mime.to_owned()).await;
        assert_eq!(refused, Some(ArtifactError::MimeType), "{mime:?}");
    }
    for ttl in [
        Duration::ZERO,
        MAX_TTL + Duration::from_secs(1),
        Duration::MAX,
    ] {
        assert_eq!(
            put(&|wanted| wanted.ttl = Some(ttl)).await,
            Some(ArtifactError::Ttl)
        );
    }
    assert_eq!(put(&|wanted| wanted.ttl = Some(DEFAULT_TTL)).await, None);
    let refused = put(&|wanted| wanted.bytes = vec![0; (16 << 20) + 1]).await;
    assert_eq!(refused, Some(ArtifactError::TooLarge));
}

#[tokio::test]
async fn a_tenant_without_a_space_gets_none_by_asking() {
    let artifacts = artifacts().await;
    let (initech, billing) = (binding("initech"), plugin("billing"));
    let refused = artifacts.put(&initech, &billing, new(1)).await.unwrap_err();
    assert!(matches!(
        refused,
        ArtifactError::Unavailable(StoreError::UnknownSpace { .. })
    ));
    assert!(
        !refused.to_string().contains("initech"),
        "a guest reads it: {refused}"
    );
}

#[tokio::test]
async fn a_damaged_count_or_head_refuses_instead_of_beginning_anew() {
    let artifacts = artifacts().await;
    let (acme, billing) = (binding("acme"), plugin("billing"));
    let id = artifacts.put(&acme, &billing, new(1)).await.unwrap();
    let space = Space::from(acme.space());
    let break_it = async |key| artifacts.store.put(&space, &key, vec![9; 7]).await.unwrap();
    break_it(layout::head(id).unwrap()).await;
    assert!(artifacts.fetch(&acme, &id.to_string()).await.is_err());
    break_it(layout::plugin_usage("billing").unwrap()).await;
    assert!(artifacts.put(&acme, &billing, new(1)).await.is_err());
}

#[tokio::test]
async fn many_writers_at_once_are_each_counted() {
    let artifacts = Arc::new(artifacts().await);
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let artifacts = Arc::clone(&artifacts);
            tokio::spawn(async move {
                let (acme, billing) = (binding("acme"), plugin("billing"));
                let id = artifacts.put(&acme, &billing, new(100)).await.unwrap();
                artifacts
                    .delete(&acme, &billing, &id.to_string())
                    .await
                    .unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    let space = Space::from(binding("acme").space());
    let usage = artifacts
        .store
        .get(&space, &layout::tenant_usage().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(usage.value, 0_u64.to_be_bytes());
}
