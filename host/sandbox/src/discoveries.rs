use sha2::{Digest, Sha256};

use crate::AdapterComponent;
use crate::contract::Discovery;

/// It stands in the file's name, or before the bytes: whoever changes what is written changes it.
const LAYOUT: u32 = 1;

impl AdapterComponent {
    /// What this adapter once found in the document of this digest, where that is kept: it is not
    /// looked at again, since the same document gives the same answer.
    ///
    /// What is kept is authenticated like compiled artefacts; anything else is not read.
    #[must_use]
    pub fn cached_discovery(&self, document: &[u8; 32], chosen: &[String]) -> Option<Discovery> {
        self.read_cached(&key(document, chosen))
    }

    pub(crate) fn keep(&self, document: &[u8; 32], chosen: &[String], discovery: &Discovery) {
        if let Ok(bytes) = postcard::to_allocvec(discovery) {
            self.put(&key(document, chosen), &bytes);
        }
    }

    fn read_cached(&self, what: &str) -> Option<Discovery> {
        let bytes = self.loaded.sandbox.cache.as_ref()?.get(&self.file(what))?;
        postcard::from_bytes(&bytes)
            .inspect_err(
                |error| tracing::warn!(%error, "what an adapter once found cannot be read"),
            )
            .ok()
    }

    fn put(&self, what: &str, bytes: &[u8]) {
        if let Some(cache) = &self.loaded.sandbox.cache {
            cache.put(&self.file(what), bytes);
        }
    }

    fn file(&self, what: &str) -> String {
        format!("{}-{what}-{LAYOUT}.tools", self.digest())
    }
}

/// What a system said when it was asked, as bytes to keep.
#[must_use]
pub fn answer_to_bytes(answer: &Discovery) -> Option<Vec<u8>> {
    postcard::to_extend(answer, LAYOUT.to_be_bytes().to_vec()).ok()
}

/// What [`answer_to_bytes`] made; whose bytes they are, the caller knows.
#[must_use]
pub fn answer_from_bytes(bytes: &[u8]) -> Option<Discovery> {
    postcard::from_bytes(bytes.strip_prefix(LAYOUT.to_be_bytes().as_slice())?).ok()
}

/// What an adapter finds depends on the document and on what was chosen of it.
fn key(document: &[u8; 32], chosen: &[String]) -> String {
    if chosen.is_empty() {
        return hexadecimal(document);
    }
    let mut digest = Sha256::new();
    digest.update(document);
    for name in chosen {
        digest.update((name.len() as u64).to_be_bytes());
        digest.update(name);
    }
    hexadecimal(&digest.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
