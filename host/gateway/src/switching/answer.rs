use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolhost_identity::{Tenant, TenantId};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{SwitchError, SwitchOutcome, SwitchTarget};
use toolhost_tools::{InputRequired, OutputBlock, Resume, ToolOutput};

use super::consent::SwitchConsent;
use super::{SwitchMode, TenantSelection, TenantSwitcher, Topic};
use crate::caller::SessionCaller;

/// Tenants in one answer. More cost a model more than they tell it.
const MAX_LISTED: usize = 1_000;

/// Where a switch goes.
#[derive(Debug, Clone)]
pub(crate) enum SwitchRequest {
    Tenant(String),
    Home,
}

impl SwitchRequest {
    fn to(&self) -> SwitchTarget<'_> {
        match self {
            Self::Tenant(id) => SwitchTarget::Tenant(id),
            Self::Home => SwitchTarget::Home,
        }
    }

    /// The arguments of `switch_tenant`.
    pub(crate) fn tenant(arguments: Map<String, Value>) -> Result<Self, PublicError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct SwitchTenantArguments {
            #[serde(rename = "tenantId")]
            tenant_id: String,
        }
        let SwitchTenantArguments { tenant_id } = read(
            arguments,
            "switch_tenant takes one argument, tenantId, a text",
        )?;
        Ok(Self::Tenant(tenant_id))
    }

    /// The arguments of `reset_tenant`.
    pub(crate) fn home(arguments: Map<String, Value>) -> Result<Self, PublicError> {
        parse_no_arguments(arguments).map(|()| Self::Home)
    }
}

/// No arguments at all.
fn parse_no_arguments(arguments: Map<String, Value>) -> Result<(), PublicError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoArguments {}
    read(arguments, "the tool takes no arguments").map(|NoArguments {}| ())
}

fn read<T: serde::de::DeserializeOwned>(
    arguments: Map<String, Value>,
    sentence: &str,
) -> Result<T, PublicError> {
    // What was sent is not repeated.
    serde_json::from_value(Value::Object(arguments))
        .map_err(|_| PublicError::new(ErrorCode::InvalidArguments, sentence))
}

/// What `help` answers.
pub(crate) fn help_output(arguments: Map<String, Value>) -> Result<ToolOutput, PublicError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct HelpArguments {
        topic: Option<Topic>,
    }
    let sentence = "help takes one argument, topic: workflows, errors or tenancy";
    let HelpArguments { topic } = read(arguments, sentence)?;
    let topics = topic.map_or_else(|| Topic::ALL.to_vec(), |topic| vec![topic]);
    let text: Vec<&str> = topics.into_iter().map(Topic::text).collect();
    let text = text.join("\n\n");
    let structured = json!({
        "topic": topic.map(Topic::as_str), "topics": Topic::ALL.map(Topic::as_str), "text": text,
    });
    Ok(ToolOutput {
        content: vec![OutputBlock::Text(text)],
        structured: Some(structured),
    })
}

impl TenantSwitcher {
    /// What `list_tenants` answers: by the login token, whatever is active (N5).
    pub(crate) async fn list(
        &self,
        who: &SessionCaller,
        active: Option<&TenantId>,
        arguments: Map<String, Value>,
    ) -> Result<ToolOutput, PublicError> {
        parse_no_arguments(arguments)?;
        let reached = self.reachable_tenants(who).await?;
        let listed: Vec<Value> = reached
            .iter()
            .take(MAX_LISTED)
            .map(|tenant| json!(tenant))
            .collect();
        Ok(structured_output(json!({
            "left_out": reached.len() - listed.len(), "tenants": listed,
            "active_tenant_id": active.map(TenantId::as_str),
            "home_tenant_id": who.admitted.caller.home().map(TenantId::as_str),
        })))
    }

    /// The question that a switch waits for, where it waits for one.
    ///
    /// # Errors
    /// There is nothing to ask: the caller cannot switch there.
    pub(crate) async fn question(
        &self,
        who: &SessionCaller,
        wanted: &SwitchRequest,
    ) -> Result<Option<InputRequired>, PublicError> {
        if self.mode != SwitchMode::Confirm {
            return Ok(None);
        }
        let (tenant, removals) = self.target(who, wanted).await?;
        let consent = SwitchConsent {
            owner: who.admitted.caller.owner(),
            tenant: &tenant,
            removals,
        };
        consent.ask(&self.states).await.map(Some)
    }

    /// Switches, if the person said yes where it is to be asked.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(crate) async fn switch(
        &self,
        who: &SessionCaller,
        said: &TenantSelection,
        wanted: &SwitchRequest,
        answer: Option<&Resume>,
    ) -> Result<(ToolOutput, TenantId), PublicError> {
        match (self.mode, answer) {
            (SwitchMode::Free, _) => {}
            (SwitchMode::Confirm, Some(answer)) => {
                let (tenant, removals) = self.target(who, wanted).await?;
                let consent = SwitchConsent {
                    owner: who.admitted.caller.owner(),
                    tenant: &tenant,
                    removals,
                };
                consent.check(&self.states, answer).await?;
            }
            (SwitchMode::Confirm, None) | (SwitchMode::Off, _) => {
                return Err(PublicError::new(
                    ErrorCode::Forbidden,
                    "switching is not allowed here",
                ));
            }
        }
        let presented = &who.admitted.presented;
        let switched = match &who.session {
            Some(id) => {
                let switched = self.switch.session(id, presented, wanted.to()).await;
                if let Ok(switched) = &switched {
                    self.record_switch(id, &presented.principal, switched).await;
                }
                switched.map(|switched| (None, switched))
            }
            None => {
                let from = said.context.as_ref();
                let switched = self.switch.context(from, presented, wanted.to()).await;
                switched.map(|(name, switched)| (Some(name), switched))
            }
        };
        let (context, switched) = switched.map_err(|error| log_into_public(&error))?;
        let SwitchOutcome {
            active,
            previous,
            home,
            generation: _,
        } = switched;
        let mut answer = json!({
            "active_tenant_id": active.as_str(),
            "previous_tenant_id": previous.as_ref().map(TenantId::as_str),
            "home_tenant_id": home.as_ref().map(TenantId::as_str),
        });
        if let (Some(name), Some(members)) = (context, answer.as_object_mut()) {
            members.insert("tenant_context".to_owned(), json!(name.as_str()));
        }
        Ok((structured_output(answer), active))
    }

    /// The tenant that a switch would go to, as the caller's tree has it, and how many were ever
    /// removed.
    async fn target(
        &self,
        who: &SessionCaller,
        wanted: &SwitchRequest,
    ) -> Result<(Tenant, u64), PublicError> {
        let (tree, caller) = (self.tree(&who.admitted).await?, &who.admitted.caller);
        let unavailable = || SwitchError::TenantUnavailable.public();
        let id = match wanted {
            SwitchRequest::Tenant(name) => TenantId::parse(name).map_err(|_| unavailable())?,
            SwitchRequest::Home => caller
                .home()
                .cloned()
                .ok_or_else(|| SwitchError::HomeUnavailable.public())?,
        };
        let reached = tree.get(&id).filter(|_| caller.reaches(&tree, &id));
        let tenant = reached.cloned().ok_or_else(unavailable)?;
        Ok((tenant, tree.removals()))
    }
}

fn structured_output(value: Value) -> ToolOutput {
    ToolOutput {
        content: vec![],
        structured: Some(value),
    }
}

fn log_into_public(error: &SwitchError) -> PublicError {
    if matches!(
        error,
        SwitchError::Authority(_)
            | SwitchError::NotPrepared(_)
            | SwitchError::Choice(_)
            | SwitchError::Unrecorded(_)
    ) {
        tracing::warn!(%error, "a switch was not made");
    }
    error.public()
}
