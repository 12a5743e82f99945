use std::collections::BTreeMap;

use toolhost_identity::{Operator, TenantSpace};
use toolhost_policy::ConnectionName;
use toolhost_store::{Key, Scan, Space, Table};

use super::error::VaultError;
use super::name::{CredentialName, RECORDS};
use super::record::{RecordEnvelope, SealedContents};
use super::vault::{SealedVault, VaultInner};
use super::{index, last_used};
use crate::UserId;

/// Records read at once: each has at most a secret's length, so a page stays under some megabytes.
const PAGE: usize = 64;

/// What the operator may see of a credential: never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialInfo {
    /// For which connection.
    pub connection: ConnectionName,
    /// Whose among the tenant's users; `None` for the tenant's own.
    pub user: Option<UserId>,
    /// The count of the change that set it: no two credentials of a tenant have the same, ever.
    pub version: u64,
    /// 8 hexadecimal digits that tell secrets of one tenant apart and, being keyed, say nothing
    /// about any. Another key generation gives the same secret another one when it is set again.
    pub fingerprint: String,
    /// When the name first got a secret, in Unix seconds.
    pub created_at: u64,
    /// When it got this one.
    pub rotated_at: u64,
    /// When it ends; `None` where nobody knows.
    pub expires_at: Option<u64>,
    /// When a call last used this version, give or take a minute; `None`: nobody knows of a call.
    pub last_used: Option<u64>,
    /// What goes with it.
    pub attributes: BTreeMap<String, String>,
}

/// A credential that is stored and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableCredential {
    /// Which, as far as its record tells.
    pub name: String,
    /// Why.
    pub why: &'static str,
}

/// All credentials of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialListing {
    /// Those that calls can use, as far as their expiry allows; by connection, the tenant's own
    /// before its users'.
    pub credentials: Vec<CredentialInfo>,
    /// The others.
    pub unusable: Vec<UnusableCredential>,
}

impl CredentialInfo {
    pub(super) fn new(
        name: CredentialName,
        version: u64,
        contents: &SealedContents,
        last_used: Option<u64>,
    ) -> Self {
        Self {
            connection: name.connection,
            user: name.user,
            version,
            fingerprint: contents.fingerprint.clone(),
            created_at: contents.created_at,
            rotated_at: contents.rotated_at,
            expires_at: contents.expires_at,
            last_used,
            attributes: contents.attributes.clone(),
        }
    }
}

/// A record that was scanned, opened or not.
struct ScannedRecord {
    name: CredentialName,
    version: u64,
    contents: SealedContents,
}

impl SealedVault {
    /// All credentials of a tenant, without their secrets.
    ///
    /// # Errors
    /// The tenant's credentials were rolled back, or the store or the key cannot be used. One that
    /// cannot be used alone is no error: it is listed as such.
    pub async fn list(
        &self,
        space: &TenantSpace,
        _by: &Operator,
    ) -> Result<CredentialListing, VaultError> {
        let inner = &self.inner;
        let mut versions = index::read(&inner.store, &inner.keys, space)
            .await?
            .index
            .versions;
        let mut listing = CredentialListing::default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let scan = Scan::group(Table::Credential, &[RECORDS]).limit(PAGE);
            let scan = match &after {
                Some(name) => scan.after(name),
                None => scan,
            };
            let page = inner
                .store
                .scan(&Space::Tenant(space.clone()), &scan)
                .await?;
            after = page.found.last().map(|found| found.key.name().to_vec());
            for found in page.found {
                match inner.scan_record(space, &found.key, &found.record, &mut versions) {
                    Ok(ScannedRecord {
                        name,
                        version,
                        contents,
                    }) => {
                        let used = last_used::read(inner, space, &name, version).await?;
                        let info = CredentialInfo::new(name, version, &contents, used);
                        listing.credentials.push(info);
                    }
                    Err(unusable) => listing.unusable.push(unusable),
                }
            }
            if !page.more || after.is_none() {
                break;
            }
        }
        // What the index names and nobody has found.
        listing
            .unusable
            .extend(versions.keys().map(|_| UnusableCredential {
                name: "unknown".to_owned(),
                why: "its record is missing",
            }));
        Ok(listing)
    }
}

impl VaultInner {
    /// Opens a record that was found under a key, and takes its name off those that the index has.
    fn scan_record(
        &self,
        space: &TenantSpace,
        key: &Key,
        record: &toolhost_store::Record,
        versions: &mut BTreeMap<[u8; 16], u64>,
    ) -> Result<ScannedRecord, UnusableCredential> {
        let unusable = |name: &dyn ToString, why| UnusableCredential {
            name: name.to_string(),
            why,
        };
        let spelt = String::from_utf8_lossy(key.name());
        let envelope =
            RecordEnvelope::parse(record).ok_or_else(|| unusable(&spelt, "its record is none"))?;
        let name = envelope.name.clone();
        if name.record_name() != key.name() {
            return Err(unusable(&spelt, "its record is another credential's"));
        }
        let version = versions
            .remove(&name.id())
            .ok_or_else(|| unusable(&name, "it was removed, and an earlier record was put back"))?;
        let space_key = self
            .keys
            .get(&Space::Tenant(space.clone()))
            .map_err(|_| unusable(&name, "the tenant's key cannot be used"))?;
        let contents = envelope
            .open(&space_key, space.tenant(), &name, version)
            .map_err(|why| unusable(&name, why))?;
        Ok(ScannedRecord {
            name,
            version,
            contents,
        })
    }
}
