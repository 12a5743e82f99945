//! How a server is first spoken to: is it one that needs no session, and if not, a session.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use toolhost_sdk::adapter::text::line;
use toolhost_sdk::{Code, Failure, HttpCode};

use crate::exchange::{BareParams, RequestEnvelope, RpcReply, ask, tell};
use crate::exchange_error::ExchangeError;
use crate::header::is_session;
use crate::message::{Capabilities, ClientInfo, ClientMessage, RpcError};
use crate::protocol::Version;
use crate::state::{ServerState, Session};

/// A server that has just been spoken to for the first time.
#[derive(Debug)]
pub(crate) struct ServerHandshake {
    pub(crate) session: Session,
    /// What it calls itself.
    pub(crate) title: Option<String>,
    pub(crate) release: Option<String>,
    /// Whether it may offer tools: it says so, or says nothing of what it offers.
    pub(crate) has_tools: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiscoverResult<'a> {
    #[serde(borrow, default)]
    supported_versions: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<ServerMeta<'a>>,
}

#[derive(Debug, Deserialize)]
struct ServerMeta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/serverInfo")]
    server: Option<ServerInfo<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeResult<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    #[serde(borrow, default)]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, default)]
    server_info: Option<ServerInfo<'a>>,
}

#[derive(Debug, Deserialize)]
struct ServerInfo<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    version: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InitializeParams {
    protocol_version: Version,
    capabilities: Capabilities,
    client_info: ClientInfo,
}

/// How long the first question may go unanswered before the server is taken for an older one, which
/// may never answer what it does not know. A server that knows the question answers it from memory.
const PROBE: Duration = Duration::from_secs(4);

/// Speaks to the server for the first time, in the newest way that it understands.
///
/// # Errors
/// It speaks none of our versions, or no MCP at all.
pub(crate) fn open(state: &mut ServerState) -> Result<ServerHandshake, Failure> {
    match discover(state)? {
        Probe::Opened(opened) => Ok(opened),
        Probe::Older(version) => initialise(state, version),
    }
}

/// What the first question came to.
enum Probe {
    Opened(ServerHandshake),
    /// The server begins with `initialize`; the version to ask it for.
    Older(Version),
}

/// Asks as it is done from 2026-07-28 on. Whatever else goes wrong with the question, the server
/// may be an older one.
fn discover(state: &mut ServerState) -> Result<Probe, Failure> {
    let mut asked = probe(state)?;
    // It names the very version that it was asked in: then it did not mean it, or could not yet.
    if let Err(named) = &asked
        && Version::is_named(Version::V2026_07_28, named)
    {
        asked = probe(state)?;
    }
    match asked {
        Ok(probe) => Ok(probe),
        Err(named) => match Version::newest_with_sessions_of(&named) {
            Some(version) => Ok(Probe::Older(version)),
            None => Err(unsupported(&named.join(", "))),
        },
    }
}

/// One question. The inner error: the server speaks these versions.
fn probe(state: &mut ServerState) -> Result<Result<Probe, Vec<String>>, Failure> {
    let version = Version::V2026_07_28;
    let older = Probe::Older(Version::NEWEST_WITH_SESSIONS);
    let session = Session { version, id: None };
    let id = state.next_id()?;
    let request = ClientMessage::request(id, "server/discover", BareParams::new(version));
    let envelope = RequestEnvelope {
        until: Some(Instant::now() + PROBE),
        ..RequestEnvelope::new(Some(&session), "server/discover")
    };
    let reply = match ask(&envelope, id, &request) {
        Ok((reply, _)) => reply,
        // Who may not ask at all may not ask in another way; and who is overloaded must not be
        // asked twice.
        Err(trouble) => match &trouble {
            ExchangeError::Status {
                status: 401 | 403 | 429 | 503 | 300..=399,
                ..
            } => return Err(trouble.into()),
            // Nothing was sent, or nothing may be: it would be the same with another question.
            ExchangeError::Http(error)
                if !error.sent || !matches!(error.code, HttpCode::Timeout | HttpCode::Upstream) =>
            {
                return Err(trouble.into());
            }
            ExchangeError::Status {
                error: Some(error), ..
            } => Err(error.clone()),
            _ => return Ok(Ok(older)),
        },
    };
    let result = match reply {
        Ok(result) => result,
        Err(error) => return Ok(supported(&error).map_or(Ok(older), Err)),
    };
    let Ok(said) = serde_json::from_str::<DiscoverResult<'_>>(result.get()) else {
        return Ok(Ok(older));
    };
    if !Version::is_named(version, &said.supported_versions) {
        let version = Version::newest_with_sessions_of(&said.supported_versions);
        return Ok(Ok(version.map_or(older, Probe::Older)));
    }
    let server = said.meta.and_then(|meta| meta.server);
    Ok(Ok(Probe::Opened(opened(
        session,
        said.capabilities,
        server,
    ))))
}

/// The versions that the server names in its refusal of another.
fn supported(error: &RpcError) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct SupportedVersions {
        supported: Vec<String>,
    }
    let data = error.data.as_deref()?;
    Some(
        serde_json::from_str::<SupportedVersions>(data)
            .ok()?
            .supported,
    )
}

fn unsupported(versions: &str) -> Failure {
    let versions = line(versions, 100);
    let why = format!("the server speaks MCP {versions}; 2024-11-05 to 2026-07-28 are supported");
    Failure::new(Code::Unsupported, why)
}

/// Begins a session, in another version than `asked` where the server names one that we speak.
fn initialise(state: &mut ServerState, asked: Version) -> Result<ServerHandshake, Failure> {
    let (reply, named) = match initialised(state, asked)? {
        (Err(error), _) => {
            let version =
                supported(&error).and_then(|named| Version::newest_with_sessions_of(&named));
            match version.filter(|version| *version != asked) {
                Some(version) => initialised(state, version)?,
                None => (Err(error), None),
            }
        }
        answered => answered,
    };
    let result: Box<RawValue> = RpcReply::map_err(reply, |error| {
        // Its complaint about the parameters is not about the arguments of a tool.
        Failure::new(
            Code::Upstream,
            format!("the server does not begin a session: {}", error.message),
        )
    })?;
    let said: InitializeResult<'_> = serde_json::from_str(result.get())
        .map_err(|_| ExchangeError::Malformed("what it says of itself cannot be read"))?;
    let version = Version::parse(&said.protocol_version).filter(|version| !version.is_stateless());
    let Some(version) = version else {
        return Err(unsupported(&said.protocol_version));
    };
    if named.as_deref().is_some_and(|id| !is_session(id)) {
        return Err(ExchangeError::Malformed(
            "the name of its session is not visible ASCII, or too long",
        )
        .into());
    }
    let session = Session { version, id: named };
    let method = "notifications/initialized";
    let told = tell(
        &RequestEnvelope::new(Some(&session), method),
        &ClientMessage::<()>::notification(method, None),
    );
    match told {
        // Some servers refuse every message that is no request; the session is there all the same.
        Ok(())
        | Err(ExchangeError::Status {
            status: 400 | 404..=428 | 430..=499 | 500..,
            ..
        }) => {}
        Err(trouble) => return Err(trouble.into()),
    }
    Ok(opened(session, said.capabilities, said.server_info))
}

/// The server's word to `initialize`, and what it calls the session.
fn initialised(
    state: &mut ServerState,
    version: Version,
) -> Result<(RpcReply, Option<String>), Failure> {
    let id = state.next_id()?;
    let request = ClientMessage::request(
        id,
        "initialize",
        InitializeParams {
            protocol_version: version,
            capabilities: Capabilities {},
            client_info: ClientInfo::own(),
        },
    );
    match ask(&RequestEnvelope::new(None, "initialize"), id, &request) {
        Ok(answered) => Ok(answered),
        Err(ExchangeError::Status {
            status: 400,
            error: Some(error),
            ..
        }) if error.data.is_some() => Ok((Err(error), None)),
        Err(trouble) => Err(trouble.into()),
    }
}

fn opened(
    session: Session,
    capabilities: Option<&RawValue>,
    server: Option<ServerInfo<'_>>,
) -> ServerHandshake {
    let offered = capabilities
        .and_then(|said| serde_json::from_str::<BTreeMap<String, &RawValue>>(said.get()).ok());
    let offered = offered.unwrap_or_default();
    let says_tools = offered
        .get("tools")
        .is_some_and(|said| said.get() != "null");
    let shown = |text: &str| Some(line(text, 100)).filter(|text| !text.is_empty());
    ServerHandshake {
        session,
        title: server.as_ref().and_then(|server| {
            let title = server.title.as_deref().and_then(shown);
            title.or_else(|| server.name.as_deref().and_then(shown))
        }),
        release: server
            .as_ref()
            .and_then(|server| server.version.as_deref().and_then(shown)),
        has_tools: says_tools || offered.is_empty(),
    }
}
