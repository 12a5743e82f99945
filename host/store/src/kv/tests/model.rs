//! Whatever is done, the values are those of a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{home, space, store};
use crate::kv::layout::cost;
use crate::{KeyPage, KvError, KvQuota, KvScope, PluginKv};

#[derive(Debug, Clone)]
enum Operation {
    Put(usize, String, usize),
    CompareAndSet(usize, String, bool, usize),
    Delete(usize, String),
    List(usize, String, Option<String>, u32),
}

fn operation() -> impl Strategy<Value = Operation> {
    let space = 0..3_usize;
    let key = || "[ab\0é]{0,3}";
    prop_oneof![
        (space.clone(), key(), 0..300_usize).prop_map(|(s, k, n)| Operation::Put(s, k, n)),
        (space.clone(), key(), any::<bool>(), 0..300_usize)
            .prop_map(|(s, k, right, n)| Operation::CompareAndSet(s, k, right, n)),
        (space.clone(), key()).prop_map(|(s, k)| Operation::Delete(s, k)),
        (space, key(), proptest::option::of(key()), 1..4_u32)
            .prop_map(|(s, p, c, l)| Operation::List(s, p, c, l)),
    ]
}

type Model = BTreeMap<(usize, String), (Vec<u8>, u64)>;

fn kept(model: &Model) -> u64 {
    model
        .iter()
        .map(|((_, key), (value, _))| cost(key, value))
        .sum()
}

async fn agrees(operations: Vec<Operation>) {
    let spaces = [
        home(),
        space("acme", "billing", KvScope::Personal),
        space("acme", "support", KvScope::Shared),
    ];
    let quota = KvQuota {
        plugin_bytes: u64::MAX,
        tenant_bytes: 1_500,
    };
    let kv = PluginKv::new(store().await, quota);
    let mut model = Model::new();
    for operation in operations {
        match operation {
            Operation::Put(s, key, n) => {
                let done = kv.put(&spaces[s], &key, vec![7; n]).await;
                expect_write(&mut model, &quota, (s, key), n, done, true);
            }
            Operation::CompareAndSet(s, key, right, n) => {
                let is = model.get(&(s, key.clone())).map(|(_, version)| *version);
                let expected = if right {
                    is
                } else {
                    Some(is.map_or(1, |is| is + 1))
                };
                let done = kv
                    .compare_and_set(&spaces[s], &key, expected, vec![7; n])
                    .await;
                expect_write(&mut model, &quota, (s, key), n, done, right);
            }
            Operation::Delete(s, key) => {
                let done = kv.delete(&spaces[s], &key).await;
                if key.is_empty() {
                    assert_eq!(done, Err(KvError::Key));
                } else {
                    assert_eq!(done, Ok(model.remove(&(s, key)).is_some()));
                }
            }
            Operation::List(s, prefix, cursor, limit) => {
                let page = kv
                    .list_keys(&spaces[s], &prefix, cursor.as_deref(), limit)
                    .await
                    .unwrap();
                let all: Vec<String> = model
                    .keys()
                    .filter(|(space, key)| *space == s && key.starts_with(&prefix))
                    .filter(|(_, key)| cursor.as_ref().is_none_or(|cursor| key > cursor))
                    .map(|(_, key)| key.clone())
                    .collect();
                let keys: Vec<String> = all.iter().take(limit as usize).cloned().collect();
                let cursor = (all.len() > keys.len()).then(|| keys.last().cloned().unwrap());
                assert_eq!(page, KeyPage { keys, cursor });
            }
        }
        for ((s, key), (value, version)) in &model {
            let entry = kv.get(&spaces[*s], key).await.unwrap().unwrap();
            assert_eq!((&entry.value, entry.version), (value, *version));
        }
    }
}

fn expect_write(
    model: &mut Model,
    quota: &KvQuota,
    at: (usize, String),
    n: usize,
    done: Result<u64, KvError>,
    right: bool,
) {
    if at.1.is_empty() {
        return assert_eq!(done, Err(KvError::Key));
    }
    if !right {
        return assert_eq!(done, Err(KvError::Conflict));
    }
    let freed = model.get(&at).map_or(0, |(value, _)| cost(&at.1, value));
    let needed = cost(&at.1, &vec![7; n]);
    if kept(model) - freed + needed > quota.tenant_bytes && needed > freed {
        return assert_eq!(done, Err(KvError::Full));
    }
    let newest = model.values().map(|(_, version)| *version).max();
    let version = done.unwrap();
    assert!(newest.is_none_or(|newest| version > newest));
    model.insert(at, (vec![7; n], version));
}

proptest! {
    #[test]
    fn the_values_are_those_of_a_simple_model(operations in proptest::collection::vec(operation(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(agrees(operations));
    }
}
