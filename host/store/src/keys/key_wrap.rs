use std::collections::BTreeMap;
use std::sync::Arc;

use toolhost_policy::Secret;
use zeroize::Zeroizing;

use super::cipher::{KEY, Subkey};
use super::space_key::Generations;
use super::{Generation, KeyFileError, MasterKey};
use crate::Space;

/// The first bytes of a key's file.
const MAGIC: &[u8] = b"toolhost space key 1\n";

/// The largest file: some 800 generations, a rotation a month for 66 years.
pub(crate) const MAX_FILE: u64 = 32 << 10;

/// Bytes of a generation: its number, of which kind it is, and the key.
const ENTRY: usize = 4 + 1 + KEY;

const WHOLE: u8 = 0;

/// What an earlier version kept of a retired generation, for audit chains that have a key of their
/// own since. It opens nothing, is passed over, and is gone with the next change of the file.
const RETIRED: u8 = 1;

/// The bytes of a space's key file: all generations sealed together, so that none can be dropped or
/// moved, and bound to the space's name.
pub(super) fn wrap(
    generations: &Generations,
    space: &Space,
    master: &MasterKey,
) -> Result<Vec<u8>, KeyFileError> {
    // Sized before: a vector that grows leaves copies of the keys behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(generations.len() * ENTRY));
    for (generation, secret) in generations {
        plaintext.extend_from_slice(&generation.0.to_be_bytes());
        plaintext.push(WHOLE);
        plaintext.extend_from_slice(secret.expose());
    }
    let mut bytes = MAGIC.to_vec();
    master
        .current()
        .seal_onto(&associated_data(space), &plaintext, &mut bytes)?;
    Ok(bytes)
}

/// What [`wrap`] made, and whether the current master key opened it. `None`: no master key does.
pub(super) fn unwrap(
    bytes: &[u8],
    space: &Space,
    master: &MasterKey,
) -> Option<(Generations, bool)> {
    let sealed = bytes.strip_prefix(MAGIC)?;
    let aad = associated_data(space);
    let (is_current, plaintext) = master
        .keys()
        .enumerate()
        .find_map(|(at, key): (usize, &Subkey)| Some((at == 0, key.open(&aad, sealed).ok()?)))?;
    let (entries, rest) = plaintext.as_chunks::<ENTRY>();
    let mut generations = BTreeMap::new();
    for entry in entries {
        let (number, rest) = entry.split_first_chunk::<4>()?;
        let (kind, key) = rest.split_first()?;
        match *kind {
            WHOLE => {}
            RETIRED => continue,
            _ => return None,
        }
        let secret = Arc::new(Secret::new(key.to_vec()));
        generations.insert(Generation(u32::from_be_bytes(*number)), secret);
    }
    let is_whole = rest.is_empty() && !generations.is_empty();
    is_whole.then_some((generations, is_current))
}

fn associated_data(space: &Space) -> Vec<u8> {
    [b"wrapped key of ".as_slice(), space.label().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_policy::Secret;

    use super::{ENTRY, Generation, MAGIC, RETIRED, WHOLE, associated_data, unwrap};
    use crate::Space;
    use crate::keys::MasterKey;

    /// A file that `host key rotate` of an earlier version left.
    #[test]
    fn a_file_with_a_generation_that_was_retired_before_still_opens() {
        let text = Secret::from("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
        let master = MasterKey::from_text(&text).unwrap();
        let entry = |number: u32, kind: u8, byte: u8| {
            let mut entry = number.to_be_bytes().to_vec();
            entry.push(kind);
            entry.resize(ENTRY, byte);
            entry
        };
        let opens = |entries: &[Vec<u8>]| {
            let mut bytes = MAGIC.to_vec();
            let aad = associated_data(&Space::Host);
            master
                .current()
                .seal_onto(&aad, &entries.concat(), &mut bytes)
                .unwrap();
            unwrap(&bytes, &Space::Host, &master).map(|(generations, _)| generations)
        };
        let found = opens(&[entry(1, RETIRED, 7), entry(2, WHOLE, 8)]).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [&Generation(2)]);
        assert!(opens(&[entry(1, RETIRED, 7)]).is_none());
        assert!(opens(&[entry(1, WHOLE, 7), entry(2, 9, 8)]).is_none());
        assert!(opens(&[entry(1, WHOLE, 7)[1..].to_vec()]).is_none());
        let _: Arc<Secret> = opens(&[entry(1, WHOLE, 7)]).unwrap()[&Generation(1)].clone();
    }
}
