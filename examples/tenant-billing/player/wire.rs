use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

/// One request as the systems recorded it. Tokens show their last characters.
pub(super) struct TenantBillingRequest {
    method: String,
    target: String,
    bearer: String,
    /// What the system's own header said.
    account: String,
    body: String,
    status: u64,
    /// The token that the answer gave.
    gave: Option<String>,
}

impl TenantBillingRequest {
    fn is_credential(&self) -> bool {
        self.target == "/credentials"
    }

    /// For people.
    fn line(&self) -> String {
        let asked = format!("{} {}", self.method, self.target);
        let mut line = format!("  {asked:<44}{}", self.bearer);
        if !self.account.is_empty() {
            line.push_str(&format!("  {}", self.account));
        }
        if !self.body.is_empty() {
            line.push_str(&format!("  {}", self.body));
        }
        line.push_str(&format!("  -> {}", self.status));
        if let Some(token) = &self.gave {
            line.push_str(&format!(", gives {token}"));
        }
        line
    }
}

/// Everything that crossed the wire but what is the same for everybody: the description.
pub(super) fn read(record: &Path) -> anyhow::Result<Vec<TenantBillingRequest>> {
    let lines =
        std::fs::read_to_string(record).context("the record of the systems cannot be read")?;
    let mut all = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line)?;
        let owned = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let header = |name: &str| owned(&line["headers"][name]);
        let crossed = TenantBillingRequest {
            method: owned(&line["method"]),
            target: owned(&line["target"]),
            bearer: header("authorization"),
            account: header("x-account-id") + &header("x-workspace-id"),
            body: said(&owned(&line["body"])),
            status: line["status"].as_u64().unwrap_or_default(),
            gave: line["gave"].as_str().map(str::to_owned),
        };
        if !crossed.target.ends_with("/openapi.json") {
            all.push(crossed);
        }
    }
    Ok(all)
}

/// A body as it is; of a message of MCP, what it asks for.
fn said(body: &str) -> String {
    let message: Value = serde_json::from_str(body).unwrap_or_default();
    let Some(method) = message["method"].as_str() else {
        return body.to_owned();
    };
    match message["params"]["name"].as_str() {
        Some(tool) => format!("{method} {tool}"),
        None => method.to_owned(),
    }
}

/// Prints it, and checks which token went where.
pub(super) fn show(all: &[TenantBillingRequest]) -> anyhow::Result<()> {
    for crossed in all {
        println!("{}", crossed.line());
    }
    for tenant in ["acme", "globex"] {
        let given: BTreeSet<String> = all
            .iter()
            .filter(|crossed| {
                crossed.is_credential() && crossed.body.contains(&format!("\"{tenant}\""))
            })
            .filter_map(|crossed| crossed.gave.as_ref())
            .map(|token| format!("Bearer {token}"))
            .collect();
        ensure!(
            given.len() == 2,
            "{tenant} has {} credentials instead of one for each system",
            given.len()
        );
        let own =
            |crossed: &&TenantBillingRequest| crossed.account.ends_with(&format!("_{tenant}"));
        for crossed in all.iter().filter(own) {
            ensure!(
                given.contains(&crossed.bearer),
                "a request for {tenant} went out with a token that was not given for it:\n{}",
                crossed.line()
            );
        }
    }
    let nobodys = all
        .iter()
        .find(|crossed| !crossed.is_credential() && crossed.account.is_empty());
    if let Some(crossed) = nobodys {
        anyhow::bail!("a request went out for nobody:\n{}", crossed.line());
    }
    Ok(())
}
