//! The directory in the store: N1, A17, E27, and operators who work at once.

use crate::support;

use std::sync::Arc;

use support::TestClock;
use support::town::{SlowStore, Town, by, id, space, tenant_of};
use toolhost_identity::{Binding, BindingError, Directory as _, Tenant, TenantState, TreeError};
use toolhost_store::Store;
use toolhost_tenancy::{
    ChangeError, DirectoryError, Freshness, Reach, StoredDirectory, TenantDirectory,
};

async fn opened(
    store: &Arc<SlowStore>,
    freshness: Freshness,
    clock: &Arc<TestClock>,
) -> StoredDirectory {
    StoredDirectory::with_clock(store.clone(), freshness, clock.clone())
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_added_is_there_after_a_restart() {
    let town = Town::new(Reach::Tree).await;
    town.directory
        .describe(&id("globex"), "Globex", &["org_X".into()], &by())
        .await
        .unwrap();
    town.directory.suspend(&id("acme-us"), &by()).await.unwrap();
    let again = opened(&town.store, Freshness::Sole, &town.clock).await;
    assert_eq!(again.list(&by()), town.directory.list(&by()));
    assert_eq!(again.list(&by()).len(), 5);
    assert_eq!(again.tree().revision(), town.directory.tree().revision());
    assert_eq!(again.show(&id("globex"), &by()).unwrap().keys, ["org_X"]);
    assert_eq!(
        again.show(&id("acme-us"), &by()).unwrap().state,
        TenantState::Suspended
    );
}

#[tokio::test]
async fn n1_two_operators_at_once_cannot_make_a_cycle() {
    for _ in 0..20 {
        let town = Town::new(Reach::Tree).await;
        let other = opened(&town.store, Freshness::Sole, &town.clock).await;
        let (acme, globex, operator) = (id("acme"), id("globex"), by());
        let (one, two) = tokio::join!(
            town.directory
                .move_to(&acme, Some(globex.clone()), &operator),
            other.move_to(&globex, Some(acme.clone()), &operator),
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let lost = one.err().or(two.err()).unwrap();
        assert!(
            matches!(lost, ChangeError::Tree(TreeError::Cycle(_))),
            "{lost}"
        );
        opened(&town.store, Freshness::Sole, &town.clock).await;
    }
}

#[tokio::test]
async fn n1_a_change_that_makes_no_tree_changes_nothing() {
    let town = Town::new(Reach::Tree).await;
    let before = town.directory.list(&by());
    let orphan = Tenant::below(id("gone"), id("new"));
    assert!(matches!(
        town.directory.add(orphan, &by()).await,
        Err(ChangeError::Tree(TreeError::Orphan { .. }))
    ));
    let twice = town.directory.add(Tenant::root(id("acme")), &by()).await;
    assert_eq!(twice, Err(ChangeError::Exists(id("acme"))));
    let cycle = town
        .directory
        .move_to(&id("acme"), Some(id("acme-eu-fr")), &by())
        .await;
    assert!(matches!(cycle, Err(ChangeError::Tree(TreeError::Cycle(_)))));
    let stolen = town
        .directory
        .describe(&id("globex"), "", &["acme".into()], &by())
        .await;
    assert!(matches!(
        stolen,
        Err(ChangeError::Tree(TreeError::KeyTwice { .. }))
    ));
    let ghost = town.directory.suspend(&id("ghost"), &by()).await;
    assert_eq!(ghost, Err(ChangeError::Unknown(id("ghost"))));
    assert_eq!(town.directory.list(&by()), before);
    assert_eq!(
        opened(&town.store, Freshness::Sole, &town.clock)
            .await
            .list(&by()),
        before
    );
}

#[tokio::test]
async fn many_operators_at_once_lose_nothing() {
    let town = Arc::new(Town::new(Reach::Tree).await);
    let adding = (0..12).map(|n| {
        let town = town.clone();
        tokio::spawn(async move {
            let tenant = Tenant::below(id("acme"), id(&format!("new-{n}")));
            town.directory.add(tenant, &by()).await.unwrap();
        })
    });
    for task in adding.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(town.directory.tree().len(), 17);
    assert_eq!(
        opened(&town.store, Freshness::Sole, &town.clock)
            .await
            .tree()
            .len(),
        17
    );
}

#[tokio::test]
async fn e27_what_is_revoked_is_refused_with_the_next_call() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let bind = |tenant: &str| {
        Binding::active(
            owner.principal.clone(),
            &id(tenant),
            1,
            town.directory.as_ref(),
        )
        .map(|binding| tenant_of(&binding).to_owned())
    };
    assert!(bind("acme-eu-fr").is_ok());
    town.directory
        .move_to(&id("acme-eu"), None, &by())
        .await
        .unwrap();
    assert_eq!(bind("acme-eu-fr"), Err(BindingError::TenantUnavailable));
    town.directory
        .move_to(&id("acme-eu"), Some(id("acme")), &by())
        .await
        .unwrap();
    town.directory.suspend(&id("acme-eu"), &by()).await.unwrap();
    assert_eq!(bind("acme-eu-fr"), Err(BindingError::TenantUnavailable));
    town.directory.resume(&id("acme-eu"), &by()).await.unwrap();
    assert!(bind("acme-eu-fr").is_ok());
}

#[tokio::test]
async fn a_removed_tenant_is_gone_with_its_space_and_one_with_children_is_kept() {
    let town = Town::new(Reach::Tree).await;
    let refused = town.directory.remove(&id("acme-eu"), &by()).await;
    assert_eq!(refused, Err(ChangeError::HasChildren(id("acme-eu"))));
    town.store.stop(true);
    assert!(town.directory.remove(&id("globex"), &by()).await.is_err());
    town.store.stop(false);
    let removed = town.directory.remove(&id("globex"), &by()).await.unwrap();
    assert_eq!(removed.tenant.unwrap().id, id("globex"));
    assert!(removed.space);
    assert!(!town.store.tenants().await.unwrap().contains(&id("globex")));
    assert_eq!(
        town.directory.remove(&id("globex"), &by()).await,
        Err(ChangeError::Unknown(id("globex")))
    );
    // One that was left half removed has nothing left when it is added again.
    town.store.create(&space("globex")).await.unwrap();
    town.directory
        .add(Tenant::root(id("globex")), &by())
        .await
        .unwrap();
    assert!(!town.store.tenants().await.unwrap().contains(&id("globex")));
    town.directory.remove(&id("globex"), &by()).await.unwrap();
    // What was left half done is finished by doing it again.
    town.store.create(&space("globex")).await.unwrap();
    assert!(
        town.directory
            .remove(&id("globex"), &by())
            .await
            .unwrap()
            .space
    );
}

#[tokio::test]
async fn another_hosts_change_is_seen_within_a_second_and_an_old_tree_is_refused_after_sixty() {
    let town = Town::new(Reach::Tree).await;
    let neighbour = opened(&town.store, Freshness::Shared, &town.clock).await;
    let owner = town.owner().await.principal;
    assert!(neighbour.cached_tree(&owner).is_some());
    town.directory.suspend(&id("acme"), &by()).await.unwrap();
    town.clock.pass(1);
    assert!(
        neighbour.cached_tree(&owner).is_none(),
        "it has to be confirmed"
    );
    assert!(
        !neighbour
            .tree_for(&owner)
            .await
            .unwrap()
            .is_available(&id("acme"))
    );
    town.store.stop(true);
    town.clock.pass(59);
    assert!(
        neighbour.tree_for(&owner).await.is_ok(),
        "a store that is away for a while"
    );
    town.clock.pass(1);
    assert!(matches!(
        neighbour.tree_for(&owner).await,
        Err(DirectoryError::Unavailable(_))
    ));
    // A13: those who come after a failure are told of it, and do not wait for the store one after
    // another.
    let reads = || town.store.reads.load(std::sync::atomic::Ordering::SeqCst);
    let before = reads();
    for _ in 0..100 {
        assert!(neighbour.tree_for(&owner).await.is_err());
    }
    assert_eq!(reads(), before);
    town.store.stop(false);
    town.clock.pass(1);
    assert!(neighbour.tree_for(&owner).await.is_ok());
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_no_empty_one() {
    use toolhost_store::{Key, Space, Table};
    let town = Town::new(Reach::Tree).await;
    for damage in [
        &b"{}"[..],
        b"",
        br#"{"parent":null,"state":"on","display_name":"","keys":[]}"#,
        br#"{"parent":null,"state":"active","display_name":"","keys":[],"role":"superadmin"}"#,
        br#"{"parent":"gone","state":"active","display_name":"","keys":[]}"#,
    ] {
        let key = Key::new(Table::Tenant, &[b"directory"], b"acme-us").unwrap();
        town.store
            .put(&Space::Host, &key, damage.to_vec())
            .await
            .unwrap();
        let opened = StoredDirectory::open(town.store.clone(), Freshness::Sole).await;
        assert!(matches!(opened, Err(DirectoryError::Damaged(_))));
    }
}

#[tokio::test]
async fn what_a_backup_brought_back_is_destroyed_by_nobody_in_passing() {
    let town = Town::new(Reach::Tree).await;
    let (store, directory) = (&town.store, &town.directory);
    let globex = || Tenant::root(id("globex"));
    directory.remove(&id("globex"), &by()).await.unwrap();
    assert_eq!(
        directory.add_restored(globex(), &by()).await,
        Err(ChangeError::NotRestored(id("globex")))
    );
    directory
        .mark_restoring(&id("globex"), &by())
        .await
        .unwrap();
    store.create(&space("globex")).await.unwrap();
    let refused = directory.add(globex(), &by()).await;
    assert_eq!(refused, Err(ChangeError::Restored(id("globex"))));
    assert!(store.tenants().await.unwrap().contains(&id("globex")));
    directory.add_restored(globex(), &by()).await.unwrap();
    assert!(store.tenants().await.unwrap().contains(&id("globex")));
    // The next removal and the next one of its name are as any other.
    directory.remove(&id("globex"), &by()).await.unwrap();
    directory.add(globex(), &by()).await.unwrap();
    // One that is thrown away instead.
    directory.remove(&id("globex"), &by()).await.unwrap();
    directory
        .mark_restoring(&id("globex"), &by())
        .await
        .unwrap();
    store.create(&space("globex")).await.unwrap();
    assert!(directory.remove(&id("globex"), &by()).await.unwrap().space);
    directory.add(globex(), &by()).await.unwrap();
}

/// The look whether it was removed comes before the write, and a removal may come between the two.
#[tokio::test]
async fn a_listed_tenant_that_is_removed_meanwhile_stays_away() {
    for steps in 0..24 {
        let town = Town::new(Reach::Tree).await;
        let here = opened(&town.store, Freshness::Sole, &town.clock).await;
        let there = opened(&town.store, Freshness::Sole, &town.clock).await;
        let listed = [Tenant::root(id("newco"))];
        let operator = by();
        let mut adding = Box::pin(here.add_listed(&listed, &operator));
        let mut added = false;
        for _ in 0..steps {
            if futures::poll!(adding.as_mut()).is_ready() {
                added = true;
                break;
            }
        }
        if added {
            continue;
        }
        there.refresh().await.unwrap();
        if there.tree().get(&id("newco")).is_none() {
            there.add(Tenant::root(id("newco")), &by()).await.unwrap();
        }
        there.remove(&id("newco"), &by()).await.unwrap();
        let _refused = adding.await;
        there.refresh().await.unwrap();
        assert_eq!(there.tree().get(&id("newco")), None, "after {steps} steps");
    }
}
