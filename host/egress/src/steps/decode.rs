use bytes::Bytes;
use http::HeaderMap;
use toolhost_net::{CodingError, Decoder};

use super::charset::Charset;
use super::scrub::is_text;
use crate::{EgressCall, EgressCode, EgressFailure};

/// Takes the content codings off a body, piece by piece, before it is scrubbed, and for an adapter
/// the charset. None was asked for, and some systems and the proxies before them compress all the
/// same; a body without a byte has nothing to decode.
#[derive(Debug)]
pub struct BodyDecoder {
    decoder: Result<Option<Decoder>, CodingError>,
    charset: Charset,
    cap: u64,
}

impl BodyDecoder {
    /// By the header fields of the response. What comes out is bounded like what comes in.
    #[must_use]
    pub fn from_headers(call: &EgressCall, headers: &HeaderMap) -> Self {
        let limits = &call.grant().limits;
        let cap = usize::try_from(limits.response_bytes).unwrap_or(usize::MAX);
        Self {
            decoder: Decoder::from_headers(headers, cap),
            charset: match call.adapter() {
                Some(_) => Charset::from_headers(headers),
                None => Charset::none(),
            },
            cap: limits.response_bytes,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `limit` where it becomes too long, by itself or beside what came; `upstream` where it cannot
    /// be decoded.
    pub fn push(&mut self, data: Bytes) -> Result<Bytes, EgressFailure> {
        let decoded = match &mut self.decoder {
            Err(error) if !data.is_empty() => Err(*error),
            Ok(Some(decoder)) => decoder.push(&data),
            _ => Ok(data),
        };
        let decoded = decoded.map_err(|error| self.failure(error))?;
        Ok(self.charset.push(decoded, false))
    }

    /// The body ended.
    ///
    /// # Errors
    /// As [`BodyDecoder::push`].
    pub fn finish(&mut self) -> Result<Bytes, EgressFailure> {
        let rest = match &mut self.decoder {
            Ok(Some(decoder)) => decoder.finish(),
            _ => Ok(Bytes::new()),
        };
        let rest = rest.map_err(|error| self.failure(error))?;
        Ok(self.charset.push(rest, true))
    }

    /// Whether what comes out may be longer than what goes in.
    pub(crate) fn is_coded(&self) -> bool {
        !matches!(self.decoder, Ok(None))
    }

    /// Whether what comes out is one text in a superset of ASCII.
    #[must_use]
    pub fn is_text(&self, headers: &HeaderMap) -> bool {
        is_text(headers) || self.charset.is_converted()
    }

    fn failure(&self, error: CodingError) -> EgressFailure {
        let (code, text) = match error {
            CodingError::TooLong(_) => (
                EgressCode::Limit,
                format!(
                    "the response body is longer than {} bytes when it is decoded (limits.response_bytes)",
                    self.cap
                ),
            ),
            CodingError::Ratio => (EgressCode::Limit, error.to_string()),
            CodingError::Unknown | CodingError::Stacked | CodingError::Broken => {
                (EgressCode::Upstream, error.to_string())
            }
        };
        EgressFailure::new(code, text).after_sending()
    }
}
