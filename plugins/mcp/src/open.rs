//! How a server is first spoken to: is it one that needs no session, and if not, a session.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use toolhost_sdk::adapter::text::line;
use toolhost_sdk::{Code, Failure};

use crate::exchange::{Envelope, Plain, Reply, ask, tell};
use crate::header::is_session;
use crate::message::{Capabilities, ClientInfo, Sent};
use crate::protocol::Version;
use crate::state::{Session, State};
use crate::trouble::Trouble;

/// A server that has just been spoken to for the first time.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) session: Session,
    /// What it calls itself.
    pub(crate) title: Option<String>,
    pub(crate) release: Option<String>,
    /// Whether it offers tools at all.
    pub(crate) has_tools: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discovered<'a> {
    #[serde(borrow, default)]
    supported_versions: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    capabilities: Offered<'a>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<ServerMeta<'a>>,
}

#[derive(Debug, Deserialize)]
struct ServerMeta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/serverInfo")]
    server: Option<Server<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialised<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    #[serde(borrow, default)]
    capabilities: Offered<'a>,
    #[serde(borrow, default)]
    server_info: Option<Server<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Offered<'a> {
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Server<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    version: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Initialise {
    protocol_version: Version,
    capabilities: Capabilities,
    client_info: ClientInfo,
}

/// Speaks to the server for the first time, in the newest way that it understands.
///
/// # Errors
/// It speaks none of our versions, or no MCP at all.
pub(crate) fn open(state: &mut State) -> Result<Opened, Failure> {
    if let Some(opened) = discover(state)? {
        return Ok(opened);
    }
    initialise(state)
}

/// Asks as it is done from 2026-07-28 on. `None`: the server does not know the question, and is an older one.
fn discover(state: &mut State) -> Result<Option<Opened>, Failure> {
    let version = Version::V2026_07_28;
    let session = Session { version, id: None };
    let id = state.next_id()?;
    let request = Sent::request(id, "server/discover", Plain::of(version));
    let reply = match ask(&Envelope::of(Some(&session), "server/discover"), id, &request) {
        Ok((reply, _)) => reply,
        // Who may not ask at all may not ask in another way; and who is overloaded must not be asked twice.
        Err(trouble) => match trouble.status() {
            Some(401 | 403 | 429 | 300..=399 | 500..) => return Err(trouble.into()),
            Some(_) => return Ok(None),
            None if matches!(trouble, Trouble::Http(_)) => return Err(trouble.into()),
            None => return Ok(None),
        },
    };
    let Ok(result) = reply else { return Ok(None) };
    let Ok(said) = serde_json::from_str::<Discovered<'_>>(result.get()) else {
        return Ok(None);
    };
    if !said
        .supported_versions
        .iter()
        .any(|known| known == version.as_str())
    {
        return Ok(None);
    }
    let server = said.meta.and_then(|meta| meta.server);
    Ok(Some(opened(session, said.capabilities, server)))
}

/// Begins a session.
fn initialise(state: &mut State) -> Result<Opened, Failure> {
    let id = state.next_id()?;
    let request = Sent::request(
        id,
        "initialize",
        Initialise {
            protocol_version: Version::NEWEST_WITH_SESSIONS,
            capabilities: Capabilities {},
            client_info: ClientInfo::own(),
        },
    );
    let (reply, named) = ask(&Envelope::of(None, "initialize"), id, &request)?;
    let result: Box<RawValue> = Reply::map_err(reply, |error| {
        // Its complaint about the parameters is not about the arguments of a tool.
        Failure::new(
            Code::Upstream,
            format!("the server does not begin a session: {}", error.message),
        )
    })?;
    let said: Initialised<'_> = serde_json::from_str(result.get())
        .map_err(|_| Trouble::Malformed("what it says of itself cannot be read"))?;
    let version = Version::parse(&said.protocol_version).filter(|version| !version.is_stateless());
    let Some(version) = version else {
        let version = line(&said.protocol_version, 40);
        let why = format!("the server speaks MCP {version}; 2025-03-26 to 2026-07-28 are supported");
        return Err(Failure::new(Code::Unsupported, why));
    };
    if named.as_deref().is_some_and(|id| !is_session(id)) {
        return Err(Trouble::Malformed("the name of its session is not visible ASCII, or too long").into());
    }
    let session = Session { version, id: named };
    let method = "notifications/initialized";
    tell(
        &Envelope::of(Some(&session), method),
        &Sent::<()>::notification(method, None),
    )?;
    Ok(opened(session, said.capabilities, said.server_info))
}

fn opened(session: Session, offered: Offered<'_>, server: Option<Server<'_>>) -> Opened {
    let shown = |text: &str| Some(line(text, 100)).filter(|text| !text.is_empty());
    Opened {
        session,
        title: server.as_ref().and_then(|server| {
            let title = server.title.as_deref().and_then(shown);
            title.or_else(|| shown(&server.name))
        }),
        release: server.as_ref().and_then(|server| shown(&server.version)),
        has_tools: offered.tools.is_some(),
    }
}
