use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use toolhost_audit::{ChangeAction, Event, Sink, SinkError, TenantChanged};
use toolhost_identity::{
    Binding, Directory as _, Operator, Principal, Tenant, TenantId, TenantSpace,
};
use toolhost_store::{Change, Precondition, Space, Store, StoreError};

use super::rate::Rate;
use super::record::{self, ProvisionStep};
use crate::directory::tombstone;
use crate::{ChangeError, Clock, StoredDirectory, SystemClock};

/// Tenants that one issuer brings along within a minute, where nothing else is configured.
pub const MAX_ADMITTED_A_MINUTE: u32 = 10;
/// Tenants that a directory has before no issuer brings another along. The operator still adds
/// more.
pub const MAX_ADMITTED: usize = 10_000;
/// How soon a tenant's storage is tried again after a failure, in seconds.
const RETRY_AFTER: u64 = 5;
/// How long a caller waits for its tenant's storage, which is made even if the caller goes away. A
/// space is made in milliseconds, in a few seconds where a database is created for it.
const WAIT: Duration = Duration::from_secs(10);

/// Why a tenant has no storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProvisionError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It failed a moment ago and is not tried yet, or takes long.
    #[error("it failed a moment ago and is tried again soon, or it is still under way")]
    Waiting,
    /// The tenant was removed after the caller was bound to it. Nothing is made for it.
    #[error("the tenant was removed")]
    Removed,
    /// The directory.
    #[error(transparent)]
    Directory(#[from] ChangeError),
    /// It could not be recorded.
    #[error("it cannot be recorded: {0}")]
    Unrecorded(#[from] SinkError),
    /// The task that made it was broken off.
    #[error("it was broken off")]
    BrokenOff,
}

/// Makes tenants' storage, one flight a tenant.
#[derive(Debug)]
pub struct Provisioner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Where tenants that issuers bring along are added, and which issuers may.
    admission: Option<Admission>,
    ready: Mutex<ReadyTenants>,
    failed: Mutex<HashMap<TenantId, u64>>,
    flights: Mutex<HashMap<TenantId, Weak<tokio::sync::Mutex<()>>>>,
}

/// What has its storage, as far as this host has looked.
#[derive(Debug, Default)]
struct ReadyTenants {
    tenants: HashSet<TenantId>,
    /// How often one was taken out. What was found ready before that is looked at again.
    forgotten: u64,
}

#[derive(Debug)]
struct Admission {
    directory: Arc<StoredDirectory>,
    issuers: HashMap<String, u32>,
    rate: Rate,
    audit: Arc<dyn Sink>,
}

impl Provisioner {
    /// For the tenants that the directory has.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_clock(store, Arc::new(SystemClock::default()))
    }

    /// A provisioner that judges times by another clock.
    #[must_use]
    pub fn with_clock(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            admission: None,
            ready: Mutex::default(),
            failed: Mutex::default(),
            flights: Mutex::default(),
        }
    }

    /// Also for tenants that the tokens of these issuers name for the first time, so many a minute
    /// each: they become roots of the directory. What cannot be recorded is not added.
    #[must_use]
    pub fn with_admission(
        mut self,
        directory: Arc<StoredDirectory>,
        issuers: impl IntoIterator<Item = (String, u32)>,
        audit: Arc<dyn Sink>,
    ) -> Self {
        self.admission = Some(Admission {
            directory,
            issuers: issuers.into_iter().collect(),
            rate: Rate::default(),
            audit,
        });
        self
    }

    /// Adds the tenant that a principal's token names to the directory, if its issuer may bring
    /// tenants along. Whether the directory has it now. A tenant that is suspended or was removed
    /// stays so.
    pub async fn admit(&self, principal: &Principal) -> bool {
        let Some(admission) = &self.admission else {
            return false;
        };
        let Some(limit) = admission
            .issuers
            .get(principal.tenant_scope().issuer())
            .copied()
        else {
            return false;
        };
        let named = principal
            .tenant_key()
            .and_then(|key| TenantId::parse(key).ok());
        let Some(id) = named.filter(|id| principal.tenant_scope().allows_new(id)) else {
            return false;
        };
        // However many come at once, it counts once against its issuer.
        let flight = self.flight(&id).lock_owned();
        let Ok(_flying) = tokio::time::timeout(WAIT, flight).await else {
            return false;
        };
        if admission.directory.tree().get(&id).is_some() {
            return true;
        }
        if admission.directory.tree().len() >= MAX_ADMITTED
            || !admission.rate.take(
                principal.tenant_scope().issuer(),
                limit,
                self.clock.elapsed(),
            )
        {
            tracing::warn!(
                issuer = principal.issuer(),
                "an issuer brings too many tenants along"
            );
            return false;
        }
        match admission.add(&id, principal).await {
            Ok(()) => {
                tracing::info!(tenant = %id, issuer = principal.issuer(), "a tenant was seen for the first time");
                true
            }
            Err(ProvisionError::Directory(ChangeError::Exists(_))) => true,
            Err(error) => {
                tracing::warn!(tenant = %id, %error, "a tenant was not added");
                false
            }
        }
    }

    /// Makes sure that the binding's tenant has its storage. The directory serves that tenant, or
    /// there would be no binding. However many come at once, it is made once.
    ///
    /// # Errors
    /// It could not be made; the next sight goes on where this one stopped, after 5 s.
    pub async fn ensure(self: &Arc<Self>, binding: &Binding) -> Result<(), ProvisionError> {
        self.ensure_space(binding.space()).await
    }

    /// Makes the storage of a tenant that the operator has just added, so that its credentials can
    /// be kept before its first call.
    ///
    /// # Errors
    /// As [`Provisioner::ensure`].
    pub async fn prepare(
        self: &Arc<Self>,
        tenant: &TenantId,
        by: &Operator,
    ) -> Result<(), ProvisionError> {
        self.ensure_space(TenantSpace::of_operator(tenant.clone(), by))
            .await
    }

    async fn ensure_space(self: &Arc<Self>, space: TenantSpace) -> Result<(), ProvisionError> {
        if lock(&self.ready).tenants.contains(space.tenant()) {
            return Ok(());
        }
        let made = self.make_in_turn(space);
        tokio::time::timeout(WAIT, made)
            .await
            .unwrap_or(Err(ProvisionError::Waiting))
    }

    async fn make_in_turn(self: &Arc<Self>, space: TenantSpace) -> Result<(), ProvisionError> {
        let flight = self.flight(space.tenant());
        let _flying = Arc::clone(&flight).lock_owned().await;
        if lock(&self.ready).tenants.contains(space.tenant()) {
            return Ok(());
        }
        let now = self.clock.elapsed();
        let failed_at = lock(&self.failed).get(space.tenant()).copied();
        if failed_at.is_some_and(|at| now.saturating_sub(at) < RETRY_AFTER) {
            return Err(ProvisionError::Waiting);
        }
        let here = Arc::clone(self);
        let forgotten = lock(&self.ready).forgotten;
        // In a task of its own: a caller that goes away must not cost the others their tenant.
        let task = tokio::spawn(async move {
            let _flying = _flying;
            let result = here.make(&space).await;
            match &result {
                Ok(()) => {
                    lock(&here.failed).remove(space.tenant());
                    let mut ready = lock(&here.ready);
                    if ready.forgotten == forgotten {
                        ready.tenants.insert(space.tenant().clone());
                    }
                }
                Err(_) => {
                    // From its end: what took long to fail is not tried again by each that waited
                    // for it.
                    let at = here.clock.elapsed();
                    lock(&here.failed).insert(space.tenant().clone(), at);
                }
            }
            result
        });
        task.await.unwrap_or(Err(ProvisionError::BrokenOff))
    }

    /// The tenant was removed: should the operator add it again, its storage is made anew.
    pub fn forget(&self, tenant: &TenantId) {
        let mut ready = lock(&self.ready);
        ready.tenants.remove(tenant);
        ready.forgotten += 1;
    }

    /// Each step can be made again, and the record says after which one to go on.
    async fn make(&self, space: &TenantSpace) -> Result<(), ProvisionError> {
        let key = record::key(space.tenant())?;
        let done = self.store.get(&Space::Host, &key).await?;
        let ready =
            done.is_some_and(|record| ProvisionStep::read(&record.value) == ProvisionStep::Ready);
        if !ready {
            self.record_step(space, ProvisionStep::Creating).await?;
        }
        // A space that was destroyed is made again even where the record says that it was there.
        let made = self.store.create(space).await?;
        if ready && !made {
            return Ok(());
        }
        let recorded = self.record_step(space, ProvisionStep::Ready).await;
        if matches!(recorded, Err(ProvisionError::Removed)) && made {
            // The removal came before the space, and has not seen it.
            self.store.destroy(space).await?;
        }
        recorded
    }

    /// Writes a step down, unless the tenant was removed meanwhile: a caller who was bound just
    /// before does not bring its space back.
    async fn record_step(
        &self,
        space: &TenantSpace,
        step: ProvisionStep,
    ) -> Result<(), ProvisionError> {
        let key = record::key(space.tenant())?;
        let changes = vec![
            Change::Put {
                key,
                value: step.write().to_vec(),
                expect: Precondition::Any,
            },
            Change::Delete {
                key: tombstone(space.tenant())?,
                expect: Precondition::Absent,
            },
        ];
        match self.store.batch(&Space::Host, changes).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict) => Err(ProvisionError::Removed),
            Err(error) => Err(error.into()),
        }
    }

    fn flight(&self, tenant: &TenantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(tenant).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        flights.insert(tenant.clone(), Arc::downgrade(&flight));
        flight
    }
}

impl Admission {
    /// Adds a tenant, with a record before and after it.
    async fn add(&self, id: &TenantId, principal: &Principal) -> Result<(), ProvisionError> {
        let change = |done| {
            Event::TenantChanged(TenantChanged {
                tenant: id.to_string(),
                action: ChangeAction::Add,
                parent: None,
                by: format!("{} at {}", principal.subject(), principal.issuer()),
                done,
            })
        };
        self.audit.record(&change(false)).await?;
        self.directory.admit(&Tenant::root(id.clone())).await?;
        Ok(self.audit.record(&change(true)).await?)
    }
}

/// Each change is one step, so a panic elsewhere leaves the map whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
