//! Random operations on the embedded store, each with the outcome that the model has.

use proptest::prelude::*;
use toolhost_store::postgres::Layout;
use toolhost_store::{Change, Key, MemoryStore, Precondition, Scan, Store, Table};

use crate::place::{space, tenant};
use crate::suite::{Postgres, Sled, Subject};

#[derive(Debug, Clone)]
enum Op {
    Create(u8),
    Destroy(u8),
    Batch(u8, Vec<(u8, Option<u16>, When)>),
    Get(u8, u8),
    Scan(u8, u8, Option<u8>, u8),
    Reopen,
}

#[derive(Debug, Clone)]
enum When {
    Always,
    Absent,
    /// The version that the model has, plus this.
    Present(u8),
}

fn name(tenant: u8) -> String {
    format!("t{}", tenant % 3)
}

/// Few keys, some of them the beginning of others.
fn key_of(at: u8) -> Key {
    let names: [&[u8]; 6] = [b"a", b"a\0", b"a\0\x01", b"ab", b"b", b"\xff"];
    Key::new(Table::Kv, &[b"p"], names[usize::from(at) % names.len()]).unwrap()
}

fn op() -> impl Strategy<Value = Op> {
    let when = prop_oneof![
        3 => Just(When::Always),
        1 => Just(When::Absent),
        2 => (0..2_u8).prop_map(When::Present),
    ];
    let size = prop_oneof![
        Just(0_u16),
        1..200_u16,
        7_990..8_010_u16,
        15_990..24_010_u16
    ];
    let change = (any::<u8>(), proptest::option::weighted(0.8, size), when);
    prop_oneof![
        2 => any::<u8>().prop_map(Op::Create),
        1 => any::<u8>().prop_map(Op::Destroy),
        12 => (any::<u8>(), proptest::collection::vec(change, 0..4)).prop_map(|(t, changes)| Op::Batch(t, changes)),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(t, k)| Op::Get(t, k)),
        3 => (any::<u8>(), any::<u8>(), any::<Option<u8>>(), 1..5_u8).prop_map(|(t, p, a, l)| Op::Scan(t, p, a, l)),
        1 => Just(Op::Reopen),
    ]
}

async fn run(ops: Vec<Op>, subject: &mut dyn Subject) {
    let model = MemoryStore::default();
    for op in ops {
        let store = subject.store();
        match &op {
            Op::Create(t) => {
                let tenant = tenant(&name(*t));
                assert_eq!(
                    model.create(&tenant).await,
                    store.create(&tenant).await,
                    "{op:?}"
                );
            }
            Op::Destroy(t) => {
                let tenant = tenant(&name(*t));
                assert_eq!(
                    model.destroy(&tenant).await,
                    store.destroy(&tenant).await,
                    "{op:?}"
                );
            }
            Op::Batch(t, changes) => {
                let space = space(&name(*t));
                let mut batch: Vec<Change> = Vec::new();
                for (at, size, when) in changes {
                    let key = key_of(*at);
                    if batch.iter().any(|change| *change.key() == key) {
                        continue;
                    }
                    let now = model.get(&space, &key).await.ok().flatten();
                    let expect = match when {
                        When::Always => Precondition::Any,
                        When::Absent => Precondition::Absent,
                        When::Present(off) => Precondition::Version(
                            now.map_or(0, |now| now.version) + u64::from(*off),
                        ),
                    };
                    batch.push(match size {
                        Some(size) => Change::Put {
                            key,
                            value: vec![*at; usize::from(*size)],
                            expect,
                        },
                        None => Change::Delete { key, expect },
                    });
                }
                let expected = model.batch(&space, batch.clone()).await;
                assert_eq!(expected, store.batch(&space, batch).await, "{op:?}");
            }
            Op::Get(t, k) => {
                let (space, key) = (space(&name(*t)), key_of(*k));
                assert_eq!(
                    model.get(&space, &key).await,
                    store.get(&space, &key).await,
                    "{op:?}"
                );
            }
            Op::Scan(t, prefix, after, limit) => {
                let mut scan = Scan::group(Table::Kv, &[b"p"]).limit(usize::from(*limit));
                if prefix % 2 == 0 {
                    scan = scan.prefix(key_of(*prefix).name());
                }
                if let Some(after) = after {
                    scan = scan.after(key_of(*after).name());
                }
                let space = space(&name(*t));
                assert_eq!(
                    model.scan(&space, &scan).await,
                    store.scan(&space, &scan).await,
                    "{op:?}"
                );
            }
            Op::Reopen => {
                drop(store);
                subject.reopen();
            }
        }
    }
    assert_eq!(
        model.tenants().await.unwrap(),
        subject.store().tenants().await.unwrap()
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_embedded_store_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(ops, &mut Sled::new()));
    }

    #[test]
    fn the_store_in_a_server_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            // On a thread of its own, since opening again waits for the store.
            let run = async { run(ops, &mut Postgres::new(Layout::Schema).await).await };
            run.await;
        });
    }
}
