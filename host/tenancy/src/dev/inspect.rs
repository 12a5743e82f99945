use serde::Serialize;
use serde_json::{Map, Value};
use toolhost_identity::{IssuerRules, KeySet, TokenError, UnverifiedToken, examine};

/// One check and how it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenCheck {
    /// What is checked.
    pub name: &'static str,
    /// Why it fails; nothing where it does not.
    pub failure: Option<String>,
    /// Why it was not made; nothing where it was.
    pub not_checked: Option<&'static str>,
}

/// What a token says, and what this host would say to it. The signature is in none of it, so that
/// an inspection can be shown without giving the token away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenInspection {
    /// The header.
    pub header: Map<String, Value>,
    /// The claims, none of them verified.
    pub claims: Map<String, Value>,
    /// The issuer whose rules were applied; nothing where none is configured by that name.
    pub issuer: Option<String>,
    /// Each check.
    pub checks: Vec<TokenCheck>,
}

impl TokenInspection {
    /// Whether every check was made and passes, that of the signature included.
    #[must_use]
    pub fn would_pass(&self) -> bool {
        let passes = |check: &TokenCheck| check.failure.is_none() && check.not_checked.is_none();
        self.checks.iter().all(passes)
    }

    /// Whether the signature was checked and is right. Without that nothing else that the token
    /// says is worth anything.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let is_right = |check: &TokenCheck| {
            check.name == "signature" && check.failure.is_none() && check.not_checked.is_none()
        };
        self.checks.iter().any(is_right)
    }
}

/// Takes a token apart without believing it, and makes each check against its issuer's rules, and
/// keys where they are given. `now` is in Unix seconds.
///
/// # Errors
/// It is not a token at all.
pub fn inspect(
    token: &str,
    issuers: &[(IssuerRules, Option<KeySet>)],
    now: u64,
) -> Result<TokenInspection, TokenError> {
    let token = UnverifiedToken::parse(token)?;
    let named = token.issuer().ok();
    // As callers are told apart: the issuer of that very name before a template that covers it.
    let of = |is_it: &dyn Fn(&IssuerRules, &str) -> bool| {
        let mut all = issuers.iter();
        all.find(|(rules, _)| named.is_some_and(|named| is_it(rules, named)))
    };
    let issuer = of(&|rules, named| rules.issuer.as_str() == named)
        .or_else(|| of(&|rules, named| rules.issuer.covers(named)));
    let unchecked = TokenCheck {
        name: "signature",
        failure: None,
        not_checked: Some("the issuer's keys are not at hand"),
    };
    let check = |(name, result): (&'static str, Result<(), TokenError>)| TokenCheck {
        name,
        failure: result.err().map(|error| error.to_string()),
        not_checked: None,
    };
    let mut checks: Vec<TokenCheck> = match issuer {
        Some((rules, keys)) => examine(&token, rules, keys.as_ref(), now)
            .into_iter()
            .map(check)
            .collect(),
        None => vec![check(("issuer", Err(TokenError::Issuer)))],
    };
    // Not made for want of keys, or of an algorithm that could be checked.
    if !checks.iter().any(|check| check.name == "signature") {
        checks.push(unchecked);
    }
    Ok(TokenInspection {
        header: token.header().clone(),
        claims: token.claims().clone(),
        issuer: issuer.map(|(rules, _)| rules.issuer.as_str().to_owned()),
        checks,
    })
}
