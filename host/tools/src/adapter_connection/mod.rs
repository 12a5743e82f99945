//! Tools that an adapter has found in a described system: which of them are served, under which
//! names, with which arguments, and what each is pinned to.
//!
//! A plugin's author can be asked to mend a tool; who wrote a document usually cannot. So one bad
//! operation never fails the others: it is left out, and the operator is told why ([`refusals`]).

mod arguments;
mod credentials;
mod entry;
mod host_field;
mod name;
mod output;
mod schema_texts;

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toolhost_policy::{
    CheckedConnection, Connection, ConnectionGrant, Endpoint, Grant, Limits, Operation,
    OperationParts, PluginName, Slashes,
};
use toolhost_sandbox::{AdapterComponent, contract};

pub use name::tool_name;
pub(crate) use output::misfit_result;
pub(crate) use schema_texts::SchemaTexts;

use crate::catalogue_entry::PinnedOperation;
use crate::{CatalogueError, ToolEntry};

/// How much of an upstream's own name for a tool each record of a call holds: MCP allows 128
/// characters.
const MAX_UPSTREAM_NAME: usize = 128;

/// A connection that an adapter makes tools of.
#[derive(Debug)]
pub struct AdapterConnection {
    /// The adapter.
    pub adapter: AdapterComponent,
    /// The one connection that it serves here.
    pub connection: CheckedConnection,
    /// The bounds of each call, before the adapter's manifest tightens them.
    pub limits: Limits,
    /// What was found and approved, and is to be served.
    pub tools: Vec<contract::Discovered>,
    /// What the operator says of path parameters whose values may hold a `/`, by the adapter's name
    /// of the tool and the parameter's name in its path.
    pub slashes: BTreeMap<String, BTreeMap<String, Slashes>>,
    /// `connections.NAME.strict_output`: an answer that does not fit the document is the tool's
    /// failure.
    pub strict_output: bool,
}

/// Why a tool that an adapter found is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRefusal {
    /// The tool's name as the adapter gave it.
    pub tool: String,
    /// One sentence.
    pub why: String,
}

/// Looks at everything of a discovery that could make a tool unfit, its schemas too: for when it is
/// found. Which of the tools the host will not serve, and why.
#[must_use]
pub fn refusals(
    connection: &CheckedConnection,
    tools: &[contract::Discovered],
) -> Vec<ToolRefusal> {
    let mut refused = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for found in tools {
        let name = tool_name(connection.name.as_str(), &found.tool.name);
        let fits = entry::entry(connection, found, false)
            .and_then(|_| entry::check(connection, found))
            .and_then(|()| operation(found).map(drop))
            .and_then(|()| match seen.insert(name) {
                true => Ok(()),
                false => Err("another one has its name".to_owned()),
            });
        if let Err(why) = fits {
            refused.push(ToolRefusal {
                tool: found.tool.name.chars().take(64).collect(),
                why,
            });
        }
    }
    refused
}

impl AdapterConnection {
    /// What holds for all tools: the grant without any endpoint, since each tool has its own.
    pub(crate) fn grant(&self) -> Result<Grant, CatalogueError> {
        let name = self.connection.name.as_str();
        let plugin =
            PluginName::parse(name).map_err(|_| CatalogueError::Connection(name.to_owned()))?;
        let tightened = match self.adapter.manifest() {
            Some(manifest) => self.limits.clone().tightened(&manifest.limits),
            None => self.limits.clone(),
        };
        Ok(discovery_grant(
            plugin,
            &self.connection,
            tightened,
            Vec::new(),
        ))
    }

    /// Each tool with what it is pinned to. What is not fit is left out, and said in the log.
    pub(crate) fn entries(&mut self, grant: &Grant) -> Vec<(ToolEntry, PinnedOperation)> {
        let tools = std::mem::take(&mut self.tools);
        let mut entries = Vec::with_capacity(tools.len());
        for found in tools {
            let tool = found.tool.name.clone();
            match self.tool(found, grant) {
                Ok(Some(made)) => entries.push(made),
                Ok(None) => {
                    tracing::debug!(connection = %self.connection.name, tool, "not among the endpoints of allow");
                }
                Err(why) => {
                    tracing::warn!(connection = %self.connection.name, tool, why, "a tool is left out")
                }
            }
        }
        entries
    }

    fn tool(
        &self,
        found: contract::Discovered,
        grant: &Grant,
    ) -> Result<Option<(ToolEntry, PinnedOperation)>, String> {
        let mut operation = operation(&found)?;
        let Some(mut endpoint) = intersect_allowed(&self.connection, operation.endpoint()) else {
            return Ok(None);
        };
        for (parameter, slashes) in self.slashes.get(&found.tool.name).into_iter().flatten() {
            let path = operation.path.with_slashes(parameter, *slashes);
            operation.path = path.map_err(|error| error.to_string())?;
        }
        endpoint.path = operation.path.clone();
        let entry = entry::entry(&self.connection, &found, self.strict_output)?;
        let limits = grant.limits.clone();
        let upstream_name =
            upstream_name(&found).map(|name| name.chars().take(MAX_UPSTREAM_NAME).collect());
        let own = Sha256::digest(&found.descriptor);
        let pinned = PinnedOperation {
            digest: own
                .iter()
                .fold(self.adapter.digest().to_string(), |text, byte| {
                    format!("{text}{byte:02x}")
                }),
            name: found.tool.name,
            upstream_name,
            connection: self.connection.name.clone(),
            descriptor: found.descriptor.into(),
            operation: Arc::new(operation),
            grant: Arc::new(discovery_grant(
                grant.plugin.clone(),
                &self.connection,
                limits,
                vec![endpoint],
            )),
        };
        Ok(Some((entry, pinned)))
    }
}

/// The arguments of a tool that are left out of what a model may give, since their names say that
/// they are credentials.
#[must_use]
pub fn credential_arguments<'a>(
    connection: &'a Connection,
    found: &'a contract::Discovered,
) -> Vec<&'a str> {
    let all = credentials::unset_credentials(connection, &found.arguments);
    all.map(|argument| argument.name.as_str()).collect()
}

/// What the described system itself calls a tool, where the tool has another name: a name with a
/// dot, say, is none for the APIs of models.
#[must_use]
pub fn upstream_name(found: &contract::Discovered) -> Option<&str> {
    let id = found.meta.iter().find(|(key, _)| key == "id");
    id.map(|(_, id)| id.as_str())
        .filter(|id| *id != found.tool.name)
}

/// The arguments of a tool by which a model chooses a tenant, or an account, at the other system:
/// those whose names say so (`account_id`, `orgId`, a header `X-Tenant-Id`, and the like) and which
/// the host neither provides nor sets. None where the connection's `allow` does not have the tool's
/// operation, since it is not served then. Only the arguments themselves are looked at, as
/// `provide` fills no others.
///
/// A name is no proof: what a call may reach is bounded by the credential alone, and this is for
/// telling an operator.
#[must_use]
pub fn tenant_arguments<'a>(
    connection: &'a Connection,
    found: &'a contract::Discovered,
) -> Vec<&'a str> {
    let is_served =
        operation(found).is_ok_and(|of| intersect_allowed(connection, of.endpoint()).is_some());
    match is_served {
        true => arguments::of_tenants(connection, &found.arguments).collect(),
        false => Vec::new(),
    }
}

/// What an adapter may ask of a connection when it asks what there is: the endpoints that the
/// operator allows.
#[must_use]
pub fn discovery_grant(
    plugin: PluginName,
    connection: &CheckedConnection,
    limits: Limits,
    endpoints: Vec<Endpoint>,
) -> Grant {
    let grant = ConnectionGrant {
        connection: connection.clone(),
        principal: connection.principal,
        endpoints,
        guest_base: connection.base.clone(),
    };
    Grant {
        plugin,
        connections: BTreeMap::from([(connection.name.clone(), grant)]),
        limits,
    }
}

/// The endpoint within what the operator allows; `None` where that has no such method and path.
fn intersect_allowed(connection: &Connection, endpoint: Endpoint) -> Option<Endpoint> {
    match &connection.allow {
        None => Some(endpoint),
        Some(allow) => allow.iter().find_map(|allowed| endpoint.intersect(allowed)),
    }
}

fn operation(found: &contract::Discovered) -> Result<Operation, String> {
    let given = &found.operation;
    Operation::parse(OperationParts {
        method: &given.method,
        path: &given.path,
        query: &given.query,
        query_objects: &given.query_objects,
        headers: &given.headers,
        cookies: &given.cookies,
        content_types: &given.content_types,
    })
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {

    use serde_json::{Value, json};
    use toolhost_policy::{
        AuthPlacement, CheckedConnection, Connection, ConnectionName, HeaderTemplate, WorkBudget,
    };
    use toolhost_sandbox::contract;

    use super::{entry, refusals, tenant_arguments};
    use crate::entry::test_tool;

    fn connection(provide: &[&str], headers: &[&'static str]) -> CheckedConnection {
        let template = || HeaderTemplate::parse("{external_tenant_id}").unwrap();
        CheckedConnection::new(Connection {
            auth: AuthPlacement::Query {
                key: "api_key".into(),
            },
            headers: headers
                .iter()
                .map(|&name| (http::HeaderName::from_static(name), template()))
                .collect(),
            provide: provide
                .iter()
                .map(|&name| (name.to_owned(), template()))
                .collect(),
            ..Connection::new(
                ConnectionName::parse("billing").unwrap(),
                url::Url::parse("https://billing.example.com").unwrap(),
            )
        })
        .unwrap()
    }

    fn found(name: &str, schema: &Value, places: &[(&str, &str)]) -> contract::Discovered {
        let argument = |&(name, location): &(&str, &str)| contract::Argument {
            name: name.to_owned(),
            location: location.to_owned(),
            key: name.to_owned(),
            required: false,
            meta: vec![],
        };
        contract::Discovered {
            tool: contract::Tool {
                input_schema: schema.to_string(),
                ..test_tool(name)
            },
            descriptor: vec![],
            operation: contract::Operation {
                method: "GET".into(),
                path: "/a".into(),
                query: vec![],
                query_objects: vec![],
                headers: vec![],
                cookies: vec![],
                content_types: vec![],
                meta: vec![],
            },
            arguments: places.iter().map(argument).collect(),
            meta: vec![],
        }
    }

    fn of(properties: &Value, places: &[(&str, &str)]) -> contract::Discovered {
        found(
            "a",
            &json!({"type": "object", "properties": properties}),
            places,
        )
    }

    #[test]
    fn a_tool_that_the_host_cannot_hold_a_call_against_is_refused_and_no_other() {
        let text = json!({"type": "string"});
        let good = of(&json!({"tenant_id": text}), &[("tenant_id", "query")]);
        let mut bad = vec![
            of(&json!({"a": text}), &[]),
            of(&json!({}), &[("a", "query")]),
            of(&json!({"a": {"type": "no-such-type"}}), &[("a", "query")]),
            of(
                &json!({"tenant_context": text}),
                &[("tenant_context", "query")],
            ),
            found("a", &json!({"type": "string"}), &[]),
            found("a b", &json!({"type": "object"}), &[]),
        ];
        let mut method = of(&json!({}), &[]);
        method.operation.method = "TRACE".into();
        bad.push(method);
        let mut output = of(&json!({}), &[]);
        output.tool.output_schema = Some("{".into());
        bad.push(output);
        let connection = connection(&[], &[]);
        assert_eq!(refusals(&connection, std::slice::from_ref(&good)), []);
        for tool in bad {
            assert_eq!(
                refusals(&connection, std::slice::from_ref(&tool)).len(),
                1,
                "{tool:?}"
            );
        }
        assert_eq!(
            refusals(&connection, &[good.clone(), good]).len(),
            1,
            "a name that stands twice"
        );
    }

    #[test]
    fn an_argument_that_names_an_account_is_told_unless_the_host_fills_or_sets_it() {
        let text = json!({"type": "string"});
        let places = [
            ("account_id", "path"),
            ("x-account-id", "header"),
            ("x-org", "query"),
            ("limit", "query"),
        ];
        let properties =
            json!({"account_id": text, "x-account-id": text, "x-org": text, "limit": text});
        let tool = of(&properties, &places);
        let told = |provide: &[&str], headers: &[&'static str]| {
            tenant_arguments(&connection(provide, headers), &tool).join(" ")
        };
        assert_eq!(told(&[], &[]), "account_id x-account-id");
        assert_eq!(told(&["account_id"], &[]), "x-account-id");
        assert_eq!(told(&[], &["x-account-id"]), "account_id");
        assert_eq!(told(&["account_id", "x-account-id"], &[]), "");
        let mut narrow = connection(&[], &[]).to_connection();
        narrow.allow = Some(Vec::new());
        assert!(
            tenant_arguments(&narrow, &tool).is_empty(),
            "it is not served"
        );
    }

    #[test]
    fn what_the_host_fills_or_sets_is_no_argument_of_the_model() {
        let text = json!({"type": "string"});
        let places = [
            ("account_id", "path"),
            ("seat", "query"),
            ("x-account-id", "header"),
            ("api_key", "query"),
            ("limit", "query"),
        ];
        let properties = json!({
            "account_id": text, "seat": {"type": "integer"}, "x-account-id": text, "api_key": text, "limit": text,
        });
        let tool = of(&properties, &places);
        let connection = connection(&["account_id", "seat"], &["x-account-id"]);
        let entry = entry::entry(&connection, &tool, false).unwrap();
        let schemas = entry.schemas();
        assert_eq!(entry.input_schema()["properties"], json!({"limit": text}));
        let provided: Vec<_> = schemas.provided.keys().map(String::as_str).collect();
        assert_eq!(provided, ["account_id", "seat"]);
        assert!(schemas.numbers.contains("seat") && schemas.numbers.len() == 1);
        let whole = schemas.whole.as_ref().unwrap();
        assert!(
            whole
                .check(
                    &json!({"account_id": "7", "seat": 7, "limit": "1"}),
                    &mut WorkBudget::new(1_000, 100)
                )
                .unwrap()
                .is_ok()
        );
        assert!(
            whole
                .check(
                    &json!({"x-account-id": "7"}),
                    &mut WorkBudget::new(1_000, 100)
                )
                .unwrap()
                .is_err(),
            "the host sets it, and nobody passes it"
        );
    }

    #[test]
    fn a_credential_is_no_argument_of_a_model() {
        let text = json!({"type": "string"});
        let properties = json!({"access_token": text, "limit": text, "key": text});
        let places = [
            ("access_token", "query"),
            ("limit", "query"),
            ("key", "query"),
        ];
        let mut tool = of(&properties, &places);
        let plain = connection(&[], &[]);
        let shown = |connection: &CheckedConnection, tool: &contract::Discovered| {
            entry::entry(connection, tool, false)
                .map(|entry| entry.input_schema()["properties"].clone())
        };
        assert_eq!(shown(&plain, &tool).unwrap(), json!({"limit": text}));
        assert_eq!(
            super::credential_arguments(&plain, &tool),
            ["access_token", "key"]
        );
        let mut offers = plain.to_connection();
        offers.offered_arguments = vec!["access_token".into(), "key".into()];
        assert_eq!(
            shown(&CheckedConnection::new(offers).unwrap(), &tool).unwrap(),
            properties
        );
        tool.arguments[0].required = true;
        let why = shown(&plain, &tool).unwrap_err();
        assert!(why.contains("\"access_token\", a credential"), "{why}");
        let mut places_it = plain.to_connection();
        places_it.auth = AuthPlacement::Query {
            key: "access_token".into(),
        };
        assert_eq!(
            shown(&CheckedConnection::new(places_it).unwrap(), &tool).unwrap(),
            json!({"limit": text})
        );
        let of_client = of(
            &json!({"client_id": text, "secret": text}),
            &[("client_id", "body"), ("secret", "body")],
        );
        assert_eq!(super::credential_arguments(&plain, &of_client), ["secret"]);
        let beside = of(&json!({"key": text}), &[("key", "query")]);
        assert_eq!(
            shown(&plain, &beside).unwrap(),
            json!({"key": text}),
            "a word of anybody's"
        );
    }

    #[test]
    fn a_name_that_the_apis_refuse_is_mapped_and_a_key_that_they_refuse_leaves_the_tool_out() {
        let connection = connection(&[], &[]);
        let mut dotted = of(&json!({}), &[]);
        dotted.tool.name = "chat.post".into();
        dotted.meta = vec![("id".into(), "chat.post".into())];
        let entry = entry::entry(&connection, &dotted, false).unwrap();
        assert!(
            entry.name.starts_with("billing__chat_post_") && !entry.name.contains('.'),
            "{}",
            entry.name
        );
        let bad = of(&json!({"uids[]": {}}), &[("uids[]", "query")]);
        assert!(refusals(&connection, &[bad])[0].why.contains("uids[]"));
    }

    #[test]
    fn what_cannot_be_filled_leaves_the_tool_out() {
        let connection = connection(&["account_id"], &[]);
        let with =
            |property: Value| of(&json!({"account_id": property}), &[("account_id", "path")]);
        for property in [
            json!({"type": "boolean"}),
            json!({"type": "object"}),
            json!({"type": ["array", "null"]}),
        ] {
            assert!(
                entry::entry(&connection, &with(property.clone()), false).is_err(),
                "{property}"
            );
        }
        for property in [
            json!({}),
            json!({"type": ["string", "null"]}),
            json!({"$ref": "#/$defs/a"}),
        ] {
            assert!(
                entry::entry(&connection, &with(property.clone()), false).is_ok(),
                "{property}"
            );
        }
        let mut beside = with(json!({"type": "string"}));
        beside.tool.input_schema = json!({
            "type": "object", "properties": {"account_id": {"type": "string"}}, "anyOf": [{"required": ["account_id"]}],
        })
        .to_string();
        assert!(entry::entry(&connection, &beside, false).is_err());
    }
}
