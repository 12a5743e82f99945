//! The directory of tenants, as an operator and callers meet it: added, moved, suspended and
//! removed while a host runs, or without one.

mod alone;
mod broken_off;
mod configured;
mod refused;
mod removed;
mod restored;
mod served;

use serde_json::{Value, json};
use toolhost_harness::host::CommandOutput;
use toolhost_harness::{Host, HostBuilder, Issuer};

/// An issuer, and a host whose plugin keeps values. The configuration lists acme.
struct Town {
    issuer: Issuer,
    host: Host,
}

/// The plugin asks for two connections; nothing here sends anything through them.
const CONNECTIONS: &str = "[connections.billing]\nbase = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true\n[connections.echo]\nbase = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true\nauth = { type = \"none\" }";

impl Town {
    fn builder(issuer: &Issuer) -> HostBuilder {
        Host::with()
            .data()
            .plugin("evil")
            .config(CONNECTIONS)
            .issuer(issuer)
    }

    fn start() -> Self {
        Self::with("[tenants.acme]")
    }

    fn with(tenants: &str) -> Self {
        let issuer = Issuer::es256("https://issuer.test", "k1");
        let host = Self::builder(&issuer).config(tenants).start();
        Self { issuer, host }
    }

    fn again(self) -> Self {
        Self {
            issuer: self.issuer,
            host: self.host.killed_and_started(),
        }
    }

    fn says(&self, arguments: &[&str]) -> CommandOutput {
        self.host.verb(arguments)
    }

    /// A verb that goes well, and what it says in JSON.
    fn done(&self, arguments: &[&str]) -> Value {
        let ended = self.says(&[arguments, &["--output", "json"]].concat());
        assert_eq!(ended.status, 0, "{arguments:?}: {ended:?}");
        ended.json()
    }

    /// A verb that is refused with a sentence that has these words, and without a fault of the
    /// host.
    fn refuses(&self, arguments: &[&str], words: &[&str]) {
        let ended = self.says(arguments);
        assert_eq!(ended.status, 2, "{arguments:?}: {ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {ended:?}");
        }
        assert_eq!(ended.stderr.trim().lines().count(), 1, "{ended:?}");
    }

    fn names(&self) -> Vec<String> {
        let list = self.done(&["tenant", "list"]);
        let names = list.as_array().unwrap().iter();
        names
            .map(|row| row["tenant"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What a call with a token that names this tenant comes to: its status, the header that asks
    /// for a token, its body.
    async fn call(&self, named: &str, arguments: Value) -> (u16, Option<String>, Value) {
        let request = reqwest::Client::new()
            .post(self.host.at("/api/v1/tools/kv/call"))
            .bearer_auth(self.issuer.token(named))
            .json(&json!({ "arguments": arguments }));
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        (
            response.status().as_u16(),
            challenge,
            response.json().await.unwrap(),
        )
    }

    async fn put(&self, named: &str, value: &str) -> u16 {
        let arguments = json!({"operation": "put", "key": "k", "value": value});
        self.call(named, arguments).await.0
    }

    /// Whether the value that was put is there.
    async fn has(&self, named: &str, value: &str) -> bool {
        let (status, _, body) = self
            .call(named, json!({"operation": "get", "key": "k"}))
            .await;
        assert_eq!(status, 200, "{body}");
        body.to_string().contains(value)
    }

    /// The call is refused as every call of a tenant that is not served.
    async fn is_refused(&self, named: &str) {
        let (status, _, body) = self
            .call(named, json!({"operation": "get", "key": "k"}))
            .await;
        assert_eq!(
            (status, &body["code"]),
            (403, &"tenant_unavailable".into()),
            "{body}"
        );
    }

    fn key(&self, tenant: &str) -> std::path::PathBuf {
        let directory = self.host.directory();
        directory.join(format!("data/keys/tenants/{tenant}.key"))
    }

    fn database(&self, tenant: &str) -> std::path::PathBuf {
        self.host.directory().join("data/tenants").join(tenant)
    }

    /// The changes of tenants in the host's chain: tenant, action, and whether it was done.
    fn recorded(&self, tenant: &str) -> Vec<(String, bool)> {
        let tail = self.says(&["audit", "tail", "-n", "200"]).stdout;
        tail.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|event| event["event"] == "tenant_changed" && event["tenant"] == tenant)
            .map(|event| {
                let action = event["action"].as_str().unwrap().to_owned();
                (action, event["done"].as_bool().unwrap())
            })
            .collect()
    }
}

fn steps(actions: &[&str]) -> Vec<(String, bool)> {
    let both = |action: &&str| [((*action).to_owned(), false), ((*action).to_owned(), true)];
    actions.iter().flat_map(both).collect()
}
