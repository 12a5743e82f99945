//! A server in a closure: as it should be, and with the one thing changed that a test is about.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, and each file uses a part"
)]

use std::cell::RefCell;
use std::rc::Rc;

use mcp::Mcp;
use serde_json::{Value, json};
use toolhost_sdk::adapter::{Adapter, Answer, Discovery, Invocation};
use toolhost_sdk::testing::{Host, SentRequest};
use toolhost_sdk::{Failure, HttpError, Response};

/// What the server got, in order.
pub type Got = Rc<RefCell<Vec<Request>>>;

/// One request, as a server sees it.
#[derive(Debug, Clone)]
pub struct Request {
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or("")
    }

    pub fn id(&self) -> &Value {
        &self.body["id"]
    }
}

pub type Said = Result<Response, HttpError>;

/// A host whose one connection leads to this server; `answer` may leave a request to the usual
/// server.
pub fn host(
    usual: fn(&Request) -> Said,
    answer: impl Fn(&Request) -> Option<Said> + 'static,
) -> (Host, Got) {
    let got = Got::default();
    let seen = Rc::clone(&got);
    let host = Host::new().answering(move |sent: &SentRequest| {
        assert_eq!(
            (
                sent.method.as_str(),
                sent.path.as_str(),
                sent.connection.as_str()
            ),
            ("POST", "", "")
        );
        assert!(sent.query.is_empty() && sent.parameters.is_empty());
        let request = Request {
            headers: sent.headers.clone(),
            body: serde_json::from_slice(sent.body.as_ref().unwrap()).unwrap(),
        };
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.header("accept"),
            Some("application/json, text/event-stream")
        );
        seen.borrow_mut().push(request.clone());
        answer(&request).unwrap_or_else(|| usual(&request))
    });
    (host, got)
}

/// The usual server with sessions.
pub fn legacy(request: &Request) -> Said {
    if request.method() == "initialize" {
        let said = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tickets", "version": "1.0"},
        });
        let mut response = result(request, said).unwrap();
        response
            .headers
            .push(("Mcp-Session-Id".into(), format!("session-{}", request.id())));
        return Ok(response);
    }
    if request.header("mcp-session-id").is_none() {
        return status(
            400,
            &json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "no session"}}),
        );
    }
    assert_eq!(request.header("mcp-protocol-version"), Some("2025-11-25"));
    assert_eq!(request.header("mcp-method"), None);
    common(request)
}

/// The usual server without.
pub fn modern(request: &Request) -> Said {
    if request.header("mcp-protocol-version") != Some("2026-07-28") {
        return error(request, -32_022, "unsupported version");
    }
    assert_eq!(request.header("mcp-session-id"), None);
    assert_eq!(request.header("mcp-method"), Some(request.method()));
    let meta = &request.body["params"]["_meta"];
    assert_eq!(
        meta["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    assert_eq!(
        meta["io.modelcontextprotocol/clientCapabilities"],
        json!({})
    );
    if request.method() == "server/discover" {
        let said = json!({
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}},
            "resultType": "complete",
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "x", "title": "Tickets", "version": "2"}},
        });
        return result(request, said);
    }
    if request.method() == "tools/call" {
        assert_eq!(
            request.header("mcp-name"),
            request.body["params"]["name"].as_str()
        );
    }
    common(request)
}

fn common(request: &Request) -> Said {
    match request.method() {
        "tools/list" => result(request, json!({"tools": [tool("get_ticket")]})),
        "tools/call" => {
            let text = request.body["params"]["arguments"].to_string();
            result(
                request,
                json!({"content": [{"type": "text", "text": text}]}),
            )
        }
        method if method.starts_with("notifications/") => status(202, &Value::Null),
        "" => status(202, &Value::Null),
        _ => error(request, -32_601, "no such method"),
    }
}

pub fn tool(name: &str) -> Value {
    json!({
        "name": name,
        "description": "One ticket.",
        "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    })
}

pub fn result(request: &Request, result: Value) -> Said {
    let body = json!({"jsonrpc": "2.0", "id": request.id(), "result": result});
    toolhost_sdk::testing::json(200, &body)
}

pub fn error(request: &Request, code: i64, message: &str) -> Said {
    let body =
        json!({"jsonrpc": "2.0", "id": request.id(), "error": {"code": code, "message": message}});
    toolhost_sdk::testing::json(200, &body)
}

pub fn status(status: u16, body: &Value) -> Said {
    let mut response = toolhost_sdk::testing::json(status, body).unwrap();
    if body.is_null() {
        (response.headers, response.body) = (vec![], vec![]);
    }
    Ok(response)
}

/// A stream of these messages.
pub fn stream(messages: &[Value]) -> Said {
    let body: String = messages
        .iter()
        .map(|message| format!("event: message\ndata: {message}\n\n"))
        .collect();
    Ok(Response {
        status: 200,
        headers: vec![(
            "content-type".into(),
            "text/event-stream; charset=utf-8".into(),
        )],
        body: body.into_bytes(),
    })
}

/// The message that ends a call.
pub fn answer_of(request: &Request, text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": request.id(), "result": {"content": [{"type": "text", "text": text}]}})
}

pub fn discover() -> Result<Discovery, Failure> {
    Mcp::discover(None)
}

pub fn call(arguments: Value) -> Result<Answer, Failure> {
    call_tool(r#"{"n":"get_ticket"}"#, arguments)
}

pub fn call_tool(descriptor: &str, arguments: Value) -> Result<Answer, Failure> {
    let invocation = Invocation {
        name: "get_ticket".into(),
        arguments: arguments.to_string(),
        answers: Vec::new(),
        state: None,
        meta: vec![("x".into(), "of the client".into())],
    };
    Mcp::invoke(descriptor.as_bytes(), &invocation)
}

/// The methods of all requests.
pub fn methods(got: &Got) -> Vec<String> {
    got.borrow()
        .iter()
        .map(|request| request.method().to_owned())
        .collect()
}
