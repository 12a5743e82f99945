use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ConnectionName, Endpoint, HeaderTemplate, OperationRule, SecretPart, UrlTemplates};

/// Which callers may use a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalRule {
    /// People only.
    #[default]
    User,
    /// Machines only.
    Machine,
    /// Both.
    Any,
}

impl PrincipalRule {
    /// What both rules allow; `None` where nobody is left.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, rule) | (rule, Self::Any) => Some(rule),
            (a, b) if a == b => Some(a),
            _ => None,
        }
    }
}

/// Whose credential a connection uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialOwner {
    /// One credential a tenant.
    #[default]
    Tenant,
    /// One credential a user of a tenant: issuer and subject join the key.
    User,
}

/// How a credential goes onto a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthPlacement {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer,
    /// `Authorization: Basic …` (RFC 7617); the credential is `user:password`.
    Basic,
    /// A header of its own, with a text before the secret (`Token `, say, or none).
    Header {
        /// In lower case.
        name: http::HeaderName,
        /// Comes before the secret.
        prefix: String,
    },
    /// A query parameter. The last resort: query strings end up in upstream logs.
    Query {
        /// The parameter's key.
        key: String,
    },
    /// A member of a JSON body, by JSON Pointer (RFC 6901) of one or more object keys.
    Body {
        /// The pointer, such as `/auth/api_key`.
        pointer: String,
    },
    /// Several secrets of one credential, each in a place of its own.
    Parts(Vec<SecretPart>),
    /// No credential.
    None,
}

impl AuthPlacement {
    /// The places, each of one secret: itself, or those of its parts.
    pub fn iter_single(&self) -> impl Iterator<Item = &Self> {
        let (own, parts) = match self {
            Self::Parts(parts) => (None, parts.as_slice()),
            own => (Some(own), [].as_slice()),
        };
        own.into_iter().chain(parts.iter().map(|part| &part.auth))
    }

    /// The headers that the placement writes.
    pub fn headers(&self) -> impl Iterator<Item = http::HeaderName> {
        self.iter_single().filter_map(|place| match place {
            Self::Bearer | Self::Basic => Some(http::header::AUTHORIZATION),
            Self::Header { name, .. } => Some(name.clone()),
            Self::Query { .. } | Self::Body { .. } | Self::Parts(_) | Self::None => None,
        })
    }

    /// The keys in the query that the placement writes.
    pub fn query_keys(&self) -> impl Iterator<Item = &str> {
        self.iter_single().filter_map(|place| match place {
            Self::Query { key } => Some(key.as_str()),
            _ => None,
        })
    }

    /// The places in a JSON body that the placement writes, as JSON Pointers.
    pub fn pointers(&self) -> impl Iterator<Item = &str> {
        self.iter_single().filter_map(|place| match place {
            Self::Body { pointer } => Some(pointer.as_str()),
            _ => None,
        })
    }
}

/// One outside system as the operator defined it. What a plugin says instead of a host and a
/// credential.
#[derive(Clone)]
pub struct Connection {
    /// Its name.
    pub name: ConnectionName,
    /// Scheme, host, port and a path prefix; no user, query or fragment. Endpoints stand below it.
    pub base: url::Url,
    /// For people.
    pub description: String,
    /// Who may call.
    pub principal: PrincipalRule,
    /// Whose credential.
    pub credential_of: CredentialOwner,
    /// How the credential goes on the wire.
    pub auth: AuthPlacement,
    /// Headers that the host sets, filled from the credential's attributes.
    pub headers: Vec<(http::HeaderName, HeaderTemplate)>,
    /// Arguments of tools that the host fills from the credential's attributes, by name. No model
    /// chooses them.
    pub provide: Vec<(String, HeaderTemplate)>,
    /// Arguments of described tools that a model gives although their names say that they are
    /// credentials.
    pub offered_arguments: Vec<String>,
    /// What else is filled from them: base, path and query.
    pub filled: UrlTemplates,
    /// The provider of its credentials.
    pub credentials: String,
    /// Where the operator narrows what any plugin may ask for.
    pub allow: Option<Vec<Endpoint>>,
    /// Response headers that a guest may see, beside the usual ones; in lower case.
    pub response_headers: Vec<http::HeaderName>,
    /// Operations whose answers hold the credential, which the operator accepts: it is taken out of
    /// them, and they count towards no quarantine.
    pub reflects: Vec<OperationRule>,
    /// Operations of which a plugin may ask for a range (RFC 9110 section 14), and that may answer
    /// with a part.
    pub ranges: Vec<OperationRule>,
    /// `http://` is acceptable.
    pub allow_http: bool,
    /// Loopback addresses are acceptable.
    pub allow_loopback: bool,
    /// Private networks (RFC 1918, RFC 4193) are acceptable. Link-local and metadata addresses
    /// never are.
    pub allow_private: bool,
    /// Roots to trust instead of the public ones: certificates in PEM.
    pub ca: Option<Arc<[u8]>>,
}

impl Connection {
    /// A connection with a tenant's declared credential as a bearer token, for users, to public
    /// addresses over TLS. Nothing else is allowed until a member says so.
    #[must_use]
    pub fn new(name: ConnectionName, base: url::Url) -> Self {
        Self {
            name,
            base,
            description: String::new(),
            principal: PrincipalRule::User,
            credential_of: CredentialOwner::Tenant,
            auth: AuthPlacement::Bearer,
            headers: Vec::new(),
            provide: Vec::new(),
            offered_arguments: Vec::new(),
            filled: UrlTemplates::default(),
            credentials: "static".to_owned(),
            allow: None,
            response_headers: Vec::new(),
            reflects: Vec::new(),
            ranges: Vec::new(),
            allow_http: false,
            allow_loopback: false,
            allow_private: false,
            ca: None,
        }
    }

    /// The attributes of its credential that requests are filled from, beside the secret.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        let headers = self
            .headers
            .iter()
            .flat_map(|(_, template)| template.attributes());
        headers.chain(self.filled.attributes())
    }

    /// Whether anything of a credential goes on the wire.
    #[must_use]
    pub fn needs_credential(&self) -> bool {
        !matches!(self.auth, AuthPlacement::None) || self.attributes().next().is_some()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Connection, ConnectionName, PrincipalRule};

    #[test]
    fn user_and_machine_leave_nobody() {
        assert_eq!(PrincipalRule::User.intersect(PrincipalRule::Machine), None);
        assert_eq!(
            PrincipalRule::Any.intersect(PrincipalRule::Machine),
            Some(PrincipalRule::Machine)
        );
    }

    #[test]
    fn a_new_connection_allows_nothing_that_was_not_said() {
        let base = url::Url::parse("https://billing.example.com").unwrap();
        let new = Connection::new(ConnectionName::parse("billing").unwrap(), base);
        assert!(!new.allow_http && !new.allow_loopback && !new.allow_private);
        assert_eq!(new.principal, PrincipalRule::User);
        assert!(
            new.response_headers.is_empty() && new.reflects.is_empty() && new.ranges.is_empty()
        );
        assert!(new.offered_arguments.is_empty() && new.ca.is_none());
    }
}
