use std::sync::Arc;

use serde_json::{Map, Value, json};
use toolhost_identity::TenantId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::ContextName;

use super::TenantSwitcher;
use crate::caller::SessionCaller;

/// Where a request without a session says what it chose.
const CONTEXT_KEY: &str = "toolhost/tenant_context";
/// Where a request says which tenant it takes to be active.
const EXPECT_KEY: &str = "toolhost/expect_tenant";
/// Where each result says which tenant it was for.
pub(crate) const ACTIVE_KEY: &str = "toolhost/active_tenant";
/// The argument that stands for [`CONTEXT_KEY`] where a model cannot set `_meta`.
pub(crate) const ARGUMENT: &str = "tenant_context";

/// What a request says of tenants beside its token. None of it is a right.
#[derive(Debug, Clone, Default)]
pub(crate) struct TenantSelection {
    pub(crate) context: Option<ContextName>,
    pub(crate) expects: Option<String>,
}

impl TenantSelection {
    /// What stands in `_meta`.
    ///
    /// # Errors
    /// Not a string. What cannot be read is refused, since a call without it would be for another
    /// tenant.
    pub(crate) fn in_meta(meta: &Map<String, Value>) -> Result<Self, PublicError> {
        let text = |key: &'static str| match meta.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(invalid_context_error(key)),
        };
        Ok(Self {
            context: text(CONTEXT_KEY)?
                .map(|name| {
                    ContextName::parse(&name).ok_or_else(|| invalid_context_error(CONTEXT_KEY))
                })
                .transpose()?,
            expects: text(EXPECT_KEY)?,
        })
    }

    /// Whether the call is for the tenant that it takes to be active.
    ///
    /// # Errors
    /// It is not. Neither of the two is named: the caller knows the one and may ask for the other.
    pub(crate) fn check(&self, active: Option<&TenantId>) -> Result<(), PublicError> {
        match &self.expects {
            Some(expected) if active.is_none_or(|active| active.as_str() != expected) => {
                let text =
                    "the active tenant is not the one that the call expects; nothing was done";
                Err(PublicError::new(ErrorCode::TenantMismatch, text).about(EXPECT_KEY))
            }
            _ => Ok(()),
        }
    }
}

impl TenantSwitcher {
    /// Takes the argument out, where the host has put it into the schemas for this caller.
    /// Elsewhere it stays, and no schema has it.
    ///
    /// # Errors
    /// It is not a string, or says something else than `_meta`.
    pub(crate) async fn take_argument(
        &self,
        who: &SessionCaller,
        said: &mut TenantSelection,
        arguments: Option<&mut Map<String, Value>>,
    ) -> Result<(), PublicError> {
        let Some(arguments) = arguments.filter(|arguments| arguments.contains_key(ARGUMENT)) else {
            return Ok(());
        };
        if who.session.is_some() || !self.can_switch(&who.admitted).await? {
            return Ok(());
        }
        let name = match arguments.remove(ARGUMENT) {
            Some(Value::String(text)) => ContextName::parse(&text),
            _ => None,
        };
        let name = name.ok_or_else(|| invalid_context_error(ARGUMENT))?;
        if said.context.as_ref().is_some_and(|other| *other != name) {
            let text = "the argument tenant_context and the one of _meta are not the same";
            return Err(PublicError::new(ErrorCode::InvalidRequest, text).about(ARGUMENT));
        }
        said.context = Some(name);
        Ok(())
    }
}

/// A tool's schema with the argument added.
pub(crate) fn with_argument(schema: &Arc<Map<String, Value>>) -> Arc<Map<String, Value>> {
    let mut schema = Map::clone(schema);
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        let argument = json!({
            "type": "string",
            "description": "what switch_tenant returned as tenant_context, to act for that tenant; without it the call is for your own",
        });
        properties.insert(ARGUMENT.to_owned(), argument);
    }
    Arc::new(schema)
}

fn invalid_context_error(key: &'static str) -> PublicError {
    PublicError::new(
        ErrorCode::InvalidRequest,
        format!("{key} is not a text that this host gave"),
    )
    .about(key)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};
    use toolhost_identity::TenantId;

    use super::TenantSelection;

    fn said(meta: &Value) -> Result<TenantSelection, toolhost_policy::PublicError> {
        TenantSelection::in_meta(meta.as_object().unwrap_or(&Map::new()))
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_taken_for_nothing() {
        for bad in [json!(1), json!(null), json!(["tc_a"]), json!({})] {
            assert!(said(&json!({ "toolhost/tenant_context": bad })).is_err());
            assert!(said(&json!({ "toolhost/expect_tenant": bad })).is_err());
        }
        assert!(said(&json!({ "toolhost/tenant_context": "" })).is_err());
        assert!(said(&json!({})).unwrap().context.is_none());
    }

    #[test]
    fn an_expectation_holds_for_that_very_tenant() {
        let acme = TenantId::parse("acme").unwrap();
        let expects = said(&json!({ "toolhost/expect_tenant": "acme" })).unwrap();
        assert!(expects.check(Some(&acme)).is_ok());
        assert!(expects.check(None).is_err());
        assert!(
            expects
                .check(Some(&TenantId::parse("globex").unwrap()))
                .is_err()
        );
        assert!(said(&json!({})).unwrap().check(None).is_ok());
    }
}
