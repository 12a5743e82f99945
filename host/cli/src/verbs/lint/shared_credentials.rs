//! One credential that several tenants have: whoever has one of them acts as all.

use toolhost_admin::ListSharedCredentials;

use super::LintFinding;
use crate::admin_access::AdminAccess;
use crate::args::DataDirArgs;
use crate::config::Config;

/// Of the vault, by the host that runs, or by this process where none does.
pub(super) async fn shared_in_vault(args: &DataDirArgs) -> anyhow::Result<Vec<LintFinding>> {
    let rows = AdminAccess::find(args)?
        .ask(ListSharedCredentials {}, None)
        .await?;
    let found = rows
        .into_iter()
        .map(|row| shared_credential_finding(&row.connection, &row.tenants));
    Ok(found.collect())
}

/// Of `[credentials]`.
pub(super) fn shared_in_config(config: &Config) -> Vec<LintFinding> {
    let shared = toolhost_vault::shared_sources(&config.credentials);
    let found = shared.into_iter().map(|shared| {
        let tenants: Vec<String> = shared.tenants.iter().map(ToString::to_string).collect();
        shared_credential_finding(shared.connection.as_str(), &tenants)
    });
    found.collect()
}

fn shared_credential_finding(connection: &str, tenants: &[String]) -> LintFinding {
    LintFinding {
        code: "shared-credential",
        key: format!("connections.{connection}"),
        message: format!(
            "the tenants {} have one and the same credential: what one of them may do there, all may; ask the other system for one each",
            tenants.join(", ")
        ),
    }
}
