use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Response;
use serde_json::{Value, json};

use super::setup::ClusterSetup;

/// No request of the play takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody with a token, who reaches the balancer alone and says aloud what is asked, and who
/// answered.
pub(super) struct ClusterCaller {
    name: &'static str,
    http: reqwest::Client,
    url: String,
    token: String,
    /// The addresses of the two hosts.
    hosts: [String; 2],
    session: Option<String>,
}

/// Which host has served a call, and for which tenant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServedCall {
    pub(super) host: &'static str,
    pub(super) tenant: String,
}

impl ClusterCaller {
    pub(super) fn new(
        scene: &ClusterSetup,
        name: &'static str,
        token: String,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            name,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()?,
            url: scene.balancer.url.clone(),
            token,
            hosts: [&scene.one, &scene.two].map(|host| host.address().to_string()),
            session: None,
        })
    }

    /// Begins a session; the calls that follow are in it.
    pub(super) async fn begins_session(&mut self) -> anyhow::Result<()> {
        let response = self.post("/api/v1/sessions", &json!({})).await?;
        ensure!(
            response.status() == 201,
            "no session: {}",
            response.status()
        );
        let host = self.host_of(&response)?;
        println!("\n{}> POST /api/v1/sessions", self.name);
        println!("  host {host}: a session begins");
        let made: Value = response.json().await?;
        let id = made["id"].as_str().context("the session has no id")?;
        self.session = Some(id.to_owned());
        Ok(())
    }

    /// Its invoices, which are those of the tenant that the answer names and no other's.
    pub(super) async fn lists_invoices(&self) -> anyhow::Result<ServedCall> {
        let (served, answer) = self.calls("list_invoices", json!({ "limit": 2 })).await?;
        let invoices = answer["structured"]["invoices"].as_array();
        let invoices = invoices.context("the answer has no invoices")?;
        ensure!(!invoices.is_empty(), "{} has no invoices", served.tenant);
        let mut ids = Vec::new();
        for invoice in invoices {
            let id = invoice["id"].as_str().unwrap_or_default();
            ensure!(
                id.starts_with(&format!("in_{}_", served.tenant)),
                "{} was shown invoice {id}",
                served.tenant
            );
            ids.push(id);
        }
        println!(
            "  host {}, for {}: {}",
            served.host,
            served.tenant,
            ids.join(", ")
        );
        Ok(served)
    }

    pub(super) async fn switches(&self, tenant: &str) -> anyhow::Result<ServedCall> {
        let (served, answer) = self
            .calls("switch_tenant", json!({ "tenantId": tenant }))
            .await?;
        let active = &answer["structured"]["active_tenant_id"];
        ensure!(*active == tenant, "the switch was answered with {answer}");
        println!("  host {}: the session is at {tenant}", served.host);
        Ok(served)
    }

    async fn calls(&self, tool: &str, arguments: Value) -> anyhow::Result<(ServedCall, Value)> {
        println!("\n{}> {tool} {arguments}", self.name);
        let (path, body) = match &self.session {
            Some(id) => (
                format!("/api/v1/sessions/{id}/calls"),
                json!({ "tool": tool, "arguments": arguments }),
            ),
            None => (
                format!("/api/v1/tools/{tool}/call"),
                json!({ "arguments": arguments }),
            ),
        };
        let response = self.post(&path, &body).await?;
        let (status, host) = (response.status(), self.host_of(&response)?);
        let tenant = header(&response, "toolhost-active-tenant").to_owned();
        let answer: Value = response.json().await?;
        ensure!(status == 200, "{tool} was answered with {status}: {answer}");
        Ok((ServedCall { host, tenant }, answer))
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        let request = self.http.post(format!("{}{path}", self.url));
        let answer = request.bearer_auth(&self.token).json(body).send().await;
        answer.with_context(|| format!("{path} was not answered"))
    }

    /// The balancer names all that it tried; the last has answered.
    fn host_of(&self, response: &Response) -> anyhow::Result<&'static str> {
        let tried = header(response, "served-by");
        let last = tried.rsplit(", ").next().unwrap_or_default();
        let [one, two] = &self.hosts;
        match last {
            host if host == one => Ok("one"),
            host if host == two => Ok("two"),
            _ => anyhow::bail!("{tried:?} is neither host"),
        }
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
