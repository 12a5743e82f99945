use serde::Serialize;
use serde_json::{Map, Value};
use toolhost_identity::{IssuerRules, KeySet, TokenError, Unverified, examine};

/// One check and how it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// Why it fails; nothing where it does not.
    pub failure: Option<String>,
}

/// What a token says, and what this host would say to it. The signature is in none of it, so that an inspection can be
/// shown without giving the token away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims, none of them verified.
    pub claims: Map<String, Value>,
    /// The issuer whose rules were applied; nothing where none is configured by that name.
    pub issuer: Option<String>,
    /// Each check.
    pub checks: Vec<Check>,
}

impl Inspection {
    /// Whether every check that was made passes. Without keys the signature was not among them.
    #[must_use]
    pub fn would_pass(&self) -> bool {
        self.checks.iter().all(|check| check.failure.is_none())
    }
}

/// Takes a token apart without believing it, and makes each check against its issuer's rules, and keys where they are
/// given. `now` is in Unix seconds.
///
/// # Errors
/// It is not a token at all.
pub fn inspect(
    token: &str,
    issuers: &[(IssuerRules, Option<KeySet>)],
    now: u64,
) -> Result<Inspection, TokenError> {
    let token = Unverified::parse(token)?;
    let named = token.issuer().ok();
    let issuer = issuers
        .iter()
        .find(|(rules, _)| Some(rules.issuer.as_str()) == named);
    let checks = match issuer {
        Some((rules, keys)) => examine(&token, rules, keys.as_ref(), now)
            .into_iter()
            .map(|(name, result)| Check {
                name,
                failure: result.err().map(|error| error.to_string()),
            })
            .collect(),
        None => vec![Check {
            name: "issuer",
            failure: Some(TokenError::Issuer.to_string()),
        }],
    };
    Ok(Inspection {
        header: token.header().clone(),
        claims: token.claims().clone(),
        issuer: issuer.map(|(rules, _)| rules.issuer.clone()),
        checks,
    })
}
