//! What keeps tenants apart in the server, and what of them can be read there.

use toolhost_store::keys::SubkeyPurpose;
use toolhost_store::postgres::Layout;
use toolhost_store::{Scan, Space, Store, StoreError, Table};

use crate::place::{key, space, tenant};
use crate::town::Town;

async fn two_tenants(layout: Layout) -> (Town, toolhost_store::PostgresStore) {
    let town = Town::new(layout).await;
    let store = town.host().await;
    for name in ["acme", "globex"] {
        store.create(&tenant(name)).await.unwrap();
        let value = format!("the secret of {name}").into_bytes();
        store
            .put(&space(name), &key("k"), value.repeat(800))
            .await
            .unwrap();
    }
    (town, store)
}

fn code(error: &tokio_postgres::Error) -> &str {
    error
        .code()
        .map_or("", tokio_postgres::error::SqlState::code)
}

const DENIED: &str = "42501";

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_a_tenant_reaches_no_row_of_another_and_the_login_role_none_at_all() {
    let (town, _store) = two_tenants(Layout::Schema).await;
    let (login, name) = (town.login().await, &town.name);
    let spaces = ["t_acme", "t_globex", "host", "keys"];
    for of in spaces {
        let table = if of == "keys" { "key" } else { "record" };
        for (role, statement) in [
            (None, format!("SELECT * FROM \"{name}_{of}\".{table}")),
            (
                Some("t_acme"),
                format!("SELECT * FROM \"{name}_{of}\".{table}"),
            ),
            (
                Some("t_acme"),
                format!("DELETE FROM \"{name}_{of}\".{table}"),
            ),
            (
                Some("host"),
                format!("SELECT * FROM \"{name}_{of}\".{table}"),
            ),
            (
                Some("keys"),
                format!("SELECT * FROM \"{name}_{of}\".{table}"),
            ),
        ] {
            login.batch_execute("BEGIN").await.unwrap();
            if let Some(role) = role {
                let set = format!("SET LOCAL ROLE \"{name}_{role}\"");
                login.batch_execute(&set).await.unwrap();
            }
            let done = login.batch_execute(&statement).await;
            login.batch_execute("ROLLBACK").await.unwrap();
            match done {
                Ok(()) => assert_eq!(role, Some(of), "{statement}"),
                Err(error) => {
                    assert_ne!(role, Some(of), "{statement}: {error}");
                    assert_eq!(code(&error), DENIED, "{statement}: {error}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_its_own_is_entered_by_nobody_else() {
    let (town, store) = two_tenants(Layout::Database).await;
    let admin = town.admin("postgres").await;
    let other = format!("{}x", town.name);
    admin
        .batch_execute(&format!("CREATE ROLE {other} LOGIN PASSWORD 'x'"))
        .await
        .unwrap();
    let mut config = town.server.config.clone();
    config
        .dbname(format!("{}_t_acme", town.name))
        .user(&other)
        .password("x");
    let refused = config.connect(tokio_postgres::NoTls).await.err().unwrap();
    assert_eq!(code(&refused), DENIED, "{refused}");
    admin
        .batch_execute(&format!("DROP ROLE {other}"))
        .await
        .unwrap();
    store.destroy(&tenant("acme")).await.unwrap();
    let left = admin
        .query(
            "SELECT 1 FROM pg_database WHERE datname LIKE $1 UNION SELECT 1 FROM pg_roles WHERE rolname LIKE $1",
            &[&format!("{}\\_t\\_acme", town.name)],
        )
        .await
        .unwrap();
    assert!(left.is_empty());
    assert!(
        store
            .get(&space("globex"), &key("k"))
            .await
            .unwrap()
            .is_some()
    );
}

/// The seal, behind the roles: rows that somebody with all rights has copied.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_tenant_in_anothers_schema_do_not_open_and_the_space_is_not_served() {
    let (town, store) = two_tenants(Layout::Schema).await;
    let admin = town.admin(&town.name).await;
    let name = &town.name;
    store
        .put(&space("globex"), &key("other"), vec![1])
        .await
        .unwrap();
    admin
        .batch_execute(&format!(
            "UPDATE {name}_t_globex.record SET (value, version) = \
             (SELECT value, version FROM {name}_t_acme.record) \
             WHERE version = 1"
        ))
        .await
        .unwrap();
    let moved = store.get(&space("globex"), &key("k")).await.unwrap_err();
    assert!(matches!(moved, StoreError::Corrupt { .. }), "{moved}");
    let rest = store
        .get(&space("globex"), &key("other"))
        .await
        .unwrap_err();
    assert!(matches!(rest, StoreError::Corrupt { .. }), "{rest}");
    assert_eq!(store.quarantined_spaces().len(), 1);
    assert!(
        store
            .get(&space("acme"), &key("k"))
            .await
            .unwrap()
            .is_some()
    );
    // Another process finds it too; a version beside a record is not believed.
    let again = town.host().await;
    let reports = again.check().await.unwrap();
    assert_eq!(
        reports
            .iter()
            .filter(|report| report.outcome.is_err())
            .count(),
        1
    );
    admin
        .batch_execute(&format!("UPDATE {name}_t_acme.record SET version = 9"))
        .await
        .unwrap();
    let raised = again.get(&space("acme"), &key("k")).await.unwrap_err();
    assert!(matches!(raised, StoreError::Corrupt { .. }), "{raised}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_and_no_unwrapped_key_can_be_read_in_the_server() {
    let (town, store) = two_tenants(Layout::Schema).await;
    store
        .put(&Space::Host, &key("k"), b"the secret of the host".to_vec())
        .await
        .unwrap();
    let admin = town.admin(&town.name).await;
    let name = &town.name;
    for table in [
        format!("{name}_host.record"),
        format!("{name}_t_acme.record"),
        format!("{name}_keys.key"),
    ] {
        let rows = admin
            .query(&format!("SELECT t::text FROM {table} t"), &[])
            .await
            .unwrap();
        assert!(!rows.is_empty());
        let needle = b"the secret of"
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        for row in rows {
            let text: String = row.get(0);
            assert!(
                !text.contains(&needle) && !text.contains("the secret of"),
                "{table}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_whose_schema_or_key_is_gone_is_no_empty_one() {
    let (town, store) = two_tenants(Layout::Schema).await;
    let (admin, name) = (town.admin(&town.name).await, &town.name);
    admin
        .batch_execute(&format!(
            "DROP SCHEMA {name}_t_acme CASCADE; UPDATE {name}_keys.key SET wrapped = NULL WHERE space = 'tenant:globex'"
        ))
        .await
        .unwrap();
    for _ in 0..2 {
        let gone = store.get(&space("acme"), &key("k")).await.unwrap_err();
        assert!(matches!(gone, StoreError::Corrupt { .. }), "{gone}");
        let scanned = store
            .scan(&space("acme"), &Scan::group(Table::Kv, &[]))
            .await;
        assert!(matches!(scanned, Err(StoreError::Corrupt { .. })));
        assert!(store.put(&space("acme"), &key("k"), vec![]).await.is_err());
        assert!(!store.create(&tenant("acme")).await.unwrap());
    }
    let again = town.host().await;
    let locked = again.get(&space("globex"), &key("k")).await.unwrap_err();
    assert!(matches!(locked, StoreError::Locked { .. }), "{locked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_under_two_hosts_and_the_old_one_opens_nothing() {
    let town = Town::new(Layout::Schema).await;
    let (one, ring) = town.keyed_host().await;
    let (two, other) = town.keyed_host().await;
    let acme = space("acme");
    one.create(&tenant("acme")).await.unwrap();
    for n in 0..90_u8 {
        let size = if n % 30 == 0 { 20_000 } else { 50 };
        one.put(&acme, &key(&format!("k{n}")), vec![n; size])
            .await
            .unwrap();
    }
    assert!(two.get(&acme, &key("k1")).await.unwrap().is_some());
    let writer = tokio::spawn({
        let (two, acme) = (two.clone(), acme.clone());
        async move {
            for n in 0..300_u16 {
                two.put(&acme, &key("busy"), n.to_be_bytes().to_vec())
                    .await
                    .unwrap();
            }
        }
    });
    let of = acme.clone();
    let rotating = ring.clone();
    tokio::task::spawn_blocking(move || rotating.rotate(&of))
        .await
        .unwrap()
        .unwrap();
    // At once, before the other host has heard of it, so that it may still write with the old one:
    // none of it is lost.
    let resealed = one.reseal(&acme).await.unwrap();
    assert!(resealed >= 90, "{resealed}");
    assert_eq!(one.retire_generations(&acme).await.unwrap(), 1);
    writer.await.unwrap();
    for store in [&one, &two] {
        for n in 0..90_u8 {
            let record = store
                .get(&acme, &key(&format!("k{n}")))
                .await
                .unwrap()
                .unwrap();
            assert_eq!((record.value[0], record.version), (n, u64::from(n) + 1));
        }
        let busy = store.get(&acme, &key("busy")).await.unwrap().unwrap();
        assert_eq!(busy.value, 299_u16.to_be_bytes());
        store.check_space(&acme).await.unwrap();
    }
    // What the other host has in memory is believed for less than a second.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let held = loop {
        let (ring, of) = (other.clone(), acme.clone());
        let held = tokio::task::spawn_blocking(move || ring.get(&of))
            .await
            .unwrap()
            .unwrap();
        if held.generations().len() == 1 || std::time::Instant::now() > until {
            break held;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(held.generations(), [toolhost_store::keys::Generation(2)]);
    assert!(
        held.subkey(toolhost_store::keys::Generation(1), SubkeyPurpose::Records)
            .is_none()
    );
}

/// A host has not heard of a rotation when another has retired the generation that
/// it writes with.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_with_a_generation_that_was_retired() {
    let (town, store) = two_tenants(Layout::Schema).await;
    let admin = town.admin(&town.name).await;
    let raise = format!("UPDATE {}_t_acme.space SET oldest = 2", town.name);
    admin.batch_execute(&raise).await.unwrap();
    let refused = store
        .put(&space("acme"), &key("k"), vec![])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    let other = town.keyed_host().await.1;
    let rotated = tokio::task::spawn_blocking(move || other.rotate(&space("acme")));
    rotated.await.unwrap().unwrap();
    // Whether it was told or not: it reads the key again.
    store.put(&space("acme"), &key("k"), vec![2]).await.unwrap();
    assert_eq!(
        store
            .get(&space("acme"), &key("k"))
            .await
            .unwrap()
            .unwrap()
            .value,
        [2]
    );
}
