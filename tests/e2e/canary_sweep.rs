//! Every tenant's credential is a canary, everything is logged at the finest level, and calls of
//! all kinds go right and wrong through every transport that this process has. Then everything that
//! came out is searched: no canary, in no encoding.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use toolhost_gateway::{Gateway, GatewayConfig};
use toolhost_harness::leak::encodings;
use toolhost_harness::{
    Callers, LeakDetector, LogCapture, RawUpstream, Rig, Say, Upstream, connection, switcher,
};
use toolhost_policy::{
    AuthPlacement, Connection, HeaderTemplate, Method, OperationRule, PathTemplate,
};
use toolhost_tools::{CallOptions, ModelArgs};

/// One for each tenant and connection: 40 bytes that nothing else in the world has.
const CANARIES: [(&str, &str, &str); 5] = [
    ("acme", "echo", "C4n/aryAcmeEcho+0f9b2d7e61a85c34d2b8e7f1=="),
    (
        "acme",
        "billing",
        "robot:C4naryAcmeBilling+7c1e90ab35d24f68e0",
    ),
    (
        "globex",
        "echo",
        "C4n/aryGlobexEcho+e2d4c6b8a09f7e5d3c1b2a==",
    ),
    (
        "globex",
        "billing",
        "robot:C4naryGlobexBilling+a9b8c7d6e5f40312",
    ),
    (
        "initech",
        "echo",
        "C4naryInitechEcho\u{e9}not-visible-ascii-1234567",
    ),
];

/// What an evil upstream does with the credential it was given, by the query's `q`.
fn misbehave(request: &str) -> Vec<Say> {
    let line = request.lines().next().unwrap_or_default();
    let q = line
        .split(['?', '&', ' '])
        .find_map(|pair| pair.strip_prefix("q="))
        .unwrap_or_default();
    let secret = request
        .lines()
        .find_map(|line| line.strip_prefix("x-api-key: Token "))
        .unwrap_or("there-was-no-credential-in-this-request");
    let answer = |head: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
        vec![Say::Bytes([head.as_bytes(), body].concat())]
    };
    let text = "content-type: application/json";
    match q.parse::<usize>() {
        Ok(n) => {
            let all = encodings(secret);
            answer(&format!("200 OK\r\n{text}"), &[b"{\"echo\":\"".as_slice(), &all[n % all.len()].1, b"\"}"].concat())
        }
        Err(_) => match q {
            "status" => answer(&format!("200 {secret}"), b"ok"),
            "header" => answer(&format!("200 OK\r\netag: {secret}\r\nset-cookie: a={secret}"), b"ok"),
            "redirect" => answer(&format!("302 Found\r\nlocation: http://127.0.0.1:9/?key={secret}"), b""),
            "gzip" => answer("200 OK\r\ncontent-encoding: gzip", secret.as_bytes()),
            "encoding" => answer(&format!("200 OK\r\ncontent-encoding: {secret}"), b"x"),
            "garbage" => vec![Say::Bytes(format!("{secret} {secret}\r\n\r\n").into_bytes())],
            "length" => answer(&format!("200 OK\r\ncontent-length: {secret}"), b"x"),
            "chunks" => vec![Say::Bytes(
                format!("HTTP/1.1 200 OK\r\n{text}\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{{\"a\":\r\n{secret}\r\n").into_bytes(),
            )],
            "binary" => answer("200 OK\r\ncontent-type: application/pdf", secret.as_bytes()),
            "error" => answer(&format!("401 Unauthorized\r\nwww-authenticate: Bearer error=\"{secret}\"\r\n{text}"), format!("{{\"error\":\"bad key {secret}\"}}").as_bytes()),
            "upgrade" => vec![Say::Bytes(format!("HTTP/1.1 101 {secret}\r\nupgrade: {secret}\r\nconnection: upgrade\r\n\r\n{secret}").into_bytes())],
            "silence" => vec![Say::Bytes(format!("HTTP/1.1 200 OK\r\n{text}\r\ncontent-length: 100\r\n\r\n{secret}").into_bytes()), Say::Hang],
            _ => vec![],
        },
    }
}

const PLACES: [&str; 13] = [
    "status", "header", "redirect", "gzip", "encoding", "garbage", "length", "chunks", "binary",
    "error", "upgrade", "silence", "nothing",
];

fn api_key(mut connection: Connection) -> Connection {
    connection.auth = AuthPlacement::Header {
        name: "x-api-key".parse().unwrap(),
        prefix: "Token ".into(),
    };
    let account = HeaderTemplate::parse("{external_tenant_id}").unwrap();
    connection.headers = vec![("x-account-id".parse().unwrap(), account)];
    reflecting(connection)
}

/// Each call is to come to its answer; that one reflection is enough has tests of its own.
fn reflecting(mut connection: Connection) -> Connection {
    connection.reflects = ["/echo", "/v1/invoices"]
        .map(|path| OperationRule {
            method: Method::Get,
            path: PathTemplate::parse(path).unwrap(),
        })
        .to_vec();
    connection
}

fn basic(mut connection: Connection) -> Connection {
    connection.auth = AuthPlacement::Basic;
    reflecting(connection)
}

async fn billing() -> Upstream {
    let mirror = |headers: http::HeaderMap| async move {
        let seen = headers
            .get("authorization")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        (
            [("content-type", "application/json")],
            json!({"you sent": seen}).to_string(),
        )
    };
    Upstream::start(Router::new().fallback(mirror)).await
}

/// What is called, with which arguments.
fn calls() -> Vec<(&'static str, Value)> {
    let mut calls = vec![
        (
            "http",
            json!({"connection": "billing", "path": "/v1/invoices"}),
        ),
        (
            "http_start",
            json!({"connection": "billing", "path": "/v1/invoices", "query": [["limit", "1"]]}),
        ),
        (
            "http",
            json!({"connection": "billing", "method": "POST", "path": "/v1/invoices/{invoice_id}/refunds", "parameters": [["invoice_id", "7"]], "body": "{}"}),
        ),
        ("http", json!({"connection": "unknown", "path": "/echo"})),
        ("http", json!({"connection": "echo", "path": "/admin"})),
        (
            "http",
            json!({"connection": "echo", "path": "/echo", "headers": [["x-api-key", "mine"]]}),
        ),
        (
            "http",
            json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", ".."]]}),
        ),
        ("http", json!({"no": "such argument"})),
        ("no_such_tool", json!({})),
        ("read_env", json!({})),
        ("panic", json!({})),
        ("trap", json!({})),
        ("log_inject", json!({})),
        ("kv", json!({"operation": "put", "key": "k", "value": "v"})),
        ("elicit", json!({"message": "sure?"})),
        ("spin", json!({})),
        ("allocate", json!({})),
    ];
    let query = |q: &str| json!({"connection": "echo", "path": "/echo", "query": [["q", q]]});
    for n in 0..encodings(CANARIES[0].2).len() {
        calls.push((["http", "http_start"][n % 2], query(&n.to_string())));
    }
    for place in PLACES {
        calls.push(("http", query(place)));
        calls.push(("http_start", query(place)));
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_is_in_anything_that_came_out() {
    let log = LogCapture::install();
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let (evil, mirror) = (RawUpstream::start(misbehave).await, billing().await);
    let mut built = Rig::for_plugin("evil")
        .connection(api_key(connection("echo", &evil.url())))
        .connection(basic(connection("billing", &mirror.url())))
        .limits(|limits| {
            limits.wall_ms = Some(600);
            limits.cpu_ms = Some(150);
        });
    for (tenant, connection, secret) in CANARIES {
        built = built.credential(tenant, connection, secret);
    }
    let rig = built.build().await;
    let audience = "http://127.0.0.1/mcp";
    let callers = Callers::new(&["acme", "globex", "initech", "umbrella"], audience).await;
    let mut came_out: Vec<(String, String)> = Vec::new();

    // Straight into the call path.
    for tenant in ["acme", "globex", "initech", "umbrella"] {
        let binding = callers.binding(tenant, "ada").await;
        came_out.push(("binding".into(), format!("{binding:?}")));
        for (tool, args) in calls() {
            let members = args.as_object().unwrap().clone();
            let result = rig
                .tools
                .call(
                    &binding,
                    tool,
                    ModelArgs::new(members),
                    CallOptions::default(),
                )
                .await;
            came_out.push((format!("{tool} {args}"), format!("{result:?}")));
            if let Err(error) = &result {
                came_out.push((
                    format!("{tool} {args}"),
                    format!("{error} {}", serde_json::to_string(error).unwrap()),
                ));
            }
        }
    }

    // Through the transports.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let switching = switcher(callers.directory.clone(), &["acme", "globex", "initech"]).await;
    let gateway = Gateway::new(
        rig.tools.clone(),
        Arc::clone(&callers.tenancy),
        switching,
        GatewayConfig {
            public_url: audience.parse().unwrap(),
            allowed_hosts: vec!["127.0.0.1".into()],
            allowed_origins: vec![],
            max_body_bytes: 1 << 20,
            version: "0.0.0",
        },
    );
    let stop = tokio_util::sync::CancellationToken::new();
    let serving = tokio::spawn(gateway.serve(listener, stop.clone(), Duration::from_secs(1)));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let tokens: Vec<String> = ["acme", "globex", "initech"]
        .map(|tenant| callers.token(tenant, "ada"))
        .into();
    let mut answer = async |request: reqwest::RequestBuilder, name: String| {
        if let Ok(response) = request.timeout(Duration::from_secs(5)).send().await {
            let head = format!("{:?} {:?}", response.status(), response.headers());
            let body = response.bytes().await.unwrap_or_default();
            came_out.push((name, format!("{head} {}", String::from_utf8_lossy(&body))));
        }
    };
    for path in [
        "/health",
        "/ready",
        "/api/v1/tools",
        "/api/v1/openapi.json",
        "/.well-known/oauth-protected-resource/mcp",
        "/nothing",
    ] {
        answer(
            client.get(format!("{url}{path}")).bearer_auth(&tokens[0]),
            path.into(),
        )
        .await;
        answer(client.get(format!("{url}{path}")), path.into()).await;
    }
    for token in &tokens {
        for (number, (tool, args)) in calls().into_iter().enumerate() {
            let api = client
                .post(format!("{url}/api/v1/tools/{tool}/call"))
                .bearer_auth(token);
            answer(
                api.header("content-type", "application/json")
                    .body(json!({"arguments": args}).to_string()),
                format!("api {tool} {args}"),
            )
            .await;
            let message = json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": args, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
            }}});
            let mcp = client
                .post(format!("{url}/mcp"))
                .bearer_auth(token)
                .header("content-type", "application/json")
                .header("accept", "application/json, text/event-stream")
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .header("mcp-name", tool);
            answer(mcp.body(message.to_string()), format!("mcp {tool} {args}")).await;
        }
        answer(
            client
                .post(format!("{url}/mcp"))
                .bearer_auth(format!("{token}x"))
                .body("{}"),
            "a bad token".into(),
        )
        .await;
    }
    stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), serving).await;

    // The sweep. First that there is something to find, and that it would be found.
    let canaries: Vec<&str> = CANARIES
        .iter()
        .map(|(_, _, secret)| secret.strip_prefix("robot:").unwrap_or(secret))
        .collect();
    let detector = LeakDetector::new(&canaries);
    assert!(
        detector.find(evil.received().as_bytes()).is_some(),
        "the canaries were on the wire"
    );
    let sent: Vec<_> = mirror
        .seen()
        .iter()
        .filter_map(|seen| seen.header("authorization").map(str::to_owned))
        .collect();
    assert!(
        sent.len() > 10
            && sent
                .iter()
                .all(|value| detector.find(value.as_bytes()).is_some())
    );
    let lines = log.lines();
    let of_level = |level| lines.iter().filter(|line| line.level == level).count();
    assert!(
        of_level(tracing::Level::TRACE) > 1_000,
        "{} lines of trace",
        of_level(tracing::Level::TRACE)
    );
    assert!(
        lines.iter().any(|line| line.target.starts_with("hyper")),
        "libraries log too"
    );
    assert!(
        came_out
            .iter()
            .filter(
                |(name, text)| name.starts_with("mcp") && text.contains("200 {")
                    || text.contains("redacted")
            )
            .count()
            > 20
    );

    let events = serde_json::to_string(&rig.audit.events()).unwrap();
    assert!(events.contains("egress_outcome") && events.contains("\"reflections\""));
    let rendered = metrics.render();
    assert!(
        rendered.contains("toolhost_calls_total")
            && rendered.contains("toolhost_egress_reflections_total"),
        "{rendered}"
    );
    came_out.push(("events".into(), events));
    came_out.push(("events".into(), format!("{:?}", rig.audit.events())));
    came_out.push(("metrics".into(), rendered));
    came_out.push(("the rig".into(), format!("{rig:#?} {:#?}", rig.tools)));
    let mut leaks = Vec::new();
    for (name, text) in &came_out {
        if let Some(how) = detector.find(text.as_bytes()) {
            leaks.push(format!("{name}: {how}"));
        }
    }
    let mut seen = std::collections::HashSet::new();
    for line in lines.iter().filter(|line| seen.insert(&line.fields)) {
        if let Some(how) = detector.find_quickly(line.fields.as_bytes()) {
            let fields: String = line.fields.chars().take(300).collect();
            leaks.push(format!(
                "log {} {}: {how}: {fields}",
                line.level, line.target
            ));
        }
    }
    leaks.sort();
    leaks.dedup();
    assert!(
        leaks.is_empty(),
        "{} of {} texts and {} lines:\n{}",
        leaks.len(),
        came_out.len(),
        lines.len(),
        leaks.join("\n")
    );
}
