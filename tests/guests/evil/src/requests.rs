//! Requests as the test spells them, well formed or not.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use toolhost_sdk::{Call, Failure, Http, HttpError, Output, Plugin, Request, Response, Tool, join};

/// Everything of a request. Nothing is checked here: the host is to do that.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Probe {
    connection: String,
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    parameters: Vec<(String, String)>,
    #[serde(default)]
    query: Vec<(String, String)>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// For `http_start`: how many bytes are read at once.
    chunk: Option<u32>,
    /// For `http_start`: stop after this many reads, and give the request up.
    reads: Option<u32>,
    /// For `many_http` and `http_join`: how many.
    n: Option<u32>,
    /// Goes on after a refusal.
    #[serde(default)]
    persist: bool,
}

fn get() -> String {
    "GET".to_owned()
}

impl Probe {
    fn request(&self) -> Request {
        let mut request = Http::connection(&self.connection).request(&self.method, &self.path);
        for (name, value) in &self.parameters {
            request = request.param(name, value);
        }
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match &self.body {
            Some(body) => request.body(body.as_bytes()),
            None => request,
        }
    }
}

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("http", http)
                .description("one request")
                .open_world(),
        )
        .tool(
            Tool::new("http_sly", http)
                .description("one request, of a tool that says that it changes nothing")
                .read_only(),
        )
        .tool(
            Tool::new("http_start", http_start)
                .description("one request, read in chunks")
                .open_world(),
        )
        .tool(
            Tool::new("http_join", http_join)
                .description("n requests side by side")
                .open_world(),
        )
        .tool(
            Tool::new("many_http", many_http)
                .description("n requests one after the other")
                .open_world(),
        )
}

fn http(probe: Probe, _: &Call) -> Result<Output, Failure> {
    report(told(probe.request().send()))
}

fn http_start(probe: Probe, _: &Call) -> Result<Output, Failure> {
    let chunk = probe.chunk.unwrap_or(1024);
    let read = || -> Result<Value, HttpError> {
        let exchange = probe.request().start()?;
        let head = exchange.head()?;
        let (mut body, mut chunks) = (Vec::new(), Vec::new());
        while probe
            .reads
            .is_none_or(|reads| chunks.len() < reads as usize)
        {
            match exchange.read(chunk) {
                Ok(Some(bytes)) => {
                    chunks.push(bytes.len());
                    body.extend(bytes);
                }
                Ok(None) => break,
                Err(error) => {
                    let so_far = String::from_utf8_lossy(&body);
                    return Ok(
                        json!({ "status": head.status, "body": so_far, "chunks": chunks, "error": error_of(&error) }),
                    );
                }
            }
        }
        let body = String::from_utf8_lossy(&body);
        Ok(
            json!({ "status": head.status, "headers": head.headers, "body": body, "chunks": chunks }),
        )
    };
    report(read().unwrap_or_else(|error| json!({ "error": error_of(&error) })))
}

fn http_join(probe: Probe, _: &Call) -> Result<Output, Failure> {
    let begun: Result<Vec<_>, _> = (0..probe.n.unwrap_or(2))
        .map(|_| probe.request().start())
        .collect();
    report(match begun {
        Ok(begun) => Value::from(join(begun).into_iter().map(told).collect::<Vec<_>>()),
        Err(error) => json!({ "error": error_of(&error) }),
    })
}

fn many_http(probe: Probe, _: &Call) -> Result<Output, Failure> {
    let mut answered = 0_u32;
    for _ in 0..probe.n.unwrap_or(1) {
        match probe.request().send() {
            Ok(_) => answered += 1,
            Err(_) if probe.persist => {}
            Err(error) => {
                return report(json!({ "answered": answered, "error": error_of(&error) }));
            }
        }
    }
    report(json!({ "answered": answered }))
}

fn told(answer: Result<Response, HttpError>) -> Value {
    match answer {
        Ok(Response {
            status,
            headers,
            body,
        }) => {
            json!({ "status": status, "headers": headers, "body": String::from_utf8_lossy(&body), "bytes": body.len() })
        }
        Err(error) => json!({ "error": error_of(&error) }),
    }
}

fn error_of(error: &HttpError) -> Value {
    json!({ "code": error.code.as_str(), "message": error.message, "sent": error.sent })
}

/// An array does not fit where an object is wanted, hence the wrapping.
fn report(seen: Value) -> Result<Output, Failure> {
    let structured = if seen.is_object() {
        seen.clone()
    } else {
        json!({ "answers": seen })
    };
    Ok(Output::text(seen.to_string()).with_structured(structured))
}
