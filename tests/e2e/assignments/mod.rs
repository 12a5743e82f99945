//! Which tenant may call what: assigned, listed, called and revoked through the built host, and how
//! far tools may go.

mod assigned;
mod configured;
mod modes;
mod provided;
mod sessions;
mod verbs;

use axum::Router;
use axum::routing::any;
use reqwest::Method;
use serde_json::{Value, json};
use toolhost_harness::host::CommandOutput;
use toolhost_harness::{Host, HostBuilder, Issuer, Upstream, mcp};
use toolhost_tools::HOST_TOOLS;

/// A host whose one plugin is for those that it is assigned to: acme, globex below it, and initech
/// beside them.
struct World {
    echo: Upstream,
    issuer: Issuer,
    host: Host,
}

const TENANTS: &str = "[tenants.acme]\n[tenants.globex]\nparent = \"acme\"\n[tenants.initech]";

impl World {
    async fn start() -> Self {
        Self::with("[tenancy]\nswitch = \"free\"\nplugins = \"assigned\"").await
    }

    async fn with(tables: &str) -> Self {
        let (echo, issuer) = (upstream().await, Issuer::es256("https://issuer.test", "k1"));
        let host = builder(&echo, &issuer)
            .data()
            .config(TENANTS)
            .config(tables)
            .start();
        Self { echo, issuer, host }
    }

    fn again(self) -> Self {
        let Self { echo, issuer, host } = self;
        Self {
            echo,
            issuer,
            host: host.killed_and_started(),
        }
    }

    /// A verb that goes well, and what it says in JSON.
    fn done(&self, arguments: &[&str]) -> Value {
        let ended = self.says(&[arguments, &["--output", "json"]].concat());
        assert_eq!(ended.status, 0, "{arguments:?}: {ended:?}");
        ended.json()
    }

    fn says(&self, arguments: &[&str]) -> CommandOutput {
        self.host.verb(arguments)
    }

    fn assign(&self, tenant: &str, more: &[&str]) -> Value {
        self.done(&[&["plugin", "assign", "evil", tenant], more].concat())
    }

    fn token(&self, tenant: &str) -> String {
        self.issuer
            .mint(&json!({"tenantId": tenant, "sub": "ada", "role": "owner"}))
    }

    /// The plugins' tools that the HTTP API lists.
    async fn listed(&self, tenant: &str) -> Vec<String> {
        let request = reqwest::Client::new()
            .get(self.host.at("/api/v1/tools"))
            .bearer_auth(self.token(tenant));
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        let tools = body["tools"]
            .as_array()
            .unwrap_or_else(|| panic!("{body}"))
            .iter();
        tools
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .filter(|name| !HOST_TOOLS.contains(&name.as_str()))
            .collect()
    }

    /// What a call through the HTTP API comes to: its status, and its body.
    async fn call(&self, tenant: &str, tool: &str, arguments: Value) -> (u16, Value) {
        let mut url = reqwest::Url::parse(&self.host.at("/api/v1/tools")).unwrap();
        url.path_segments_mut().unwrap().extend([tool, "call"]);
        let request = reqwest::Client::new()
            .post(url)
            .bearer_auth(self.token(tenant))
            .json(&json!({ "arguments": arguments }));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn works(&self, tenant: &str) {
        let (status, body) = self.call(tenant, "http_sly", get()).await;
        assert_eq!(status, 200, "{tenant}: {body}");
    }

    /// The tool is as one that nobody has.
    async fn is_unknown(&self, tenant: &str, tool: &str) {
        let (status, body) = self.call(tenant, tool, get()).await;
        let (_, unknown) = self.call(tenant, "no_such_tool", get()).await;
        assert_eq!(
            (status, &body["code"]),
            (404, &json!("not_found")),
            "{tenant} {tool}: {body}"
        );
        let plain = |body: &Value, name: &str| {
            body.to_string()
                .replace(&name.escape_debug().to_string(), "NAME")
        };
        assert_eq!(plain(&body, tool), plain(&unknown, "no_such_tool"));
    }

    async fn legacy(&self, token: &str, session: &str, body: Value) -> Value {
        let sent = mcp::legacy(
            Method::POST,
            self.host.url(),
            token,
            Some(session),
            Some(body),
        )
        .await;
        mcp::answer(sent).await
    }

    /// A request without a session, with more in its `_meta`.
    async fn modern(&self, token: &str, body: Value, meta: Value) -> Value {
        let able = json!({"elicitation": {}});
        let request = mcp::modern(self.host.url(), body, able).bearer_auth(token);
        let (client, request) = request.build_split();
        let mut request = request.unwrap();
        let mut body: Value =
            serde_json::from_slice(request.body().unwrap().as_bytes().unwrap()).unwrap();
        for (key, value) in meta.as_object().unwrap() {
            body["params"]["_meta"][key] = value.clone();
        }
        request.headers_mut().remove("content-length");
        *request.body_mut() = Some(body.to_string().into());
        mcp::answer(client.execute(request).await.unwrap()).await
    }

    /// What the outside system has seen: methods, in order.
    fn sent(&self) -> Vec<String> {
        self.echo
            .seen()
            .into_iter()
            .map(|seen| seen.method)
            .collect()
    }
}

async fn upstream() -> Upstream {
    Upstream::start(Router::new().route("/echo", any(async || "ok"))).await
}

/// A host with the plugin, before an outside system that takes anything.
fn builder(echo: &Upstream, issuer: &Issuer) -> HostBuilder {
    let connection = |name: &str| {
        format!(
            "[connections.{name}]\nbase = \"{}\"\nallow_http = true\nallow_loopback = true\nauth = {{ type = \"none\" }}",
            echo.url()
        )
    };
    Host::with()
        .issuer(issuer)
        .config("role_claim = \"/role\"\nmay_grant = [\"owner\"]")
        .plugin("evil")
        .config(&connection("echo"))
        .config(&connection("billing"))
}

fn get() -> Value {
    json!({"connection": "echo", "path": "/echo"})
}

fn post() -> Value {
    json!({"connection": "echo", "method": "POST", "path": "/echo", "body": "x"})
}

fn names(listed: &Value) -> Vec<&str> {
    let tools = listed["result"]["tools"]
        .as_array()
        .unwrap_or_else(|| panic!("no list: {listed}"));
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}
