use bytes::Bytes;

use crate::BodyStream;

/// What a guest asks for: a connection by name and an endpoint as it was granted, never a URL.
#[derive(Debug, Clone, Default)]
pub struct GuestRequest {
    /// The connection's name.
    pub connection: String,
    /// The method, in upper case.
    pub method: String,
    /// The path template, exactly as the plugin's manifest has it.
    pub path: String,
    /// A value for each parameter of the template, not encoded.
    pub parameters: Vec<(String, String)>,
    /// Query pairs, not encoded.
    pub query: Vec<(String, String)>,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Bytes>,
}

/// What a guest gets back whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestResponse {
    /// 200 to 599.
    pub status: u16,
    /// The fields that a guest may see, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The scrubbed body.
    pub body: Bytes,
}

/// The status and fields of a response whose body is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// 200 to 599.
    pub status: u16,
    /// The fields that a guest may see, names in lower case; no `content-length`, for scrubbing may
    /// change it.
    pub headers: Vec<(String, String)>,
}

/// A response that is read piece by piece.
#[derive(Debug)]
pub struct StreamingResponse {
    /// What came first.
    pub head: ResponseHead,
    /// The rest. Dropping it ends the exchange.
    pub body: BodyStream,
}
