use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use toolhost_identity::{IssuerRules, KeySet, PrincipalKind};
use toolhost_policy::UnixTime;
use toolhost_tenancy::dev::{DevKey, DevKeyError, MintRequest, TokenInspection, inspect};
use toolhost_tenancy::{IssuerConfig, KeySource};

use crate::args::{MintArgs, OutputFormat, TokenCommand, TokenInspectArgs};
use crate::exit::CliError;
use crate::output::{self, Show, printable};
use crate::secret_ref;
use crate::setup::read_config;
use crate::wiring::read_capped;

const PRIVATE: &str = "dev-key.pem";
const PUBLIC: &str = "jwks.json";

/// A set of a hundred keys has about this.
const MAX_KEY_SET: u64 = 256 << 10;

/// Development keys and tokens.
pub(super) fn run(command: &TokenCommand, format: OutputFormat) -> anyhow::Result<()> {
    match command {
        TokenCommand::Mint(args) => mint(args, format),
        TokenCommand::Inspect(args) => inspect_token(args, format),
    }
}

#[derive(Serialize)]
struct TokenMintOutput {
    token: String,
    expires_at: u64,
}

impl Show for TokenMintOutput {
    /// Nothing but the token, so that it can go into a file.
    fn text(&self) -> String {
        self.token.clone()
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        (
            output::head(&["token", "expires_at"]),
            vec![vec![self.token.clone(), self.expires_at.to_string()]],
        )
    }
}

fn mint(args: &MintArgs, format: OutputFormat) -> anyhow::Result<()> {
    let fail = |error: DevKeyError| CliError::usage(error.to_string());
    let (private, public) = (args.keys.join(PRIVATE), args.keys.join(PUBLIC));
    let key = if private.exists() {
        DevKey::load(&private).map_err(fail)?
    } else {
        std::fs::create_dir_all(&args.keys)
            .with_context(|| format!("--keys {}", args.keys.display()))?;
        let key = DevKey::generate(&private, &public).map_err(fail)?;
        tracing::info!(key = %private.display(), key_set = %public.display(), "a development key was made");
        key
    };
    if args.key_only {
        return Ok(());
    }
    let now = now()?;
    let request = MintRequest {
        tenant: args.tenant.clone(),
        tenant_claim: args.tenant_claim.clone(),
        role: args.role.clone(),
        role_claim: args.role_claim.clone(),
        scopes: args.scopes.clone(),
        client: args.client.clone(),
        kind: if args.machine {
            PrincipalKind::Machine
        } else {
            PrincipalKind::User
        },
        ttl: Duration::from_secs(args.ttl),
        ..MintRequest::new(&args.issuer, &args.audience, &args.subject)
    };
    let token = key.mint(&request, now).map_err(fail)?;
    output::show(
        format,
        &TokenMintOutput {
            token,
            expires_at: now.saturating_add(args.ttl),
        },
    )
}

#[derive(Serialize)]
struct TokenInspectOutput(TokenInspection);

impl Show for TokenInspectOutput {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for (part, members) in [("header", &self.0.header), ("claim", &self.0.claims)] {
            lines.extend(
                members
                    .iter()
                    .map(|(name, value)| format!("{part:<7} {} = {value}", printable(name))),
            );
        }
        // What an unsigned claim says is not "ok", whatever it says.
        let good = if self.0.is_signed() {
            "ok"
        } else {
            "would pass if the signature were right"
        };
        for check in &self.0.checks {
            let result = match (&check.failure, check.not_checked) {
                (Some(failure), _) => failure.clone(),
                (None, Some(why)) => format!("NOT CHECKED: {why} (--jwks FILE gives them)"),
                (None, None) => good.to_owned(),
            };
            lines.push(format!("check   {}: {result}", check.name));
        }
        lines.join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = |line: &str| {
            let (part, rest) = line.split_at_checked(8).unwrap_or((line, ""));
            vec![part.trim().to_owned(), rest.to_owned()]
        };
        (
            output::head(&["part", "value"]),
            self.text().lines().map(row).collect(),
        )
    }
}

fn inspect_token(args: &TokenInspectArgs, format: OutputFormat) -> anyhow::Result<()> {
    let token = secret_ref::token(&secret_ref::parse("the token", &args.token)?)?;
    let text = std::str::from_utf8(token.expose()).unwrap_or_default();
    let config = read_config(args.config.as_deref())?;
    let mut issuers = config
        .issuers
        .iter()
        .map(rules)
        .collect::<anyhow::Result<Vec<_>>>()?;
    if let Some(path) = &args.jwks {
        let given = key_set(path)?;
        for (_, keys) in &mut issuers {
            *keys = Some(given.clone());
        }
    }
    let now = now()?;
    let inspection = inspect(text, &issuers, now)
        .map_err(|error| CliError::auth(format!("it is not a token: {error}")))?;
    let is_refused = inspection
        .checks
        .iter()
        .any(|check| check.failure.is_some());
    let has_passed = inspection.would_pass();
    output::show(format, &TokenInspectOutput(inspection))?;
    match (issuers.is_empty(), is_refused, has_passed) {
        (true, _, _) | (false, false, true) => Ok(()),
        (false, true, _) => Err(CliError::auth("this host would refuse the token").into()),
        (false, false, false) => {
            let why = "the signature was not checked, so nothing of this is believed; give the issuer's key set with --jwks FILE";
            Err(CliError::auth(why).into())
        }
    }
}

/// Keys that are in a file are at hand; others would have to be fetched, and looking at a token
/// sends nothing.
fn rules(issuer: &IssuerConfig) -> anyhow::Result<(IssuerRules, Option<KeySet>)> {
    let rules = issuer
        .rules()
        .map_err(|error| CliError::usage(error.to_string()))?;
    let keys = match &issuer.keys {
        KeySource::File(path) => Some(key_set(path)?),
        KeySource::Url(_) | KeySource::Discovery => None,
    };
    Ok((rules, keys))
}

fn key_set(path: &Path) -> anyhow::Result<KeySet> {
    let bytes = read_capped(path, MAX_KEY_SET)?;
    let keys = KeySet::parse(&bytes);
    Ok(keys.map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?)
}

/// In Unix seconds.
fn now() -> anyhow::Result<u64> {
    let broken = || {
        CliError::usage(
            "the clock of this machine is before 2026, so no expiry can be judged; set it",
        )
    };
    Ok(UnixTime::now().if_valid().ok_or_else(broken)?)
}
