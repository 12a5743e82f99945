//! What every implementation of [`Store`] does. A function a property, over a store and a way to
//! open it again.

use std::sync::Arc;

use toolhost_store::{
    Change, Key, MAX_VALUE, MemoryStore, Precondition, Scan, Space, Store, StoreError, Table,
};

use toolhost_store::postgres::Layout;

use crate::place::{Place, key, space, tenant};
use crate::town::Town;

mod writers;

use writers::*;

/// A store that can be closed and opened again.
pub(crate) trait Subject {
    fn store(&self) -> Arc<dyn Store>;
    fn reopen(&mut self);
}

pub(crate) struct Memory(Arc<MemoryStore>);

impl Subject for Memory {
    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }
    /// It ends with the process, so it is never closed.
    fn reopen(&mut self) {}
}

pub(crate) struct Sled {
    place: Place,
    store: Option<Arc<dyn Store>>,
}

impl Sled {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let store: Arc<dyn Store> = Arc::new(place.open());
        let store = Some(store);
        Self { place, store }
    }
}

impl Subject for Sled {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone().unwrap()
    }
    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Arc::new(self.place.open()));
    }
}

/// A host on a PostgreSQL server.
pub(crate) struct Postgres {
    town: Town,
    store: Option<Arc<dyn Store>>,
}

impl Postgres {
    pub(crate) async fn new(layout: Layout) -> Self {
        let town = Town::new(layout).await;
        let store: Arc<dyn Store> = Arc::new(town.host().await);
        let store = Some(store);
        Self { town, store }
    }
}

impl Subject for Postgres {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone().unwrap()
    }
    fn reopen(&mut self) {
        self.store = None;
        let opened = async { self.town.host().await };
        let store =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opened));
        self.store = Some(Arc::new(store));
    }
}

macro_rules! suite {
    ($($property:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $property() {
                super::$property(&mut super::Memory(Default::default())).await;
            })*
        }
        mod sled {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $property() {
                super::$property(&mut super::Sled::new()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $property() {
                super::$property(&mut super::Postgres::new(super::Layout::Schema).await).await;
            })*
        }
        mod postgres_databases {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $property() {
                super::$property(&mut super::Postgres::new(super::Layout::Database).await).await;
            })*
        }
    };
}

suite!(
    a_record_is_as_it_was_written,
    a_space_that_was_not_made_is_unknown_and_is_not_made_by_asking,
    no_key_reaches_another_space,
    conditions_hold_or_nothing_is_changed,
    of_writers_with_one_expectation_one_wins,
    a_batch_is_made_whole_or_not_at_all,
    a_record_that_was_made_again_has_another_version,
    pages_are_in_order_and_go_on_where_they_stopped,
    values_of_every_size_come_back,
    what_is_too_large_is_refused_and_changes_nothing,
    a_destroyed_space_is_unknown_and_comes_back_empty,
    tenants_are_listed_in_order,
    concurrent_writers_lose_nothing,
    a_dropped_write_is_made_whole_or_not_at_all,
    a_reader_sees_a_record_and_a_page_whole,
    what_is_written_is_what_is_read_whoever_read_before,
);

async fn a_record_is_as_it_was_written(subject: &mut dyn Subject) {
    let store = subject.store();
    assert!(store.create(&tenant("acme")).await.unwrap());
    assert!(!store.create(&tenant("acme")).await.unwrap());
    let acme = space("acme");
    for at in [Space::Host, acme.clone()] {
        assert_eq!(store.get(&at, &key("k")).await.unwrap(), None);
        let version = store.put(&at, &key("k"), b"v".to_vec()).await.unwrap();
        let record = store.get(&at, &key("k")).await.unwrap().unwrap();
        assert_eq!(
            (record.value.as_slice(), record.version),
            (b"v".as_slice(), version)
        );
    }
    drop(store);
    subject.reopen();
    let store = subject.store();
    assert_eq!(
        store.get(&acme, &key("k")).await.unwrap().unwrap().value,
        b"v"
    );
    store.delete(&acme, &key("k")).await.unwrap();
    store.delete(&acme, &key("k")).await.unwrap();
    drop(store);
    subject.reopen();
    assert_eq!(subject.store().get(&acme, &key("k")).await.unwrap(), None);
    assert!(
        subject
            .store()
            .get(&Space::Host, &key("k"))
            .await
            .unwrap()
            .is_some()
    );
}

async fn a_space_that_was_not_made_is_unknown_and_is_not_made_by_asking(subject: &mut dyn Subject) {
    let store = subject.store();
    let ghost = space("ghost");
    for _ in 0..2 {
        let unknown = |error: StoreError| matches!(error, StoreError::UnknownSpace { .. });
        assert!(unknown(store.get(&ghost, &key("k")).await.unwrap_err()));
        assert!(unknown(
            store.put(&ghost, &key("k"), vec![]).await.unwrap_err()
        ));
        assert!(unknown(
            store
                .scan(&ghost, &Scan::group(Table::Kv, &[]))
                .await
                .unwrap_err()
        ));
        assert!(!store.destroy(&tenant("ghost")).await.unwrap());
    }
    assert_eq!(store.tenants().await.unwrap(), vec![]);
}

async fn no_key_reaches_another_space(subject: &mut dyn Subject) {
    let store = subject.store();
    for name in ["acme", "globex"] {
        store.create(&tenant(name)).await.unwrap();
    }
    let names: [&[u8]; 7] = [
        b"k",
        b"../globex/k",
        b"globex\0k",
        b"",
        b"\xff\xff",
        b"m",
        &[b'x'; 1_024],
    ];
    for name in names {
        let key = Key::new(Table::Kv, &[b"billing"], name).unwrap();
        store
            .put(&space("acme"), &key, b"acme's".to_vec())
            .await
            .unwrap();
        assert_eq!(
            store.get(&space("globex"), &key).await.unwrap(),
            None,
            "{name:?}"
        );
        assert_eq!(
            store.get(&Space::Host, &key).await.unwrap(),
            None,
            "{name:?}"
        );
        for other in [
            Key::new(Table::Session, &[b"billing"], name),
            Key::new(Table::Kv, &[b"support"], name),
            Key::new(Table::Kv, &[b"bill", b"ing"], name),
        ] {
            assert_eq!(
                store.get(&space("acme"), &other.unwrap()).await.unwrap(),
                None
            );
        }
        assert!(store.get(&space("acme"), &key).await.unwrap().is_some());
    }
    let page = store
        .scan(&space("acme"), &Scan::group(Table::Kv, &[b"billing"]))
        .await
        .unwrap();
    assert_eq!(page.found.len(), names.len());
    let other = Scan::group(Table::Kv, &[b"support"]);
    assert_eq!(
        store.scan(&space("acme"), &other).await.unwrap().found,
        vec![]
    );
    assert!(Key::new(Table::Kv, &[], &[0; 1_025]).is_err());
}

async fn pages_are_in_order_and_go_on_where_they_stopped(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let acme = space("acme");
    for name in ["b2", "a1", "c1", "b1", "b3", "b"] {
        store
            .put(&acme, &key(name), name.as_bytes().to_vec())
            .await
            .unwrap();
    }
    let scan = Scan::group(Table::Kv, &[b"billing"]);
    let names = |page: &toolhost_store::RecordPage| -> Vec<String> {
        let name = |found: &toolhost_store::KeyedRecord| {
            String::from_utf8(found.key.name().to_vec()).unwrap()
        };
        page.found.iter().map(name).collect()
    };
    let all = store.scan(&acme, &scan).await.unwrap();
    assert_eq!(names(&all), ["a1", "b", "b1", "b2", "b3", "c1"]);
    assert!(!all.more);
    let some = store
        .scan(&acme, &scan.clone().prefix(b"b").limit(2))
        .await
        .unwrap();
    assert_eq!(
        (names(&some), some.more),
        (vec!["b".into(), "b1".into()], true)
    );
    let rest = store
        .scan(&acme, &scan.clone().prefix(b"b").after(b"b1").limit(2))
        .await
        .unwrap();
    assert_eq!(
        (names(&rest), rest.more),
        (vec!["b2".into(), "b3".into()], false)
    );
    // One that does not exist, and one before the prefix.
    let after = store
        .scan(&acme, &scan.clone().prefix(b"b").after(b"b11"))
        .await
        .unwrap();
    assert_eq!(names(&after), ["b2", "b3"]);
    let before = store
        .scan(&acme, &scan.clone().prefix(b"b").after(b"a"))
        .await
        .unwrap();
    assert_eq!(before.found.len(), 4);
    let none = store
        .scan(&acme, &scan.prefix(b"b").after(b"c"))
        .await
        .unwrap();
    assert_eq!((none.found.len(), none.more), (0, false));
}

async fn values_of_every_size_come_back(subject: &mut dyn Subject) {
    subject.store().create(&tenant("acme")).await.unwrap();
    let acme = space("acme");
    let sizes = [
        0, 1, 7_999, 8_000, 8_001, 16_000, 16_001, 100_000, MAX_VALUE,
    ];
    let value = |size: usize, seed: usize| -> Vec<u8> {
        (0..size).map(|at| (at * 31 + seed + size) as u8).collect()
    };
    // Every size over every other, so that parts are left over and added.
    for (seed, shift) in [(1, 0), (2, 3), (3, 7)] {
        let store = subject.store();
        for at in 0..sizes.len() {
            let size = sizes[(at + shift) % sizes.len()];
            store
                .put(&acme, &key(&format!("k{at}")), value(size, seed))
                .await
                .unwrap();
        }
        drop(store);
        subject.reopen();
        for at in 0..sizes.len() {
            let size = sizes[(at + shift) % sizes.len()];
            let record = subject
                .store()
                .get(&acme, &key(&format!("k{at}")))
                .await
                .unwrap();
            assert_eq!(record.unwrap().value, value(size, seed), "{size} bytes");
        }
    }
    let page = subject
        .store()
        .scan(&acme, &Scan::group(Table::Kv, &[b"billing"]))
        .await
        .unwrap();
    assert_eq!(page.found.len(), sizes.len());
}

async fn what_is_too_large_is_refused_and_changes_nothing(subject: &mut dyn Subject) {
    let store = subject.store();
    store.create(&tenant("acme")).await.unwrap();
    let put = |name: &str, size| Change::Put {
        key: key(name),
        value: vec![0; size],
        expect: Precondition::Any,
    };
    let refused = store
        .batch(&space("acme"), vec![put("a", 1), put("b", MAX_VALUE + 1)])
        .await;
    assert_eq!(refused, Err(StoreError::TooLarge));
    assert_eq!(store.get(&space("acme"), &key("a")).await.unwrap(), None);
}

async fn a_destroyed_space_is_unknown_and_comes_back_empty(subject: &mut dyn Subject) {
    let store = subject.store();
    for name in ["acme", "globex"] {
        store.create(&tenant(name)).await.unwrap();
        store
            .put(&space(name), &key("k"), b"v".to_vec())
            .await
            .unwrap();
    }
    assert!(store.destroy(&tenant("acme")).await.unwrap());
    assert!(!store.destroy(&tenant("acme")).await.unwrap());
    drop(store);
    subject.reopen();
    let store = subject.store();
    let gone = store.get(&space("acme"), &key("k")).await.unwrap_err();
    assert!(matches!(gone, StoreError::UnknownSpace { .. }));
    assert!(store.create(&tenant("acme")).await.unwrap());
    assert_eq!(store.get(&space("acme"), &key("k")).await.unwrap(), None);
    assert!(
        store
            .get(&space("globex"), &key("k"))
            .await
            .unwrap()
            .is_some()
    );
}

async fn tenants_are_listed_in_order(subject: &mut dyn Subject) {
    let store = subject.store();
    let names = ["zeta", "acme", "a-b", "m1"];
    for name in names {
        store.create(&tenant(name)).await.unwrap();
    }
    drop(store);
    subject.reopen();
    let tenants = subject.store().tenants().await.unwrap();
    let listed: Vec<_> = tenants.iter().map(|tenant| tenant.as_str()).collect();
    assert_eq!(listed, ["a-b", "acme", "m1", "zeta"]);
}
