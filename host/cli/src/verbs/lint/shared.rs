//! One credential that several tenants have: whoever has one of them acts as all.

use toolhost_gateway::admin::{Answer, Request};

use super::Finding;
use crate::args::KeptArgs;
use crate::config::Config;
use crate::reach::Reach;

/// Of the vault, by the host that runs, or by this process where none does.
pub(super) async fn stored(args: &KeptArgs) -> anyhow::Result<Vec<Finding>> {
    match Reach::find(args)?.ask(Request::CredentialShared {}, None).await? {
        Answer::Shared(rows) => {
            let found = rows.into_iter().map(|row| finding(&row.connection, &row.tenants));
            Ok(found.collect())
        }
        other => super::super::unexpected(&other).map(|()| Vec::new()),
    }
}

/// Of `[credentials]`.
pub(super) fn declared(config: &Config) -> Vec<Finding> {
    let shared = toolhost_vault::shared_sources(&config.credentials);
    let found = shared.into_iter().map(|shared| {
        let tenants: Vec<String> = shared.tenants.iter().map(ToString::to_string).collect();
        finding(shared.connection.as_str(), &tenants)
    });
    found.collect()
}

fn finding(connection: &str, tenants: &[String]) -> Finding {
    Finding {
        code: "shared-credential",
        key: format!("connections.{connection}"),
        message: format!(
            "the tenants {} have one and the same credential: what one of them may do there, all may; ask the other system for one each",
            tenants.join(", ")
        ),
    }
}
