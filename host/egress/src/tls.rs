use moka::sync::Cache;
use sha2::{Digest, Sha256};
use toolhost_net::{TlsError, TlsIdentity};
use toolhost_policy::Connection;

/// Sets of roots kept: as many as connections with a `ca` of their own.
const MAX_PRIVATE: u64 = 256;

/// TLS identities, each built once: two that were built apart would not share a pool of
/// connections.
#[derive(Debug)]
pub(crate) struct Identities {
    public: TlsIdentity,
    cleartext: TlsIdentity,
    private: Cache<[u8; 32], TlsIdentity>,
}

impl Identities {
    pub(crate) fn new() -> Result<Self, TlsError> {
        let private = Cache::new(MAX_PRIVATE);
        Ok(Self {
            public: TlsIdentity::public()?,
            cleartext: TlsIdentity::cleartext()?,
            private,
        })
    }

    pub(crate) fn for_connection(&self, connection: &Connection) -> Result<TlsIdentity, TlsError> {
        let Some(pem) = &connection.ca else {
            let is_cleartext = connection.base.scheme() == "http" && connection.allow_http;
            return Ok(if is_cleartext {
                self.cleartext.clone()
            } else {
                self.public.clone()
            });
        };
        if connection.base.scheme() == "http" && connection.allow_http {
            return Ok(self.cleartext.clone());
        }
        let digest = Sha256::digest(pem).into();
        if let Some(identity) = self.private.get(&digest) {
            return Ok(identity);
        }
        let identity = TlsIdentity::from_connection(connection)?;
        Ok(self.private.get_with(digest, || identity))
    }
}
