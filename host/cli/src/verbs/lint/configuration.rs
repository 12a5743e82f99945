//! What can be told from the configuration alone.

use toolhost_policy::{AuthPlacement, Connection, HeaderTemplate};

use super::LintFinding;
use crate::config::{Config, loopback};

/// Parts of names under which systems take secrets.
const SECRET_NAMES: [&str; 9] = [
    "secret",
    "token",
    "api-key",
    "apikey",
    "password",
    "passwd",
    "auth",
    "credential",
    "session",
];

/// A literal of this length without a space may be a secret; what people write to be read is
/// shorter, or has one.
const LONG: usize = 20;

pub(super) fn findings(config: &Config) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for connection in config.connections.values() {
        findings.extend(wildcard(connection));
        findings.extend(cleartext(connection));
        for (name, value) in &connection.headers {
            findings.extend(secret(connection, "headers", name.as_str(), value));
        }
        for (name, value) in &connection.filled.query {
            findings.extend(secret(connection, "query", name, value));
        }
    }
    for (name, provider) in &config.providers {
        let is_used = config
            .connections
            .values()
            .any(|connection| connection.credentials == *name);
        if !is_used {
            findings.push(LintFinding {
                code: "unused-provider",
                key: format!("providers.{name}"),
                message: format!(
                    "no connection has its credentials from it (kind = {:?})",
                    provider.kind()
                ),
            });
        }
    }
    findings
}

/// A credential goes to whatever host an attribute names within a domain.
fn wildcard(connection: &Connection) -> Option<LintFinding> {
    let template = connection.filled.base.as_ref()?;
    let host = connection.base.host_str().unwrap_or_default();
    // With another attribute the host would be another one: then it has a place.
    let other = template.fill(|_| Some("other".to_owned())).ok()?;
    let has_place = other.host_str() != Some(host);
    (has_place && !matches!(connection.auth, AuthPlacement::None)).then(|| LintFinding {
        code: "wildcard-host",
        key: format!("connections.{}.base", connection.name),
        message: format!(
            "the credential goes to whichever host of the domain an attribute names (such as {host}); make sure that nobody else can have a name there"
        ),
    })
}

fn cleartext(connection: &Connection) -> Option<LintFinding> {
    let is_seen = connection.base.scheme() == "http" && !loopback(&connection.base);
    (is_seen && !matches!(connection.auth, AuthPlacement::None)).then(|| LintFinding {
        code: "cleartext",
        key: format!("connections.{}.base", connection.name),
        message: "the credential crosses the network in the clear".to_owned(),
    })
}

/// A value that stands in the configuration is no secret: it is neither sealed nor looked for in
/// answers.
fn secret(
    connection: &Connection,
    table: &str,
    name: &str,
    value: &HeaderTemplate,
) -> Option<LintFinding> {
    let literal = value.fill(|_| Some(String::new())).unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    let is_named = SECRET_NAMES.iter().any(|part| lower.contains(part)) && !literal.is_empty();
    let is_long = literal.len() >= LONG && !literal.contains([' ', '/']);
    (is_named || is_long).then(|| LintFinding {
        code: "secret-in-configuration",
        key: format!("connections.{}.{table}.{name}", connection.name),
        message: "looks like a secret; a secret belongs to a credential, where it is kept from logs and looked for in answers (auth = { type = \"header\", … })"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::findings;
    use crate::config::parse;

    fn codes(text: &str) -> Vec<&'static str> {
        let config = parse(Path::new("host.toml"), text).unwrap();
        findings(&config)
            .into_iter()
            .map(|finding| finding.code)
            .collect()
    }

    #[test]
    fn what_should_not_be_is_found_and_what_is_usual_is_not() {
        let with = |lines: &str| codes(&format!("[connections.crm]\n{lines}"));
        assert_eq!(
            with("base = 'https://{site}.example.com'"),
            ["wildcard-host"]
        );
        assert_eq!(
            with("base = 'https://{site}.example.com'\nauth = { type = 'none' }"),
            [""; 0]
        );
        assert_eq!(
            with("base = 'http://crm.example.com'\nallow_http = true"),
            ["cleartext"]
        );
        assert_eq!(
            with("base = 'http://127.0.0.1:1'\nallow_http = true\nallow_loopback = true"),
            [""; 0]
        );
        let base = "base = 'https://crm.example.com/{site}'";
        assert_eq!(with(base), [""; 0]);
        for header in [
            "X-Api-Key = 'abc'",
            "x-session = 'abc'",
            "x-any = 'kJ8s0dPq2LmZx71bQwEr'",
        ] {
            assert_eq!(
                with(&format!("{base}\nheaders = {{ {header} }}")),
                ["secret-in-configuration"],
                "{header}"
            );
        }
        for header in [
            "x-account-id = '{external_tenant_id}'",
            "accept = 'application/json'",
            "x-tokens = '{site}'",
        ] {
            assert_eq!(
                with(&format!("{base}\nheaders = {{ {header} }}")),
                [""; 0],
                "{header}"
            );
        }
        assert_eq!(
            codes(
                "[providers.own]\nkind = 'oauth2-client'\ntoken_url = 'https://as.example.com/t'"
            ),
            ["unused-provider"]
        );
    }
}
