use std::sync::Arc;

use toolhost_audit::{Chain, ChainKey, ChainKeys, SinkError};
use toolhost_policy::Secret;
use toolhost_store::{Key, Precondition, Space, Store, StoreError, Table};

/// The key of the audit chains: 32 random bytes in the host's space, made once. They stay when keys
/// are rotated and when tenants are removed, so that old chains can be verified.
pub(crate) struct StoredChainKey(Secret);

impl std::fmt::Debug for StoredChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredChainKey")
    }
}

impl StoredChainKey {
    pub(crate) async fn load(store: &dyn Store) -> Result<Arc<Self>, StoreError> {
        let key = Key::new(Table::AuditKey, &[], b"chains")?;
        loop {
            if let Some(record) = store.get(&Space::Host, &key).await? {
                return Ok(Arc::new(Self(Secret::new(record.value))));
            }
            let mut bytes = vec![0; 32];
            getrandom::fill(&mut bytes)
                .map_err(|error| StoreError::Unavailable(format!("no random numbers: {error}")))?;
            match store
                .compare_and_set(&Space::Host, &key, Precondition::Absent, bytes)
                .await
            {
                // Another host on the same store was quicker: its key is the one.
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl ChainKeys for StoredChainKey {
    fn key(&self, chain: &Chain) -> Result<ChainKey, SinkError> {
        let bytes = <[u8; 32]>::try_from(self.0.expose()).map_err(|_| SinkError::NoKey {
            chain: chain.to_string(),
            why: "the record in the host's space is not 32 bytes long".into(),
        })?;
        Ok(ChainKey::new(bytes))
    }
}
