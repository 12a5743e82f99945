//! Who says for which tenant a caller may act, beside the host's own tree: an application's switch
//! endpoint, token exchange, membership, introspection; and tenants that tokens bring along.

mod exchange;
mod introspection;
mod machines;
mod membership;
mod provisioning;
mod record;
mod refusals;
mod renewal;
mod rotation;
mod single;

use axum::Router;
use reqwest::Method;
use serde_json::{Value, json};
use toolhost_harness::host::AUDIENCE;
use toolhost_harness::{
    APPLICATION, Host, HostBuilder, Issuer, TenantAuthority, Upstream, claims, mcp,
};

/// Two clients of the application, as its own page has them: data, and paid media.
const CONNECTIONS: [&str; 2] = ["billing", "echo"];

/// A host for acme with globex below it and initech beside them, an authority, and the application
/// that both connections lead to.
struct World {
    authority: TenantAuthority,
    application: Upstream,
    issuer: Issuer,
    host: Host,
}

impl World {
    async fn start() -> Self {
        Self::with(HTTP, |host| host).await
    }

    /// `keys` of the authority's table, but for those that say where it is.
    async fn with(keys: &str, more: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let authority = TenantAuthority::start().await;
        let application =
            Upstream::start(Router::new().fallback(async || axum::Json(json!({ "invoices": [] }))))
                .await;
        let issuer = Issuer::es256("https://issuer.test", "k1");
        let mut host = Host::with()
            .issuer(&issuer)
            .config("role_claim = \"/role\"\nmay_grant = [\"owner\", \"superadmin\"]")
            .plugin("evil")
            .file("app.jwks.json", authority.jwks())
            .file("host.secret", toolhost_harness::CLIENT.1)
            .config("[tenants.acme]\n[tenants.globex]\nparent = \"acme\"\n[tenants.initech]")
            .config("[tenancy]\nswitch = \"free\"")
            .config(&keys.replace("BASE", &authority.upstream.url()))
            .config(&format!(
                "[tenancy.authority.returns]\nissuer = \"https://app.test\"\naudience = \"{APPLICATION}\"\njwks_file = \"app.jwks.json\"\ntenant_claim = \"/tenantId\""
            ));
        for name in CONNECTIONS {
            host = host.config(&format!(
                "[connections.{name}]\nbase = \"{}\"\nprincipal = \"any\"\ncredentials = \"authority\"\nallow_http = true\nallow_loopback = true",
                application.url()
            ));
        }
        Self {
            host: more(host).start(),
            authority,
            application,
            issuer,
        }
    }

    fn owner(&self) -> String {
        self.token(&json!({}))
    }

    fn token(&self, changes: &Value) -> String {
        let mut all = json!({"tenantId": "acme", "sub": "ada", "role": "owner"});
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.issuer.mint(&all)
    }

    async fn session(&self, token: &str) -> String {
        mcp::initialize(self.host.url(), token, json!({})).await
    }

    async fn legacy(&self, token: &str, session: &str, body: Value) -> Value {
        let url = self.host.url();
        let sent = mcp::legacy(Method::POST, url, token, Some(session), Some(body)).await;
        mcp::answer(sent).await
    }

    async fn modern(&self, token: &str, body: Value, meta: Value) -> Value {
        let request = mcp::modern(self.host.url(), body, json!({})).bearer_auth(token);
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

    /// The tokens that the application was shown since it had seen so many requests.
    fn shown(&self, since: usize) -> Vec<String> {
        let seen = self.application.seen();
        let bearer = |seen: &toolhost_harness::SeenRequest| {
            let value = seen.header("authorization").unwrap_or_default();
            value.strip_prefix("Bearer ").unwrap_or_default().to_owned()
        };
        seen.iter().skip(since).map(bearer).collect()
    }

    /// Both connections are used in a session, and send one token: the authority's, for this tenant
    /// and this person.
    async fn both_send(&self, token: &str, session: &str, tenant: &str) -> String {
        let before = self.application.seen().len();
        for name in CONNECTIONS {
            let answer = self.legacy(token, session, get(name)).await;
            assert!(answer.to_string().contains("200"), "{answer}");
        }
        self.of(&self.shown(before), tenant)
    }

    /// These are two, and one token, which the authority gave for this tenant.
    fn of(&self, shown: &[String], tenant: &str) -> String {
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0], shown[1], "they change together");
        assert!(self.authority.given().contains(&shown[0]));
        let claims = claims(&shown[0]);
        assert_eq!(
            (&claims["tenantId"], &claims["aud"], &claims["sub"]),
            (&json!(tenant), &json!(APPLICATION), &json!("ada"))
        );
        shown[0].clone()
    }

    /// Nothing that the application saw was a caller's own token.
    fn no_login_went_out(&self) {
        for seen in self.application.seen() {
            let given = seen.header("authorization").unwrap_or_default();
            assert!(!given.is_empty());
            assert_ne!(claims(given.trim_start_matches("Bearer "))["aud"], AUDIENCE);
        }
    }
}

/// An application's endpoint that answers within a second.
const HTTP: &str = "[tenancy.authority]\nkind = \"http\"\nurl = \"BASE/switch\"\ntimeout = 1\nallow_http = true\nallow_loopback = true";

/// An authorization server.
const EXCHANGE: &str = "[tenancy.authority]\nkind = \"token-exchange\"\nurl = \"BASE/token\"\nclient_id = \"tool-host\"\nclient_secret_file = \"host.secret\"\naudience = \"https://api.app.test\"\nallow_http = true\nallow_loopback = true";

fn get(connection: &str) -> Value {
    let path = if connection == "echo" {
        "/echo"
    } else {
        "/v1/invoices"
    };
    mcp::call("http", json!({ "connection": connection, "path": path }))
}

fn switch(tenant: &str) -> Value {
    mcp::call("switch_tenant", json!({ "tenantId": tenant }))
}

fn reset() -> Value {
    mcp::call("reset_tenant", json!({}))
}

fn code(answer: &Value) -> &str {
    let code = &answer["result"]["_meta"]["toolhost/error"]["code"];
    code.as_str()
        .unwrap_or_else(|| panic!("no failed call: {answer}"))
}

fn active(answer: &Value) -> &Value {
    &answer["result"]["structuredContent"]["active_tenant_id"]
}
