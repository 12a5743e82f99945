use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use toolhost_policy::Secret;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// The largest key file; ours has 240 bytes.
const MAX_FILE: u64 = 16 * 1024;

/// Why a development key cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum DevKeyError {
    /// Reading or writing failed; a key that is there is never overwritten.
    #[error("{path:?}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others can read the private key.
    #[error("{0:?} can be read by others; chmod 600 it, or make a new key")]
    Open(PathBuf),
    /// Not an ES256 key in PKCS #8.
    #[error("{0:?} is not an ES256 private key in pem (pkcs #8)")]
    Form(PathBuf),
    /// The random source or the signature failed.
    #[error("the key could not be made or used")]
    Crypto,
    /// `--ttl` is zero or too long.
    #[error("--ttl is between 1 second and 24 hours")]
    Ttl,
    /// `--tenant-claim` is not a JSON pointer, or a place that another claim has.
    #[error(
        "--tenant-claim and --role-claim are json pointers, such as /tenantId, to places of their own"
    )]
    Claim,
}

/// An ES256 key pair that signs development tokens.
pub struct DevKey {
    pair: EcdsaKeyPair,
    kid: String,
}

impl DevKey {
    /// Makes a key pair and writes it: the private key as PEM (mode 0600), the public one as a JWK
    /// set.
    ///
    /// # Errors
    /// A file is there already or cannot be written.
    pub fn generate(private: &Path, key_set: &Path) -> Result<Self, DevKeyError> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| DevKeyError::Crypto)?;
        let secret = Secret::new(document.as_ref().to_vec());
        let key = Self::from_pkcs8(&secret).ok_or(DevKeyError::Crypto)?;
        let mut pem =
            format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(secret.expose())).into_bytes();
        let written = create(private, 0o600, &pem);
        zeroize::Zeroize::zeroize(&mut pem);
        written?;
        let set = json!({ "keys": [key.jwk()] }).to_string();
        create(key_set, 0o644, set.as_bytes())?;
        Ok(key)
    }

    /// Reads the private key that [`DevKey::generate`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, can be read by others, or is no such key.
    pub fn load(private: &Path) -> Result<Self, DevKeyError> {
        let failed = |error| DevKeyError::Io {
            path: private.to_owned(),
            error,
        };
        let file = std::fs::File::open(private).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
                return Err(DevKeyError::Open(private.to_owned()));
            }
        }
        let mut text = Vec::new();
        file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
        let text = Secret::new(text);
        let secret = std::str::from_utf8(text.expose()).ok().and_then(pkcs8);
        secret
            .and_then(|secret| Self::from_pkcs8(&secret))
            .ok_or_else(|| DevKeyError::Form(private.to_owned()))
    }

    fn from_pkcs8(pkcs8: &Secret) -> Option<Self> {
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose()).ok()?;
        let mut key = Self {
            pair,
            kid: String::new(),
        };
        key.kid = key.thumbprint();
        Some(key)
    }

    /// The public key as a JWK.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let (x, y) = self.public_point();
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid, "use": "sig", "alg": "ES256"})
    }

    /// The name of the key: its thumbprint (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs a header and claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Result<String, DevKeyError> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .map_err(|_| DevKeyError::Crypto)?;
        Ok(format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode(signature.as_ref())
        ))
    }

    /// The two coordinates, after the byte that says "uncompressed".
    fn public_point(&self) -> (String, String) {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point
            .get(1..)
            .unwrap_or_default()
            .split_at_checked(32)
            .unwrap_or_default();
        (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
    }

    fn thumbprint(&self) -> String {
        let (x, y) = self.public_point();
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(members.as_bytes()))
    }
}

impl std::fmt::Debug for DevKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

fn pkcs8(text: &str) -> Option<Secret> {
    let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let body = Secret::new(
        body.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    STANDARD.decode(body.expose()).ok().map(Secret::new)
}

/// Writes a file that must not be there yet, with its mode from the start.
fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), DevKeyError> {
    let failed = |error| DevKeyError::Io {
        path: path.to_owned(),
        error,
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(failed)
}
