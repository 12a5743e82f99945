//! What a host finds that was killed in the middle of adding or removing a tenant.

use std::sync::Arc;
use std::time::Duration;

use toolhost_identity::{Operator, Tenant, TenantId, TenantSpace};
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::{DataDir, EmbeddedSettings, SledStore, Store};
use toolhost_tenancy::{Freshness, StoredDirectory};

use crate::tenants::Town;

/// The store of a host that has ended.
fn store(town: &Town) -> Arc<dyn Store> {
    let data = town.host.directory().join("data");
    let master = MasterKey::open(&data.join("master.key")).unwrap();
    let keyring = Arc::new(Keyring::open(&data, master).unwrap());
    let directory = DataDir::open(&data).unwrap();
    Arc::new(SledStore::open(directory, keyring, EmbeddedSettings::default()).unwrap())
}

async fn ended(town: &mut Town) -> (Arc<dyn Store>, TenantSpace, Operator) {
    town.host.terminate();
    town.host.ended(Duration::from_secs(20)).await;
    let by = Operator::of_this_process();
    let space = TenantSpace::of_operator(TenantId::parse("globex").unwrap(), &by);
    (store(town), space, by)
}

#[tokio::test]
async fn a_tenant_whose_space_was_not_made_gets_it_with_its_first_call() {
    let mut town = Town::start();
    let (store, space, by) = ended(&mut town).await;
    let directory = StoredDirectory::open(Arc::clone(&store), Freshness::Sole)
        .await
        .unwrap();
    directory
        .add(Tenant::root(space.tenant().clone()), &by)
        .await
        .unwrap();
    drop((directory, store));
    assert!(!town.key("globex").exists());
    let town = town.again();
    assert_eq!(town.put("globex", "kept").await, 200);
    assert!(town.key("globex").exists() && town.database("globex").exists());
}

#[tokio::test]
async fn a_removal_that_was_broken_off_is_finished_before_the_tenant_is_added_again() {
    let mut town = Town::start();
    town.done(&["tenant", "add", "globex"]);
    let secret = ["credential", "set", "globex/billing", "--secret-file", "-"];
    let kept = town
        .host
        .verb_with(&secret, "a-secret-of-globex-0123456789");
    assert_eq!(kept.status, 0, "{kept:?}");
    // It is gone from the directory, and a space of its name is still there.
    let (store, space, by) = ended(&mut town).await;
    let directory = StoredDirectory::open(Arc::clone(&store), Freshness::Sole)
        .await
        .unwrap();
    directory.remove(space.tenant(), &by).await.unwrap();
    store.create(&space).await.unwrap();
    drop((directory, store));
    let town = town.again();
    town.is_refused("globex").await;
    assert_eq!(town.put("globex", "late").await, 403);
    town.done(&["tenant", "add", "globex"]);
    assert!(!town.has("globex", "late").await);
    let list = town.done(&["credential", "list", "globex"]);
    assert!(
        list["credentials"].as_array().unwrap().is_empty()
            && list["unusable"].as_array().unwrap().is_empty()
    );
    // The vault still knew how far the old one had come; the new one is not held against that.
    let kept = town.host.verb_with(&secret, "another-of-globex-0123456789");
    assert_eq!(kept.status, 0, "{kept:?}");
}

#[tokio::test]
async fn a_removal_that_was_broken_off_is_finished_by_removing_again() {
    let mut town = Town::start();
    town.done(&["tenant", "add", "globex"]);
    let (store, space, by) = ended(&mut town).await;
    let directory = StoredDirectory::open(Arc::clone(&store), Freshness::Sole)
        .await
        .unwrap();
    directory.remove(space.tenant(), &by).await.unwrap();
    store.create(&space).await.unwrap();
    drop((directory, store));
    assert!(town.key("globex").exists());
    let town = town.again();
    town.done(&["tenant", "remove", "globex", "--yes"]);
    assert!(!town.key("globex").exists() && !town.database("globex").exists());
    town.refuses(
        &["tenant", "remove", "globex", "--yes"],
        &["does not exist"],
    );
}
