use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moka::sync::Cache;
use serde_json::json;
use toolhost_identity::{OwnerId, Tenant, TenantId};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{InputRequest, InputRequired, Resume};

/// A person answers within this, or the switch is asked for anew.
const LIFETIME: Duration = Duration::from_secs(300);
/// Questions that wait for an answer. One more costs somebody theirs, who is asked again.
const WAITING: u64 = 10_000;
/// Random bytes of a state: nobody guesses it.
const RANDOM: usize = 24;
/// The one question's.
const QUESTION: &str = "switch";

/// What was asked, and of whom: the answer counts for that very switch, once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    owner: OwnerId,
    tenant: TenantId,
}

/// Questions whose answers come with another request.
#[derive(Debug)]
pub(super) struct Asked(Cache<String, Question>);

impl Default for Asked {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(WAITING)
                .time_to_live(LIFETIME)
                .build(),
        )
    }
}

impl Asked {
    /// The question, and a state that brings its answer back.
    pub(super) fn ask(&self, owner: OwnerId, tenant: &Tenant) -> Result<InputRequired, PublicError> {
        let mut bytes = [0; RANDOM];
        getrandom::fill(&mut bytes)
            .map_err(|_| PublicError::new(ErrorCode::Internal, "the system has no randomness to give"))?;
        let state = URL_SAFE_NO_PAD.encode(bytes);
        let question = Question {
            owner,
            tenant: tenant.id.clone(),
        };
        self.0.insert(state.clone(), question);
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
    /// No, or there was no such question: another caller's, another tenant's, late, or answered before.
    pub(super) fn check(
        &self,
        owner: OwnerId,
        tenant: &TenantId,
        answer: &Resume,
    ) -> Result<(), PublicError> {
        let tenant = tenant.clone();
        if self.0.remove(&answer.state) != Some(Question { owner, tenant }) {
            let text = "the state of this call is not valid here: used, late, or of another caller or tenant";
            return Err(PublicError::new(ErrorCode::InvalidRequest, text).about("state"));
        }
        let said = answer.answers.iter().find(|answer| answer.id == QUESTION);
        if said.is_some_and(|answer| answer.action == "accept") {
            Ok(())
        } else {
            let text = "the person did not agree to the switch; the active tenant has not changed";
            Err(PublicError::new(ErrorCode::Forbidden, text))
        }
    }
}
