use serde::{Deserialize, Serialize};
use std::sync::Arc;
use toolhost_audit::{Event, KeyRotated};
use toolhost_store::Space;

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Makes a new generation of a tenant's key, or of the host's; everything is sealed anew and the
/// old one destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// Whose; the host's own where it is left out.
    pub tenant: Option<String>,
}

impl AdminOperation for RotateKey {
    type Answer = ResealAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<ResealAnswer, AdminError> {
        let parts = &admin.parts;
        let of = self
            .tenant
            .as_deref()
            .map(|tenant| admin.space(tenant))
            .transpose()?;
        let space = of.clone().map_or(Space::Host, Space::Tenant);
        let (keyring, of_space) = (Arc::clone(&parts.keyring), space.clone());
        // Where the keys lie in a database this waits for it.
        let generation = tokio::task::spawn_blocking(move || keyring.rotate(&of_space))
            .await
            .map_err(|_| AdminError::internal("the rotation ended early; ask for it again"))??;
        let event = Event::KeyRotated(KeyRotated {
            tenant: self.tenant,
            what: "space",
            generation: generation.0,
        });
        admin.audit.record(&event).await?;
        // The credentials first: they are sealed within the records, and nothing else knows under
        // which generation.
        let mut count = 0;
        if let Some(of) = of {
            let resealed = parts.vault.reseal(&of, &admin.operator).await?;
            count += resealed.resealed as u64;
            if let Some(unusable) = resealed.unusable.first() {
                return Err(AdminError::internal(format!(
                    "credential {} does not open ({}), so the old generation of the key is kept; remove it and rotate again",
                    unusable.name, unusable.why
                )));
            }
        }
        count += parts.store.reseal(&space).await?;
        parts.store.retire_generations(&space).await?;
        Ok(ResealAnswer {
            count,
            generation: generation.0,
        })
    }
}

/// What was sealed anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResealAnswer {
    /// Records, credentials or keys.
    pub count: u64,
    /// Which generation they have now; 0 for the master key, which has none.
    pub generation: u32,
}
