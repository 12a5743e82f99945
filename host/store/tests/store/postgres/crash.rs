//! A host that is killed in mid-write, a server that is, and connections that end while a batch is
//! being made: what was acknowledged is there, and what is reported as not made is not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use toolhost_policy::Secret;
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::postgres::{Layout, PostgresSettings, Prefix};
use toolhost_store::{Change, PostgresStore, Precondition, Store, StoreError};

use crate::crash::{SLOTS, WRITERS, operation, run_and_kill, space_of, write_until_killed};
use crate::place::{key, space, tenant};
use crate::server::Private;
use crate::town::{MASTER, Town};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below, and killed"]
async fn writer() {
    let from: u64 = std::env::var("STORE_CRASH_FROM").unwrap().parse().unwrap();
    let mut settings =
        PostgresSettings::new(Secret::from(std::env::var("STORE_CRASH_URL").unwrap()));
    settings.prefix = Prefix::parse(&std::env::var("STORE_CRASH_PREFIX").unwrap()).unwrap();
    let master = MasterKey::from_text(&Secret::from(MASTER.to_owned())).unwrap();
    let keyring = Arc::new(Keyring::in_postgres(&settings, master).await.unwrap());
    let store = Arc::new(PostgresStore::open(&settings, keyring).await.unwrap());
    write_until_killed(store, from).await;
}

#[test]
fn what_was_acknowledged_outlives_a_host_that_is_killed() {
    let rounds: u64 = std::env::var("STORE_CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(12);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let town = runtime.block_on(Town::new(Layout::Schema));
    let store = runtime.block_on(town.host());
    let mut expected: HashMap<(u64, String), Option<Vec<u8>>> = HashMap::new();
    let mut acknowledged = 0;
    for round in 0..rounds {
        let from = round * 1_000_000;
        let after = Duration::from_millis(20 + round * 37 % 150);
        let started = [
            ("STORE_CRASH_URL", town.url()),
            ("STORE_CRASH_PREFIX", town.name.clone()),
        ];
        let next = run_and_kill("postgres::crash::writer", &started, from, after);
        runtime.block_on(async {
            // What the killed host had on its way ends when the server sees that it is gone: a
            // batch after it.
            for writer in 0..3 {
                store
                    .put(&space_of(writer), &key("after"), vec![])
                    .await
                    .unwrap();
            }
            for writer in 0..WRITERS {
                let next = next[writer as usize];
                acknowledged += next - from;
                for n in from..next {
                    let (name, value) = operation(writer, n);
                    expected.insert((writer, name), value);
                }
                let (in_flight, value) = operation(writer, next);
                for slot in 0..SLOTS {
                    let name = format!("w{writer}-{slot}");
                    let found = store.get(&space_of(writer), &key(&name)).await.unwrap();
                    let found = found.map(|record| record.value);
                    let known = expected.get(&(writer, name.clone())).cloned().flatten();
                    if found != known {
                        assert!(
                            name == in_flight && found == value,
                            "round {round}: {name} of {writer}"
                        );
                        expected.insert((writer, name), found);
                    }
                }
            }
        });
    }
    println!("{rounds} rounds: {acknowledged} acknowledged, none missing");
    assert!(
        acknowledged > rounds * 8,
        "too few writes to tell: {acknowledged}"
    );
}

/// Each batch writes two records; which of them are there is compared with what was said of it.
async fn write_under(
    store: &PostgresStore,
    batches: u64,
    mut harm: impl AsyncFnMut(u64),
) -> (u64, u64) {
    store.create(&tenant("acme")).await.unwrap();
    let acme = space("acme");
    let (said, mut saying) = tokio::sync::mpsc::unbounded_channel();
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let (store, acme, said) = (store.clone(), acme.clone(), said.clone());
            tokio::spawn(async move {
                for n in 0..batches / 4 {
                    let put = |name: &str| Change::Put {
                        key: key(&format!("{writer}-{n}-{name}")),
                        value: vec![1; 2_000],
                        expect: Precondition::Absent,
                    };
                    let made = store.batch(&acme, vec![put("a"), put("b")]).await;
                    said.send((writer, n, made)).unwrap();
                }
            })
        })
        .collect();
    drop(said);
    let (mut acknowledged, mut failed, mut count) = (0, 0, 0);
    let mut outcomes = Vec::new();
    while let Some(outcome) = saying.recv().await {
        count += 1;
        harm(count).await;
        outcomes.push(outcome);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for (writer, n, made) in outcomes {
        let mut found = Vec::new();
        for name in ["a", "b"] {
            let name = key(&format!("{writer}-{n}-{name}"));
            found.push(
                store
                    .get(&acme, &name)
                    .await
                    .unwrap()
                    .map(|record| record.version),
            );
        }
        assert_eq!(found[0], found[1], "{writer}-{n} is made in part");
        match made {
            Ok(version) => {
                acknowledged += 1;
                assert_eq!(found[0], Some(version), "{writer}-{n} was acknowledged");
            }
            Err(StoreError::Unavailable(why)) => {
                failed += 1;
                let is_unknown = why.contains("not known");
                assert!(
                    found[0].is_none() || is_unknown,
                    "{writer}-{n} was said not to be made: {why}"
                );
            }
            Err(error) => panic!("{error}"),
        }
    }
    (acknowledged, failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_in_a_batch_leaves_it_made_or_not_and_it_is_said_which() {
    let town = Town::new(Layout::Schema).await;
    let store = town.host().await;
    let admin = town.admin("postgres").await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND state <> 'idle'";
    let ended = write_under(&store, 400, async |count| {
        if count % 5 == 0 {
            admin.query(end, &[&town.name]).await.unwrap();
        }
    });
    let (acknowledged, failed) = ended.await;
    println!("{acknowledged} acknowledged, {failed} not");
    assert!(acknowledged > 100, "too few to tell: {acknowledged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_server_that_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Private::own(directory.path(), &["fsync = on", "full_page_writes = on"]);
    let town = Town::on(server.server(), Layout::Schema).await;
    let store = town.host().await;
    let ended = write_under(&store, 240, async |count| {
        if count % 60 == 30 {
            tokio::task::block_in_place(|| {
                server.kill();
                server.start();
            });
        }
    });
    let (acknowledged, failed) = ended.await;
    println!("{acknowledged} acknowledged, {failed} not");
    assert!(acknowledged > 20, "too few to tell: {acknowledged}");
    store.check_space(&space("acme")).await.unwrap();
}
