use std::collections::BTreeMap;
use std::fmt::Write as _;

use toolhost_identity::TenantId;
use toolhost_policy::{ConnectionName, Secret};
use toolhost_store::Record;
use toolhost_store::keys::{Generation, SpaceKey, Subkey, SubkeyPurpose};
use zeroize::Zeroizing;

use super::bytes::{FIELD, FieldReader, put_field};
use super::error::VaultError;
use super::name::CredentialName;
use crate::UserId;

/// The record as it is written.
const FORMAT: u8 = 1;

/// Characters of a fingerprint: enough to tell two secrets apart, and too few to confirm a guess
/// with certainty even for somebody with the tenant's key.
const FINGERPRINT: usize = 8;

/// What is sealed.
pub(super) struct SealedContents {
    pub(super) secret: Secret,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) expires_at: Option<u64>,
    /// When the name first got a secret, in Unix seconds.
    pub(super) created_at: u64,
    /// When it got this one.
    pub(super) rotated_at: u64,
    pub(super) fingerprint: String,
}

/// What stands before it, in this order and in the clear: the store seals the whole record once
/// more.
pub(super) struct RecordEnvelope<'a> {
    pub(super) name: CredentialName,
    pub(super) generation: Generation,
    pub(super) version: u64,
    sealed: &'a [u8],
}

/// A keyed digest of a secret. Without the tenant's key it says nothing, not even of a weak one.
pub(super) fn fingerprint(subkey: &Subkey, secret: &Secret) -> String {
    let mac = subkey.mac(&[b"fingerprint of a credential", secret.expose()]);
    let mut text = String::with_capacity(FINGERPRINT);
    for byte in mac.iter().take(FINGERPRINT / 2) {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl SealedContents {
    /// The plaintext, in memory that is zeroed and never grows.
    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2 * FIELD)
            .sum();
        let room = FIELD
            + self.secret.len()
            + attributes
            + FIELD
            + 1
            + 3 * 8
            + FIELD
            + self.fingerprint.len();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        put_field(&mut bytes, self.secret.expose());
        put_field(&mut bytes, self.fingerprint.as_bytes());
        bytes.extend_from_slice(&self.created_at.to_be_bytes());
        bytes.extend_from_slice(&self.rotated_at.to_be_bytes());
        bytes.push(u8::from(self.expires_at.is_some()));
        bytes.extend_from_slice(&self.expires_at.unwrap_or(0).to_be_bytes());
        for (name, value) in &self.attributes {
            put_field(&mut bytes, name.as_bytes());
            put_field(&mut bytes, value.as_bytes());
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = FieldReader(bytes);
        let secret = Secret::new(reader.field()?.to_vec());
        let fingerprint = reader.text()?.to_owned();
        let (created_at, rotated_at) = (reader.u64()?, reader.u64()?);
        let expires_at = match (reader.byte()?, reader.u64()?) {
            (0, 0) => None,
            (1, at) => Some(at),
            _ => return None,
        };
        let mut attributes = BTreeMap::new();
        while !reader.is_empty() {
            attributes.insert(reader.text()?.to_owned(), reader.text()?.to_owned());
        }
        Some(Self {
            secret,
            attributes,
            expires_at,
            created_at,
            rotated_at,
            fingerprint,
        })
    }

    /// The record of these contents, for this tenant, name and version and no other.
    pub(super) fn seal(
        &self,
        subkey: &Subkey,
        generation: Generation,
        tenant: &TenantId,
        name: &CredentialName,
        version: u64,
    ) -> Result<Vec<u8>, VaultError> {
        let sealed = subkey
            .seal(&name.associated_data(tenant, version), &self.bytes())
            .map_err(|_| VaultError::Key(tenant.to_string()))?;
        let mut bytes = Vec::with_capacity(sealed.len() + 256);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&generation.0.to_be_bytes());
        bytes.extend_from_slice(&version.to_be_bytes());
        put_field(&mut bytes, name.connection.as_str().as_bytes());
        bytes.push(u8::from(name.user.is_some()));
        if let Some(user) = &name.user {
            put_field(&mut bytes, user.issuer.as_bytes());
            put_field(&mut bytes, user.subject.as_bytes());
        }
        bytes.extend_from_slice(&sealed);
        Ok(bytes)
    }
}

impl<'a> RecordEnvelope<'a> {
    /// Reads what stands before the sealed part. Nothing of it is believed until that part has
    /// opened.
    pub(super) fn parse(record: &'a Record) -> Option<Self> {
        let mut reader = FieldReader(&record.value);
        if reader.byte()? != FORMAT {
            return None;
        }
        let generation = Generation(reader.u32()?);
        let version = reader.u64()?;
        let connection = ConnectionName::parse(reader.text()?).ok()?;
        let user = match reader.byte()? {
            0 => None,
            1 => Some(UserId {
                issuer: reader.text()?.into(),
                subject: reader.text()?.into(),
            }),
            _ => return None,
        };
        Some(Self {
            name: CredentialName { connection, user },
            generation,
            version,
            sealed: reader.0,
        })
    }

    /// Whether the generation of the tenant's key that sealed it was retired.
    pub(super) fn is_retired(&self, key: &SpaceKey) -> bool {
        key.subkey(self.generation, SubkeyPurpose::Credentials)
            .is_none()
    }

    /// Opens the record for the name and version that are asked for, which need not be those that
    /// it says of itself.
    pub(super) fn open(
        &self,
        key: &SpaceKey,
        tenant: &TenantId,
        name: &CredentialName,
        version: u64,
    ) -> Result<SealedContents, &'static str> {
        if self.name != *name {
            return Err("its record is another credential's");
        }
        if self.version != version {
            return Err(
                "it is not the version that the tenant's index says: an earlier one was put back",
            );
        }
        let subkey = key
            .subkey(self.generation, SubkeyPurpose::Credentials)
            .ok_or("the generation of the tenant's key that sealed it was retired")?;
        let opened = subkey
            .open(&name.associated_data(tenant, version), self.sealed)
            .map_err(|_| "its record does not open: it was changed, or sealed for another")?;
        SealedContents::parse(&opened).ok_or("its record is cut short")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use toolhost_identity::{Operator, TenantId, TenantSpace};
    use toolhost_policy::{ConnectionName, Secret};
    use toolhost_store::keys::{Keyring, MasterKey, SubkeyPurpose};
    use toolhost_store::{Record, Space};

    use super::{RecordEnvelope, SealedContents};
    use crate::{CredentialName, UserId};

    fn name(connection: &str, user: Option<(&str, &str)>) -> CredentialName {
        CredentialName {
            connection: ConnectionName::parse(connection).unwrap(),
            user: user.map(|(issuer, subject)| UserId {
                issuer: issuer.into(),
                subject: subject.into(),
            }),
        }
    }

    #[test]
    fn a_record_opens_for_its_own_tenant_connection_user_and_version_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (master, _) = MasterKey::open_or_create(&directory.path().join("master.key")).unwrap();
        let keys = Keyring::open(directory.path(), master).unwrap();
        let acme = TenantId::parse("acme").unwrap();
        let space = TenantSpace::of_operator(acme.clone(), &Operator::of_this_process());
        // One key for all of them, so that nothing but the associated data tells them apart.
        let key = keys.create(&Space::Tenant(space)).unwrap();
        let subkey = key
            .subkey(key.current(), SubkeyPurpose::Credentials)
            .unwrap();
        let contents = SealedContents {
            secret: Secret::from("tok_first_0123456789".to_owned()),
            attributes: BTreeMap::from([("site".to_owned(), "eu".to_owned())]),
            expires_at: Some(7),
            created_at: 1,
            rotated_at: 2,
            fingerprint: "01234567".to_owned(),
        };
        let own = name("billing", Some(("ab", "c")));
        let value = contents
            .seal(&subkey, key.current(), &acme, &own, 3)
            .unwrap();
        let record = Record { value, version: 1 };
        let open = |tenant: &TenantId, name: &CredentialName, version| {
            let mut envelope = RecordEnvelope::parse(&record).unwrap();
            // Whoever moves a record can also write whose it is and how new.
            envelope.name = name.clone();
            envelope.version = version;
            envelope.open(&key, tenant, name, version)
        };
        let opened = open(&acme, &own, 3).unwrap();
        assert_eq!(opened.secret.expose(), b"tok_first_0123456789");
        assert_eq!(
            (opened.attributes, opened.expires_at),
            (contents.attributes, Some(7))
        );
        assert_eq!((opened.created_at, opened.rotated_at), (1, 2));
        let globex = TenantId::parse("globex").unwrap();
        assert!(open(&globex, &own, 3).is_err());
        assert!(open(&acme, &own, 4).is_err());
        for other in [
            name("support", Some(("ab", "c"))),
            name("billing", Some(("a", "bc"))),
            name("billing", Some(("ab", "d"))),
            name("billing", Some(("x", "c"))),
            name("billing", None),
        ] {
            assert!(open(&acme, &other, 3).is_err(), "{other}");
        }
    }
}
