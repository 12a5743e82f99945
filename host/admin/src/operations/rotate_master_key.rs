use serde::{Deserialize, Serialize};
use std::sync::Arc;
use toolhost_audit::{Event, KeyRotated};
use toolhost_store::keys::{KeyFileError, MasterKey};

use crate::{Admin, AdminError, AdminOperation, OperationContext, ResealAnswer};

/// Makes a new master key: the spaces' keys are wrapped anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateMasterKey {}

impl AdminOperation for RotateMasterKey {
    type Answer = ResealAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<ResealAnswer, AdminError> {
        let Some(path) = admin.parts.master_key.clone() else {
            return Err(AdminError::invalid(
                "the master key came from the environment: put the new one before the old one in it, each on its own line, and start the host again",
            ));
        };
        let keyring = Arc::clone(&admin.parts.keyring);
        let rewrapped = tokio::task::spawn_blocking(move || {
            let refuse = |error: KeyFileError| AdminError::internal(error.to_string());
            let rewrapped = keyring.rewrap(MasterKey::begin_rotation(&path).map_err(refuse)?)?;
            MasterKey::finish_rotation(&path).map_err(refuse)?;
            Ok::<_, AdminError>(rewrapped)
        })
        .await
        .map_err(|_| AdminError::internal("the rotation ended early; ask for it again"))??;
        let event = Event::KeyRotated(KeyRotated {
            tenant: None,
            what: "master",
            generation: 0,
        });
        admin.audit.record(&event).await?;
        Ok(ResealAnswer {
            count: rewrapped.rewrapped as u64,
            generation: 0,
        })
    }
}
