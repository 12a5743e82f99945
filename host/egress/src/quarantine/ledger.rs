use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;
use toolhost_identity::{TenantId, TenantSpace};
use toolhost_policy::{ConnectionName, PluginName};
use toolhost_store::{MemoryStore, Precondition, Space, Store, StoreError};

use super::record::{self, ReflectionRecord, Reflections};

/// With which call the connection is quarantined. The first may be an outside system that names the
/// key it was asked with, and is told to the operator; what comes again is a mirror.
const QUARANTINED_AT: u32 = 2;

/// How long it is remembered whether a connection is quarantined: another host may have changed it,
/// or the tenant was removed and added again. Within this time a request may leave; its answer is
/// still withheld, since the store is asked before an answer that holds the credential is handed
/// on.
const MAX_AGE: Duration = Duration::from_secs(2);

/// How many triples are remembered; the others are read again.
const MAX_REMEMBERED: u64 = 10_000;

/// How often a record is written again that other calls write in the same moment. Each of them
/// brings it nearer to its end.
const ATTEMPTS: usize = 16;

/// Why nobody knows whether a connection is quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineError {
    /// A record is not one that this host writes.
    #[error("what is kept of the answers of {0} cannot be read; lift its quarantine")]
    Damaged(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What becomes of an answer that held the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReflectionVerdict {
    /// It is the first: handed on without the credential.
    HandOn,
    /// It is withheld, and the connection is quarantined; `true` where that is new.
    Withhold(bool),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct QuarantineKey {
    tenant: TenantId,
    plugin: PluginName,
    connection: ConnectionName,
}

#[derive(Debug, Clone, Copy)]
struct QuarantineStatus {
    quarantined: bool,
    read: Instant,
}

/// The quarantined connections, by tenant and plugin. Clones are one.
#[derive(Debug, Clone)]
pub struct Quarantine {
    store: Arc<dyn Store>,
    /// The store is this one's own, and has no spaces but those that are made here.
    is_own: bool,
    known: Cache<QuarantineKey, QuarantineStatus>,
}

impl Default for Quarantine {
    /// In memory.
    fn default() -> Self {
        Self {
            is_own: true,
            ..Self::new(Arc::new(MemoryStore::default()))
        }
    }
}

impl Quarantine {
    /// Over the tenants' spaces.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            is_own: false,
            known: Cache::new(MAX_REMEMBERED),
        }
    }

    /// Whether the plugin may not use the connection for this tenant.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) async fn contains(
        &self,
        space: &TenantSpace,
        plugin: &PluginName,
        connection: &ConnectionName,
    ) -> Result<bool, QuarantineError> {
        let triple = triple(space, plugin, connection);
        let is_fresh = |known: &QuarantineStatus| known.read.elapsed() < MAX_AGE;
        if let Some(known) = self.known.get(&triple).filter(is_fresh) {
            return Ok(known.quarantined);
        }
        let read = Instant::now();
        let key = record::key(plugin, connection)?;
        let quarantined = match self.store.get(&Space::Tenant(space.clone()), &key).await {
            // Nothing was kept of this tenant yet.
            Ok(None) | Err(StoreError::UnknownSpace { .. }) => false,
            // One that cannot be read counts as the worst that it can say.
            Ok(Some(found)) => {
                record::read(&found.value).is_none_or(|record| record.quarantined.is_some())
            }
            Err(error) => return Err(error.into()),
        };
        self.known
            .insert(triple, QuarantineStatus { quarantined, read });
        Ok(quarantined)
    }

    /// Writes down that a call had an answer with the credential in it, before anything of that
    /// answer is handed on. It is written also where nobody waits for it any more: a guest that
    /// drops the answer does not prevent it.
    ///
    /// # Errors
    /// It cannot be written: nothing may be handed on.
    pub(crate) async fn record_reflection(
        &self,
        space: &TenantSpace,
        plugin: &PluginName,
        connection: &ConnectionName,
    ) -> Result<ReflectionVerdict, QuarantineError> {
        let (own, space, plugin, connection) = (
            self.clone(),
            space.clone(),
            plugin.clone(),
            connection.clone(),
        );
        let written = tokio::spawn(async move {
            let verdict = own.write(&space, &plugin, &connection).await;
            if let Ok(ReflectionVerdict::Withhold(true)) = verdict {
                metrics::counter!("toolhost_egress_quarantines_total").increment(1);
                tracing::error!(
                    tenant = %space.tenant(), %plugin, %connection,
                    "a connection is quarantined: its answers held the credential in two calls"
                );
            }
            verdict
        });
        let cut_short =
            |_| Err(StoreError::Unavailable("its work was cut short".to_owned()).into());
        written.await.unwrap_or_else(cut_short)
    }

    async fn write(
        &self,
        space: &TenantSpace,
        plugin: &PluginName,
        connection: &ConnectionName,
    ) -> Result<ReflectionVerdict, QuarantineError> {
        let (place, key) = (
            Space::Tenant(space.clone()),
            record::key(plugin, connection)?,
        );
        let damaged = || QuarantineError::Damaged(connection.to_string());
        if self.is_own {
            self.store.create(space).await?;
        }
        let mut conflict = StoreError::Conflict;
        for _ in 0..ATTEMPTS {
            let found = self.store.get(&place, &key).await?;
            let before = match &found {
                None => None,
                Some(found) => Some(record::read(&found.value).ok_or_else(damaged)?),
            };
            let (after, verdict) = next_record(before, now_secs());
            let expect = found.map_or(Precondition::Absent, |found| {
                Precondition::Version(found.version)
            });
            let value = serde_json::to_vec(&after).map_err(|_| damaged())?;
            match self
                .store
                .compare_and_set(&place, &key, expect, value)
                .await
            {
                Ok(_) => {
                    let known = QuarantineStatus {
                        quarantined: after.quarantined.is_some(),
                        read: Instant::now(),
                    };
                    self.known.insert(triple(space, plugin, connection), known);
                    return Ok(verdict);
                }
                Err(error @ StoreError::Conflict) => conflict = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(conflict.into())
    }

    /// What is kept of a tenant.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn list(&self, space: &TenantSpace) -> Result<Vec<Reflections>, QuarantineError> {
        let place = Space::Tenant(space.clone());
        let mut scan = record::scan();
        let mut list = Vec::new();
        loop {
            let page = match self.store.scan(&place, &scan).await {
                Err(StoreError::UnknownSpace { .. }) => return Ok(list),
                page => page?,
            };
            for found in &page.found {
                let damaged = || QuarantineError::Damaged(space.tenant().to_string());
                let (plugin, connection) = record::names(found.key.name()).ok_or_else(damaged)?;
                let record = record::read(&found.record.value).ok_or_else(damaged)?;
                list.push(Reflections {
                    plugin,
                    connection,
                    record,
                });
            }
            match page.found.last().filter(|_| page.more) {
                Some(last) => scan = record::scan().after(last.key.name()),
                None => return Ok(list),
            }
        }
    }

    /// Forgets what is kept of a triple, so that the plugin may use the connection again. Whether
    /// there was anything.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn lift(
        &self,
        space: &TenantSpace,
        plugin: &PluginName,
        connection: &ConnectionName,
    ) -> Result<bool, QuarantineError> {
        let (place, key) = (
            Space::Tenant(space.clone()),
            record::key(plugin, connection)?,
        );
        let there = match self.store.get(&place, &key).await {
            Err(StoreError::UnknownSpace { .. }) => return Ok(false),
            found => found?.is_some(),
        };
        if there {
            self.store.delete(&place, &key).await?;
        }
        let known = QuarantineStatus {
            quarantined: false,
            read: Instant::now(),
        };
        self.known.insert(triple(space, plugin, connection), known);
        Ok(there)
    }
}

fn triple(space: &TenantSpace, plugin: &PluginName, connection: &ConnectionName) -> QuarantineKey {
    QuarantineKey {
        tenant: space.tenant().clone(),
        plugin: plugin.clone(),
        connection: connection.clone(),
    }
}

fn next_record(
    before: Option<ReflectionRecord>,
    now: u64,
) -> (ReflectionRecord, ReflectionVerdict) {
    let mut record = before.unwrap_or(ReflectionRecord {
        calls: 0,
        first: now,
        last: now,
        quarantined: None,
    });
    record.calls = record.calls.saturating_add(1);
    record.last = now;
    if record.calls < QUARANTINED_AT && record.quarantined.is_none() {
        return (record, ReflectionVerdict::HandOn);
    }
    let is_new = record.quarantined.is_none();
    record.quarantined.get_or_insert(now);
    (record, ReflectionVerdict::Withhold(is_new))
}

/// Unix seconds, for people: nothing is decided by them.
fn now_secs() -> u64 {
    toolhost_policy::UnixTime::now()
        .if_valid()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use toolhost_identity::{Operator, TenantId, TenantSpace};
    use toolhost_policy::{ConnectionName, PluginName};
    use toolhost_store::{MemoryStore, Store};

    use super::{Quarantine, ReflectionVerdict};

    fn space(tenant: &str) -> TenantSpace {
        TenantSpace::of_operator(
            TenantId::parse(tenant).unwrap(),
            &Operator::of_this_process(),
        )
    }

    fn names(plugin: &str, connection: &str) -> (PluginName, ConnectionName) {
        (
            PluginName::parse(plugin).unwrap(),
            ConnectionName::parse(connection).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_guest_that_drops_its_answer_is_counted_as_every_other() {
        let host = Quarantine::new(Arc::new(MemoryStore::default()));
        let acme = space("acme");
        host.store.create(&acme).await.unwrap();
        let (plugin, connection) = names("mirror", "echo");
        for _ in 0..2 {
            let dropped = host
                .record_reflection(&acme, &plugin, &connection)
                .now_or_never();
            assert!(dropped.is_none());
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        assert!(host.contains(&acme, &plugin, &connection).await.unwrap());
    }

    #[tokio::test]
    async fn the_second_call_quarantines_its_own_triple_alone_until_it_is_lifted() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let acme = space("acme");
        for tenant in ["acme", "globex"] {
            store.create(&space(tenant)).await.unwrap();
        }
        let (plugin, connection) = names("mirror", "echo");
        let host = Quarantine::new(Arc::clone(&store));
        assert!(!host.contains(&acme, &plugin, &connection).await.unwrap());
        let verdict = host
            .record_reflection(&acme, &plugin, &connection)
            .await
            .unwrap();
        assert_eq!(verdict, ReflectionVerdict::HandOn);
        assert!(!host.contains(&acme, &plugin, &connection).await.unwrap());
        // Another host, or the same one after it was started again.
        let other = Quarantine::new(Arc::clone(&store));
        let verdict = other
            .record_reflection(&acme, &plugin, &connection)
            .await
            .unwrap();
        assert_eq!(verdict, ReflectionVerdict::Withhold(true));
        let verdict = other
            .record_reflection(&acme, &plugin, &connection)
            .await
            .unwrap();
        assert_eq!(verdict, ReflectionVerdict::Withhold(false));
        for host in [other, Quarantine::new(Arc::clone(&store))] {
            assert!(host.contains(&acme, &plugin, &connection).await.unwrap());
            assert!(
                !host
                    .contains(&space("globex"), &plugin, &connection)
                    .await
                    .unwrap()
            );
            let (third, fourth) = names("other", "echo");
            assert!(!host.contains(&acme, &third, &fourth).await.unwrap());
            assert_eq!(host.list(&acme).await.unwrap().len(), 1);
            assert!(host.list(&space("globex")).await.unwrap().is_empty());
        }
        let host = Quarantine::new(Arc::clone(&store));
        assert!(host.contains(&acme, &plugin, &connection).await.unwrap());
        assert!(host.lift(&acme, &plugin, &connection).await.unwrap());
        assert!(!host.lift(&acme, &plugin, &connection).await.unwrap());
        assert!(!host.contains(&acme, &plugin, &connection).await.unwrap());
    }

    #[tokio::test]
    async fn of_many_calls_at_once_one_answer_is_handed_on() {
        let host = Arc::new(Quarantine::default());
        let (plugin, connection) = names("mirror", "echo");
        let calls = (0..8).map(|_| {
            let (host, plugin, connection) =
                (Arc::clone(&host), plugin.clone(), connection.clone());
            tokio::spawn(async move {
                host.record_reflection(&space("acme"), &plugin, &connection)
                    .await
                    .unwrap()
            })
        });
        let verdicts = futures::future::join_all(calls).await;
        let handed_on = verdicts
            .into_iter()
            .filter(|verdict| *verdict.as_ref().unwrap() == ReflectionVerdict::HandOn);
        assert_eq!(handed_on.count(), 1);
    }
}
