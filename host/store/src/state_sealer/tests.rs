use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_policy::UnixTime;

use super::{MAX_TEXT, StateError, StatePurpose, StateSealer};
use crate::keys::{Keyring, MasterKey};
use crate::{Change, Key, MemoryStore, Record, RecordPage, Scan, Space, Store, StoreError, Table};

const LIFE: Duration = Duration::from_secs(600);

/// A host's view of a store that several hosts share, by a clock that is so far off.
#[derive(Debug)]
struct SkewedStore {
    store: Arc<MemoryStore>,
    skew: AtomicI64,
}

#[async_trait]
impl Store for SkewedStore {
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        self.store.get(space, key).await
    }
    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        self.store.scan(space, scan).await
    }
    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        self.store.batch(space, changes).await
    }
    async fn create(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.store.create(space).await
    }
    async fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.store.destroy(space).await
    }
    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.store.tenants().await
    }
    fn now(&self) -> UnixTime {
        let skew = self.skew.load(Ordering::Relaxed);
        UnixTime::from_secs(UnixTime::now().secs().saturating_add_signed(skew))
    }
}

struct SealerFixture {
    directory: tempfile::TempDir,
    store: Arc<MemoryStore>,
}

fn tenant(name: &str) -> TenantSpace {
    TenantSpace::of_operator(TenantId::parse(name).unwrap(), &Operator::of_this_process())
}

impl SealerFixture {
    async fn new() -> Self {
        let world = Self {
            directory: tempfile::tempdir().unwrap(),
            store: Arc::default(),
        };
        for name in ["acme", "globex"] {
            world.store.create(&tenant(name)).await.unwrap();
        }
        world
    }

    fn keyring(&self) -> Arc<Keyring> {
        let path = self.directory.path().join("master.key");
        let (master, _) = MasterKey::open_or_create(&path).unwrap();
        let keyring = Keyring::open(self.directory.path(), master).unwrap();
        for space in [Space::Host, tenant("acme").into(), tenant("globex").into()] {
            keyring.create(&space).unwrap();
        }
        Arc::new(keyring)
    }

    /// Another process on the same store and keys.
    fn host(&self, skew: i64) -> (Arc<SkewedStore>, StateSealer) {
        let host = Arc::new(SkewedStore {
            store: Arc::clone(&self.store),
            skew: AtomicI64::new(skew),
        });
        let sealer = StateSealer::new(Arc::clone(&host) as Arc<dyn Store>, self.keyring());
        (host, sealer)
    }
}

fn purpose<'a>(parts: &'a [&'a [u8]]) -> StatePurpose<'a> {
    StatePurpose {
        word: "test",
        parts,
    }
}

#[tokio::test]
async fn a_state_of_one_host_is_taken_once_by_any_and_for_its_purpose_alone() {
    let world = SealerFixture::new().await;
    let ((_, one), (_, two)) = (world.host(0), world.host(0));
    let acme = Space::from(tenant("acme"));
    let parts: &[&[u8]] = &[b"ann", b"tool"];
    let text = one
        .seal(&acme, purpose(parts), LIFE, b"state")
        .await
        .unwrap();
    for other in [
        &[b"ann".as_slice(), b"tools"][..],
        &[b"annt", b"ool"],
        &[b"ann"],
        &[],
    ] {
        assert_eq!(
            two.take(&acme, purpose(other), &text).await,
            Err(StateError::Invalid)
        );
    }
    let word = StatePurpose {
        word: "other",
        parts,
    };
    assert_eq!(two.take(&acme, word, &text).await, Err(StateError::Invalid));
    for space in [Space::from(tenant("globex")), Space::Host] {
        assert_eq!(
            two.take(&space, purpose(parts), &text).await,
            Err(StateError::Invalid)
        );
    }
    for at in [0, 3, 11, 20, text.len() - 2] {
        let mut forged = text.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(
            two.take(&acme, purpose(parts), &forged).await,
            Err(StateError::Invalid),
            "{at}"
        );
    }
    for rubbish in ["", "A", "%", &"A".repeat(MAX_TEXT + 1)] {
        assert_eq!(
            two.take(&acme, purpose(parts), rubbish).await,
            Err(StateError::Invalid)
        );
    }
    assert_eq!(
        one.peek(&acme, purpose(parts), &text)
            .await
            .unwrap()
            .as_slice(),
        b"state"
    );
    assert_eq!(
        two.take(&acme, purpose(parts), &text)
            .await
            .unwrap()
            .as_slice(),
        b"state"
    );
    for host in [&one, &two] {
        assert_eq!(
            host.take(&acme, purpose(parts), &text).await,
            Err(StateError::Invalid),
            "twice"
        );
    }
}

#[tokio::test]
async fn of_two_hosts_at_once_one_takes_it() {
    let world = SealerFixture::new().await;
    let ((_, one), (_, two)) = (world.host(0), world.host(0));
    for _ in 0..50 {
        let text = one
            .seal(&Space::Host, purpose(&[]), LIFE, b"state")
            .await
            .unwrap();
        let (first, second) = tokio::join!(
            one.take(&Space::Host, purpose(&[]), &text),
            two.take(&Space::Host, purpose(&[]), &text)
        );
        assert!(first.is_ok() != second.is_ok());
    }
}

#[tokio::test]
async fn clocks_five_seconds_apart_lose_no_state_and_use_none_twice() {
    let world = SealerFixture::new().await;
    for (of_one, of_two) in [(-5, 5), (5, -5), (0, 5), (0, -5)] {
        let ((host_one, one), (host_two, two)) = (world.host(of_one), world.host(of_two));
        let text = one
            .seal(&Space::Host, purpose(&[]), LIFE, b"state")
            .await
            .unwrap();
        assert!(two.take(&Space::Host, purpose(&[]), &text).await.is_ok());
        // At its very end by the earlier clock it is marked still, by whoever sweeps.
        let at_end = i64::try_from(LIFE.as_secs()).unwrap() - 1;
        host_one.skew.store(of_one + at_end, Ordering::Relaxed);
        host_two.skew.store(of_two + at_end + 10, Ordering::Relaxed);
        let other = two
            .seal(&Space::Host, purpose(&[]), LIFE, b"other")
            .await
            .unwrap();
        two.take(&Space::Host, purpose(&[]), &other).await.unwrap();
        assert_eq!(
            one.take(&Space::Host, purpose(&[]), &text).await,
            Err(StateError::Invalid)
        );
    }
}

#[tokio::test]
async fn a_state_ends_in_time_with_its_tenant_and_with_its_generation() {
    let world = SealerFixture::new().await;
    let (host, sealer) = world.host(0);
    let acme = Space::from(tenant("acme"));
    let seal = async |sealer: &StateSealer| {
        sealer
            .seal(&acme, purpose(&[]), LIFE, b"state")
            .await
            .unwrap()
    };
    let late = seal(&sealer).await;
    host.skew.store(600, Ordering::Relaxed);
    assert_eq!(
        sealer.take(&acme, purpose(&[]), &late).await,
        Err(StateError::Invalid)
    );
    host.skew.store(0, Ordering::Relaxed);

    let keyring = world.keyring();
    let sealer = StateSealer::new(Arc::clone(&host) as Arc<dyn Store>, Arc::clone(&keyring));
    let before = seal(&sealer).await;
    keyring.rotate(&acme).unwrap();
    assert!(
        sealer.peek(&acme, purpose(&[]), &before).await.is_ok(),
        "rotated"
    );
    keyring.retire(&acme, crate::keys::Generation(1)).unwrap();
    assert_eq!(
        sealer.peek(&acme, purpose(&[]), &before).await,
        Err(StateError::Invalid),
        "retired"
    );

    let old = seal(&sealer).await;
    keyring.destroy(&tenant("acme")).unwrap();
    assert_eq!(
        sealer.take(&acme, purpose(&[]), &old).await,
        Err(StateError::Invalid),
        "removed"
    );
    keyring.create(&acme).unwrap();
    assert_eq!(
        sealer.take(&acme, purpose(&[]), &old).await,
        Err(StateError::Invalid),
        "made again"
    );
    let new = seal(&sealer).await;
    assert!(sealer.take(&acme, purpose(&[]), &new).await.is_ok());
}

#[tokio::test]
async fn marks_of_states_that_are_over_do_not_stay() {
    let world = SealerFixture::new().await;
    let (host, sealer) = world.host(0);
    let use_one = async |sealer: &StateSealer| {
        let text = sealer
            .seal(&Space::Host, purpose(&[]), LIFE, b"")
            .await
            .unwrap();
        sealer
            .take(&Space::Host, purpose(&[]), &text)
            .await
            .unwrap();
    };
    for _ in 0..20 {
        use_one(&sealer).await;
    }
    host.skew.store(700, Ordering::Relaxed);
    for _ in 0..3 {
        use_one(&sealer).await;
    }
    let left = host
        .scan(&Space::Host, &Scan::group(Table::UsedState, &[]))
        .await
        .unwrap();
    assert_eq!(left.found.len(), 3);
}

#[tokio::test]
async fn a_broken_clock_seals_nothing_and_takes_nothing() {
    let world = SealerFixture::new().await;
    let (host, sealer) = world.host(0);
    let text = sealer
        .seal(&Space::Host, purpose(&[]), LIFE, b"")
        .await
        .unwrap();
    host.skew.store(-1_000_000_000, Ordering::Relaxed);
    assert_eq!(
        sealer.take(&Space::Host, purpose(&[]), &text).await,
        Err(StateError::Invalid)
    );
    assert!(
        sealer
            .seal(&Space::Host, purpose(&[]), LIFE, b"")
            .await
            .is_err()
    );
}
