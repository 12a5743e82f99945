//! From one store into the other, and back.

use std::sync::Arc;
use std::task::Poll;

use toolhost_store::keys::{Generation, Keyring, SubkeyPurpose};
use toolhost_store::migrate::{MigrationStore, migrate};
use toolhost_store::postgres::Layout;
use toolhost_store::{
    DataDir, EmbeddedSettings, PostgresStore, SledStore, Space, Store, StoreError,
};

use crate::place::{Place, key, space, tenant};
use crate::town::{MASTER, Town};

const SIZES: [usize; 6] = [0, 1, 8_000, 8_001, 20_000, 300_000];

async fn filled(store: &dyn MigrationStore, keyring: &Keyring) -> Vec<u8> {
    for name in ["acme", "globex", "empty"] {
        store.create(&tenant(name)).await.unwrap();
    }
    for at in [Space::Host, space("acme"), space("globex")] {
        for (n, size) in SIZES.into_iter().enumerate() {
            store
                .put(&at, &key(&format!("k{n}")), vec![n as u8; size])
                .await
                .unwrap();
        }
        for n in 0..100 {
            store
                .put(&at, &key(&format!("many{n}")), vec![n])
                .await
                .unwrap();
        }
        store.delete(&at, &key("many7")).await.unwrap();
    }
    let of = space("acme");
    let acme = tokio::task::block_in_place(|| {
        keyring.rotate(&of).unwrap();
        keyring.get(&of).unwrap()
    });
    // As the vault seals a credential inside its record.
    let subkey = acme
        .subkey(Generation(2), SubkeyPurpose::Credentials)
        .unwrap();
    subkey.seal(b"aad", b"credential").unwrap()
}

async fn is_the_same(
    from: &dyn MigrationStore,
    to: &dyn MigrationStore,
    keyring: &Keyring,
    sealed: &[u8],
) {
    assert_eq!(from.tenants().await.unwrap(), to.tenants().await.unwrap());
    for at in [Space::Host, space("acme"), space("globex"), space("empty")] {
        for n in 0..100 {
            for name in [format!("k{n}"), format!("many{n}")] {
                assert_eq!(
                    from.get(&at, &key(&name)).await.unwrap(),
                    to.get(&at, &key(&name)).await.unwrap()
                );
            }
        }
        assert!(to.revision_of(&at).await.unwrap() >= from.revision_of(&at).await.unwrap());
    }
    let of = space("acme");
    let acme = tokio::task::block_in_place(|| keyring.get(&of).unwrap());
    let subkey = acme
        .subkey(Generation(2), SubkeyPurpose::Credentials)
        .unwrap();
    assert_eq!(
        subkey.open(b"aad", sealed).unwrap().as_slice(),
        b"credential"
    );
    let before = to.get(&of, &key("k1")).await.unwrap().unwrap();
    let later = to.put(&of, &key("k1"), vec![9]).await.unwrap();
    assert!(later > before.version, "a version is used twice");
}

fn embedded(place: &Place, name: &str) -> (SledStore, Arc<Keyring>) {
    let (data_dir, keyring) = place.parts(&place.path(name)).unwrap();
    let store = SledStore::open(data_dir, keyring.clone(), EmbeddedSettings::default()).unwrap();
    (store, keyring)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_into_a_server_and_back_with_its_versions_and_keys() {
    let place = Place::new();
    let (from, ring) = embedded(&place, "from");
    let sealed = filled(&from, &ring).await;
    let town = Town::new(Layout::Schema).await;
    let (server, shared) = town.keyed_host().await;
    let moved = migrate(&from, &server).await.unwrap();
    assert_eq!(moved.len(), 4);
    assert_eq!(
        moved.iter().map(|moved| moved.records).sum::<u64>(),
        3 * 105
    );
    is_the_same(&from, &server, &shared, &sealed).await;
    let (back, brought) = embedded(&place, "back");
    migrate(&server, &back).await.unwrap();
    is_the_same(&server, &back, &brought, &sealed).await;
    for report in back.check().await.unwrap() {
        report.outcome.unwrap();
    }
    // One layout into the other.
    let databases = Town::new(Layout::Database).await;
    let (other, of_other) = databases.keyed_host().await;
    migrate(&server, &other).await.unwrap();
    is_the_same(&server, &other, &of_other, &sealed).await;
    // Nothing is written over.
    let refused = migrate(&from, &server).await.unwrap_err();
    assert!(matches!(refused, StoreError::Exists(_)), "{refused}");
    assert!(
        server
            .get(&space("acme"), &key("k2"))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_cut_short_is_opened_by_no_host_and_begins_anew() {
    let place = Place::new();
    let (from, ring) = embedded(&place, "from");
    let sealed = filled(&from, &ring).await;
    let town = Town::new(Layout::Schema).await;
    let (server, _) = town.keyed_host().await;
    // As a killed one leaves them: its task is gone, with some of the spaces in.
    for steps in [3, 10, 30] {
        cut_short(migrate(&from, &server), steps).await;
    }
    // A disk may be done before it is waited for: as many waits as it takes until something was
    // written.
    let mut steps = 0;
    let unfinished = loop {
        let (data_dir, keyring) = place.parts(&place.path("to")).unwrap();
        match SledStore::open(data_dir, keyring, EmbeddedSettings::default()) {
            Err(unfinished) => break unfinished,
            Ok(to) => {
                steps += 1;
                cut_short(migrate(&from, &to), steps).await;
            }
        }
    };
    assert!(unfinished.to_string().contains("cut short"), "{unfinished}");
    let unfinished = town.try_host(&town.settings(), MASTER).await;
    assert!(unfinished.unwrap_err().to_string().contains("cut short"));
    let data_dir: DataDir = crate::place::open_data_dir(&place.path("to")).unwrap();
    let (_, keyring) = (0, keyring_at(&place));
    let to =
        SledStore::open_unfinished(data_dir, keyring.clone(), EmbeddedSettings::default()).unwrap();
    assert!(
        migrate(&to, &server).await.is_err(),
        "half of a store is no source"
    );
    migrate(&from, &to).await.unwrap();
    is_the_same(&from, &to, &keyring, &sealed).await;
    let master = toolhost_store::keys::MasterKey::from_text(&toolhost_policy::Secret::from(
        MASTER.to_owned(),
    ))
    .unwrap();
    let shared = Arc::new(
        Keyring::in_postgres(&town.settings(), master)
            .await
            .unwrap(),
    );
    let again = PostgresStore::open_unfinished(&town.settings(), shared.clone())
        .await
        .unwrap();
    migrate(&from, &again).await.unwrap();
    is_the_same(&from, &again, &shared, &sealed).await;
    drop(town.host().await);
}

/// Lets it go on for some steps, from one wait for a disk or a server to the next, and no further.
async fn cut_short<M: Future>(moving: M, steps: usize) {
    let mut moving = std::pin::pin!(moving);
    let mut left = steps;
    std::future::poll_fn(|context| {
        assert!(
            moving.as_mut().poll(context).is_pending(),
            "it was over before step {steps}"
        );
        left -= 1;
        if left == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn keyring_at(place: &Place) -> Arc<Keyring> {
    let (master, _) =
        toolhost_store::keys::MasterKey::open_or_create(&place.path("master.key")).unwrap();
    Arc::new(Keyring::open(&place.path("to"), master).unwrap())
}
