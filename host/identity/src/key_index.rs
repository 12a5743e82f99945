//! Which tenant a key of an identity provider means, and to which issuer.

use std::collections::HashMap;

use crate::{NamedTenants, Tenant, TenantKey, TenantScope};

/// The longest key of an identity provider, in bytes: what a token's tenant claim may have.
pub(crate) const MAX_KEY: usize = 128;
/// The longest name of an issuer before a key, in bytes: longer URLs are no issuer's.
const MAX_ISSUER: usize = 512;
/// What an unknown key is compared with, as a known one is with itself.
pub(crate) const NO_KEY: [u8; MAX_KEY] = [b'~'; MAX_KEY];

/// What a key means, with what is asked of it first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyTarget {
    /// The tenant's place in the tree.
    pub(crate) at: usize,
    pub(crate) is_available: bool,
    /// The key is the tenant's own id.
    is_id: bool,
}

impl KeyTarget {
    pub(crate) const NOTHING: Self = Self::new(usize::MAX, false);

    pub(crate) const fn new(at: usize, is_available: bool) -> Self {
        Self {
            at,
            is_available,
            is_id: false,
        }
    }
}

/// A key that means another tenant already, and that one's place.
pub(crate) struct KeyConflict {
    pub(crate) key: String,
    pub(crate) first: usize,
}

#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    /// By own id, and by the keys that are no issuer's in particular.
    plain: HashMap<String, KeyTarget>,
    /// By the keys that are one issuer's.
    by_issuer: HashMap<String, HashMap<String, KeyTarget>>,
}

impl KeyIndex {
    /// Takes the keys of the tenant at this place.
    pub(crate) fn add(&mut self, tenant: &Tenant, at: usize) -> Result<(), KeyConflict> {
        let meaning = KeyTarget::new(at, false);
        for written in &tenant.keys {
            let TenantKey { issuer, key } = TenantKey::parse(written);
            let before = match issuer {
                None => self.plain.insert(key.to_owned(), meaning),
                Some(issuer) => {
                    let keys = self.by_issuer.entry(issuer.to_owned()).or_default();
                    keys.insert(key.to_owned(), meaning)
                }
            };
            check_unique(before, at, written)?;
        }
        let id = tenant.id.as_str();
        let own = KeyTarget {
            is_id: true,
            ..meaning
        };
        check_unique(self.plain.insert(id.to_owned(), own), at, id)
    }

    /// An issuer's own key that is another tenant's id, and that tenant's place: it would mean two
    /// tenants to that issuer.
    pub(crate) fn taken_by_an_id(&self) -> Option<(KeyConflict, usize)> {
        self.by_issuer.iter().find_map(|(issuer, keys)| {
            keys.iter().find_map(|(key, meaning)| {
                let other = self.plain.get(key).filter(|other| other.at != meaning.at)?;
                let taken = KeyConflict {
                    key: format!("{issuer}#{key}"),
                    first: meaning.at,
                };
                Some((taken, other.at))
            })
        })
    }

    /// By the places of the tenants.
    pub(crate) fn set_available(&mut self, available: &[bool]) {
        let of_issuers = self.by_issuer.values_mut().flat_map(HashMap::values_mut);
        for meaning in self.plain.values_mut().chain(of_issuers) {
            meaning.is_available = available.get(meaning.at).copied().unwrap_or(false);
        }
    }

    /// What a key means to an issuer, with the text of the key that was found.
    pub(crate) fn find<'a>(
        &'a self,
        key: &str,
        scope: &'a TenantScope,
    ) -> Option<(&'a str, KeyTarget)> {
        if let NamedTenants::Mapped(mapped) = scope.tenants() {
            let (own, id) = mapped.get_key_value(key)?;
            return Some((own, *self.plain.get(id.as_str())?));
        }
        let plain = self.plain.get_key_value(key);
        let own = self.by_issuer.get(scope.issuer());
        let own = own.and_then(|keys| keys.get_key_value(key));
        plain
            .filter(|(_, meaning)| meaning.is_id || scope.has_plain_keys())
            .or(own)
            .map(|(own, meaning)| (own.as_str(), *meaning))
    }
}

fn check_unique(before: Option<KeyTarget>, at: usize, key: &str) -> Result<(), KeyConflict> {
    match before {
        Some(first) if first.at != at => Err(KeyConflict {
            key: key.to_owned(),
            first: first.at,
        }),
        _ => Ok(()),
    }
}

/// Whether a token can carry the key.
pub(crate) fn is_key(written: &str) -> bool {
    let TenantKey { issuer, key } = TenantKey::parse(written);
    (1..=MAX_KEY).contains(&key.len())
        && issuer.is_none_or(|issuer| issuer.len() <= MAX_ISSUER)
        && written.bytes().all(|byte| byte.is_ascii_graphic())
}
