//! Keys are rotated while calls go on, and a destroyed one ends its tenant.

use crate::support;

use std::sync::Arc;

use support::{House, Point, by, key, name, new, record_key, space};
use toolhost_store::{Space, Store};
use toolhost_vault::{CredentialError, CredentialProvider, SealedVault};

const FIRST: &str = "tok_first_0123456789";
const SECOND: &str = "tok_second_0123456789";

async fn secret(vault: &SealedVault, tenant: &str) -> Result<String, CredentialError> {
    let credential = vault.get(&key(tenant, "billing")).await?;
    Ok(String::from_utf8(credential.secret.expose().to_vec()).unwrap())
}

#[tokio::test]
async fn a_destroyed_tenant_is_refused_at_once_and_its_successor_reuses_no_version() {
    let house = House::new().await;
    let vault = house.vault();
    let acme = space("acme");
    for _ in 0..3 {
        vault
            .set(&acme, &name("billing"), new(FIRST), &by())
            .await
            .unwrap();
    }
    assert!(secret(&vault, "acme").await.is_ok());
    house.keys.destroy(&acme).unwrap();
    assert_eq!(
        secret(&vault, "acme").await,
        Err(CredentialError::Unavailable(
            "the tenant's key cannot be used"
        )),
        "with the key alone"
    );
    house.store.destroy(&acme).await.unwrap();
    vault.end(&acme, &by()).await.unwrap();
    house.store.create(&acme).await.unwrap();
    house.keys.create(&Space::Tenant(acme.clone())).unwrap();
    assert_eq!(
        secret(&vault, "acme").await,
        Err(CredentialError::NotConnected)
    );
    let info = vault
        .set(&acme, &name("billing"), new(SECOND), &by())
        .await
        .unwrap();
    assert_eq!(info.version, 4);
    assert_eq!(secret(&vault, "acme").await.unwrap(), SECOND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_are_rotated_while_calls_go_on() {
    let house = House::new().await;
    let vault = Arc::new(house.vault());
    let (acme, of) = (space("acme"), Space::Tenant(space("acme")));
    for number in 0..130 {
        let connected = name(&format!("c{number}"));
        vault
            .set(&acme, &connected, new(FIRST), &by())
            .await
            .unwrap();
    }
    vault
        .set(&acme, &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let (warm, cold) = (vault.clone(), house.vault());
            let stop = stop.clone();
            tokio::spawn(async move {
                let mut calls = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(secret(&warm, "acme").await.unwrap(), FIRST);
                    cold.forget_tenant(&space("acme"));
                    assert_eq!(secret(&cold, "acme").await.unwrap(), FIRST);
                    calls += 1;
                    tokio::task::yield_now().await;
                }
                calls
            })
        })
        .collect();
    for _ in 0..5 {
        let old = house.keys.get(&of).unwrap().current();
        house.keys.rotate(&of).unwrap();
        // A change that goes on all along, from before the rotation to after the resealing.
        let info = vault
            .set(&acme, &name("other"), new(SECOND), &by())
            .await
            .unwrap();
        let done = vault.reseal(&acme, &by()).await.unwrap();
        assert_eq!(
            (done.resealed, done.already, done.unusable.len()),
            (131, 1, 0)
        );
        let again = vault.reseal(&acme, &by()).await.unwrap();
        assert_eq!((again.resealed, again.already), (0, 132));
        house.keys.retire(&of, old).unwrap();
        let other = vault.get(&key("acme", "other")).await.unwrap();
        assert_eq!(other.version, info.version, "resealing changes no version");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for call in calls {
        assert!(call.await.unwrap() > 0);
    }
    assert_eq!(secret(&house.vault(), "acme").await.unwrap(), FIRST);
}

#[tokio::test]
async fn a_change_that_began_before_a_rotation_is_not_lost_with_the_old_key() {
    let house = House::new().await;
    let vault = Arc::new(house.vault());
    let (acme, of) = (space("acme"), Space::Tenant(space("acme")));
    vault
        .set(&acme, &name("support"), new(FIRST), &by())
        .await
        .unwrap();
    let (reached, open) = house.store.close(Point::Write(record_key(b"billing")));
    let setting = {
        let vault = vault.clone();
        tokio::spawn(async move {
            vault
                .set(&space("acme"), &name("billing"), new(SECOND), &by())
                .await
        })
    };
    reached.await.unwrap();
    let old = house.keys.get(&of).unwrap().current();
    house.keys.rotate(&of).unwrap();
    vault.reseal(&acme, &by()).await.unwrap();
    house.keys.retire(&of, old).unwrap();
    open.send(()).unwrap();
    setting.await.unwrap().unwrap();
    assert_eq!(secret(&house.vault(), "acme").await.unwrap(), SECOND);
}

#[tokio::test]
async fn a_resealing_does_not_write_over_a_change_made_meanwhile() {
    let house = House::new().await;
    let vault = Arc::new(house.vault());
    let (acme, of) = (space("acme"), Space::Tenant(space("acme")));
    vault
        .set(&acme, &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    house.keys.rotate(&of).unwrap();
    let (reached, open) = house.store.close(Point::Write(record_key(b"billing")));
    let resealing = {
        let vault = vault.clone();
        tokio::spawn(async move { vault.reseal(&space("acme"), &by()).await })
    };
    reached.await.unwrap();
    vault
        .set(&acme, &name("billing"), new(SECOND), &by())
        .await
        .unwrap();
    open.send(()).unwrap();
    assert_eq!(resealing.await.unwrap().unwrap().already, 1);
    assert_eq!(secret(&house.vault(), "acme").await.unwrap(), SECOND);
}
