use std::fmt;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Random bytes of an id: 192 bits, where MCP asks for 128 and nobody guesses either.
const RANDOM: usize = 24;
/// The longest id that is looked up.
const MAX_ID: usize = 128;

/// The name of a session. A name and no right: it is looked up among its owner's alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// A new one (T27).
    ///
    /// # Errors
    /// There is no randomness to be had; no session is made then.
    pub fn random() -> Result<Self, NoRandomness> {
        random_name("s_").map(Self)
    }

    /// What a request brought: 1 to 128 visible ASCII characters. Nothing else is ever an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    /// Not the id: a log is read by others than its owner.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no randomness to give")]
pub struct NoRandomness;

pub(crate) fn random_name(prefix: &str) -> Result<Box<str>, NoRandomness> {
    let bytes = random_bytes::<RANDOM>()?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

pub(crate) fn is_name(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
