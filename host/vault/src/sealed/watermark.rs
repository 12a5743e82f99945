use std::sync::Arc;

use toolhost_identity::TenantId;
use toolhost_store::{Key, Precondition, Space, Store, StoreError, Table};

use super::bytes::FieldReader;
use super::error::VaultError;

/// How often raising begins again because others raise it too.
const MAX_TRIES: usize = 64;

/// What the host's space says of a tenant's credentials: how far their counter has come, outside
/// the tenant's own space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CounterWatermark {
    /// The highest counter that was acknowledged.
    pub(super) counter: u64,
    /// The tenant was destroyed: nothing is expected in its space. A new one of that name counts on
    /// from here, so a version is not used again.
    pub(super) ended: bool,
}

impl CounterWatermark {
    fn key(tenant: &TenantId) -> Result<Key, StoreError> {
        Ok(Key::new(
            Table::CredentialVersion,
            &[b"witness"],
            tenant.as_str().as_bytes(),
        )?)
    }

    /// Whose credentials a witness is of.
    pub(super) fn tenant(key: &Key) -> Option<TenantId> {
        let tenant = TenantId::parse(std::str::from_utf8(key.name()).ok()?).ok()?;
        (Self::key(&tenant).ok()? == *key).then_some(tenant)
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = self.counter.to_be_bytes().to_vec();
        bytes.push(u8::from(self.ended));
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = FieldReader(bytes);
        let counter = reader.u64()?;
        let ended = match reader.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        reader.is_empty().then_some(Self { counter, ended })
    }

    /// The witness and its record's version. A tenant that never had a credential has none, and
    /// that is counter 0.
    pub(super) async fn read(
        store: &Arc<dyn Store>,
        tenant: &TenantId,
    ) -> Result<(Self, Option<u64>), VaultError> {
        let Some(record) = store.get(&Space::Host, &Self::key(tenant)?).await? else {
            return Ok((Self::default(), None));
        };
        let witness = Self::parse(&record.value).ok_or_else(|| StoreError::Corrupt {
            space: Space::Host.to_string(),
            found: format!("the witness of tenant {tenant}'s credentials is none"),
        })?;
        Ok((witness, Some(record.version)))
    }

    /// Writes that the counter has come so far. It never goes back.
    pub(super) async fn raise(
        store: &Arc<dyn Store>,
        tenant: &TenantId,
        counter: u64,
    ) -> Result<(), VaultError> {
        Self::change(store, tenant, |now| {
            (now.counter < counter || (now.ended && now.counter == counter)).then_some(Self {
                counter,
                ended: false,
            })
        })
        .await
    }

    /// Writes that the tenant was destroyed.
    pub(super) async fn end(store: &Arc<dyn Store>, tenant: &TenantId) -> Result<(), VaultError> {
        Self::change(store, tenant, |now| {
            (now.counter > 0 && !now.ended).then_some(Self { ended: true, ..now })
        })
        .await
    }

    async fn change(
        store: &Arc<dyn Store>,
        tenant: &TenantId,
        next: impl Fn(Self) -> Option<Self>,
    ) -> Result<(), VaultError> {
        for _ in 0..MAX_TRIES {
            let (now, version) = Self::read(store, tenant).await?;
            let Some(next) = next(now) else { return Ok(()) };
            let expect = version.map_or(Precondition::Absent, Precondition::Version);
            let written = store
                .compare_and_set(&Space::Host, &Self::key(tenant)?, expect, next.bytes())
                .await;
            match written {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                done => return Ok(done.map(|_| ())?),
            }
        }
        Err(VaultError::Busy)
    }
}
