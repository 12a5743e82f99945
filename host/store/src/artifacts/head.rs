//! What is known of an artifact beside its bytes.

use sha2::{Digest, Sha256};
use toolhost_identity::Binding;

use crate::KvScope;

/// Of this layout. A head of another one is damage.
const LAYOUT: u8 = 1;

/// Who may have it: everybody of the tenant, or the person with this digest.
pub(super) type Owner = Option<[u8; 32]>;

/// A head, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArtifactHead {
    pub(super) plugin: String,
    pub(super) owner: Owner,
    pub(super) name: Option<String>,
    pub(super) mime_type: String,
    pub(super) size: u64,
    /// What was charged for it.
    pub(super) cost: u64,
    /// In Unix seconds.
    pub(super) expires_at: u64,
}

/// The owner that a caller is, where `personal` is asked for: issuer and subject, each with its
/// length.
pub(super) fn owner(binding: &Binding, scope: KvScope) -> Owner {
    (scope == KvScope::Personal).then(|| {
        let principal = binding.principal();
        let mut digest = Sha256::new();
        for part in [principal.issuer(), principal.subject()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    })
}

impl ArtifactHead {
    /// Whether this caller may have it now.
    pub(super) fn is_for(&self, binding: &Binding, now: u64) -> bool {
        self.expires_at > now
            && (self.owner.is_none() || self.owner == owner(binding, KvScope::Personal))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![LAYOUT];
        for number in [self.size, self.cost, self.expires_at] {
            bytes.extend(number.to_be_bytes());
        }
        for field in [
            Some(self.plugin.as_bytes()),
            self.owner.as_ref().map(<[u8; 32]>::as_slice),
            self.name.as_deref().map(str::as_bytes),
            Some(self.mime_type.as_bytes()),
        ] {
            // Every field is shorter than 64 KiB: names and types are checked before.
            let length = field.map_or(u16::MAX, |field| {
                u16::try_from(field.len()).unwrap_or(u16::MAX - 1)
            });
            bytes.extend(length.to_be_bytes());
            bytes.extend(field.unwrap_or_default());
        }
        bytes
    }

    /// `None` where it cannot have been written by [`Head::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (layout, mut rest) = bytes.split_first()?;
        if *layout != LAYOUT {
            return None;
        }
        let mut number = || {
            let (number, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            Some(u64::from_be_bytes(*number))
        };
        let (size, cost, expires_at) = (number()?, number()?, number()?);
        let mut field = || {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let length = u16::from_be_bytes(*length);
            if length == u16::MAX {
                rest = after;
                return Some(None);
            }
            let (field, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            Some(Some(field.to_vec()))
        };
        let (plugin, owner, name, mime_type) = (field()?, field()?, field()?, field()?);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let head = Self {
            plugin: text(plugin?)?,
            owner: match owner {
                None => None,
                Some(owner) => Some(owner.try_into().ok()?),
            },
            name: match name {
                None => None,
                Some(name) => Some(text(name)?),
            },
            mime_type: text(mime_type?)?,
            size,
            cost,
            expires_at,
        };
        rest.is_empty().then_some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::ArtifactHead;

    #[test]
    fn a_head_is_read_as_it_was_written_and_half_of_one_is_none() {
        for (owner, name) in [
            (None, None),
            (Some([7; 32]), Some("report é.pdf".to_owned())),
        ] {
            let head = ArtifactHead {
                plugin: "billing".into(),
                owner,
                name,
                mime_type: "application/pdf".into(),
                size: 3,
                cost: 1_100,
                expires_at: u64::MAX,
            };
            let bytes = head.to_bytes();
            assert_eq!(ArtifactHead::from_bytes(&bytes), Some(head));
            for end in 0..bytes.len() {
                assert_eq!(ArtifactHead::from_bytes(&bytes[..end]), None, "{end}");
            }
            assert_eq!(ArtifactHead::from_bytes(&[bytes, vec![0]].concat()), None);
        }
    }
}
