//! What is written under conditions, in batches, and by several at once.

use toolhost_store::{Change, Precondition, Scan, StoreError, Table};

use super::Subject;
use crate::place::{key, space, tenant};

pub(super) async fn conditions_hold_or_nothing_is_changed(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let acme = space("acme");
    let set = |expect, value: &[u8]| {
        let (store, acme, value) = (store.clone(), acme.clone(), value.to_vec());
        async move { store.compare_and_set(&acme, &key("k"), expect, value).await }
    };
    assert_eq!(
        set(Precondition::Version(1), b"0").await,
        Err(StoreError::Conflict)
    );
    let first = set(Precondition::Absent, b"1").await.unwrap();
    assert_eq!(
        set(Precondition::Absent, b"2").await,
        Err(StoreError::Conflict)
    );
    assert_eq!(
        set(Precondition::Version(first + 1), b"2").await,
        Err(StoreError::Conflict)
    );
    let second = set(Precondition::Version(first), b"3").await.unwrap();
    assert!(second > first);
    assert_eq!(
        set(Precondition::Version(first), b"4").await,
        Err(StoreError::Conflict)
    );
    assert_eq!(
        store.get(&acme, &key("k")).await.unwrap().unwrap().value,
        b"3"
    );
    let delete = |expect| {
        vec![Change::Delete {
            key: key("k"),
            expect,
        }]
    };
    let stale = store
        .batch(&acme, delete(Precondition::Version(first)))
        .await;
    assert_eq!(stale, Err(StoreError::Conflict));
    store
        .batch(&acme, delete(Precondition::Version(second)))
        .await
        .unwrap();
    let gone = store
        .batch(&acme, delete(Precondition::Version(second)))
        .await;
    assert_eq!(gone, Err(StoreError::Conflict));
}

pub(super) async fn of_writers_with_one_expectation_one_wins(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let mut version = store.put(&space("acme"), &key("k"), vec![]).await.unwrap();
    for round in 0..20_u8 {
        let race = (0..8_u8).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .compare_and_set(
                        &space("acme"),
                        &key("k"),
                        Precondition::Version(version),
                        vec![round, writer],
                    )
                    .await
                    .map(|version| (version, writer))
            })
        });
        let mut winners = Vec::new();
        for racer in race.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                Ok(won) => winners.push(won),
                Err(error) => assert_eq!(error, StoreError::Conflict),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let record = store.get(&space("acme"), &key("k")).await.unwrap().unwrap();
        assert_eq!(
            (record.version, record.value),
            (winners[0].0, vec![round, winners[0].1])
        );
        version = record.version;
    }
}

pub(super) async fn a_batch_is_made_whole_or_not_at_all(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let acme = space("acme");
    let put = |name: &str, expect| Change::Put {
        key: key(name),
        value: name.as_bytes().to_vec(),
        expect,
    };
    let refused = store
        .batch(
            &acme,
            vec![
                put("a", Precondition::Any),
                put("b", Precondition::Version(9)),
            ],
        )
        .await;
    assert_eq!(refused, Err(StoreError::Conflict));
    assert_eq!(store.get(&acme, &key("a")).await.unwrap(), None);
    let version = store
        .batch(
            &acme,
            vec![
                put("a", Precondition::Absent),
                put("b", Precondition::Absent),
            ],
        )
        .await
        .unwrap();
    for name in ["a", "b"] {
        assert_eq!(
            store.get(&acme, &key(name)).await.unwrap().unwrap().version,
            version
        );
    }
    // A batch sees the state before it.
    let swap = vec![
        Change::Delete {
            key: key("a"),
            expect: Precondition::Version(version),
        },
        put("c", Precondition::Absent),
    ];
    store.batch(&acme, swap).await.unwrap();
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(store.get(&acme, &key("a")).await.unwrap(), None);
    assert!(store.get(&acme, &key("c")).await.unwrap().is_some());
}

pub(super) async fn a_record_that_was_made_again_has_another_version(subject: &mut dyn Subject) {
    subject.store().create(&tenant("acme")).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let store = subject.store();
        seen.push(store.put(&space("acme"), &key("k"), vec![]).await.unwrap());
        store.delete(&space("acme"), &key("k")).await.unwrap();
        drop(store);
        subject.reopen();
    }
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
}

pub(super) async fn concurrent_writers_lose_nothing(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for at in 0..25 {
                let name = format!("w{writer}-{at}");
                let size = if at % 10 == 0 { 20_000 } else { 100 };
                store
                    .put(&space("acme"), &key(&name), vec![at; size])
                    .await
                    .unwrap();
                let record = store
                    .get(&space("acme"), &key(&name))
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(record.value, vec![at; size]);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    drop(store);
    subject.reopen();
    let page = subject
        .store()
        .scan(&space("acme"), &Scan::group(Table::Kv, &[b"billing"]))
        .await
        .unwrap();
    assert_eq!(page.found.len(), 200);
}

pub(super) async fn a_dropped_write_is_made_whole_or_not_at_all(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    for round in 0..30_u64 {
        let put = |name: &str| Change::Put {
            key: key(&format!("{name}{round}")),
            value: vec![7; 9_000],
            expect: Precondition::Any,
        };
        let acme = space("acme");
        let write = store.batch(&acme, vec![put("a"), put("b")]);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(round * 20), write).await;
    }
    // What is on its way is before this one.
    store
        .put(&space("acme"), &key("last"), vec![])
        .await
        .unwrap();
    for round in 0..30 {
        let both = [
            store
                .get(&space("acme"), &key(&format!("a{round}")))
                .await
                .unwrap()
                .is_some(),
            store
                .get(&space("acme"), &key(&format!("b{round}")))
                .await
                .unwrap()
                .is_some(),
        ];
        assert_eq!(both[0], both[1], "round {round}");
    }
}

pub(super) async fn a_reader_sees_a_record_and_a_page_whole(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let put = |name: &str, n: u8| Change::Put {
        key: key(name),
        value: vec![n; 30_000],
        expect: Precondition::Any,
    };
    let acme = space("acme");
    store
        .batch(&acme, vec![put("a", 0), put("b", 0)])
        .await
        .unwrap();
    let writer = tokio::spawn({
        let (store, acme) = (store.clone(), acme.clone());
        async move {
            for n in 0..200 {
                store
                    .batch(&acme, vec![put("a", n), put("b", n)])
                    .await
                    .unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let record = store.get(&acme, &key("b")).await.unwrap().unwrap();
        assert!(record.value.iter().all(|byte| *byte == record.value[0]));
        let page = store
            .scan(&acme, &Scan::group(Table::Kv, &[b"billing"]))
            .await
            .unwrap();
        assert_eq!(page.found[0].record, page.found[1].record);
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

pub(super) async fn what_is_written_is_what_is_read_whoever_read_before(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let acme = space("acme");
    let writer = tokio::spawn({
        let (store, acme) = (store.clone(), acme.clone());
        async move {
            for n in 0..200_u64 {
                let version = store
                    .put(&acme, &key("k"), n.to_be_bytes().to_vec())
                    .await
                    .unwrap();
                // More than once: what is read again may be kept.
                for _ in 0..3 {
                    let record = store.get(&acme, &key("k")).await.unwrap().unwrap();
                    assert_eq!(
                        (record.version, record.value),
                        (version, n.to_be_bytes().to_vec())
                    );
                }
            }
            store.delete(&acme, &key("k")).await.unwrap();
            assert_eq!(store.get(&acme, &key("k")).await.unwrap(), None);
        }
    });
    let mut seen = 0;
    while !writer.is_finished() {
        if let Some(record) = store.get(&acme, &key("k")).await.unwrap() {
            assert!(record.version >= seen, "{} after {seen}", record.version);
            seen = record.version;
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}
