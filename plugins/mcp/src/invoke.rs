//! A call of a tool.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use toolhost_sdk::adapter::{Answer, UpstreamState};
use toolhost_sdk::{Code, Failure};

use crate::answer::answer;
use crate::cancel::Note;
use crate::descriptor::ToolDescriptor;
use crate::exchange::{RequestEnvelope, ask};
use crate::exchange_error::ExchangeError;
use crate::header;
use crate::message::{ClientMessage, Meta};
use crate::open::open;
use crate::property;
use crate::protocol::{METHOD_NOT_FOUND, UNSUPPORTED_VERSION};
use crate::state::{ServerState, Session};

/// How often a call may begin: with what was kept, and once more where the server says that it no
/// longer knows of it.
const MAX_BEGINNINGS: usize = 2;

/// How often other calls may lose or find a session while this one looks.
const MAX_LOOKS: usize = 16;

#[derive(Debug, Serialize)]
struct CallParams<'a> {
    name: &'a str,
    arguments: &'a RawValue,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

/// Calls the tool.
///
/// # Errors
/// The tool's failure, or why there is no answer.
pub(crate) fn invoke(descriptor: &ToolDescriptor, arguments: &str) -> Result<Answer, Failure> {
    let arguments: &RawValue = serde_json::from_str(arguments)
        .map_err(|_| Failure::invalid_arguments("the arguments are not JSON"))?;
    let arguments = &*property::restore(arguments, &descriptor.renamed)?;
    let fields = fields(descriptor, arguments)?;
    let mut state = ServerState::read()?;
    let mut last = None;
    for _ in 0..MAX_BEGINNINGS {
        let (session, id) = begin(&mut state)?;
        match call(descriptor, arguments, &fields, &session, id) {
            Ok(reply) => return reply,
            Err(trouble) if is_unknown(&session, &trouble) => {
                state.forget(&session)?;
                last = Some(trouble);
            }
            Err(trouble) => {
                // Some servers say so of a session that they have forgotten, and others of
                // anything: the next call begins anew, but this one may have been made.
                if matches!(trouble.status(), Some(400 | 404 | 405 | 410)) {
                    state.forget(&session)?;
                }
                return Err(trouble.into());
            }
        }
    }
    Err(last.map_or_else(
        || Failure::upstream("the server knows no session"),
        Failure::from,
    ))
}

/// A session, kept or new, and a number for the request.
fn begin(state: &mut ServerState) -> Result<(Session, u64), Failure> {
    for _ in 0..MAX_LOOKS {
        if state.session().is_none() {
            let opened = open(state)?;
            state.keep(&opened.session)?;
        }
        // Another call may have forgotten it, or kept another: what is kept counts.
        let id = state.next_id()?;
        if let Some(session) = state.session() {
            return Ok((session.clone(), id));
        }
    }
    Err(Failure::new(
        Code::Upstream,
        "the server forgets each session at once",
    ))
}

/// The inner result is the server's; the outer error says that there is none.
fn call(
    descriptor: &ToolDescriptor,
    arguments: &RawValue,
    fields: &[(String, String)],
    session: &Session,
    id: u64,
) -> Result<Result<Answer, Failure>, ExchangeError> {
    let method = "tools/call";
    let note = Note::encode(session, id);
    if let Err(failure) = UpstreamState::on_cancel(&note) {
        return Ok(Err(failure));
    }
    let request = ClientMessage::request(
        id,
        method,
        CallParams {
            name: &descriptor.name,
            arguments,
            meta: Meta::from_version(session.version, Some(id)),
        },
    );
    let envelope = RequestEnvelope {
        name: Some(&descriptor.name),
        fields,
        ..RequestEnvelope::new(Some(session), method)
    };
    let (reply, _) = ask(&envelope, id, &request)?;
    match reply {
        Ok(result) => answer(&result),
        Err(error) if session.version.is_stateless() && error.code == UNSUPPORTED_VERSION => {
            Err(ExchangeError::Status {
                status: 400,
                error: Some(error),
                retry_after: None,
                scope: None,
            })
        }
        Err(error) => Ok(Err(error.into())),
    }
}

/// Whether the server says that it does not know what we hold to, so that it cannot have made the
/// call.
fn is_unknown(session: &Session, trouble: &ExchangeError) -> bool {
    let code = trouble.error().map(|error| error.code);
    if session.version.is_stateless() {
        return code == Some(UNSUPPORTED_VERSION)
            || (trouble.status() == Some(404) && code == Some(METHOD_NOT_FOUND));
    }
    session.id.is_some() && trouble.status() == Some(404)
}

/// The arguments that are repeated in header fields.
fn fields(
    descriptor: &ToolDescriptor,
    arguments: &RawValue,
) -> Result<Vec<(String, String)>, Failure> {
    if descriptor.headers.is_empty() {
        return Ok(Vec::new());
    }
    let arguments: BTreeMap<String, &RawValue> = serde_json::from_str(arguments.get())
        .map_err(|_| Failure::invalid_arguments("the arguments are not an object"))?;
    let mut fields = Vec::new();
    for (argument, field) in &descriptor.headers {
        let Some(value) = arguments.get(argument) else {
            continue;
        };
        let text = match value.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(value.get()).unwrap_or_default(),
            // Numbers and booleans stand as they are written; the schema allows nothing else.
            Some(b'{' | b'[' | b'n') | None => continue,
            Some(_) => value.get().to_owned(),
        };
        let value = header::value(&text).ok_or_else(|| {
            Failure::invalid_arguments(format!(
                "the argument {argument:?} is too long for a header field"
            ))
        })?;
        fields.push((field.clone(), value));
    }
    Ok(fields)
}
