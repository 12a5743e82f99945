//! JSON-RPC 2.0, as MCP uses it: what is written, and what may come back.
//!
//! Arguments and results are passed on as they were written: no number loses a digit on its way
//! through.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use toolhost_sdk::adapter::text::line;

use crate::protocol::{CLIENT_NAME, Version};

/// How much of a server's sentence is passed on.
const MAX_SENTENCE: usize = 500;

/// How much of what it adds to an error is.
const MAX_DATA: usize = 4 << 10;

/// A request, a notification or an answer of ours.
#[derive(Debug, Serialize)]
pub(crate) struct ClientMessage<'a, P: Serialize> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<P>,
}

impl<'a, P: Serialize> ClientMessage<'a, P> {
    pub(crate) const fn request(id: u64, method: &'a str, params: P) -> Self {
        Self {
            jsonrpc: "2.0",
            id: Some(id),
            method,
            params: Some(params),
        }
    }

    pub(crate) const fn notification(method: &'a str, params: Option<P>) -> Self {
        Self {
            jsonrpc: "2.0",
            id: None,
            method,
            params,
        }
    }
}

/// What a request says beside its parameters. Nothing of the caller is in it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Meta {
    #[serde(
        rename = "io.modelcontextprotocol/protocolVersion",
        skip_serializing_if = "Option::is_none"
    )]
    version: Option<Version>,
    #[serde(
        rename = "io.modelcontextprotocol/clientCapabilities",
        skip_serializing_if = "Option::is_none"
    )]
    capabilities: Option<Capabilities>,
    #[serde(
        rename = "io.modelcontextprotocol/clientInfo",
        skip_serializing_if = "Option::is_none"
    )]
    client: Option<ClientInfo>,
    #[serde(rename = "progressToken", skip_serializing_if = "Option::is_none")]
    progress: Option<u64>,
}

impl Meta {
    /// What a request in this version has to say; `progress` asks to hear how it goes.
    pub(crate) fn from_version(version: Version, progress: Option<u64>) -> Option<Self> {
        let says = version.is_stateless();
        (says || progress.is_some()).then(|| Self {
            version: says.then_some(version),
            capabilities: says.then(Capabilities::default),
            client: says.then(ClientInfo::own),
            progress,
        })
    }
}

/// What we offer to a server: nothing. It can ask neither the person nor a model, and sees no
/// directory.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Capabilities {}

#[derive(Debug, Serialize)]
pub(crate) struct ClientInfo {
    name: &'static str,
    version: &'static str,
}

impl ClientInfo {
    pub(crate) const fn own() -> Self {
        Self {
            name: CLIENT_NAME,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A message of the server. Two members of one name are an error, whichever was meant.
#[derive(Debug, Deserialize)]
pub(crate) struct ServerMessage<'a> {
    /// Some servers leave it out.
    #[serde(borrow, default)]
    pub(crate) jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ServerErrorObject<'a>>,
}

#[derive(Debug, Deserialize)]
struct ServerErrorObject<'a> {
    /// A whole number; some servers write it otherwise.
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// What a server says of an error, made fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
    /// JSON text, where it is short.
    pub(crate) data: Option<String>,
}

impl ServerMessage<'_> {
    pub(crate) fn error(&self) -> Option<RpcError> {
        self.error.as_ref().map(|error| RpcError {
            code: code(error.code),
            message: line(error.message.as_deref().unwrap_or_default(), MAX_SENTENCE),
            data: error
                .data
                .map(RawValue::get)
                .filter(|data| data.len() <= MAX_DATA)
                .map(str::to_owned),
        })
    }
}

/// The number of an error, where it is one: as it is, with a fraction of zero, or as text.
fn code(code: Option<&RawValue>) -> i64 {
    let text = code
        .map(|code| code.get().trim_matches('"'))
        .unwrap_or_default();
    let whole = text.strip_suffix(".0").unwrap_or(text);
    whole.parse().unwrap_or_default()
}

/// How far a call has come.
#[derive(Debug, Deserialize)]
pub(crate) struct Progress<'a> {
    #[serde(rename = "progressToken", borrow)]
    pub(crate) token: &'a RawValue,
    pub(crate) progress: f64,
    #[serde(default)]
    pub(crate) total: Option<f64>,
    #[serde(borrow, default)]
    pub(crate) message: Option<Cow<'a, str>>,
}
