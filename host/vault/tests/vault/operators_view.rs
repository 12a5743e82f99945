//! What the operator may give, and what is shown of it.

use crate::support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::{House, by, index_key, key, name, new, record_key, space, witness_key};
use toolhost_policy::Secret;
use toolhost_store::Space;
use toolhost_vault::{CredentialError, CredentialProvider, NewCredential, SealedVault, VaultError};

const FIRST: &str = "tok_first_0123456789";
const SECOND: &str = "tok_second_0123456789";

async fn secret(vault: &SealedVault, tenant: &str) -> Result<String, CredentialError> {
    let credential = vault.get(&key(tenant, "billing")).await?;
    Ok(String::from_utf8(credential.secret.expose().to_vec()).unwrap())
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

#[tokio::test]
async fn an_expired_credential_is_refused_and_one_that_has_ended_is_not_taken() {
    let house = House::new().await;
    let vault = house.vault();
    let expiring = |at| NewCredential {
        expires_at: Some(at),
        ..new(FIRST)
    };
    for past in [0, now() - 1, now()] {
        let refused = vault
            .set(&space("acme"), &name("billing"), expiring(past), &by())
            .await;
        assert_eq!(refused.unwrap_err(), VaultError::AlreadyExpired);
    }
    let of = async |expires_at| {
        let credential = expiring(expires_at);
        vault
            .set(&space("acme"), &name("billing"), credential, &by())
            .await
    };
    of(now() + 3_600).await.unwrap();
    assert!(secret(&vault, "acme").await.is_ok());
    // On a machine under load its second may be over before it is kept.
    while of(now() + 1).await == Err(VaultError::AlreadyExpired) {}
    while secret(&vault, "acme").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(secret(&vault, "acme").await, Err(CredentialError::Expired));
}

#[tokio::test]
async fn what_is_given_is_checked_as_a_file_is() {
    let house = House::new().await;
    let vault = house.vault();
    let set = async |new: NewCredential| {
        vault
            .set(&space("acme"), &name("billing"), new, &by())
            .await
            .map(|_| ())
    };
    for text in [
        "",
        "short",
        "tok_01234\nabcdef",
        " tok_0123456789",
        "tok_0123456789\u{7f}",
    ] {
        assert!(
            matches!(set(new(text)).await, Err(VaultError::Secret(_))),
            "{text:?}"
        );
    }
    assert!(matches!(
        set(NewCredential {
            secret: Secret::new(vec![0xff; 20]),
            ..new("")
        })
        .await,
        Err(VaultError::Secret(_))
    ));
    assert_eq!(
        set(new(&"x".repeat((64 << 10) + 1))).await,
        Err(VaultError::TooLarge)
    );
    set(new(&"x".repeat(64 << 10))).await.unwrap();
    set(new("tok_0123456789\n")).await.unwrap();
    assert_eq!(secret(&vault, "acme").await.unwrap(), "tok_0123456789");
    let with = |name: &str, value: &str| NewCredential {
        attributes: Some(BTreeMap::from([(name.to_owned(), value.to_owned())])),
        ..new(FIRST)
    };
    set(with("external_tenant_id", "acct-7")).await.unwrap();
    for (name, value) in [
        ("", "a"),
        ("A", "a"),
        ("a-b", "a"),
        ("a", ""),
        ("a", "x\r\ny"),
        ("a", "x y"),
        ("a", "é"),
        ("a", &"x".repeat(1_025)),
    ] {
        let refused = set(with(name, value)).await;
        assert!(
            matches!(refused, Err(VaultError::Attribute(_))),
            "{name:?} {value:?}"
        );
    }
    let many = (0..33).map(|n| (format!("a{n}"), "v".to_owned())).collect();
    assert_eq!(
        set(NewCredential {
            attributes: Some(many),
            ..new(FIRST)
        })
        .await,
        Err(VaultError::Attributes)
    );
}

#[tokio::test]
async fn a_list_shows_everything_but_the_secret() {
    let house = House::new().await;
    let vault = house.vault();
    let attributes = BTreeMap::from([("external_tenant_id".to_owned(), "acct-7".to_owned())]);
    let given = NewCredential {
        attributes: Some(attributes.clone()),
        expires_at: Some(now() + 600),
        ..new(FIRST)
    };
    let acme = space("acme");
    let set = vault
        .set(&acme, &name("billing"), given, &by())
        .await
        .unwrap();
    vault
        .set(&acme, &name("support"), new(FIRST), &by())
        .await
        .unwrap();
    vault
        .set(&space("globex"), &name("billing"), new(FIRST), &by())
        .await
        .unwrap();
    let list = async |tenant: &str| vault.list(&space(tenant), &by()).await.unwrap().credentials;
    let of_acme = list("acme").await;
    assert_eq!(of_acme[0], set);
    assert_eq!(of_acme[0].last_used, None);
    assert_eq!(of_acme[0].attributes, attributes);
    assert!(now() - of_acme[0].created_at < 60 && of_acme[0].expires_at > Some(now()));
    assert_eq!(of_acme[0].fingerprint, of_acme[1].fingerprint, "one secret");
    assert_eq!(of_acme[0].fingerprint.len(), 8);
    assert_ne!(
        of_acme[0].fingerprint,
        list("globex").await[0].fingerprint,
        "keyed by tenant"
    );
    let credential = vault.get(&key("acme", "billing")).await.unwrap();
    assert_eq!(credential.attributes, attributes);
    assert!(list("acme").await[0].last_used >= Some(set.created_at));
    // And another host reads it, once it was written.
    let start = Instant::now();
    while house.vault().list(&acme, &by()).await.unwrap().credentials[0]
        .last_used
        .is_none()
    {
        assert!(start.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rotated = vault
        .rotate(&acme, &name("billing"), new(SECOND), &by())
        .await
        .unwrap();
    assert_ne!(rotated.fingerprint, set.fingerprint);
    assert_eq!(
        (&rotated.attributes, rotated.expires_at, rotated.created_at),
        (&attributes, None, set.created_at)
    );
    assert_eq!(
        list("acme").await[0].last_used,
        None,
        "it was the old one's"
    );
    let printed = format!(
        "{vault:?} {credential:?} {rotated:?} {:?} {:?}",
        new(FIRST),
        list("acme").await
    );
    assert!(
        !printed.contains("0123456789") && !printed.contains("tok_"),
        "{printed}"
    );
}

#[tokio::test]
async fn no_record_holds_a_secret_in_any_spelling() {
    let house = House::new().await;
    let vault = house.vault();
    let planted: Vec<String> = (0..20)
        .map(|n| {
            format!(
                "tok/{n:02}+{:016x}==",
                0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n + 1)
            )
        })
        .collect();
    for (number, text) in planted.iter().enumerate() {
        vault
            .set(
                &space("acme"),
                &name(&format!("c{number}")),
                new(text),
                &by(),
            )
            .await
            .unwrap();
    }
    let mut bytes = vec![];
    for of in [Space::Host, Space::Tenant(space("acme"))] {
        for key in [index_key(), witness_key("acme")] {
            bytes.extend(house.raw(&of, &key).await.into_iter().flat_map(|r| r.value));
        }
        for number in 0..20 {
            let record = record_key(format!("c{number}").as_bytes());
            bytes.extend(
                house
                    .raw(&of, &record)
                    .await
                    .into_iter()
                    .flat_map(|r| r.value),
            );
        }
    }
    assert!(bytes.len() > 20 * 50);
    for text in &planted {
        let raw = text.as_bytes();
        let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
        let reversed: Vec<u8> = raw.iter().rev().copied().collect();
        for needle in [&raw[..12], &raw[8..], hex.as_bytes(), &reversed] {
            assert!(
                !bytes.windows(needle.len()).any(|window| window == needle),
                "{text}"
            );
        }
    }
}
