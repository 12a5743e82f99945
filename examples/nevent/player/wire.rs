use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

/// Whose figures are asked for, in the order of the conversation, by both systems each time.
const FIGURES: [&str; 6] = [
    "riviera",
    "riviera-barcelona",
    "riviera-lisbon",
    "riviera-barcelona",
    "riviera-barcelona",
    "riviera",
];

/// One request as the company recorded it. Tokens show their last characters.
pub(super) struct NeventRequest {
    method: String,
    target: String,
    bearer: String,
    body: String,
    status: u64,
    /// The token that the answer gave.
    gave: Option<String>,
    /// The tenant of that token, or of the bearer.
    tenant: Option<String>,
}

impl NeventRequest {
    fn is_switch(&self) -> bool {
        self.target == "/tenants/switch"
    }

    fn is_figures(&self) -> bool {
        self.method == "GET"
    }

    /// For people.
    fn line(&self) -> String {
        let asked = format!("{} {}", self.method, self.target);
        let mut line = format!("  {asked:<32}");
        if !self.bearer.is_empty() {
            line.push_str(&self.bearer);
            line.push_str("  ");
        }
        if !self.body.is_empty() {
            line.push_str(&self.body);
            line.push_str("  ");
        }
        line.push_str(&format!("-> {}", self.status));
        match (&self.gave, &self.tenant) {
            (Some(token), tenant) => {
                let tenant = tenant.as_deref().unwrap_or("no tenant");
                line.push_str(&format!(", gives {token} for {tenant}"));
            }
            (None, Some(tenant)) => line.push_str(&format!(", figures of {tenant}")),
            (None, None) => {}
        }
        line
    }
}

/// Everything that crossed the wire but the public keys, which the host reads when it wants to.
pub(super) fn read(record: &Path) -> anyhow::Result<Vec<NeventRequest>> {
    let lines = std::fs::read_to_string(record).context("the company's record cannot be read")?;
    let mut all = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line)?;
        let owned = |value: &Value| value.as_str().map(str::to_owned);
        let crossed = NeventRequest {
            method: owned(&line["method"]).unwrap_or_default(),
            target: owned(&line["target"]).unwrap_or_default(),
            bearer: owned(&line["headers"]["authorization"]).unwrap_or_default(),
            body: owned(&line["body"]).unwrap_or_default(),
            status: line["status"].as_u64().unwrap_or_default(),
            gave: owned(&line["gave"]),
            tenant: owned(&line["tenant"]),
        };
        if crossed.target != "/jwks" {
            all.push(crossed);
        }
    }
    Ok(all)
}

/// Prints it, and checks which token went where.
pub(super) fn show(all: &[NeventRequest]) -> anyhow::Result<()> {
    for crossed in all {
        println!("{}", crossed.line());
    }
    let tokens = |of: fn(&NeventRequest) -> bool| -> Vec<String> {
        let given = all.iter().filter(|crossed| of(crossed));
        given
            .filter_map(|crossed| crossed.gave.as_ref())
            .map(|token| format!("Bearer {token}"))
            .collect()
    };
    let logins = tokens(|crossed| crossed.target == "/login");
    let switched = tokens(NeventRequest::is_switch);
    for crossed in all {
        let line = crossed.line();
        if crossed.is_switch() {
            ensure!(
                logins.contains(&crossed.bearer),
                "a switch was asked for with another token than a login's:\n{line}"
            );
        }
        if crossed.is_figures() {
            ensure!(
                switched.contains(&crossed.bearer) && crossed.status == 200,
                "a system was asked with another token than a switch's:\n{line}"
            );
        }
    }
    let figures: Vec<&NeventRequest> = all.iter().filter(|crossed| crossed.is_figures()).collect();
    let pairs: Vec<(&str, &str)> = figures
        .chunks(2)
        .filter_map(|pair| match pair {
            [data, media] if data.bearer == media.bearer && data.tenant == media.tenant => {
                Some((data.tenant.as_deref()?, data.bearer.as_str()))
            }
            _ => None,
        })
        .collect();
    let tenants: Vec<&str> = pairs.iter().map(|(tenant, _)| *tenant).collect();
    ensure!(
        tenants == FIGURES && figures.len() == 2 * FIGURES.len(),
        "the two systems were not asked together, or for other tenants: {tenants:?}"
    );
    if let [_, (_, before), (_, other), (_, beside), (_, refused), _] = pairs.as_slice() {
        ensure!(
            before == beside && before == refused && before != other,
            "another session's switch, or one that was refused, changed a session's token"
        );
    }
    let refused = all.iter().filter(|crossed| crossed.status == 403).count();
    ensure!(
        refused == 2,
        "{refused} switches were refused by the company instead of 2"
    );
    Ok(())
}
