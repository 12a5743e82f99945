use std::sync::Arc;
use std::time::Duration;

use toolhost_identity::Binding;
use toolhost_policy::PluginName;

use super::head::{ArtifactHead, owner};
use super::layout::{self, PART};
use super::{ArtifactError, ArtifactId};
use crate::kv::{SpaceLocks, Usage};
use crate::{Change, KvQuota, KvScope, PluginKv, Precondition, Record, Space, Store, StoreError};

/// The largest artifact: a report or a picture. What is larger belongs into an outside system.
const MAX_BYTES: usize = 16 << 20;

/// The longest name of a file on the file systems that there are.
const MAX_NAME: usize = 255;

/// RFC 6838 section 4.2 allows 127 characters for each half; nobody needs that for both.
const MAX_MIME_TYPE: usize = 127;

/// How long an artifact is kept that nobody gave another time: a person comes back to an answer on
/// the same day.
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 3_600);

/// The longest that one is kept: it is for fetching, not for storing.
pub const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What may be kept: four of the largest of one plugin, and sixteen of a tenant.
const QUOTA: KvQuota = KvQuota {
    plugin_bytes: 64 << 20,
    tenant_bytes: 256 << 20,
};

/// How often a change begins again because another host changed the same tenant's counts meanwhile.
const MAX_TRIES: usize = 64;

/// What a plugin wants kept.
#[derive(Debug, Clone)]
pub struct NewArtifact {
    /// Who may have it: everybody of the tenant, or the caller alone.
    pub scope: KvScope,
    /// What a file of it would be called.
    pub name: Option<String>,
    /// What it is.
    pub mime_type: String,
    /// At most 16 MiB.
    pub bytes: Vec<u8>,
    /// How long; [`DEFAULT_TTL`] where nothing is said, [`MAX_TTL`] at most.
    pub ttl: Option<Duration>,
}

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifact {
    /// What a file of it would be called.
    pub name: Option<String>,
    /// What it is.
    pub mime_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// In Unix seconds.
    pub expires_at: u64,
}

/// The artifacts of all plugins of all tenants, over a store.
#[derive(Debug)]
pub struct ArtifactStore {
    pub(super) store: Arc<dyn Store>,
    quota: KvQuota,
    pub(super) turns: SpaceLocks,
}

impl ArtifactStore {
    /// In the store that plugins' values are in.
    #[must_use]
    pub fn from_kv(kv: &PluginKv) -> Self {
        Self::new(kv.store(), QUOTA)
    }

    /// Over this store, with these quotas.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, quota: KvQuota) -> Self {
        Self {
            store,
            quota,
            turns: SpaceLocks::default(),
        }
    }

    /// Keeps an artifact of a plugin for the binding's tenant.
    ///
    /// # Errors
    /// [`ArtifactError::Name`], [`ArtifactError::MimeType`], [`ArtifactError::TooLarge`],
    /// [`ArtifactError::Ttl`] or [`ArtifactError::Full`], and nothing has changed;
    /// [`ArtifactError::Unavailable`].
    pub async fn put(
        &self,
        binding: &Binding,
        plugin: &PluginName,
        new: NewArtifact,
    ) -> Result<ArtifactId, ArtifactError> {
        self.put_at(binding, plugin, new, self.now()).await
    }

    /// An artifact of this very plugin, where this caller may have it.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    pub async fn get(
        &self,
        binding: &Binding,
        plugin: &PluginName,
        id: &str,
    ) -> Result<Option<StoredArtifact>, ArtifactError> {
        let of = |head: &ArtifactHead| head.plugin == plugin.as_str();
        self.read(binding, id, of, self.now()).await
    }

    /// An artifact of any plugin of the binding's tenant, where this caller may have it.
    ///
    /// # Errors
    /// [`ArtifactError::Unavailable`].
    pub async fn fetch(
        &self,
        binding: &Binding,
        id: &str,
    ) -> Result<Option<StoredArtifact>, ArtifactError> {
        self.read(binding, id, |_| true, self.now()).await
    }

    /// By the clock that all hosts of the store share.
    pub(super) fn now(&self) -> u64 {
        self.store.now().secs()
    }

    pub(super) async fn put_at(
        &self,
        binding: &Binding,
        plugin: &PluginName,
        new: NewArtifact,
        now: u64,
    ) -> Result<ArtifactId, ArtifactError> {
        let ttl = check(&new)?;
        let space = Space::from(binding.space());
        let id = ArtifactId::random()?;
        let head = ArtifactHead {
            plugin: plugin.as_str().to_owned(),
            owner: owner(binding, new.scope),
            size: new.bytes.len() as u64,
            cost: layout::cost(new.bytes.len(), new.name.as_deref()),
            expires_at: now.saturating_add(ttl.as_secs()),
            name: new.name,
            mime_type: new.mime_type,
        };
        let _turn = self.turns.take(&space).await;
        self.sweep(&space, plugin, now).await?;
        for _ in 0..MAX_TRIES {
            let mut changes = self.charge(&space, plugin.as_str(), 0, head.cost).await?;
            let keys = layout::parts(id, head.size)?;
            changes.extend(
                keys.into_iter()
                    .zip(new.bytes.chunks(PART))
                    .map(|(key, part)| Change::Put {
                        key,
                        value: part.to_vec(),
                        expect: Precondition::Absent,
                    }),
            );
            let written = [
                (layout::head(id)?, head.to_bytes()),
                (layout::expiry(&head.plugin, head.expires_at, id)?, vec![]),
            ];
            changes.extend(written.into_iter().map(|(key, value)| Change::Put {
                key,
                value,
                expect: Precondition::Absent,
            }));
            match self.store.batch(&space, changes).await {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                done => return Ok(done.map(|_| id)?),
            }
        }
        Err(ArtifactError::Unavailable(StoreError::Conflict))
    }

    pub(super) async fn read(
        &self,
        binding: &Binding,
        id: &str,
        of: impl Fn(&ArtifactHead) -> bool,
        now: u64,
    ) -> Result<Option<StoredArtifact>, ArtifactError> {
        let Some(id) = ArtifactId::parse(id) else {
            return Ok(None);
        };
        let space = Space::from(binding.space());
        let Some(head) = self.head(&space, id).await? else {
            return Ok(None);
        };
        if !of(&head) || !head.is_for(binding, now) {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(head.size).unwrap_or(0).min(MAX_BYTES));
        for key in layout::parts(id, head.size)? {
            match self.store.get(&space, &key).await? {
                Some(part) => bytes.extend(part.value),
                // Removed since the head was read, or damaged.
                None if self.head(&space, id).await?.is_none() => return Ok(None),
                None => return Err(layout::damaged_error(&space).into()),
            }
        }
        Ok(Some(StoredArtifact {
            name: head.name,
            mime_type: head.mime_type,
            bytes,
            expires_at: head.expires_at,
        }))
    }

    pub(super) async fn head(
        &self,
        space: &Space,
        id: ArtifactId,
    ) -> Result<Option<ArtifactHead>, StoreError> {
        let record = self.store.get(space, &layout::head(id)?).await?;
        record
            .map(|record| layout::read_head(&record.value, space))
            .transpose()
    }

    /// The changes of the two counts, on condition that nobody else has counted meanwhile.
    pub(super) async fn charge(
        &self,
        space: &Space,
        plugin: &str,
        freed: u64,
        needed: u64,
    ) -> Result<Vec<Change>, ArtifactError> {
        let keys = [layout::plugin_usage(plugin)?, layout::tenant_usage()?];
        let [plugin_key, tenant_key] = &keys;
        let of_plugin = self.store.get(space, plugin_key).await?;
        let of_tenant = self.store.get(space, tenant_key).await?;
        let count = |record: &Option<Record>| match record {
            None => Ok(0),
            Some(record) => layout::count(&record.value, space),
        };
        let is = Usage {
            plugin: count(&of_plugin)?,
            tenant: count(&of_tenant)?,
        };
        let next = is.after_change(freed, needed, &self.quota)?;
        let counted = [(of_plugin, next.plugin), (of_tenant, next.tenant)];
        let put = |(key, (record, count)): (_, (Option<Record>, u64))| Change::Put {
            key,
            value: count.to_be_bytes().to_vec(),
            expect: record.map_or(Precondition::Absent, |record| {
                Precondition::Version(record.version)
            }),
        };
        Ok(keys.into_iter().zip(counted).map(put).collect())
    }
}

fn check(new: &NewArtifact) -> Result<Duration, ArtifactError> {
    let is_name = |name: &String| {
        (1..=MAX_NAME).contains(&name.len())
            && !name
                .chars()
                .any(|c| c.is_control() || matches!(c, '/' | '\\'))
            && !matches!(name.as_str(), "." | "..")
    };
    if !new.name.as_ref().is_none_or(is_name) {
        return Err(ArtifactError::Name);
    }
    if !is_mime_type(&new.mime_type) {
        return Err(ArtifactError::MimeType);
    }
    if new.bytes.len() > MAX_BYTES {
        return Err(ArtifactError::TooLarge);
    }
    let ttl = new.ttl.unwrap_or(DEFAULT_TTL);
    if ttl < Duration::from_secs(1) || ttl > MAX_TTL {
        return Err(ArtifactError::Ttl);
    }
    Ok(ttl)
}

/// RFC 9110 section 8.3.1, as far as it can stand in a header: `type/subtype`, then whatever is
/// visible.
fn is_mime_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let is_token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    text.len() <= MAX_MIME_TYPE
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}
