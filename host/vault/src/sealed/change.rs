use std::collections::BTreeMap;

use toolhost_identity::{Operator, TenantSpace};
use toolhost_policy::{Secret, UnixTime};
use toolhost_store::keys::{SpaceKey, SubkeyPurpose};
use toolhost_store::{Change, Precondition, Space, StoreError};

use super::error::VaultError;
use super::index::{self, FOR_THE_TENANT_ITSELF, MAX_CREDENTIALS};
use super::list::CredentialInfo;
use super::name::CredentialName;
use super::record::{RecordEnvelope, SealedContents, fingerprint};
use super::vault::{SealedVault, VaultInner};
use super::watermark::CounterWatermark;
use crate::MAX_SECRET_FILE_BYTES;
use crate::attributes::check_attributes;
use crate::credential::is_before;
use toolhost_policy::read_secret;

/// The most attributes of a credential: each is named in some header template.
pub(super) const MAX_ATTRIBUTES: usize = 32;

/// How often a change begins again because others change the same tenant's credentials.
const MAX_TRIES: usize = 64;

/// What the operator gives.
#[derive(Debug)]
pub struct NewCredential {
    /// The secret, as a file or a prompt gave it: one line end at its end is taken off.
    pub secret: Secret,
    /// What goes with it, such as `external_tenant_id`. `None`: none for [`SealedVault::set`],
    /// those that it has for [`SealedVault::rotate`].
    pub attributes: Option<BTreeMap<String, String>>,
    /// When it ends, in Unix seconds; `None` where nobody knows.
    pub expires_at: Option<u64>,
}

/// What is to be done with what is there.
pub(super) enum VaultChange {
    Set(SealedContents),
    Rotate(SealedContents, AttributePolicy),
    /// In the place of exactly this version, with its attributes.
    Follow(SealedContents, u64),
    Remove,
}

/// Which attributes a rotated credential has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AttributePolicy {
    Attributes,
    Nothing,
}

impl SealedVault {
    /// Stores a credential, whatever was stored under the name. The tenant's space must have been
    /// made before.
    ///
    /// # Errors
    /// The secret, an attribute or the expiry is refused; the tenant's credentials were rolled
    /// back; the store or the key cannot be used. After [`VaultError::Store`] nobody knows whether
    /// it was stored.
    pub async fn set(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        new: NewCredential,
        _by: &Operator,
    ) -> Result<CredentialInfo, VaultError> {
        self.inner.put_new(space, name, new).await
    }

    /// Gives a stored credential a new secret. Its expiry is not kept: it was the old secret's.
    ///
    /// # Errors
    /// As [`SealedVault::set`], and [`VaultError::NoSuch`], [`VaultError::Damaged`].
    pub async fn rotate(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        new: NewCredential,
        _by: &Operator,
    ) -> Result<CredentialInfo, VaultError> {
        let (contents, keep) = check(new)?;
        self.inner
            .put(space, name, VaultChange::Rotate(contents, keep))
            .await
    }

    /// Removes a credential; whether there was one. Calls that begin afterwards are refused.
    ///
    /// # Errors
    /// As [`SealedVault::set`].
    pub async fn remove(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        _by: &Operator,
    ) -> Result<bool, VaultError> {
        let done = self
            .inner
            .change(space, name, &mut VaultChange::Remove)
            .await?;
        Ok(done.is_some())
    }
}

impl VaultInner {
    async fn put(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        mut step: VaultChange,
    ) -> Result<CredentialInfo, VaultError> {
        let version = self.change(space, name, &mut step).await?;
        let (VaultChange::Set(contents) | VaultChange::Rotate(contents, _), Some(version)) =
            (&step, version)
        else {
            return Err(VaultError::NoSuch(name.to_string()));
        };
        Ok(CredentialInfo::new(name.clone(), version, contents, None))
    }

    /// Stores what is new, whatever was there.
    pub(super) async fn put_new(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        new: NewCredential,
    ) -> Result<CredentialInfo, VaultError> {
        let (contents, _) = check(new)?;
        self.put(space, name, VaultChange::Set(contents)).await
    }

    /// Makes a change and returns its count; `None` where there was nothing to change.
    pub(super) async fn change(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        step: &mut VaultChange,
    ) -> Result<Option<u64>, VaultError> {
        let (tenant, of) = (space.tenant(), Space::Tenant(space.clone()));
        let unusable = || VaultError::Key(tenant.to_string());
        // However this ends: a change that was not acknowledged may have been made.
        let _evicting = self.cache.evict_on_drop(name.key(space));
        for _ in 0..MAX_TRIES {
            let mut found = index::read(&self.store, &self.keys, space).await?;
            let was = found.index.versions.get(&name.id()).copied();
            let key = self.keys.get(&of)?;
            // After the index was read: a resealing that has passed by rewrote the index first, so
            // a generation from before it cannot be committed.
            let generation = key.current();
            let subkey = key
                .subkey(generation, SubkeyPurpose::Credentials)
                .ok_or_else(unusable)?;
            let count = found.index.counter.checked_add(1).ok_or_else(unusable)?;
            let contents = match step {
                VaultChange::Remove if was.is_none() => return Ok(None),
                VaultChange::Remove => None,
                VaultChange::Set(contents) => {
                    let most = match name.user {
                        Some(_) => MAX_CREDENTIALS - FOR_THE_TENANT_ITSELF,
                        None => MAX_CREDENTIALS,
                    };
                    if was.is_none() && found.index.versions.len() >= most {
                        return Err(VaultError::Full);
                    }
                    Some(contents)
                }
                VaultChange::Rotate(contents, keep) => {
                    let version = was.ok_or_else(|| VaultError::NoSuch(name.to_string()))?;
                    let Some(old) = self.read_contents(space, name, &key, version).await? else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    contents.created_at = old.created_at;
                    if *keep == AttributePolicy::Attributes {
                        contents.attributes = old.attributes;
                    }
                    Some(contents)
                }
                VaultChange::Follow(_, version) if was != Some(*version) => return Ok(None),
                VaultChange::Follow(contents, version) => {
                    let Some(old) = self.read_contents(space, name, &key, *version).await? else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    contents.created_at = old.created_at;
                    contents.attributes = old.attributes;
                    Some(contents)
                }
            };
            let record = name.record_key()?;
            let mut changes = match contents {
                Some(contents) => {
                    contents.fingerprint = fingerprint(&subkey, &contents.secret);
                    let value = contents.seal(&subkey, generation, tenant, name, count)?;
                    found.index.versions.insert(name.id(), count);
                    let expect = Precondition::Any;
                    vec![Change::Put {
                        key: record,
                        value,
                        expect,
                    }]
                }
                None => {
                    found.index.versions.remove(&name.id());
                    let removed = [record, name.last_used_key()?];
                    let expect = Precondition::Any;
                    removed.map(|key| Change::Delete { key, expect }).into()
                }
            };
            found.index.counter = count;
            changes.push(Change::Put {
                key: index::key()?,
                value: found.index.seal(&subkey, generation, tenant)?,
                expect: found.expect(),
            });
            match self.store.batch(&of, changes).await {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    CounterWatermark::raise(&self.store, tenant, count).await?;
                    return Ok(Some(count));
                }
            }
        }
        Err(VaultError::Busy)
    }

    /// What is stored under a name; `None` where it is another version by now.
    async fn read_contents(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        key: &SpaceKey,
        version: u64,
    ) -> Result<Option<SealedContents>, VaultError> {
        let damaged = |why| VaultError::Damaged {
            name: name.to_string(),
            why,
        };
        let of = Space::Tenant(space.clone());
        let record = self.store.get(&of, &name.record_key()?).await?;
        let record = record.ok_or_else(|| damaged("its record is missing"))?;
        let envelope =
            RecordEnvelope::parse(&record).ok_or_else(|| damaged("its record is none"))?;
        if envelope.version > version {
            return Ok(None);
        }
        let contents = envelope.open(key, space.tenant(), name, version);
        contents.map(Some).map_err(damaged)
    }
}

/// A secret that follows another, whose attributes it gets when it is stored.
pub(super) fn contents_of(secret: &Secret) -> Result<SealedContents, VaultError> {
    let new = NewCredential {
        secret: Secret::new(secret.expose().to_vec()),
        attributes: None,
        expires_at: None,
    };
    check(new).map(|(contents, _)| contents)
}

/// What the operator gives, taken as the other providers take it.
fn check(new: NewCredential) -> Result<(SealedContents, AttributePolicy), VaultError> {
    if new.secret.len() > MAX_SECRET_FILE_BYTES {
        return Err(VaultError::TooLarge);
    }
    let secret = read_secret(new.secret.expose())?;
    let keep = match new.attributes {
        None => AttributePolicy::Attributes,
        Some(_) => AttributePolicy::Nothing,
    };
    let attributes = new.attributes.unwrap_or_default();
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(VaultError::Attributes);
    }
    check_attributes(&attributes)?;
    let now = UnixTime::now();
    if !is_before(now, new.expires_at) {
        return Err(VaultError::AlreadyExpired);
    }
    // These two are shown and decide nothing: a rotated secret is kept whatever the clock says.
    let now = now.if_valid().unwrap_or_default();
    let contents = SealedContents {
        secret,
        attributes,
        expires_at: new.expires_at,
        created_at: now,
        rotated_at: now,
        fingerprint: String::new(),
    };
    Ok((contents, keep))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use toolhost_identity::{Operator, TenantId, TenantSpace};
    use toolhost_policy::{ConnectionName, Secret};
    use toolhost_store::keys::{Keyring, MasterKey, SubkeyPurpose};
    use toolhost_store::{MemoryStore, Space, Store};

    use super::{MAX_CREDENTIALS, NewCredential};
    use crate::sealed::index::{self, Index};
    use crate::{CredentialName, SealedVault, UserId, VaultError};

    #[tokio::test]
    async fn a_tenant_has_so_many_credentials_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let (master, _) = MasterKey::open_or_create(&directory.path().join("master.key")).unwrap();
        let keys = Arc::new(Keyring::open(directory.path(), master).unwrap());
        let store = Arc::new(MemoryStore::default());
        let by = Operator::of_this_process();
        let tenant = TenantId::parse("acme").unwrap();
        let space = TenantSpace::of_operator(tenant.clone(), &by);
        let of = Space::Tenant(space.clone());
        store.create(&space).await.unwrap();
        let key = keys.create(&of).unwrap();
        let subkey = key
            .subkey(key.current(), SubkeyPurpose::Credentials)
            .unwrap();
        let mut full = Index {
            counter: 1,
            versions: BTreeMap::new(),
        };
        for number in 1..MAX_CREDENTIALS {
            full.versions.insert((number as u128).to_be_bytes(), 1);
        }
        let sealed = full.seal(&subkey, key.current(), &tenant).unwrap();
        store
            .put(&of, &index::key().unwrap(), sealed)
            .await
            .unwrap();
        let vault = SealedVault::new(store, keys);
        let user = UserId {
            issuer: "https://issuer.example.com".into(),
            subject: "alice".into(),
        };
        let set = async |connection: &str, user: Option<&UserId>| {
            let name = CredentialName {
                connection: ConnectionName::parse(connection).unwrap(),
                user: user.cloned(),
            };
            let new = NewCredential {
                secret: Secret::from("tok_0123456789".to_owned()),
                attributes: None,
                expires_at: None,
            };
            vault.set(&space, &name, new, &by).await.map(|_| ())
        };
        // Users leave room for the tenant's own.
        assert_eq!(set("account", Some(&user)).await, Err(VaultError::Full));
        set("last", None).await.unwrap();
        assert_eq!(set("more", None).await, Err(VaultError::Full));
        set("last", None).await.unwrap();
    }
}
