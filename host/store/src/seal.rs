//! How a record lies in a database: one entry a part, each sealed and each bound to its place.
//!
//! ```text
//! entry   'r' key            the first part        'p' key index   a further part        'm'   the tally
//! value   format 1 | generation 4 | version 8 | parts 2 | nonce 12 | ciphertext | tag 16
//! ```
//!
//! The associated data is the header, the part's index, the space's name and the key. So a part
//! that was moved to another record, another place in it, another space, or that is of another
//! version of the record does not open.

use crate::keys::{Generation, KeyFileError, OVERHEAD, Subkey, UnsealError};

/// Bytes of plaintext in a part. sled keeps a value of 8 KB in its log and one of 16 KB in a file
/// that it never syncs.
pub(crate) const PART: usize = 8_000;

/// What an entry's key begins with.
pub(crate) const RECORD: u8 = b'r';
/// As [`RECORD`], for further parts.
pub(crate) const FURTHER: u8 = b'p';

const FORMAT: u8 = 1;
const TAG: usize = 16;

/// Bytes of a part of [`PART`] bytes, sealed: all but a record's last have so many.
pub(crate) const SEALED_PART: usize = PartHeader::BYTES + OVERHEAD + PART;

/// What stands in clear before every sealed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartHeader {
    pub(crate) generation: Generation,
    pub(crate) version: u64,
    /// At least one.
    pub(crate) parts: u16,
}

impl PartHeader {
    const BYTES: usize = 15;

    fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = [
            [FORMAT].as_slice(),
            &self.generation.0.to_be_bytes(),
            &self.version.to_be_bytes(),
            &self.parts.to_be_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// The header and the sealed part after it.
    pub(crate) fn decode(value: &[u8]) -> Option<(Self, &[u8])> {
        let (format, rest) = value.split_first()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (version, rest) = rest.split_first_chunk::<8>()?;
        let (parts, sealed) = rest.split_first_chunk::<2>()?;
        let header = Self {
            generation: Generation(u32::from_be_bytes(*generation)),
            version: u64::from_be_bytes(*version),
            parts: u16::from_be_bytes(*parts),
        };
        (*format == FORMAT && header.parts > 0).then_some((header, sealed))
    }

    /// What a part is bound to.
    fn associated_data(self, index: u16, label: &str, key: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES + 4 + label.len() + key.len());
        bytes.extend_from_slice(&self.encode());
        bytes.extend_from_slice(&index.to_be_bytes());
        // Its length keeps the end of the name and the beginning of the key apart.
        bytes.extend_from_slice(&u16::try_from(label.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(label.as_bytes());
        bytes.extend_from_slice(key);
        bytes
    }

    /// Opens a part, after what is there.
    pub(crate) fn open(
        self,
        subkey: &Subkey,
        label: &str,
        key: &[u8],
        index: u16,
        sealed: &[u8],
        onto: &mut Vec<u8>,
    ) -> Result<(), UnsealError> {
        subkey.open_onto(&self.associated_data(index, label, key), sealed, onto)
    }
}

/// A part as it is written.
pub(crate) struct SealedEntry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// The entry's key of a part.
pub(crate) fn entry_key(key: &[u8], index: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len() + 2);
    bytes.push(if index == 0 { RECORD } else { FURTHER });
    bytes.extend_from_slice(key);
    if index > 0 {
        // Two bytes at the end, always: no key with an index is another key with another index.
        bytes.extend_from_slice(&index.to_be_bytes());
    }
    bytes
}

/// Seals a record, part by part.
pub(crate) fn seal(
    subkey: &Subkey,
    generation: Generation,
    label: &str,
    key: &[u8],
    version: u64,
    value: &[u8],
) -> Result<Vec<SealedEntry>, KeyFileError> {
    let parts =
        u16::try_from(value.len().div_ceil(PART).max(1)).map_err(|_| KeyFileError::Crypto)?;
    let header = PartHeader {
        generation,
        version,
        parts,
    };
    let mut rest = value;
    (0..parts)
        .map(|index| {
            let (part, after) = rest.split_at(rest.len().min(PART));
            rest = after;
            let mut sealed = Vec::with_capacity(PartHeader::BYTES + part.len() + 28);
            sealed.extend_from_slice(&header.encode());
            subkey.seal_onto(
                &header.associated_data(index, label, key),
                part,
                &mut sealed,
            )?;
            Ok(SealedEntry {
                key: entry_key(key, index),
                value: sealed,
            })
        })
        .collect()
}

/// What an entry adds to its space's digest: a keyed function of its place, its header and its tag.
/// The tag stands for the ciphertext, which is opened when it is read.
pub(crate) fn weight(digest: &Subkey, entry_key: &[u8], value: &[u8]) -> Option<[u8; 32]> {
    let (header, sealed) = value.split_at_checked(PartHeader::BYTES)?;
    let tag = sealed.last_chunk::<TAG>()?;
    Some(digest.mac(&[header, tag, entry_key]))
}

#[cfg(test)]
mod tests {
    use super::{PART, PartHeader, entry_key, seal, weight};
    use crate::Space;
    use crate::keys::{Generation, Keyring, MasterKey, Subkey, SubkeyPurpose};
    use std::sync::Arc;

    fn subkey(purpose: SubkeyPurpose) -> Arc<Subkey> {
        let directory = tempfile::tempdir().unwrap();
        let (master, _) = MasterKey::open_or_create(&directory.path().join("master.key")).unwrap();
        let keyring = Keyring::open(directory.path(), master).unwrap();
        let key = keyring.create(&Space::Host).unwrap();
        key.subkey(Generation(1), purpose).unwrap()
    }

    /// Each of what a part is bound to, changed alone, under the very same key.
    #[test]
    fn a_part_opens_in_its_own_place_alone() {
        let subkey = subkey(SubkeyPurpose::Records);
        let value: Vec<u8> = (0..PART * 2 + 1).map(|at| at as u8).collect();
        let entries = seal(&subkey, Generation(1), "tenant:acme", b"key", 7, &value).unwrap();
        assert_eq!(entries.len(), 3);
        let (header, sealed) = PartHeader::decode(&entries[1].value).unwrap();
        let opens = |header: PartHeader, label: &str, key: &[u8], index| {
            header
                .open(&subkey, label, key, index, sealed, &mut Vec::new())
                .is_ok()
        };
        assert!(opens(header, "tenant:acme", b"key", 1));
        assert!(
            !opens(header, "tenant:acme", b"key", 2),
            "another place in its record"
        );
        assert!(!opens(header, "tenant:acmf", b"key", 1), "another space");
        assert!(
            !opens(header, "tenant:acmek", b"ey", 1),
            "another space, the same bytes"
        );
        assert!(!opens(header, "tenant:acme", b"kez", 1), "another record");
        for other in [
            PartHeader {
                version: 8,
                ..header
            },
            PartHeader { parts: 2, ..header },
            PartHeader {
                generation: Generation(2),
                ..header
            },
        ] {
            assert!(!opens(other, "tenant:acme", b"key", 1), "{other:?}");
        }
    }

    #[test]
    fn no_entry_of_one_record_is_an_entry_of_another() {
        let keys: [&[u8]; 5] = [b"a", b"a\0", b"a\0\x01", b"a\0\x01\0\x01", b"ab"];
        let mut all = Vec::new();
        for key in keys {
            all.extend((0..300).map(|index| entry_key(key, index)));
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_weight_is_of_the_place_the_header_and_the_tag() {
        let digest = subkey(SubkeyPurpose::Digest);
        let value: Vec<u8> = (0..60).collect();
        let own = weight(&digest, b"rkey", &value).unwrap();
        assert_ne!(weight(&digest, b"rkez", &value).unwrap(), own);
        for at in [0, 1, 5, 14, 59, 44] {
            let mut other = value.clone();
            other[at] ^= 1;
            assert_ne!(weight(&digest, b"rkey", &other).unwrap(), own, "byte {at}");
        }
        assert_eq!(weight(&digest, b"rkey", &value[..20]), None);
        assert_eq!(PartHeader::decode(&[]), None);
        assert_eq!(PartHeader::decode(&[1; 14]), None);
        assert!(PartHeader::decode(&[1; 15]).is_some());
        assert_eq!(PartHeader::decode(&[2; 15]), None);
    }
}
