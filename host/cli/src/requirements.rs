//! What is still needed before anything can be served. All of it is named at once, each piece with
//! the flag or key that gives it.

use std::collections::BTreeSet;

use toolhost_policy::{AuthPlacement, ConnectionName, Manifest, PluginName};

use crate::config::AUTHORITY;
use crate::exit::CliError;
use crate::setup::{Setup, VAULT};

/// How callers reach the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerSource {
    /// Over HTTP, each with a token of its own.
    Http,
    /// One caller: stdio or `host call`, whose token is given (or not) by a flag.
    One { token: bool },
}

/// Refuses with everything that is missing before anything could be served; what plugins need for
/// themselves is named with it.
///
/// # Errors
/// Something is.
pub(crate) fn check(
    setup: &Setup,
    manifests: &[&Manifest],
    door: CallerSource,
) -> Result<(), CliError> {
    let mut pieces = of_host(setup, door);
    if pieces.is_empty() {
        return Ok(());
    }
    let mut needed: Vec<String> = manifests
        .iter()
        .flat_map(|manifest| of_plugin(setup, manifest))
        .collect();
    let described = setup.config.adapters.keys();
    needed.extend(described.flat_map(|name| of_connection(setup, name, None)));
    let mut seen = BTreeSet::new();
    needed.retain(|piece| seen.insert(piece.clone()));
    pieces.splice(0..0, needed);
    failure(pieces).map_or(Ok(()), Err)
}

/// One failure that names all pieces; `None` where there are none.
pub(crate) fn failure(pieces: Vec<String>) -> Option<CliError> {
    let count = match pieces.len() {
        0 => return None,
        1 => "one thing is".to_owned(),
        many => format!("{many} things are"),
    };
    let list: String = pieces
        .iter()
        .map(|piece| format!("\n  - {piece}"))
        .collect();
    Some(CliError::usage(format!("{count} missing:{list}")))
}

/// What is missing of the host, whatever its plugins need.
fn of_host(setup: &Setup, door: CallerSource) -> Vec<String> {
    let config = &setup.config;
    let mut pieces = Vec::new();
    if setup.plugins.is_empty() && config.plugins.is_empty() && config.adapters.is_empty() {
        pieces.push(
            "a plugin: --plugin FILE, or [plugins.NAME] file = \"…\" in host.toml; or a connection with an adapter"
                .to_owned(),
        );
    }
    let developing = setup.dev_tenant.is_some();
    match door {
        CallerSource::Http if config.issuers.is_empty() && !developing => pieces.push(
            "who may call: [[issuers]] in host.toml, or --dev-tenant NAME for development on this machine"
                .to_owned(),
        ),
        CallerSource::One { token: false } if !developing => {
            pieces.push("who calls: --token @FILE|env:VAR, or --dev-tenant NAME for development".to_owned());
        }
        CallerSource::One { token: true } if config.issuers.is_empty() => {
            pieces.push("whose tokens are believed: [[issuers]] in host.toml".to_owned());
        }
        _ => {}
    }
    // With a data directory tenants are added to it at any time.
    if !config.issuers.is_empty()
        && config.tenants.is_empty()
        && !developing
        && config.data.is_none()
    {
        pieces.push("a tenant: [tenants.NAME] in host.toml".to_owned());
    }
    pieces
}

/// What the connections that a plugin asks for still need.
pub(crate) fn of_plugin(setup: &Setup, manifest: &Manifest) -> Vec<String> {
    let requests = manifest.connections.iter();
    requests
        .flat_map(|request| of_connection(setup, &request.name, Some(&manifest.name)))
        .collect()
}

/// What a connection that is used still needs; `plugin` asks for it, or its own adapter serves it.
pub(crate) fn of_connection(
    setup: &Setup,
    name: &ConnectionName,
    plugin: Option<&PluginName>,
) -> Vec<String> {
    let (config, mut pieces) = (&setup.config, Vec::new());
    let known = config.connections.get(name);
    if let (None, Some(plugin)) = (known, plugin) {
        pieces.push(format!(
            "connection {name}, which plugin {plugin} asks for: --connection {name}=URL, or [connections.{name}] in host.toml"
        ));
    }
    if known.is_some_and(|connection| {
        connection.auth == AuthPlacement::None
            || connection.credentials == VAULT
            || connection.credentials == AUTHORITY
            || config.providers.contains_key(&connection.credentials)
    }) {
        return pieces;
    }
    // With issuers beside it, the development tenant is one caller of several.
    let found = match &setup.dev_tenant {
        Some(tenant) if config.issuers.is_empty() => config.has_credential(tenant, name),
        dev => config
            .tenants
            .keys()
            .chain(dev)
            .any(|tenant| config.has_credential(tenant, name)),
    };
    if !found {
        pieces.push(match &setup.dev_tenant {
            Some(tenant) => format!(
                "tenant {tenant}'s credential for connection {name}: --credential {name}=@FILE or --credential {name}=env:VAR, or [credentials.{tenant}.{name}] in host.toml"
            ),
            None => format!(
                "a credential for connection {name}: --credential {name}=@FILE|env:VAR with --dev-tenant, --credential TENANT/{name}=@FILE|env:VAR, or [credentials.TENANT.{name}] in host.toml"
            ),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use toolhost_identity::TenantId;
    use toolhost_policy::Manifest;

    use super::{CallerSource, check, of_host};
    use crate::config::Config;
    use crate::setup::Setup;

    fn setup(dev: Option<&str>) -> Setup {
        Setup {
            config: Config::default(),
            dev_tenant: dev.map(|name| TenantId::parse(name).unwrap()),
            plugins: vec![PathBuf::from("billing.wasm")],
            yes: false,
            lock: PathBuf::from("host.lock"),
            cache_dir: PathBuf::from("cache"),
        }
    }

    fn manifest() -> Manifest {
        let text = "[plugin]\nname='billing'\nversion='1'\n[[connection]]\nname='billing'\n";
        Manifest::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_plugin_alone_is_told_every_missing_piece_in_one_message() {
        let error = check(&setup(None), &[&manifest()], CallerSource::Http)
            .unwrap_err()
            .message;
        for flag in [
            "3 things",
            "--connection billing=URL",
            "--credential billing=",
            "--dev-tenant NAME",
            "[[issuers]]",
        ] {
            assert!(error.contains(flag), "{flag}: {error}");
        }
    }

    #[test]
    fn nothing_at_all_is_told_to_name_a_plugin() {
        let mut setup = setup(Some("acme"));
        setup.plugins.clear();
        assert!(
            check(&setup, &[], CallerSource::Http)
                .unwrap_err()
                .message
                .contains("--plugin FILE")
        );
    }

    #[test]
    fn one_caller_needs_a_token_or_a_dev_tenant() {
        assert!(
            of_host(&setup(None), CallerSource::One { token: false })
                .iter()
                .any(|piece| piece.contains("--token"))
        );
        assert!(
            of_host(&setup(None), CallerSource::One { token: true })
                .iter()
                .any(|piece| piece.contains("[[issuers]]"))
        );
        assert!(of_host(&setup(Some("acme")), CallerSource::One { token: false }).is_empty());
    }
}
