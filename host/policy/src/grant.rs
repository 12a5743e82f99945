use std::collections::BTreeMap;

use crate::{
    CheckedConnection, ConnectionName, Endpoint, Limits, Manifest, PluginName, PrincipalRule,
};

/// Why a plugin cannot get what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The operator has no such connection.
    #[error(
        "plugin {plugin} asks for connection {connection}, which is not defined; add [connections.{connection}] to the configuration or --connection {connection}=URL"
    )]
    UnknownConnection {
        /// Who asks.
        plugin: PluginName,
        /// For what.
        connection: ConnectionName,
    },
    /// The operator's `allow` leaves out an endpoint.
    #[error(
        "plugin {plugin} asks for {endpoint} of connection {connection}, which [[connections.{connection}.allow]] does not have"
    )]
    NotAllowed {
        /// Who asks.
        plugin: PluginName,
        /// Where.
        connection: ConnectionName,
        /// For what.
        endpoint: String,
    },
    /// Plugin and operator expect different callers.
    #[error(
        "plugin {plugin} and connections.{connection}.principal leave no caller: one says user, the other machine"
    )]
    NoPrincipal {
        /// Who asks.
        plugin: PluginName,
        /// Where.
        connection: ConnectionName,
    },
}

/// What a plugin may do with one connection.
#[derive(Debug, Clone)]
pub struct ConnectionGrant {
    /// The operator's definition.
    pub connection: CheckedConnection,
    /// Which callers.
    pub principal: PrincipalRule,
    /// Which endpoints.
    pub endpoints: Vec<Endpoint>,
    /// The base URL a standard HTTP client in the guest uses; the operator's own where the manifest
    /// has none.
    pub guest_base: url::Url,
}

/// What a plugin gets: the manifest's wishes within the operator's configuration.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Whose grant.
    pub plugin: PluginName,
    /// By name; a connection that is not here does not exist for the plugin.
    pub connections: BTreeMap<ConnectionName, ConnectionGrant>,
    /// The bounds of each of its calls.
    pub limits: Limits,
}

impl Grant {
    /// Manifest ∩ operator.
    ///
    /// # Errors
    /// The first thing asked for that the operator does not have or does not allow. Nothing is
    /// dropped in silence: a plugin that gets less than it asks for would fail in the middle of a
    /// call.
    pub fn resolve(
        manifest: &Manifest,
        connections: &BTreeMap<ConnectionName, CheckedConnection>,
        limits: &Limits,
    ) -> Result<Self, GrantError> {
        let mut granted = BTreeMap::new();
        for request in &manifest.connections {
            let (plugin, name) = (manifest.name.clone(), request.name.clone());
            let Some(connection) = connections.get(&name) else {
                return Err(GrantError::UnknownConnection {
                    plugin,
                    connection: name,
                });
            };
            let Some(principal) = request.principal.intersect(connection.principal) else {
                return Err(GrantError::NoPrincipal {
                    plugin,
                    connection: name,
                });
            };
            let mut endpoints = Vec::with_capacity(request.allow.len());
            for asked in &request.allow {
                let endpoint = match &connection.allow {
                    None => asked.clone(),
                    Some(allowed) => {
                        let both = allowed.iter().find_map(|allowed| asked.intersect(allowed));
                        let whole = both.filter(|both| both == asked);
                        whole.ok_or_else(|| GrantError::NotAllowed {
                            plugin: plugin.clone(),
                            connection: name.clone(),
                            endpoint: asked.to_string(),
                        })?
                    }
                };
                endpoints.push(endpoint);
            }
            let guest_base = request
                .base
                .clone()
                .unwrap_or_else(|| connection.base.clone());
            granted.insert(
                name,
                ConnectionGrant {
                    connection: connection.clone(),
                    principal,
                    endpoints,
                    guest_base,
                },
            );
        }
        Ok(Self {
            plugin: manifest.name.clone(),
            connections: granted,
            limits: limits.clone().tightened(&manifest.limits),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Grant, GrantError};
    use crate::{
        CheckedConnection, Connection, ConnectionName, Endpoint, Limits, Manifest, PrincipalRule,
    };

    fn connection(
        allow: Option<Vec<Endpoint>>,
        principal: PrincipalRule,
    ) -> BTreeMap<ConnectionName, CheckedConnection> {
        let name = ConnectionName::parse("billing").unwrap();
        let connection = Connection {
            principal,
            credentials: "env".into(),
            allow,
            ..Connection::new(
                name.clone(),
                url::Url::parse("https://billing.example.com").unwrap(),
            )
        };
        BTreeMap::from([(name, CheckedConnection::new(connection).unwrap())])
    }

    fn manifest() -> Manifest {
        let text = "[plugin]\nname='billing'\nversion='1'\n[[connection]]\nname='billing'\n[[connection.allow]]\nmethod='GET'\npath='/v1/invoices'\nquery=['limit']\n";
        Manifest::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_connection_that_the_operator_does_not_have_is_named() {
        let error = Grant::resolve(&manifest(), &BTreeMap::new(), &Limits::default()).unwrap_err();
        assert!(
            error.to_string().contains("--connection billing=URL"),
            "{error}"
        );
    }

    #[test]
    fn more_than_the_operator_allows_is_refused_and_not_cut() {
        let mut narrow = manifest().connections[0].allow.clone();
        narrow[0].query.clear();
        let connections = connection(Some(narrow), PrincipalRule::User);
        let error = Grant::resolve(&manifest(), &connections, &Limits::default()).unwrap_err();
        assert!(matches!(error, GrantError::NotAllowed { .. }));
    }

    #[test]
    fn without_an_allow_list_the_plugin_gets_what_it_asked_and_no_more() {
        let grant = Grant::resolve(
            &manifest(),
            &connection(None, PrincipalRule::Any),
            &Limits::default(),
        )
        .unwrap();
        let granted = grant.connections.values().next().unwrap();
        assert_eq!(
            (granted.endpoints.len(), granted.principal),
            (1, PrincipalRule::User)
        );
    }

    #[test]
    fn callers_that_exclude_each_other_are_refused() {
        let connections = connection(None, PrincipalRule::Machine);
        assert!(matches!(
            Grant::resolve(&manifest(), &connections, &Limits::default()),
            Err(GrantError::NoPrincipal { .. })
        ));
    }
}
