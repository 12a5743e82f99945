use crate::{HttpError, Pollable, Response, host};

/// How much of a body is asked for at once. Enough to make the crossing cheap, little beside a
/// call's memory.
pub(crate) const CHUNK: u32 = 64 * 1024;

/// A request under way, whose answer is read in parts.
///
/// Dropping it gives the request up.
#[derive(Debug)]
pub struct Exchange {
    handle: host::Exchange,
}

/// Status and header fields of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// The header fields that the host lets through; names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// As [`Response::retry_after`](crate::Response::retry_after).
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        crate::http::retry_after(&self.headers)
    }

    /// As [`Response::missing_scope`](crate::Response::missing_scope).
    #[must_use]
    pub fn missing_scope(&self) -> Option<&str> {
        crate::http::missing_scope(&self.headers)
    }
}

impl Exchange {
    pub(crate) const fn new(handle: host::Exchange) -> Self {
        Self { handle }
    }

    /// Waits for status and header fields.
    ///
    /// # Errors
    /// When the request failed.
    pub fn head(&self) -> Result<Head, HttpError> {
        loop {
            if let Some(head) = self.try_head()? {
                return Ok(head);
            }
            self.wait();
        }
    }

    /// Status and header fields, if they have arrived.
    ///
    /// # Errors
    /// When the request failed.
    pub fn try_head(&self) -> Result<Option<Head>, HttpError> {
        Ok(self.handle.head()?.map(|head| Head {
            status: head.status,
            headers: head.headers,
        }))
    }

    /// Up to `max` bytes of the body, waiting for the first one; `None` at its end.
    ///
    /// # Errors
    /// When the request failed, or the answer broke off.
    pub fn read(&self, max: u32) -> Result<Option<Vec<u8>>, HttpError> {
        Ok(self.handle.read(max)?)
    }

    /// Whether [`Self::head`] or [`Self::read`] would not wait.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        host::subscribe(&self.handle).ready()
    }

    /// Waits until [`Self::head`] or [`Self::read`] would not.
    pub fn wait(&self) {
        host::subscribe(&self.handle).block();
    }

    /// What tells when it is ready. [`crate::join`] waits for several.
    #[must_use]
    pub fn subscribe(&self) -> Pollable {
        host::subscribe(&self.handle)
    }

    /// Waits for the whole answer.
    ///
    /// # Errors
    /// When the request failed, or the answer broke off.
    pub fn response(self) -> Result<Response, HttpError> {
        let Head { status, headers } = self.head()?;
        let mut body = Vec::new();
        while let Some(chunk) = self.read(CHUNK)? {
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status,
            headers,
            body,
        })
    }
}
