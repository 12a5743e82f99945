//! Storage at first sight: A17.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use support::town::{AfterCreate, Town, by, id, roles, space};
use support::{ISSUER, OTHER, dev_key, jwks_url};
use toolhost_audit::LogSink;
use toolhost_identity::{Directory as _, NamedTenants, Tenant, TenantSpace};
use toolhost_store::{Store, StoreError};
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{Clock as _, MAX_ADMITTED_A_MINUTE, Provisioner, Reach, Tenancy};

/// Counts the spaces that are made; on demand the answer about one is lost.
#[derive(Debug, Default)]
struct Creations {
    count: AtomicUsize,
    fails: AtomicBool,
}

#[async_trait]
impl AfterCreate for Creations {
    async fn created(&self, _space: &TenantSpace) -> Result<(), StoreError> {
        self.count.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the answer was lost".into()));
        }
        Ok(())
    }
}

struct Fresh {
    town: Town,
    creations: Arc<Creations>,
    provisioner: Arc<Provisioner>,
    tenancy: Arc<Tenancy>,
    other: toolhost_tenancy::dev::DevKey,
}

impl Fresh {
    /// Tokens of the first issuer may bring tenants along; those of the other may not.
    async fn new() -> Self {
        let town = Town::new(Reach::Tree).await;
        let creations = Arc::new(Creations::default());
        town.store.after_create(creations.clone());
        let (provisioner, tenancy) = Self::host(&town);
        let other = dev_key();
        town.net.serve_keys(&jwks_url(OTHER), &[&other]);
        Self {
            town,
            creations,
            provisioner,
            tenancy,
            other,
        }
    }

    fn host(town: &Town) -> (Arc<Provisioner>, Arc<Tenancy>) {
        let provisioner = Provisioner::with_clock(town.store.clone(), town.clock.clone())
            .with_admission(
                town.directory.clone(),
                [(ISSUER.to_owned(), MAX_ADMITTED_A_MINUTE)],
                Arc::new(LogSink),
            );
        let provisioner = Arc::new(provisioner);
        let configs = [ISSUER, OTHER].map(|issuer| {
            let mut config = roles(issuer);
            config.tenants = Some(NamedTenants::All);
            config
        });
        let (net, clock) = (town.net.clone(), town.clock.clone());
        let tenancy = Tenancy::with_clock(configs.into(), town.directory.clone(), None, net, clock)
            .unwrap()
            .with_provisioner(provisioner.clone());
        (provisioner, Arc::new(tenancy))
    }

    fn token(&self, tenant: &str) -> String {
        let request = self.town.request("olga", "OWNER", Some(tenant));
        self.town
            .key
            .mint(&request, self.town.clock.unix())
            .unwrap()
    }

    async fn status(&self, token: &str) -> u16 {
        let result = self.tenancy.authenticate_token(token).await;
        result.map_or_else(|error| error.status(), |_| 200)
    }

    async fn has_space(&self, tenant: &str) -> bool {
        self.town
            .store
            .tenants()
            .await
            .unwrap()
            .contains(&id(tenant))
    }

    fn creations(&self) -> usize {
        self.creations.count.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a17_a_hundred_first_calls_make_a_tenants_storage_once() {
    let fresh = Arc::new(Fresh::new().await);
    let calls = (0..100).map(|_| {
        let fresh = fresh.clone();
        tokio::spawn(async move { fresh.status(&fresh.token("newco")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(fresh.creations(), 1);
    assert!(fresh.has_space("newco").await);
    assert_eq!(fresh.town.directory.tree().len(), 6);
    // Nor does another host, or this one after a restart.
    let (_, tenancy) = Fresh::host(&fresh.town);
    assert!(
        tenancy
            .authenticate_token(&fresh.token("newco"))
            .await
            .is_ok()
    );
    assert_eq!(fresh.creations(), 1);
}

#[tokio::test]
async fn a17_an_issuer_that_may_not_brings_nobody_along() {
    let fresh = Fresh::new().await;
    let request = MintRequest {
        issuer: OTHER.into(),
        ..fresh.town.request("olga", "SUPERADMIN", Some("newco"))
    };
    let token = fresh.other.mint(&request, fresh.town.clock.unix()).unwrap();
    assert_eq!(fresh.status(&token).await, 403);
    assert!(!fresh.has_space("newco").await && fresh.creations() == 0);
    assert_eq!(fresh.town.directory.tree().len(), 5);
    // What is no tenant's name is none of the first issuer's either.
    for odd in ["org_AbC", "default", "NEWCO", "-x"] {
        assert_eq!(fresh.status(&fresh.token(odd)).await, 403, "{odd}");
    }
    assert_eq!(fresh.town.directory.tree().len(), 5);
}

#[tokio::test]
async fn a17_a_tenant_that_is_suspended_or_was_removed_is_not_brought_back() {
    let fresh = Fresh::new().await;
    assert_eq!(fresh.status(&fresh.token("newco")).await, 200);
    fresh
        .town
        .directory
        .suspend(&id("newco"), &by())
        .await
        .unwrap();
    assert_eq!(fresh.status(&fresh.token("newco")).await, 403);
    fresh
        .town
        .directory
        .remove(&id("newco"), &by())
        .await
        .unwrap();
    fresh.provisioner.forget(&id("newco"));
    assert_eq!(fresh.status(&fresh.token("newco")).await, 403);
    assert!(!fresh.has_space("newco").await);
    // By the operator it is, and is set up anew.
    fresh
        .town
        .directory
        .add(Tenant::root(id("newco")), &by())
        .await
        .unwrap();
    assert_eq!(fresh.status(&fresh.token("newco")).await, 200);
    assert_eq!(fresh.creations(), 2);
}

#[tokio::test]
async fn a17_an_issuer_brings_ten_tenants_a_minute_along() {
    let fresh = Fresh::new().await;
    for n in 0..MAX_ADMITTED_A_MINUTE {
        assert_eq!(fresh.status(&fresh.token(&format!("new-{n}"))).await, 200);
    }
    assert_eq!(fresh.status(&fresh.token("one-more")).await, 403);
    assert_eq!(
        fresh.status(&fresh.token("new-0")).await,
        200,
        "those that are there are served"
    );
    fresh.town.clock.pass(60);
    assert_eq!(fresh.status(&fresh.token("one-more")).await, 200);
}

#[tokio::test]
async fn a17_what_failed_is_tried_again_and_goes_on_where_it_stopped() {
    let fresh = Fresh::new().await;
    fresh.creations.fails.store(true, Ordering::SeqCst);
    assert_eq!(fresh.status(&fresh.token("newco")).await, 503);
    assert_eq!(fresh.status(&fresh.token("newco")).await, 503);
    // At once it would go well: the space is there.
    fresh.creations.fails.store(false, Ordering::SeqCst);
    fresh.town.clock.pass(5);
    assert_eq!(fresh.status(&fresh.token("newco")).await, 200);
    // A host that crashed between the space and its record: the next one goes on.
    fresh.creations.fails.store(true, Ordering::SeqCst);
    assert_eq!(fresh.status(&fresh.token("halfco")).await, 503);
    assert!(fresh.has_space("halfco").await);
    fresh.creations.fails.store(false, Ordering::SeqCst);
    let (_, restarted) = Fresh::host(&fresh.town);
    assert!(
        restarted
            .authenticate_token(&fresh.token("halfco"))
            .await
            .is_ok()
    );
    assert_eq!(fresh.creations(), 2, "once for each tenant");
}

#[tokio::test]
async fn a17_a_caller_that_goes_away_does_not_stop_the_others() {
    let fresh = Arc::new(Fresh::new().await);
    fresh
        .town
        .directory
        .add(Tenant::root(id("newco")), &by())
        .await
        .unwrap();
    let tokens: Vec<_> = (0..2).map(|_| fresh.token("newco")).collect();
    // The issuer's keys are there.
    assert_eq!(fresh.status(&fresh.token("acme")).await, 200);
    for steps in 0..40 {
        let mut going = Box::pin(fresh.tenancy.authenticate_token(&tokens[0]));
        for _ in 0..steps {
            if futures::poll!(going.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(going);
    }
    assert_eq!(fresh.status(&tokens[1]).await, 200);
    assert_eq!(fresh.creations(), 1);
}

#[tokio::test]
async fn a_tenant_of_the_directory_gets_storage_without_any_limit() {
    let fresh = Fresh::new().await;
    for n in 0..2 * MAX_ADMITTED_A_MINUTE {
        let tenant = format!("listed-{n}");
        fresh
            .town
            .directory
            .add(Tenant::root(id(&tenant)), &by())
            .await
            .unwrap();
        assert_eq!(fresh.status(&fresh.token(&tenant)).await, 200);
        assert!(fresh.has_space(&tenant).await);
    }
    assert!(fresh.town.store.destroy(&space("listed-0")).await.unwrap());
}

#[tokio::test]
async fn a17_there_is_an_end_to_the_tenants_that_are_brought_along() {
    use toolhost_store::{Key, Space, Table};
    use toolhost_tenancy::{Freshness, MAX_ADMITTED, StoredDirectory};
    let fresh = Fresh::new().await;
    let record = br#"{"parent":null,"state":"active","display_name":"","keys":[]}"#;
    for n in 0..MAX_ADMITTED - 6 {
        let key = Key::new(
            Table::Tenant,
            &[b"directory"],
            format!("many-{n}").as_bytes(),
        )
        .unwrap();
        fresh
            .town
            .store
            .inner
            .put(&Space::Host, &key, record.to_vec())
            .await
            .unwrap();
    }
    let directory = StoredDirectory::open(fresh.town.store.clone(), Freshness::Sole)
        .await
        .unwrap();
    let provisioner = Provisioner::with_clock(fresh.town.store.clone(), fresh.town.clock.clone())
        .with_admission(
            Arc::new(directory),
            [(ISSUER.to_owned(), MAX_ADMITTED_A_MINUTE)],
            Arc::new(LogSink),
        );
    let of = async |tenant: &str| {
        let principal = fresh.town.who("olga", "OWNER", Some("acme")).await;
        assert!(
            provisioner.admit(&principal.principal).await,
            "those that are there stay"
        );
        let request = fresh.town.request("olga", "OWNER", Some(tenant));
        let token = fresh
            .town
            .key
            .mint(&request, fresh.town.clock.unix())
            .unwrap();
        let unbound = Tenancy::with_clock(
            vec![roles(ISSUER)],
            Arc::new(toolhost_identity::StaticDirectory::new([(id(tenant), vec![])]).unwrap()),
            None,
            fresh.town.net.clone(),
            fresh.town.clock.clone(),
        );
        let admitted = unbound.unwrap().admit_token(&token).await.unwrap();
        provisioner.admit(&admitted.presented.principal).await
    };
    assert!(of("last-one").await);
    assert!(!of("one-more").await);
}

/// Removes a tenant while its storage is being made.
#[derive(Debug)]
struct Between {
    store: Arc<support::town::SlowStore>,
    directory: Arc<toolhost_tenancy::StoredDirectory>,
    removed: AtomicBool,
}

#[async_trait]
impl AfterCreate for Between {
    async fn created(&self, space: &TenantSpace) -> Result<(), StoreError> {
        if !self.removed.swap(true, Ordering::SeqCst) {
            self.directory.remove(space.tenant(), &by()).await.unwrap();
            self.store.create(space).await.unwrap();
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_caller_who_was_bound_before_a_removal_brings_no_space_back() {
    let fresh = Fresh::new().await;
    let bound = fresh
        .tenancy
        .authenticate_token(&fresh.token("newco"))
        .await
        .unwrap();
    let removed = fresh
        .town
        .directory
        .remove(&id("newco"), &by())
        .await
        .unwrap();
    assert!(removed.space);
    fresh.provisioner.forget(&id("newco"));
    let refused = fresh.provisioner.ensure(&bound.binding).await;
    assert_eq!(refused, Err(toolhost_tenancy::ProvisionError::Removed));
    assert!(!fresh.has_space("newco").await);
    assert_eq!(fresh.status(&fresh.token("newco")).await, 403);

    // The removal comes in the middle: after the first step, and before the last.
    let between = Arc::new(Between {
        store: fresh.town.store.clone(),
        directory: fresh.town.directory.clone(),
        removed: AtomicBool::new(false),
    });
    let town = &fresh.town;
    town.store.after_create(between);
    let provisioner = Provisioner::with_clock(town.store.clone(), town.clock.clone());
    let provisioner = Arc::new(provisioner);
    town.directory
        .add(Tenant::root(id("late")), &by())
        .await
        .unwrap();
    let refused = provisioner.prepare(&id("late"), &by()).await;
    assert_eq!(refused, Err(toolhost_tenancy::ProvisionError::Removed));
    assert!(!fresh.has_space("late").await);
}

#[derive(Debug)]
struct Broken;

impl toolhost_audit::Sink for Broken {
    fn record_now(&self, _event: &toolhost_audit::Event) -> Result<(), toolhost_audit::SinkError> {
        Err(toolhost_audit::SinkError::Unwritable("told to fail".into()))
    }
}

#[tokio::test]
async fn a_tenant_whose_admission_cannot_be_recorded_is_not_added() {
    let fresh = Fresh::new().await;
    let town = &fresh.town;
    let provisioner = Provisioner::with_clock(town.store.clone(), town.clock.clone())
        .with_admission(
            town.directory.clone(),
            [(ISSUER.to_owned(), 10)],
            Arc::new(Broken),
        );
    let (net, clock) = (town.net.clone(), town.clock.clone());
    let tenancy = Tenancy::with_clock(
        vec![roles(ISSUER)],
        town.directory.clone(),
        None,
        net,
        clock,
    )
    .unwrap()
    .with_provisioner(Arc::new(provisioner));
    let refused = tenancy
        .authenticate_token(&fresh.token("newco"))
        .await
        .unwrap_err();
    assert_eq!(refused.status(), 403);
    assert_eq!(town.directory.tree().get(&id("newco")), None);
}

/// The tenant is removed, and added again, while its storage is being made.
#[derive(Debug, Default)]
struct Forgets(std::sync::OnceLock<Arc<Provisioner>>);

#[async_trait]
impl AfterCreate for Forgets {
    async fn created(&self, space: &TenantSpace) -> Result<(), StoreError> {
        self.0.get().unwrap().forget(space.tenant());
        Ok(())
    }
}

#[tokio::test]
async fn what_was_made_before_a_removal_does_not_count_after_it() {
    let town = Town::new(Reach::Tree).await;
    let forgets = Arc::new(Forgets::default());
    town.store.after_create(forgets.clone());
    let provisioner = Provisioner::with_clock(town.store.clone(), town.clock.clone());
    let provisioner = Arc::new(provisioner);
    forgets.0.set(provisioner.clone()).unwrap();
    town.store.destroy(&space("globex")).await.unwrap();
    provisioner.prepare(&id("globex"), &by()).await.unwrap();
    town.store.destroy(&space("globex")).await.unwrap();
    provisioner.prepare(&id("globex"), &by()).await.unwrap();
    assert!(town.store.tenants().await.unwrap().contains(&id("globex")));
}
