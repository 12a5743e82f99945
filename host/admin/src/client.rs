use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use tokio::net::UnixStream;
use toolhost_policy::Secret;

use crate::frames::{ANSWER, ERROR, Frames, LINES};
use crate::{ADMIN_SOCKET, AdminError, AdminOperation, AdminRequest};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No host answers on the data directory's socket.
    #[error("no host runs on this data directory")]
    NobodyThere,
    /// The host refused, or failed.
    #[error(transparent)]
    Refused(#[from] AdminError),
    /// The answer is not of the kind that was asked for.
    #[error(
        "the host that runs here answered something else than was asked; it is another version"
    )]
    OtherVersion,
    /// The socket failed in mid-request; whether it was carried out is not known.
    #[error("the admin socket failed: {0}")]
    Broken(#[from] std::io::Error),
}

/// A connection to the host that runs on a data directory.
pub struct AdminClient(Frames);

impl std::fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminClient")
    }
}

impl AdminClient {
    /// Reaches the host of a data directory.
    ///
    /// # Errors
    /// [`ClientError::NobodyThere`], also where a socket was left by a host that was killed.
    pub async fn connect(data_dir: &Path) -> Result<Self, ClientError> {
        match UnixStream::connect(data_dir.join(ADMIN_SOCKET)).await {
            Ok(stream) => Ok(Self(Frames::new(stream))),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) =>
            {
                Err(ClientError::NobodyThere)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks, and hands on the lines that come before the answer.
    ///
    /// # Errors
    /// The host refused, or the connection broke.
    pub async fn ask<O: AdminOperation + Into<AdminRequest>>(
        &mut self,
        operation: O,
        secret: Option<&Secret>,
        lines: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
    ) -> Result<O::Answer, ClientError> {
        let body = serde_json::to_vec(&operation.into()).map_err(std::io::Error::from)?;
        self.0.send(Bytes::from(body)).await?;
        if let Some(secret) = secret {
            self.0.send(Bytes::copy_from_slice(secret.expose())).await?;
        }
        loop {
            let frame = self.0.receive().await?;
            let frame = frame.ok_or_else(|| std::io::Error::from(ErrorKind::UnexpectedEof))?;
            match frame.split_first() {
                Some((&LINES, body)) => lines(body)?,
                Some((&ANSWER, body)) => {
                    return serde_json::from_slice(body).map_err(|_| ClientError::OtherVersion);
                }
                Some((&ERROR, body)) => {
                    let error: AdminError =
                        serde_json::from_slice(body).map_err(std::io::Error::from)?;
                    return Err(error.into());
                }
                _ => return Err(std::io::Error::from(ErrorKind::InvalidData).into()),
            }
        }
    }
}
