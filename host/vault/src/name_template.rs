use crate::{CredentialKey, UserId};

use sha2::{Digest, Sha256};

/// Where another system keeps each credential: a name with `{tenant}` and `{connection}`, such as
/// `toolhost/{tenant}/{connection}`, and for users' own credentials `{user}` too.
///
/// Two keys never have the same name, and no value leaves its place: a tenant's id and a connection's name have no `/`, a
/// user is a digest over issuer and subject, and a `/` stands between each two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Tenant,
    Connection,
    User,
}

/// The longest template, in bytes: with all its values it stays below what AWS (512) and Vault take.
const MAX_TEMPLATE: usize = 256;

/// Why a template is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameTemplateRefused {
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
    #[error("must have a / between each two places: without one, two tenants could have the same name")]
    Between,
    /// `//`, or `/` at an end.
    #[error("has an empty part")]
    Empty,
}

impl NameTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// See [`NameTemplateRefused`].
    pub fn parse(text: &str) -> Result<Self, NameTemplateRefused> {
        if text.len() > MAX_TEMPLATE {
            return Err(NameTemplateRefused::Character);
        }
        if text.split('/').any(str::is_empty) {
            return Err(NameTemplateRefused::Empty);
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find('{').unwrap_or(rest.len());
            let (literal, from) = rest.split_at(end);
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'/');
            if !literal.bytes().all(fits) {
                return Err(NameTemplateRefused::Character);
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            if from.is_empty() {
                break;
            }
            let is_apart = match pieces.last() {
                None => true,
                Some(Piece::Literal(literal)) => pieces.len() == 1 || literal.contains('/'),
                Some(_) => false,
            };
            if !is_apart {
                return Err(NameTemplateRefused::Between);
            }
            let (name, after) = from
                .strip_prefix('{')
                .and_then(|from| from.split_once('}'))
                .ok_or(NameTemplateRefused::Place)?;
            pieces.push(match name {
                "tenant" => Piece::Tenant,
                "connection" => Piece::Connection,
                "user" => Piece::User,
                _ => return Err(NameTemplateRefused::Place),
            });
            rest = after;
        }
        let count = |piece: &Piece| pieces.iter().filter(|own| *own == piece).count();
        if count(&Piece::Tenant) != 1 || count(&Piece::Connection) != 1 || count(&Piece::User) > 1 {
            return Err(NameTemplateRefused::Once);
        }
        Ok(Self { pieces })
    }

    /// Whether it is for users' own credentials.
    #[must_use]
    pub fn is_of_user(&self) -> bool {
        self.pieces.contains(&Piece::User)
    }

    /// The name of a key's credential. `None` where the key has a user and the template no place for one, or the other way
    /// round: a tenant's credential never stands in for a user's.
    pub(crate) fn fill(&self, key: &CredentialKey) -> Option<String> {
        if self.is_of_user() != key.user().is_some() {
            return None;
        }
        let mut name = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => name.push_str(text),
                Piece::Tenant => name.push_str(key.tenant().as_str()),
                Piece::Connection => name.push_str(key.connection().as_str()),
                Piece::User => name.push_str(&user_name(key.user()?)),
            }
        }
        Some(name)
    }
}

/// What stands for a user in a name: the SHA-256 of issuer and subject, each after its length as eight bytes, big endian,
/// in lower-case hexadecimal.
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
pub struct Names {
    /// Where tenants' credentials are. Without it there are none.
    pub tenant: Option<NameTemplate>,
    /// Where users' own are; it has `{user}`. Without it there are none.
    pub user: Option<NameTemplate>,
}

impl Names {
    /// Whether each is in its place, and one is there.
    pub(crate) fn fit(&self) -> bool {
        self.tenant.as_ref().is_none_or(|name| !name.is_of_user())
            && self.user.as_ref().is_none_or(NameTemplate::is_of_user)
            && (self.tenant.is_some() || self.user.is_some())
    }

    pub(crate) fn of(&self, key: &CredentialKey) -> Option<String> {
        let template = match key.user() {
            None => &self.tenant,
            Some(_) => &self.user,
        };
        template.as_ref()?.fill(key)
    }
}

#[cfg(test)]
mod tests {
    use super::{NameTemplate, NameTemplateRefused};

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
            ("{tenant}{connection}", NameTemplateRefused::Between),
            ("{tenant}-{connection}", NameTemplateRefused::Between),
            ("a/{tenant}_{connection}", NameTemplateRefused::Between),
            ("{tenant}", NameTemplateRefused::Once),
            ("shared", NameTemplateRefused::Once),
            ("{tenant}/{tenant}/{connection}", NameTemplateRefused::Once),
            ("{tenant}/{connection}/{user}/{user}", NameTemplateRefused::Once),
            ("/{tenant}/{connection}", NameTemplateRefused::Empty),
            ("{tenant}//{connection}", NameTemplateRefused::Empty),
            ("{tenant}/{connection}/", NameTemplateRefused::Empty),
            ("../{tenant}/{connection}", NameTemplateRefused::Character),
            ("arn:aws/{tenant}/{connection}", NameTemplateRefused::Character),
            ("{tenant}/{connection}?x", NameTemplateRefused::Character),
            ("{tenant/{connection}", NameTemplateRefused::Place),
            ("{env}/{tenant}/{connection}", NameTemplateRefused::Place),
            ("{tenant}/{connection}/{user", NameTemplateRefused::Place),
        ] {
            assert_eq!(NameTemplate::parse(text), Err(why), "{text}");
        }
    }
}
