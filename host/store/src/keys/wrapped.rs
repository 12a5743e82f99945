use std::collections::BTreeMap;
use std::sync::Arc;

use toolhost_policy::Secret;
use zeroize::Zeroizing;

use super::cipher::{KEY, Subkey};
use super::space_key::{Generations, Kept};
use super::{Generation, KeyFileError, MasterKey};
use crate::Space;

/// The first bytes of a key's file.
const MAGIC: &[u8] = b"toolhost space key 1\n";

/// The largest file: some 800 generations, a rotation a month for 66 years.
pub(crate) const MAX_FILE: u64 = 32 << 10;

/// Bytes of a generation: its number, what is kept of it, and the key.
const ENTRY: usize = 4 + 1 + KEY;

const WHOLE: u8 = 0;
const AUDIT: u8 = 1;

/// The bytes of a space's key file: all generations sealed together, so that none can be dropped or moved, and bound to
/// the space's name.
pub(super) fn wrap(
    generations: &Generations,
    space: &Space,
    master: &MasterKey,
) -> Result<Vec<u8>, KeyFileError> {
    // Sized before: a vector that grows leaves copies of the keys behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(generations.len() * ENTRY));
    for (generation, kept) in generations {
        plaintext.extend_from_slice(&generation.0.to_be_bytes());
        let (kind, secret) = match &**kept {
            Kept::Whole(secret) => (WHOLE, secret),
            Kept::Audit(secret) => (AUDIT, secret),
        };
        plaintext.push(kind);
        plaintext.extend_from_slice(secret.expose());
    }
    let mut bytes = MAGIC.to_vec();
    master
        .current()
        .seal_onto(&associated(space), &plaintext, &mut bytes)?;
    Ok(bytes)
}

/// What [`wrap`] made, and whether the current master key opened it. `None`: no master key does.
pub(super) fn unwrap(bytes: &[u8], space: &Space, master: &MasterKey) -> Option<(Generations, bool)> {
    let sealed = bytes.strip_prefix(MAGIC)?;
    let aad = associated(space);
    let (is_current, plaintext) = master
        .keys()
        .enumerate()
        .find_map(|(at, key): (usize, &Subkey)| Some((at == 0, key.open(&aad, sealed).ok()?)))?;
    let (entries, rest) = plaintext.as_chunks::<ENTRY>();
    let mut generations = BTreeMap::new();
    for entry in entries {
        let (number, rest) = entry.split_first_chunk::<4>()?;
        let (kind, key) = rest.split_first()?;
        let secret = Secret::new(key.to_vec());
        let kept = match *kind {
            WHOLE => Kept::Whole(secret),
            AUDIT => Kept::Audit(secret),
            _ => return None,
        };
        generations.insert(Generation(u32::from_be_bytes(*number)), Arc::new(kept));
    }
    let is_whole = rest.is_empty()
        && generations
            .last_key_value()
            .is_some_and(|(_, newest)| matches!(**newest, Kept::Whole(_)));
    is_whole.then_some((generations, is_current))
}

fn associated(space: &Space) -> Vec<u8> {
    [b"wrapped key of ".as_slice(), space.label().as_bytes()].concat()
}
