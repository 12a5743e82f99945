use std::time::Duration;

use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_store::{Space, StateError, StatePurpose, StateSealer};

/// A person answers within this, or the call is made anew.
const LIFETIME: Duration = Duration::from_secs(600);

/// What the state of a call that waits for input is good for. The client carries it and can neither
/// read nor change it, nor use it for another caller, tenant, plugin, tool or arguments, nor twice,
/// nor late.
pub(crate) struct ResumePurpose<'a> {
    pub(crate) binding: &'a Binding,
    pub(crate) digest: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) arguments: &'a str,
}

impl ResumePurpose<'_> {
    /// The state as the client gets it.
    pub(crate) async fn seal(
        &self,
        sealer: &StateSealer,
        state: &[u8],
    ) -> Result<String, PublicError> {
        let owner = self.binding.owner();
        let parts = self.parts(owner.as_bytes());
        let sealed = sealer
            .seal(&self.space(), purpose(&parts), LIFETIME, state)
            .await;
        sealed.map_err(|error| {
            tracing::error!(%error, "the state of a call cannot be sealed");
            PublicError::new(
                ErrorCode::Internal,
                "the state of the call cannot be sealed",
            )
        })
    }

    /// The state that a client brought back, on whichever host and once.
    pub(crate) async fn take(
        &self,
        sealer: &StateSealer,
        text: &str,
    ) -> Result<Vec<u8>, PublicError> {
        let owner = self.binding.owner();
        let parts = self.parts(owner.as_bytes());
        let taken = sealer.take(&self.space(), purpose(&parts), text).await;
        taken.map(|state| state.to_vec()).map_err(|error| match error {
            StateError::Invalid => PublicError::new(
                ErrorCode::InvalidRequest,
                "the state of this call is not valid here: used, late, or of another caller, tool or arguments",
            )
            .about("state"),
            StateError::Store(error) => {
                tracing::error!(%error, "the use of a state cannot be written down");
                let text = "whether the state of the call was used cannot be known now; try again";
                PublicError::new(ErrorCode::Internal, text)
            }
        })
    }

    fn space(&self) -> Space {
        Space::Tenant(self.binding.space())
    }

    fn parts<'a>(&'a self, owner: &'a [u8]) -> [&'a [u8]; 4] {
        [
            owner,
            self.digest.as_bytes(),
            self.tool.as_bytes(),
            self.arguments.as_bytes(),
        ]
    }
}

fn purpose<'a>(parts: &'a [&'a [u8]]) -> StatePurpose<'a> {
    StatePurpose {
        word: "call",
        parts,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
    use toolhost_policy::ErrorCode;
    use toolhost_store::{MemoryStore, StateSealer};

    use super::ResumePurpose;

    fn binding(tenant: &str) -> Binding {
        let tenant = TenantId::parse(tenant).unwrap();
        let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
        let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
        Binding::home(Arc::new(principal), &directory).unwrap()
    }

    #[tokio::test]
    async fn a_state_opens_once_and_for_its_own_purpose() {
        let (acme, globex) = (binding("acme"), binding("globex"));
        let sealer = StateSealer::of_process(Arc::new(MemoryStore::default())).unwrap();
        let purpose = ResumePurpose {
            binding: &acme,
            digest: "d",
            tool: "t",
            arguments: "{}",
        };
        let text = purpose.seal(&sealer, b"state").await.unwrap();
        for other in [
            ResumePurpose {
                binding: &globex,
                ..purpose
            },
            ResumePurpose {
                digest: "e",
                ..purpose
            },
            ResumePurpose {
                tool: "u",
                ..purpose
            },
            ResumePurpose {
                arguments: "{\"a\":1}",
                ..purpose
            },
        ] {
            let refused = other.take(&sealer, &text).await.unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidRequest);
        }
        assert_eq!(purpose.take(&sealer, &text).await.unwrap(), b"state");
        assert!(purpose.take(&sealer, &text).await.is_err(), "twice");
    }
}
