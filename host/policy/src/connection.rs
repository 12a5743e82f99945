use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ConnectionName, Endpoint, OperationRule, SecretPart, UrlTemplates};

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

/// Why a header template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its pair.
    #[error("has a brace without its pair")]
    Brace,
    /// A name that is not an attribute's.
    #[error("{{{0}}} is not the name of a credential attribute (a-z, 0-9 and _)")]
    Name(String),
    /// A character that no header value may have.
    #[error("has a character that a header value cannot have")]
    Character,
}

/// A header value with places for credential attributes, such as `acct-{external_tenant_id}`.
///
/// The list of variables is closed: attributes of the credential, never an argument of the model,
/// never the environment (E10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    pieces: Vec<Result<String, String>>,
}

impl HeaderTemplate {
    /// Reads a template; `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// An unpaired brace, a name that is no attribute's, or a character outside visible ASCII and
    /// space.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return Err(TemplateError::Character);
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (name, after) = from
                    .strip_prefix('{')
                    .and_then(|from| from.split_once('}'))
                    .ok_or(TemplateError::Brace)?;
                let fits = !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                if !fits {
                    return Err(TemplateError::Name(name.chars().take(80).collect()));
                }
                if !literal.is_empty() {
                    pieces.push(Ok(std::mem::take(&mut literal)));
                }
                pieces.push(Err(name.to_owned()));
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Ok(literal));
        }
        Ok(Self { pieces })
    }

    /// The attributes it needs.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.pieces
            .iter()
            .filter_map(|piece| piece.as_ref().err().map(String::as_str))
    }

    /// Fills in the attributes.
    ///
    /// # Errors
    /// The name of the first attribute that `lookup` does not have.
    pub fn fill(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
        let mut value = String::new();
        for piece in &self.pieces {
            match piece {
                Ok(literal) => value.push_str(literal),
                Err(name) => value.push_str(&lookup(name).ok_or(name.as_str())?),
            }
        }
        Ok(value)
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
    use super::{HeaderTemplate, PrincipalRule, TemplateError};

    #[test]
    fn a_template_is_filled_from_attributes_alone() {
        let template = HeaderTemplate::parse("acct-{external_tenant_id}{{x}}").unwrap();
        let value = template.fill(|name| (name == "external_tenant_id").then(|| "7".to_owned()));
        assert_eq!(value.unwrap(), "acct-7{x}");
        assert_eq!(template.fill(|_| None), Err("external_tenant_id"));
    }

    #[test]
    fn arguments_and_environment_are_no_attributes() {
        for text in ["{args.limit}", "{$HOME}", "{env:HOME}", "{A}", "{}"] {
            assert!(
                matches!(HeaderTemplate::parse(text), Err(TemplateError::Name(_))),
                "{text}"
            );
        }
        assert_eq!(HeaderTemplate::parse("{a"), Err(TemplateError::Brace));
        assert_eq!(HeaderTemplate::parse("a}"), Err(TemplateError::Brace));
        assert_eq!(
            HeaderTemplate::parse("a\r\nb"),
            Err(TemplateError::Character)
        );
    }

    #[test]
    fn user_and_machine_leave_nobody() {
        assert_eq!(PrincipalRule::User.intersect(PrincipalRule::Machine), None);
        assert_eq!(
            PrincipalRule::Any.intersect(PrincipalRule::Machine),
            Some(PrincipalRule::Machine)
        );
    }
}
