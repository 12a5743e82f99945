use serde::{Deserialize, Serialize};
use std::sync::Arc;
use toolhost_audit::{Chain, KnownHead, VerifyReport, verify};

use crate::{Admin, AdminError, AdminOperation, HOST, OperationContext};

/// Verifies the audit chains, one or all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyChains {
    /// [`HOST`](crate::HOST), or a tenant.
    pub chain: Option<String>,
    /// The last line of an earlier export: the chain must still reach it.
    pub head: Option<String>,
}

impl AdminOperation for VerifyChains {
    type Answer = Vec<ChainReport>;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<Vec<ChainReport>, AdminError> {
        let root = Admin::audit_root(&admin.parts.data_dir);
        let chains = match self.chain {
            Some(chain) => vec![admin.chain(&chain)?],
            None => Chain::all(&root).map_err(|error| AdminError::internal(error.to_string()))?,
        };
        let heads = match (&self.head, chains.as_slice()) {
            (None, _) => vec![],
            (Some(line), [chain]) => {
                let refused = || {
                    AdminError::invalid(format!(
                        "this is not the last line of an export of the chain of {chain}"
                    ))
                };
                vec![KnownHead::parse(line, chain).ok_or_else(refused)?]
            }
            (Some(_), _) => {
                return Err(AdminError::invalid(
                    "a known head belongs to one chain: name it",
                ));
            }
        };
        let keys = Arc::clone(&admin.chain_keys);
        let reports = tokio::task::spawn_blocking(move || {
            chains
                .iter()
                .map(|chain| {
                    let report = verify(&root, chain, keys.as_ref(), &heads)?;
                    Ok(ChainReport::from_report(chain_name(chain), &report))
                })
                .collect::<Result<Vec<_>, AdminError>>()
        });
        reports
            .await
            .map_err(|_| AdminError::internal("the verification ended early"))?
    }
}

fn chain_name(chain: &Chain) -> String {
    match chain {
        Chain::Host => HOST.to_owned(),
        Chain::Tenant(tenant) => tenant.to_string(),
    }
}

/// What a chain was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainReport {
    /// [`HOST`], or the tenant.
    pub chain: String,
    /// How many records.
    pub records: u64,
    /// In how many segments.
    pub segments: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl ChainReport {
    fn from_report(chain: String, report: &VerifyReport) -> Self {
        let mut problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        if report.more_problems > 0 {
            problems.push(format!("and {} more", report.more_problems));
        }
        Self {
            chain,
            records: report.records,
            segments: report.segments,
            problems,
        }
    }
}
