//! Arguments of described tools by which a model chooses a tenant or an account of the other
//! system.
//!
//! A document's author knows nothing of this host's tenants, so such arguments are kept; whoever
//! runs the host decides.

use std::collections::BTreeMap;

use toolhost_policy::Connection;
use toolhost_sandbox::{Sandbox, contract};
use toolhost_tools::{credential_arguments, tenant_arguments};

use super::LintFinding;
use crate::args::LintArgs;
use crate::config::{AdapterSettings, Config};
use crate::grants::Lock;
use crate::output::printable;
use crate::screen::escaped_json;
use crate::setup::{self, Setup, default_cache_dir, lock_of};
use crate::wiring;
use crate::wiring::adapters::{approved_tools, load};

/// Of what is approved and chosen of each connection with an adapter. Nothing is fetched and no
/// system is asked.
///
/// # Errors
/// A flag or the lock is wrong, or the adapter of a connection of which something is approved is
/// not there or is none.
pub(super) async fn findings(
    args: &LintArgs,
    mut config: Config,
) -> anyhow::Result<Vec<LintFinding>> {
    for text in &args.adapters {
        setup::adapter(text, &mut config)?;
    }
    let path = lock_of(&config, args.lock.as_deref());
    if config.adapters.is_empty() {
        return Ok(Vec::new());
    }
    let lock = Lock::read(&path)?;
    let is_approved = |name: &str| lock.connection_approval(name).is_some();
    if !config
        .adapters
        .keys()
        .any(|name| is_approved(name.as_str()))
    {
        return Ok(Vec::new());
    }
    let cache_dir = args.cache_dir.clone().or_else(|| config.cache_dir.clone());
    let setup = Setup {
        config,
        dev_tenant: None,
        plugins: Vec::new(),
        yes: false,
        lock: path,
        cache_dir: cache_dir.map_or_else(default_cache_dir, Ok)?,
    };
    let sandbox = wiring::inspection_sandbox(&setup)?;
    let mut findings = Vec::new();
    for (name, settings) in &setup.config.adapters {
        if let Some(connection) = setup.config.connections.get(name) {
            findings.extend(of_connection(&setup, &sandbox, &lock, connection, settings).await?);
        }
    }
    Ok(findings)
}

async fn of_connection(
    setup: &Setup,
    sandbox: &Sandbox,
    lock: &Lock,
    connection: &Connection,
    settings: &AdapterSettings,
) -> anyhow::Result<Vec<LintFinding>> {
    let Some(yes) = lock.connection_approval(connection.name.as_str()) else {
        return Ok(Vec::new());
    };
    let adapter = load(setup, sandbox, &settings.adapter).await?;
    Ok(match approved_tools(setup, &adapter, settings, yes).await {
        Some(tools) => {
            let mut findings = chosen_by_models(connection, &tools);
            findings.extend(credentials(connection, &tools));
            findings
        }
        None => vec![unread_document_finding(connection, settings)],
    })
}

fn unread_document_finding(connection: &Connection, settings: &AdapterSettings) -> LintFinding {
    let name = &connection.name;
    let again = match settings.spec {
        Some(_) => format!("start the host once, or use host connection approve {name}"),
        None => format!("use host connection approve {name} --as-tenant NAME"),
    };
    LintFinding {
        code: "unread-description",
        key: format!("connections.{name}"),
        message: format!(
            "what was approved of it is not kept any more, or its adapter is another by now, so its tools were not looked at: {again}"
        ),
    }
}

/// One finding for each name of an argument, however many tools have it.
fn chosen_by_models(connection: &Connection, tools: &[contract::Discovered]) -> Vec<LintFinding> {
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for found in tools {
        for argument in tenant_arguments(connection, found) {
            named.entry(argument).or_default().push(&found.tool.name);
        }
    }
    let found = named.into_iter().map(|(argument, tools)| LintFinding {
        code: "tenant-argument",
        key: format!("connections.{}.provide", connection.name),
        message: message(argument, &tools),
    });
    found.collect()
}

/// One finding for each name of an argument that is left out since it is a credential.
fn credentials(connection: &Connection, tools: &[contract::Discovered]) -> Vec<LintFinding> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for found in tools {
        for argument in credential_arguments(connection, found) {
            *named.entry(argument).or_default() += 1;
        }
    }
    let name = &connection.name;
    let found = named.into_iter().map(|(argument, tools)| LintFinding {
        code: "credential-argument",
        key: format!("connections.{name}.auth"),
        message: format!(
            "the argument {} of {tools} tools is a credential by its name, and no model is offered it; connections.{name}.auth places a credential there, connections.{name}.offered_arguments lets models give it",
            printable(argument)
        ),
    });
    found.collect()
}

fn message(argument: &str, tools: &[&str]) -> String {
    let example = printable(tools.first().copied().unwrap_or_default());
    let has = match tools.len() {
        1 => format!("the tool {example} has"),
        many => format!("{many} tools, such as {example}, have"),
    };
    format!(
        "{has} the argument {}, which a model chooses; provide = {{ {} = \"{{external_tenant_id}}\" }} takes it from the model; until then what a call may reach is bounded by the credential alone",
        printable(argument),
        key(argument)
    )
}

/// An argument's name as a key of TOML.
fn key(argument: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !argument.is_empty() && argument.chars().all(is_bare) {
        return argument.to_owned();
    }
    // A basic string of TOML has the escapes of JSON.
    escaped_json(&serde_json::json!(argument).to_string())
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn a_finding_counts_the_tools_and_writes_the_key_as_toml_has_it() {
        let one = message("account_id", &["getPlan"]);
        assert!(
            one.starts_with("the tool getPlan has the argument account_id,"),
            "{one}"
        );
        assert!(
            one.contains("provide = { account_id = \"{external_tenant_id}\" }"),
            "{one}"
        );
        let two = message("org.id\u{1b}", &["getPlan", "getInvoice"]);
        assert!(two.starts_with("2 tools, such as getPlan, have"), "{two}");
        assert!(
            two.contains("{ \"org.id\\u001b\" = ") && !two.contains('\u{1b}'),
            "{two}"
        );
    }
}
