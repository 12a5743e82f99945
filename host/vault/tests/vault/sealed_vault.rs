//! Credentials in the vault: each for its own key, and changed at once.

use crate::support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{House, Point, by, key, name, new, record_key, space, user_key, witness_key};
use toolhost_policy::ConnectionName;
use toolhost_store::Table;
use toolhost_vault::{
    CredentialError, CredentialName, CredentialProvider, SealedVault, UserId, VaultError,
};

/// What is to be within a second is, on a machine that does much else, within this.
const SOON: Duration = Duration::from_secs(60);

const FIRST: &str = "tok_first_0123456789";
const SECOND: &str = "tok_second_0123456789";

async fn secret(vault: &SealedVault, tenant: &str) -> Result<String, CredentialError> {
    let credential = vault.get(&key(tenant, "billing")).await?;
    Ok(String::from_utf8(credential.secret.expose().to_vec()).unwrap())
}

#[tokio::test]
async fn each_tenant_and_connection_gets_its_own_and_an_unknown_one_gets_nothing() {
    let house = House::new().await;
    let vault = house.vault();
    vault
        .set(&space("acme"), &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    vault
        .set(&space("globex"), &name("billing"), new(SECOND), &by())
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(secret(&vault, "acme").await.unwrap(), FIRST);
        assert_eq!(secret(&vault, "globex").await.unwrap(), SECOND);
        for (tenant, connected) in [("acme", "support"), ("initech", "billing")] {
            let refused = vault.get(&key(tenant, connected)).await.unwrap_err();
            assert_eq!(
                refused,
                CredentialError::NotConnected,
                "{tenant}/{connected}"
            );
        }
    }
    let refused = vault
        .set(&space("initech"), &name("billing"), new(FIRST), &by())
        .await;
    assert!(
        matches!(refused, Err(VaultError::Store(_))),
        "a tenant's space is not made by asking"
    );
}

#[tokio::test]
async fn a_tenants_credential_is_never_a_users() {
    let house = House::new().await;
    let vault = house.vault();
    let asked = user_key("acme", "billing");
    let caller = asked.user().cloned().unwrap();
    let of = |issuer: &str, subject: &str| CredentialName {
        connection: ConnectionName::parse("billing").unwrap(),
        user: Some(UserId {
            issuer: issuer.into(),
            subject: subject.into(),
        }),
    };
    let whole = format!("{}{}", caller.issuer, caller.subject);
    for other in [
        name("billing"),
        of("https://other.example", &caller.subject),
        of(&caller.issuer, "else"),
        of(&whole, ""),
        of("", &whole),
    ] {
        vault
            .set(&space("acme"), &other, new(FIRST), &by())
            .await
            .unwrap();
        assert_eq!(
            vault.get(&asked).await.unwrap_err(),
            CredentialError::NotConnected,
            "{other}"
        );
    }
    let own = of(&caller.issuer, &caller.subject);
    vault
        .set(&space("acme"), &own, new(SECOND), &by())
        .await
        .unwrap();
    let found = vault.get(&asked).await.unwrap();
    assert_eq!(found.secret.expose(), SECOND.as_bytes());
    assert_eq!(secret(&vault, "acme").await.unwrap(), FIRST);
    let listed = vault.list(&space("acme"), &by()).await.unwrap();
    assert_eq!((listed.credentials.len(), listed.unusable.len()), (6, 0));
}

#[tokio::test]
async fn a_change_counts_for_the_next_call_of_this_host() {
    let house = House::new().await;
    let vault = house.vault();
    let acme = space("acme");
    let mut versions = BTreeSet::new();
    for round in 0..20 {
        let text = format!("tok_{round:02}_0123456789");
        let info = vault
            .set(&acme, &name("billing"), new(&text), &by())
            .await
            .unwrap();
        assert!(versions.insert(info.version) && versions.last() == Some(&info.version));
        assert_eq!(secret(&vault, "acme").await.unwrap(), text);
        let rotated = format!("{text}-rotated");
        let info = vault
            .rotate(&acme, &name("billing"), new(&rotated), &by())
            .await
            .unwrap();
        assert!(versions.insert(info.version) && versions.last() == Some(&info.version));
        assert_eq!(secret(&vault, "acme").await.unwrap(), rotated);
        assert!(vault.remove(&acme, &name("billing"), &by()).await.unwrap());
        assert_eq!(
            secret(&vault, "acme").await,
            Err(CredentialError::NotConnected)
        );
        assert!(!vault.remove(&acme, &name("billing"), &by()).await.unwrap());
    }
    let none = vault
        .rotate(&acme, &name("billing"), new(FIRST), &by())
        .await;
    assert!(matches!(none, Err(VaultError::NoSuch(_))));
}

#[tokio::test]
async fn a_change_by_another_host_counts_within_a_second() {
    let house = House::new().await;
    let (here, there) = (house.vault(), house.vault());
    let acme = space("acme");
    let within = async |wanted: Result<&str, CredentialError>| {
        let start = Instant::now();
        loop {
            let seen = secret(&here, "acme").await;
            if seen.as_deref().map_err(|error| *error) == wanted {
                return;
            }
            assert!(start.elapsed() < SOON, "{seen:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    there
        .set(&acme, &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    within(Ok(FIRST)).await;
    there
        .rotate(&acme, &name("billing"), new(SECOND), &by())
        .await
        .unwrap();
    within(Ok(SECOND)).await;
    there.remove(&acme, &name("billing"), &by()).await.unwrap();
    within(Err(CredentialError::NotConnected)).await;

    there
        .set(&acme, &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    within(Ok(FIRST)).await;
    there
        .rotate(&acme, &name("billing"), new(SECOND), &by())
        .await
        .unwrap();
    here.forget(&acme, &name("billing"));
    assert_eq!(
        secret(&here, "acme").await.unwrap(),
        SECOND,
        "told of it, at once"
    );
    there
        .rotate(&acme, &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    here.forget_tenant(&acme);
    assert_eq!(secret(&here, "acme").await.unwrap(), FIRST);
}

/// The notification of a store that several hosts share: of the credential's own record, or of the
/// witness that is written last.
#[tokio::test]
async fn a_change_by_another_host_that_is_told_holds_for_the_next_call() {
    let house = House::new().await;
    let (here, there) = (house.vault(), house.vault());
    let acme = space("acme");
    let tell = |tenant: &str, table, key| {
        let tenant = Some(toolhost_identity::TenantId::parse(tenant).unwrap());
        toolhost_store::RecordChange { tenant, table, key }
    };
    let own = tell("acme", Table::Credential, None);
    let mut of_witness = tell("acme", Table::CredentialVersion, Some(witness_key("acme")));
    of_witness.tenant = None;
    let mut of_any = of_witness.clone();
    of_any.key = None;
    for (n, told) in [own, of_witness, of_any].into_iter().enumerate() {
        let (old, new_one) = if n % 2 == 0 {
            (FIRST, SECOND)
        } else {
            (SECOND, FIRST)
        };
        if n == 0 {
            there
                .set(&acme, &name("billing"), new(old), &by())
                .await
                .unwrap();
        }
        assert_eq!(secret(&here, "acme").await.unwrap(), old);
        there
            .rotate(&acme, &name("billing"), new(new_one), &by())
            .await
            .unwrap();
        // Of another tenant, or of what is no credential.
        here.forget_changed(&tell("globex", Table::Credential, None));
        here.forget_changed(&tell("acme", Table::Kv, None));
        assert_eq!(
            secret(&here, "acme").await.unwrap(),
            old,
            "it is still in memory"
        );
        here.forget_changed(&told);
        assert_eq!(secret(&here, "acme").await.unwrap(), new_one);
    }
    there.remove(&acme, &name("billing"), &by()).await.unwrap();
    here.forget_all();
    assert_eq!(
        secret(&here, "acme").await,
        Err(CredentialError::NotConnected)
    );
}

#[tokio::test]
async fn a_read_that_was_under_way_brings_nothing_back() {
    let house = House::new().await;
    let vault = Arc::new(house.vault());
    vault
        .set(&space("acme"), &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    let (reached, open) = house.store.close(Point::Read(record_key(b"billing")));
    let reading = {
        let vault = vault.clone();
        tokio::spawn(async move { secret(&vault, "acme").await })
    };
    reached.await.unwrap();
    vault
        .remove(&space("acme"), &name("billing"), &by())
        .await
        .unwrap();
    open.send(()).unwrap();
    assert_eq!(
        reading.await.unwrap().unwrap(),
        FIRST,
        "it began before the removal"
    );
    assert_eq!(
        secret(&vault, "acme").await,
        Err(CredentialError::NotConnected)
    );
}

#[tokio::test]
async fn a_change_whose_caller_went_away_counts_all_the_same() {
    let house = House::new().await;
    let vault = Arc::new(house.vault());
    vault
        .set(&space("acme"), &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    assert_eq!(secret(&vault, "acme").await.unwrap(), FIRST);
    let (reached, _open) = house.store.close(Point::Write(witness_key("acme")));
    let removing = {
        let vault = vault.clone();
        tokio::spawn(async move { vault.remove(&space("acme"), &name("billing"), &by()).await })
    };
    reached.await.unwrap();
    removing.abort();
    assert!(removing.await.unwrap_err().is_cancelled());
    assert_eq!(
        secret(&vault, "acme").await,
        Err(CredentialError::NotConnected)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_changes_on_two_hosts_lose_nothing_and_share_no_version() {
    let house = House::new().await;
    let hosts = [Arc::new(house.vault()), Arc::new(house.vault())];
    let mut changes = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let vault = hosts[writer % 2].clone();
        changes.spawn(async move {
            let mut versions = vec![];
            for round in 0..10 {
                let connected = name(&format!("c{writer}-{round}"));
                let text = format!("tok_{writer}_{round}_0123456789");
                let info = vault
                    .set(&space("acme"), &connected, new(&text), &by())
                    .await
                    .unwrap();
                versions.push(info.version);
            }
            versions
        });
    }
    let mut versions = BTreeSet::new();
    while let Some(done) = changes.join_next().await {
        for version in done.unwrap() {
            assert!(versions.insert(version), "{version} twice");
        }
    }
    let listed = hosts[0].list(&space("acme"), &by()).await.unwrap();
    assert_eq!((listed.credentials.len(), listed.unusable.len()), (80, 0));
    for writer in 0..8 {
        let found = hosts[1]
            .get(&key("acme", &format!("c{writer}-7")))
            .await
            .unwrap();
        assert_eq!(
            found.secret.expose(),
            format!("tok_{writer}_7_0123456789").as_bytes()
        );
    }
}

#[tokio::test]
async fn what_is_read_during_a_change_is_not_kept_past_it() {
    let house = House::new().await;
    let vault = Arc::new(house.vault());
    vault
        .set(&space("acme"), &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    let (reached, open) = house.store.close(Point::Write(record_key(b"billing")));
    let removing = {
        let vault = vault.clone();
        tokio::spawn(async move { vault.remove(&space("acme"), &name("billing"), &by()).await })
    };
    reached.await.unwrap();
    assert_eq!(secret(&vault, "acme").await.unwrap(), FIRST);
    open.send(()).unwrap();
    assert!(removing.await.unwrap().unwrap());
    assert_eq!(
        secret(&vault, "acme").await,
        Err(CredentialError::NotConnected)
    );
}

#[tokio::test]
async fn a_change_of_a_host_that_died_before_it_was_acknowledged_counts_within_a_second() {
    let house = House::new().await;
    let (here, there) = (house.vault(), Arc::new(house.vault()));
    let acme = space("acme");
    here.set(&acme, &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    assert_eq!(secret(&here, "acme").await.unwrap(), FIRST);
    let (reached, _open) = house.store.close(Point::Write(witness_key("acme")));
    let removing =
        tokio::spawn(async move { there.remove(&space("acme"), &name("billing"), &by()).await });
    reached.await.unwrap();
    removing.abort();
    assert!(removing.await.unwrap_err().is_cancelled());
    tokio::time::sleep(toolhost_vault::RECHECK).await;
    assert_eq!(
        secret(&here, "acme").await,
        Err(CredentialError::NotConnected)
    );
}
