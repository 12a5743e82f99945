use crate::keys::{Generation, KeyFileError, SpaceKey, SubkeyPurpose};
use crate::seal;

/// The entry under which a database keeps its tally.
pub(super) const TALLY: &[u8] = b"m";

const FORMAT: u8 = 1;

/// What a database must hold, written in the same batch as every change: a database that lost, kept
/// or got back what it should not have does not add up.
///
/// It is sealed, since whoever knew the sums could look for older records with the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Grows with every batch; the version of the records that it wrote.
    pub(super) revision: u64,
    /// Grows with every write of the tally: what the witness remembers.
    pub(super) batch: u64,
    pub(super) records: u64,
    /// Parts of records.
    pub(super) entries: u64,
    /// The sum of the entries' weights, each 64 bits for themselves.
    sum: [u64; 4],
}

/// Why a tally cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TallyError {
    /// The space's key does not have that generation.
    Generation(Generation),
    Damaged,
}

impl Tally {
    pub(super) fn add(&mut self, weight: [u8; 32]) {
        self.entries = self.entries.wrapping_add(1);
        for (sum, lane) in self.sum.iter_mut().zip(lanes(&weight)) {
            *sum = sum.wrapping_add(lane);
        }
    }

    pub(super) fn subtract(&mut self, weight: [u8; 32]) {
        self.entries = self.entries.wrapping_sub(1);
        for (sum, lane) in self.sum.iter_mut().zip(lanes(&weight)) {
            *sum = sum.wrapping_sub(lane);
        }
    }

    /// Counts an entry: its weight, and whether it is a record's first part. `None`: it is none of
    /// ours, or of a generation that is not there.
    pub(super) fn count(&mut self, key: &SpaceKey, entry_key: &[u8], value: &[u8]) -> Option<()> {
        let (header, _) = seal::PartHeader::decode(value)?;
        match *entry_key.first()? {
            seal::RECORD => self.records = self.records.wrapping_add(1),
            seal::FURTHER => {}
            _ => return None,
        }
        let digest = key.subkey(header.generation, SubkeyPurpose::Digest)?;
        self.add(seal::weight(&digest, entry_key, value)?);
        Some(())
    }

    /// Whether both count the same, whatever the revision.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        (self.records, self.entries, self.sum) == (other.records, other.entries, other.sum)
    }

    pub(super) fn seal(&self, key: &SpaceKey, label: &str) -> Result<Vec<u8>, KeyFileError> {
        let generation = key.current();
        let digest = key
            .subkey(generation, SubkeyPurpose::Digest)
            .ok_or(KeyFileError::Crypto)?;
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&generation.0.to_be_bytes());
        let words = [self.revision, self.batch, self.records, self.entries];
        let plaintext: Vec<u8> = words
            .iter()
            .chain(&self.sum)
            .flat_map(|word| word.to_be_bytes())
            .collect();
        digest.seal_onto(&associated_data(label, generation), &plaintext, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn open(key: &SpaceKey, label: &str, value: &[u8]) -> Result<Self, TallyError> {
        let split = || {
            let (format, rest) = value.split_first()?;
            let (generation, sealed) = rest.split_first_chunk::<4>()?;
            (*format == FORMAT).then_some((Generation(u32::from_be_bytes(*generation)), sealed))
        };
        let (generation, sealed) = split().ok_or(TallyError::Damaged)?;
        let digest = key
            .subkey(generation, SubkeyPurpose::Digest)
            .ok_or(TallyError::Generation(generation))?;
        let plaintext = digest
            .open(&associated_data(label, generation), sealed)
            .map_err(|_| TallyError::Damaged)?;
        let words: Vec<u64> = plaintext
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_be_bytes(*word))
            .collect();
        let [revision, batch, records, entries, a, b, c, d] =
            words.try_into().map_err(|_| TallyError::Damaged)?;
        Ok(Self {
            revision,
            batch,
            records,
            entries,
            sum: [a, b, c, d],
        })
    }
}

/// With which generation a tally is sealed.
pub(super) fn generation(value: &[u8]) -> Option<Generation> {
    let (number, _) = value.split_first()?.1.split_first_chunk::<4>()?;
    Some(Generation(u32::from_be_bytes(*number)))
}

fn lanes(weight: &[u8; 32]) -> impl Iterator<Item = u64> {
    weight
        .as_chunks::<8>()
        .0
        .iter()
        .map(|lane| u64::from_be_bytes(*lane))
}

fn associated_data(label: &str, generation: Generation) -> Vec<u8> {
    [
        b"tally of ".as_slice(),
        label.as_bytes(),
        &generation.0.to_be_bytes(),
    ]
    .concat()
}
