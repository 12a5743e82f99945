//! A guest as other languages make them: it knows absolute URLs and `wasi:http/outgoing-handler`,
//! nothing of connections.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use toolhost_sdk::{Call, Failure, Output, Plugin, Tool};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

/// A request in the parts that `wasi:http` knows. `url` is cut into them at the first `://` and the
/// first `/` after it, without looking at what stands there: `http://good@evil/` must arrive at the
/// host as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fetch {
    url: Option<String>,
    /// In place of the one in `url`.
    scheme: Option<String>,
    /// In place of the one in `url`.
    authority: Option<String>,
    /// In place of the one in `url`.
    path_with_query: Option<String>,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// Asks for this time to connect, to the first byte and between bytes, in milliseconds.
    timeout_ms: Option<u64>,
    /// Trailers of the request.
    #[serde(default)]
    trailers: Vec<(String, String)>,
    /// Stop after this many bytes of the body.
    read_at_most: Option<usize>,
}

fn get() -> String {
    "GET".to_owned()
}

fn fetch(arguments: Fetch, _: &Call) -> Result<Output, Failure> {
    let seen = send(&arguments).unwrap_or_else(|error| json!({ "error": error }));
    Ok(Output::text(seen.to_string()).with_structured(seen))
}

/// Sends the same request many times without ending any: for the bounds on requests and handles.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Many {
    url: String,
    n: u32,
}

fn many(arguments: Many, _: &Call) -> Result<Output, Failure> {
    let mut kept = Vec::new();
    let mut error = None;
    for _ in 0..arguments.n {
        let parts = Fetch {
            url: Some(arguments.url.clone()),
            ..Fetch::default()
        };
        match build(&parts).and_then(|(request, _)| {
            outgoing_handler::handle(request, None).map_err(|error| format!("handle: {error:?}"))
        }) {
            Ok(answer) => kept.push(answer),
            Err(why) => {
                error = Some(why);
                break;
            }
        }
    }
    let mut answers = Vec::new();
    for answer in &kept {
        answer.subscribe().block();
        answers.push(match answer.get() {
            Some(Ok(Ok(response))) => Value::from(response.status()),
            Some(Ok(Err(error))) => Value::from(format!("response: {error:?}")),
            _ => Value::Null,
        });
    }
    let seen = json!({ "begun": kept.len(), "answers": answers, "error": error });
    Ok(Output::text(seen.to_string()).with_structured(seen))
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            url: None,
            scheme: None,
            authority: None,
            path_with_query: None,
            method: get(),
            headers: Vec::new(),
            body: None,
            timeout_ms: None,
            trailers: Vec::new(),
            read_at_most: None,
        }
    }
}

fn build(parts: &Fetch) -> Result<(OutgoingRequest, Option<OutgoingBody>), String> {
    let (scheme, rest) = match parts
        .url
        .as_deref()
        .map(|url| url.split_once("://").unwrap_or(("", url)))
    {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, ""),
    };
    let cut = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    let scheme = parts.scheme.as_deref().or(scheme);
    let authority = parts
        .authority
        .as_deref()
        .or(parts.url.as_ref().map(|_| authority));
    let path = parts
        .path_with_query
        .as_deref()
        .or((!path.is_empty()).then_some(path));

    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect();
    let fields = Fields::from_list(&headers).map_err(|error| format!("headers: {error:?}"))?;
    let request = OutgoingRequest::new(fields);
    let refused = |what: &'static str| move |()| format!("{what} is refused");
    request
        .set_method(&method(&parts.method))
        .map_err(refused("method"))?;
    let scheme = scheme.map(|scheme| match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    });
    request
        .set_scheme(scheme.as_ref())
        .map_err(refused("scheme"))?;
    request
        .set_authority(authority)
        .map_err(refused("authority"))?;
    request.set_path_with_query(path).map_err(refused("path"))?;
    let body = match (&parts.body, parts.trailers.is_empty()) {
        (None, true) => None,
        _ => Some(request.body().map_err(refused("body"))?),
    };
    Ok((request, body))
}

fn send(parts: &Fetch) -> Result<Value, String> {
    let (request, body) = build(parts)?;
    let options = match parts.timeout_ms {
        None => None,
        Some(milliseconds) => {
            let options = RequestOptions::new();
            let time = Some(milliseconds.saturating_mul(1_000_000));
            let refused = |()| "timeout is refused".to_owned();
            options.set_connect_timeout(time).map_err(refused)?;
            options.set_first_byte_timeout(time).map_err(refused)?;
            options.set_between_bytes_timeout(time).map_err(refused)?;
            Some(options)
        }
    };
    let answer =
        outgoing_handler::handle(request, options).map_err(|error| format!("handle: {error:?}"))?;
    if let Some(outgoing) = body {
        let text = parts.body.as_deref().unwrap_or_default().as_bytes();
        let stream = outgoing
            .write()
            .map_err(|()| "body is refused".to_owned())?;
        // One `blocking-write-and-flush` takes 4,096 bytes at most.
        for chunk in text.chunks(4_096) {
            stream
                .blocking_write_and_flush(chunk)
                .map_err(|error| format!("write: {error:?}"))?;
        }
        drop(stream);
        let trailers: Vec<_> = parts
            .trailers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
            .collect();
        let trailers = match trailers.is_empty() {
            true => None,
            false => {
                Some(Fields::from_list(&trailers).map_err(|error| format!("trailers: {error:?}"))?)
            }
        };
        OutgoingBody::finish(outgoing, trailers).map_err(|error| format!("finish: {error:?}"))?;
    }
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => read(&response, parts.read_at_most.unwrap_or(usize::MAX)),
        Some(Ok(Err(error))) => Err(format!("response: {error:?}")),
        _ => Err("the answer was taken before".to_owned()),
    }
}

fn read(response: &IncomingResponse, at_most: usize) -> Result<Value, String> {
    let headers: Vec<_> = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let incoming = response
        .consume()
        .map_err(|()| "the body was taken before".to_owned())?;
    let mut bytes = Vec::new();
    let mut error = None;
    {
        let stream = incoming
            .stream()
            .map_err(|()| "the stream was taken before".to_owned())?;
        while bytes.len() < at_most {
            match stream.blocking_read(64 * 1024) {
                Ok(chunk) => bytes.extend(chunk),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(why)) => {
                    error = Some(why.to_debug_string());
                    break;
                }
            }
        }
    }
    Ok(json!({
        "status": response.status(),
        "headers": headers,
        "body": String::from_utf8_lossy(&bytes),
        "error": error,
    }))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn plugin() -> Plugin {
    Plugin::new()
        .tool(
            Tool::new("fetch", fetch)
                .description("one request")
                .open_world(),
        )
        .tool(
            Tool::new("many", many)
                .description("n requests at once, none ended")
                .open_world(),
        )
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml");
