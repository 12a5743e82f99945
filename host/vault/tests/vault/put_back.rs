//! An earlier state of the records is not taken for the present one, and a record for no other than
//! its own (T48).

use crate::support;

use support::{House, by, index_key, key, name, new, record_key, space, witness_key};
use toolhost_store::{Record, Space};
use toolhost_vault::{CredentialError, CredentialProvider, VaultError};

const FIRST: &str = "tok_first_0123456789";
const SECOND: &str = "tok_second_0123456789";

const ROLLED_BACK: CredentialError =
    CredentialError::Unavailable("an earlier state of the tenant's credentials was put back");

fn acme() -> Space {
    Space::Tenant(space("acme"))
}

/// Without anything that was opened before.
async fn read(house: &House) -> Result<String, CredentialError> {
    let credential = house.vault().get(&key("acme", "billing")).await?;
    Ok(String::from_utf8(credential.secret.expose().to_vec()).unwrap())
}

async fn set(house: &House, text: &str) {
    let set = house
        .vault()
        .set(&space("acme"), &name("billing"), new(text), &by())
        .await;
    set.unwrap();
}

/// The record and the index as they are.
async fn state(house: &House) -> [Option<Record>; 2] {
    [
        house.raw(&acme(), &record_key(b"billing")).await,
        house.raw(&acme(), &index_key()).await,
    ]
}

#[tokio::test]
async fn an_earlier_record_is_refused() {
    let house = House::new().await;
    set(&house, FIRST).await;
    let [record, _] = state(&house).await;
    set(&house, SECOND).await;
    house
        .put_back(&acme(), &record_key(b"billing"), record)
        .await;
    let refused = read(&house).await.unwrap_err();
    assert!(
        matches!(refused, CredentialError::Unavailable(why) if why.contains("an earlier one was put back")),
        "{refused}"
    );
    let listed = house.vault().list(&space("acme"), &by()).await.unwrap();
    assert_eq!((listed.credentials.len(), listed.unusable.len()), (0, 1));
    let rotated = house
        .vault()
        .rotate(&space("acme"), &name("billing"), new(SECOND), &by())
        .await;
    assert!(matches!(rotated, Err(VaultError::Damaged { .. })));
    set(&house, SECOND).await;
    assert_eq!(
        read(&house).await.unwrap(),
        SECOND,
        "set anew, it is mended"
    );
}

#[tokio::test]
async fn an_earlier_record_with_its_index_is_refused_whatever_changed_since() {
    for removed in [false, true] {
        let house = House::new().await;
        set(&house, FIRST).await;
        let [record, index] = state(&house).await;
        if removed {
            let vault = house.vault();
            assert!(
                vault
                    .remove(&space("acme"), &name("billing"), &by())
                    .await
                    .unwrap()
            );
        } else {
            // Several times, so that one more than the count put back is not yet what was
            // acknowledged.
            for _ in 0..3 {
                set(&house, SECOND).await;
            }
        }
        house
            .put_back(&acme(), &record_key(b"billing"), record)
            .await;
        house.put_back(&acme(), &index_key(), index).await;
        assert_eq!(read(&house).await.unwrap_err(), ROLLED_BACK);
        let vault = house.vault();
        let refused = vault.list(&space("acme"), &by()).await.unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("tenant acme are older (change 1)"),
            "{refused}"
        );
        let set = vault
            .set(&space("acme"), &name("billing"), new(SECOND), &by())
            .await;
        assert!(
            matches!(set, Err(VaultError::RolledBack { .. })),
            "nothing is built on it"
        );
        vault.accept(&space("acme"), &by()).await.unwrap();
        assert_eq!(read(&house).await.unwrap(), FIRST, "the operator said so");
        set_next(&house).await;
    }
}

async fn set_next(house: &House) {
    set(house, SECOND).await;
    assert_eq!(read(house).await.unwrap(), SECOND);
}

#[tokio::test]
async fn an_emptied_space_is_not_taken_for_a_new_one() {
    let house = House::new().await;
    set(&house, FIRST).await;
    for key in [record_key(b"billing"), index_key()] {
        house.put_back(&acme(), &key, None).await;
    }
    assert_eq!(read(&house).await.unwrap_err(), ROLLED_BACK);
}

#[tokio::test]
async fn what_was_put_back_under_a_running_host_is_seen_at_the_next_check() {
    let house = House::new().await;
    let vault = house.vault();
    set(&house, FIRST).await;
    let [record, index] = state(&house).await;
    assert!(vault.get(&key("acme", "billing")).await.is_ok());
    let witness = house.raw(&Space::Host, &witness_key("acme")).await;
    set(&house, SECOND).await;
    let later = house.raw(&Space::Host, &witness_key("acme")).await;
    assert_ne!(
        witness.map(|record| record.value),
        later.map(|record| record.value)
    );
    house
        .put_back(&acme(), &record_key(b"billing"), record)
        .await;
    house.put_back(&acme(), &index_key(), index).await;
    tokio::time::sleep(toolhost_vault::RECHECK).await;
    let refused = vault.get(&key("acme", "billing")).await.unwrap_err();
    assert_eq!(refused, ROLLED_BACK);
}

#[tokio::test]
async fn a_change_cut_short_before_its_witness_is_healed_forward() {
    let house = House::new().await;
    set(&house, FIRST).await;
    let [record, index] = state(&house).await;
    let behind = house.raw(&Space::Host, &witness_key("acme")).await;
    set(&house, SECOND).await;
    // As if the process had died between the two writes.
    house
        .put_back(&Space::Host, &witness_key("acme"), behind)
        .await;
    assert_eq!(read(&house).await.unwrap(), SECOND);
    house
        .put_back(&acme(), &record_key(b"billing"), record)
        .await;
    house.put_back(&acme(), &index_key(), index).await;
    assert_eq!(read(&house).await.unwrap_err(), ROLLED_BACK);
}

#[tokio::test]
async fn a_record_under_another_name_does_not_open() {
    let house = House::new().await;
    let vault = house.vault();
    for (tenant, connected) in [
        ("acme", "billing"),
        ("acme", "support"),
        ("globex", "billing"),
    ] {
        vault
            .set(&space(tenant), &name(connected), new(FIRST), &by())
            .await
            .unwrap();
    }
    let support = house.raw(&acme(), &record_key(b"support")).await;
    let globex = Space::Tenant(space("globex"));
    let of_globex = house.raw(&globex, &record_key(b"billing")).await;
    for moved in [support, of_globex] {
        house
            .put_back(&acme(), &record_key(b"billing"), moved)
            .await;
        assert!(matches!(
            read(&house).await,
            Err(CredentialError::Unavailable(_))
        ));
        let listed = vault.list(&space("acme"), &by()).await.unwrap();
        assert_eq!(
            (listed.credentials.len(), listed.unusable.is_empty()),
            (1, false)
        );
        assert_eq!(listed.credentials[0].connection.as_str(), "support");
        assert!(
            listed
                .unusable
                .iter()
                .any(|unusable| unusable.name == "billing")
        );
    }
}

#[tokio::test]
async fn no_byte_of_a_record_an_index_or_a_witness_can_change_unseen_or_panic() {
    let house = House::new().await;
    set(&house, FIRST).await;
    for (of, at) in [
        (acme(), record_key(b"billing")),
        (acme(), index_key()),
        (Space::Host, witness_key("acme")),
    ] {
        let whole = house.raw(&of, &at).await.unwrap();
        for position in 0..whole.value.len() {
            let mut flipped = whole.clone();
            flipped.value[position] ^= 0x41;
            let mut cut = whole.clone();
            cut.value.truncate(position);
            for damaged in [flipped, cut] {
                house.put_back(&of, &at, Some(damaged)).await;
                let seen = read(&house).await;
                assert!(seen.is_err(), "{position}");
                let _ = house.vault().list(&space("acme"), &by()).await;
            }
        }
        house.put_back(&of, &at, Some(whole)).await;
        assert_eq!(read(&house).await.unwrap(), FIRST);
    }
}

#[tokio::test]
async fn an_index_that_has_not_moved_is_refused_once_the_witness_is_past_it() {
    let house = House::new().await;
    let vault = house.vault();
    set(&house, FIRST).await;
    assert!(vault.get(&key("acme", "billing")).await.is_ok());
    // Another host changed the tenant's space, and its very bytes of before were put back under
    // this one.
    let mut witness = house.raw(&Space::Host, &witness_key("acme")).await.unwrap();
    witness.value[7] += 1;
    house
        .put_back(&Space::Host, &witness_key("acme"), Some(witness))
        .await;
    tokio::time::sleep(toolhost_vault::RECHECK).await;
    let refused = vault.get(&key("acme", "billing")).await.unwrap_err();
    assert_eq!(refused, ROLLED_BACK);
}
