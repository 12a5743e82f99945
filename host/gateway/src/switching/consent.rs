use std::time::Duration;

use serde_json::json;
use toolhost_identity::{OwnerId, Tenant};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_store::{Space, StateError, StatePurpose, StateSealer};
use toolhost_tools::{InputRequest, InputRequired, Resume};

/// A person answers within this, or the switch is asked for anew.
const LIFETIME: Duration = Duration::from_secs(300);
/// The one question's.
const QUESTION: &str = "switch";

/// A switch that a person is asked about: the answer counts for that very switch, once, on
/// whichever host it comes to.
pub(super) struct SwitchConsent<'a> {
    pub(super) owner: OwnerId,
    pub(super) tenant: &'a Tenant,
    /// How many tenants were ever removed: where one was meanwhile, the name may be another
    /// tenant's by now.
    pub(super) removals: u64,
}

impl SwitchConsent<'_> {
    /// The question, and a state that brings its answer back.
    pub(super) async fn ask(&self, sealer: &StateSealer) -> Result<InputRequired, PublicError> {
        let tenant = self.tenant;
        let removals = self.removals.to_be_bytes();
        let parts = self.parts(&removals);
        let state = sealer
            .seal(&Space::Host, purpose(&parts), LIFETIME, &[])
            .await;
        let state = state.map_err(|error| {
            tracing::error!(%error, "the state of a switch cannot be sealed");
            PublicError::new(ErrorCode::Internal, "the question cannot be sealed")
        })?;
        // The tenant is one that the caller reaches: a model's own words are not put to the person.
        let name = if tenant.display_name.is_empty() {
            tenant.id.to_string()
        } else {
            format!("{} ({})", tenant.display_name, tenant.id)
        };
        let parameters = json!({
            "message": format!("Switch to tenant {name}? What is called from then on acts for it."),
            "requestedSchema": { "type": "object", "properties": {} },
        });
        Ok(InputRequired {
            requests: vec![InputRequest {
                id: QUESTION.to_owned(),
                kind: "elicitation".to_owned(),
                parameters,
            }],
            state,
        })
    }

    /// Whether the person said yes to this very switch.
    ///
    /// # Errors
    /// No, or there was no such question: another caller's, another tenant's, late, or answered
    /// before.
    pub(super) async fn check(
        &self,
        sealer: &StateSealer,
        answer: &Resume,
    ) -> Result<(), PublicError> {
        let removals = self.removals.to_be_bytes();
        let parts = self.parts(&removals);
        let taken = sealer
            .take(&Space::Host, purpose(&parts), &answer.state)
            .await;
        taken.map_err(|error| match error {
            StateError::Invalid => {
                let text =
                    "the state of this call is not valid here: used, late, or of another caller or tenant";
                PublicError::new(ErrorCode::InvalidRequest, text).about("state")
            }
            StateError::Store(error) => {
                tracing::error!(%error, "the use of a state cannot be written down");
                let text = "whether the question was answered cannot be known now; try again";
                PublicError::new(ErrorCode::Internal, text)
            }
        })?;
        let said = answer.answers.iter().find(|answer| answer.id == QUESTION);
        if said.is_some_and(|answer| answer.action == "accept") {
            Ok(())
        } else {
            let text = "the person did not agree to the switch; the active tenant has not changed";
            Err(PublicError::new(ErrorCode::Forbidden, text))
        }
    }

    fn parts<'a>(&'a self, removals: &'a [u8]) -> [&'a [u8]; 3] {
        [
            self.owner.as_bytes(),
            self.tenant.id.as_str().as_bytes(),
            removals,
        ]
    }
}

/// In the host's space: whoever has no tenant yet is asked too.
fn purpose<'a>(parts: &'a [&'a [u8]]) -> StatePurpose<'a> {
    StatePurpose {
        word: "switch",
        parts,
    }
}
