use toolhost_identity::Binding;
use toolhost_policy::{PluginName, UnixTime};

use super::head::ArtifactHead;
use super::layout::{self, parse_expiry_name};
use super::{ArtifactError, ArtifactId, ArtifactStore};
use crate::{Change, Precondition, Space, StoreError};

/// How many expired ones a new one removes: so that there are never many, and none waits for long.
const SWEPT: usize = 16;

/// How often a removal begins again because another host counted meanwhile.
const MAX_TRIES: usize = 64;

impl ArtifactStore {
    /// Removes an artifact of this very plugin, where this caller may have it; whether it was
    /// there.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    pub async fn delete(
        &self,
        binding: &Binding,
        plugin: &PluginName,
        id: &str,
    ) -> Result<bool, ArtifactError> {
        let Some(id) = ArtifactId::parse(id) else {
            return Ok(false);
        };
        let space = Space::from(binding.space());
        let _turn = self.turns.take(&space).await;
        match self.head(&space, id).await? {
            Some(head) if head.plugin == plugin.as_str() && head.is_for(binding, self.now()) => {
                self.remove(&space, id, &head).await
            }
            _ => Ok(false),
        }
    }

    /// Removes some of the plugin's artifacts that have expired. The tenant's turn must be held.
    pub(super) async fn sweep(
        &self,
        space: &Space,
        plugin: &PluginName,
        now: u64,
    ) -> Result<(), ArtifactError> {
        if now == UnixTime::BROKEN.secs() {
            // Everything would have expired.
            return Ok(());
        }
        let first = layout::expiries(plugin).limit(SWEPT);
        for found in self.store.scan(space, &first).await?.found {
            let (at, id) =
                parse_expiry_name(found.key.name()).ok_or_else(|| layout::damaged_error(space))?;
            if at > now {
                break;
            }
            let Some(head) = self.head(space, id).await? else {
                // Another host was here first, and in the middle of it: nothing is left but this.
                self.store.delete(space, &found.key).await?;
                continue;
            };
            self.remove(space, id, &head).await?;
        }
        Ok(())
    }

    async fn remove(
        &self,
        space: &Space,
        id: ArtifactId,
        head: &ArtifactHead,
    ) -> Result<bool, ArtifactError> {
        for _ in 0..MAX_TRIES {
            let Some(record) = self.store.get(space, &layout::head(id)?).await? else {
                return Ok(false);
            };
            let mut changes = self.charge(space, &head.plugin, head.cost, 0).await?;
            changes.push(Change::Delete {
                key: layout::head(id)?,
                expect: Precondition::Version(record.version),
            });
            let rest = layout::parts(id, head.size)?
                .into_iter()
                .chain([layout::expiry(&head.plugin, head.expires_at, id)?]);
            changes.extend(rest.map(|key| Change::Delete {
                key,
                expect: Precondition::Any,
            }));
            match self.store.batch(space, changes).await {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                done => return Ok(done.map(|_| true)?),
            }
        }
        Err(ArtifactError::Unavailable(StoreError::Conflict))
    }
}
