use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Sessions that one client keeps for resumption. A client has one host, and a few tickets of it
/// are enough.
const SESSIONS: usize = 8;

/// Why roots of a connection's own are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Not PEM.
    #[error("`ca` is not PEM")]
    Pem,
    /// PEM without a certificate.
    #[error("`ca` holds no certificate")]
    Empty,
    /// A certificate that cannot be a root.
    #[error("`ca` holds a certificate that is not well-formed")]
    Certificate,
    /// The key of the host's own certificate.
    #[error("the key of the client certificate is not PEM, or not that certificate's")]
    Key,
    /// The TLS library refused its own settings.
    #[error("TLS could not be set up")]
    Setup,
}

/// How a connection proves whom it talks to: which roots it trusts, or, where the operator said so,
/// no TLS at all.
///
/// Build one when the configuration is read and keep it: it is part of the key of the connection
/// pool, and two that were built apart do not share connections, even from the same PEM. There is
/// no switch that accepts a certificate unchecked.
#[derive(Clone)]
pub struct TlsIdentity {
    id: u64,
    cleartext: bool,
    /// For cleartext, one that trusts nobody.
    config: Arc<ClientConfig>,
}

impl TlsIdentity {
    /// The public roots (Mozilla's, from webpki-roots).
    ///
    /// # Errors
    /// The TLS library refused its own settings.
    pub fn public() -> Result<Self, TlsError> {
        Self::new(public_roots(), false)
    }

    /// These roots instead of the public ones: one or more certificates in PEM.
    ///
    /// # Errors
    /// No certificate, or one that is not well-formed.
    pub fn private(pem: &[u8]) -> Result<Self, TlsError> {
        Self::new(private_roots(pem)?, false)
    }

    /// No TLS: the URL is `http` and the operator allowed that. An `https` URL fails with it.
    ///
    /// # Errors
    /// The TLS library refused its own settings.
    pub fn cleartext() -> Result<Self, TlsError> {
        Self::new(RootCertStore::empty(), true)
    }

    /// What a connection as its operator defined it needs: its own roots, the public ones, or
    /// cleartext where its base is `http` and `allow_http` is set. An `http` base without
    /// `allow_http` gets TLS, and then fails.
    ///
    /// # Errors
    /// The connection's `ca` is not acceptable.
    pub fn from_connection(connection: &toolhost_policy::Connection) -> Result<Self, TlsError> {
        match &connection.ca {
            _ if connection.base.scheme() == "http" && connection.allow_http => Self::cleartext(),
            Some(pem) => Self::private(pem),
            None => Self::public(),
        }
    }

    fn new(roots: RootCertStore, cleartext: bool) -> Result<Self, TlsError> {
        Ok(Self::from_config(
            Self::config_builder(roots)?.with_no_client_auth(),
            cleartext,
        ))
    }

    /// A certificate of the host's own, for a server that asks for one (mutual TLS): its chain in
    /// PEM, its own first, and its key in PEM. `roots`: trusted instead of the public ones.
    ///
    /// # Errors
    /// One of them is not PEM, holds nothing, or the key is not the certificate's.
    pub fn mutual(roots: Option<&[u8]>, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let roots = match roots {
            Some(pem) => private_roots(pem)?,
            None => public_roots(),
        };
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsError::Pem)?;
        if chain.is_empty() {
            return Err(TlsError::Empty);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
        let config = Self::config_builder(roots)?
            .with_client_auth_cert(chain, key)
            .map_err(|_| TlsError::Key)?;
        Ok(Self::from_config(config, false))
    }

    fn config_builder(
        roots: RootCertStore,
    ) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsError>
    {
        Ok(
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|_| TlsError::Setup)?
                .with_root_certificates(roots),
        )
    }

    fn from_config(mut config: ClientConfig, cleartext: bool) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            id: next_id(),
            cleartext,
            config: Arc::new(config),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn is_cleartext(&self) -> bool {
        self.cleartext
    }

    /// The settings for one client, with a session store of its own: a ticket that one tenant's
    /// connection got would tell the upstream that another tenant's comes from the same place.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let mut own = ClientConfig::clone(&self.config);
        own.resumption = Resumption::in_memory_sessions(SESSIONS);
        Arc::new(own)
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("id", &self.id)
            .field("cleartext", &self.cleartext)
            .finish_non_exhaustive()
    }
}

fn public_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

fn private_roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| TlsError::Pem)?;
        roots.add(certificate).map_err(|_| TlsError::Certificate)?;
    }
    if roots.is_empty() {
        return Err(TlsError::Empty);
    }
    Ok(roots)
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
