use crate::{CredentialKey, UserId};

use sha2::{Digest, Sha256};

/// Where another system keeps each credential: a name with `{tenant}` and `{connection}`, such as
/// `toolhost/{tenant}/{connection}`, and for users' own credentials `{user}` too.
///
/// Two keys never have the same name, and no value leaves its place: a tenant's id and a
/// connection's name have no `/`, a user is a digest over issuer and subject, and a `/` stands
/// between each two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate {
    pieces: Vec<NamePiece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NamePiece {
    Literal(String),
    Tenant,
    Connection,
    User,
}

/// The longest template, in bytes: with all its values it stays below what AWS (512) and Vault
/// take.
const MAX_TEMPLATE: usize = 256;

/// Why a template is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameTemplateError {
    /// Another character than the systems take for sure.
    #[error("has a character outside A-Z, a-z, 0-9, -, _, = and /, or is longer than 256 bytes")]
    Character,
    /// A place that is none.
    #[error("has a place that is none of {{tenant}}, {{connection}} and {{user}}")]
    Place,
    /// A place twice, or none for the tenant or the connection.
    #[error("must have each of {{tenant}} and {{connection}} once, and {{user}} at most once")]
    Once,
    /// Two places without a `/` between them.
    #[error(
        "must have a / between each two places: without one, two tenants could have the same name"
    )]
    Between,
    /// `//`, or `/` at an end.
    #[error("has an empty part")]
    Empty,
}

impl NameTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// See [`NameTemplateError`].
    pub fn parse(text: &str) -> Result<Self, NameTemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(NameTemplateError::Character);
        }
        if text.split('/').any(str::is_empty) {
            return Err(NameTemplateError::Empty);
        }
        let mut pieces: Vec<NamePiece> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find('{').unwrap_or(rest.len());
            let (literal, from) = rest.split_at(end);
            let fits = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'/')
            };
            if !literal.bytes().all(fits) {
                return Err(NameTemplateError::Character);
            }
            if !literal.is_empty() {
                pieces.push(NamePiece::Literal(literal.to_owned()));
            }
            if from.is_empty() {
                break;
            }
            let is_apart = match pieces.last() {
                None => true,
                Some(NamePiece::Literal(literal)) => pieces.len() == 1 || literal.contains('/'),
                Some(_) => false,
            };
            if !is_apart {
                return Err(NameTemplateError::Between);
            }
            let (name, after) = from
                .strip_prefix('{')
                .and_then(|from| from.split_once('}'))
                .ok_or(NameTemplateError::Place)?;
            pieces.push(match name {
                "tenant" => NamePiece::Tenant,
                "connection" => NamePiece::Connection,
                "user" => NamePiece::User,
                _ => return Err(NameTemplateError::Place),
            });
            rest = after;
        }
        let count = |piece: &NamePiece| pieces.iter().filter(|own| *own == piece).count();
        if count(&NamePiece::Tenant) != 1
            || count(&NamePiece::Connection) != 1
            || count(&NamePiece::User) > 1
        {
            return Err(NameTemplateError::Once);
        }
        Ok(Self { pieces })
    }

    /// Whether it is for users' own credentials.
    #[must_use]
    pub fn is_of_user(&self) -> bool {
        self.pieces.contains(&NamePiece::User)
    }

    /// The name of a key's credential. `None` where the key has a user and the template no place
    /// for one, or the other way round: a tenant's credential never stands in for a user's.
    pub(crate) fn fill(&self, key: &CredentialKey) -> Option<String> {
        if self.is_of_user() != key.user().is_some() {
            return None;
        }
        let mut name = String::new();
        for piece in &self.pieces {
            match piece {
                NamePiece::Literal(text) => name.push_str(text),
                NamePiece::Tenant => name.push_str(key.tenant().as_str()),
                NamePiece::Connection => name.push_str(key.connection().as_str()),
                NamePiece::User => name.push_str(&user_name(key.user()?)),
            }
        }
        Some(name)
    }
}

/// What stands for a user in a name: the SHA-256 of issuer and subject, each after its length as
/// eight bytes, big endian, in lower-case hexadecimal.
#[must_use]
pub fn user_name(user: &UserId) -> String {
    let mut digest = Sha256::new();
    for part in [&user.issuer, &user.subject] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The templates of a provider: for tenants' credentials, for users' own, or for both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameTemplates {
    /// Where tenants' credentials are. Without it there are none.
    pub tenant: Option<NameTemplate>,
    /// Where users' own are; it has `{user}`. Without it there are none.
    pub user: Option<NameTemplate>,
}

impl NameTemplates {
    /// Whether each is in its place, and one is there.
    pub(crate) fn is_valid(&self) -> bool {
        self.tenant.as_ref().is_none_or(|name| !name.is_of_user())
            && self.user.as_ref().is_none_or(NameTemplate::is_of_user)
            && (self.tenant.is_some() || self.user.is_some())
    }

    pub(crate) fn name_for(&self, key: &CredentialKey) -> Option<String> {
        let template = match key.user() {
            None => &self.tenant,
            Some(_) => &self.user,
        };
        template.as_ref()?.fill(key)
    }
}

#[cfg(test)]
mod tests {
    use super::{NameTemplate, NameTemplateError};

    #[test]
    fn a_template_keeps_tenants_and_connections_apart() {
        for text in [
            "{tenant}/{connection}",
            "toolhost/{tenant}/{connection}",
            "prod-{tenant}/c_{connection}=x",
            "{connection}/of/{tenant}/{user}",
        ] {
            assert!(NameTemplate::parse(text).is_ok(), "{text}");
        }
        for (text, why) in [
            ("{tenant}{connection}", NameTemplateError::Between),
            ("{tenant}-{connection}", NameTemplateError::Between),
            ("a/{tenant}_{connection}", NameTemplateError::Between),
            ("{tenant}", NameTemplateError::Once),
            ("shared", NameTemplateError::Once),
            ("{tenant}/{tenant}/{connection}", NameTemplateError::Once),
            (
                "{tenant}/{connection}/{user}/{user}",
                NameTemplateError::Once,
            ),
            ("/{tenant}/{connection}", NameTemplateError::Empty),
            ("{tenant}//{connection}", NameTemplateError::Empty),
            ("{tenant}/{connection}/", NameTemplateError::Empty),
            ("../{tenant}/{connection}", NameTemplateError::Character),
            (
                "arn:aws/{tenant}/{connection}",
                NameTemplateError::Character,
            ),
            ("{tenant}/{connection}?x", NameTemplateError::Character),
            ("{tenant/{connection}", NameTemplateError::Place),
            ("{env}/{tenant}/{connection}", NameTemplateError::Place),
            ("{tenant}/{connection}/{user", NameTemplateError::Place),
        ] {
            assert_eq!(NameTemplate::parse(text), Err(why), "{text}");
        }
    }
}
