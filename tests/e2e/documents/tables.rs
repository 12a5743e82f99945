//! Tables of the documents, compared with the code and with what the built host says of itself.

use std::collections::BTreeSet;

use toolhost_gateway::{METRICS, MetricKind};
use toolhost_policy::{ErrorCode, Limit, Limits, TenantLimit, TenantLimits};
use toolhost_tools::LEFT_OUT;

use super::shell::host;
use super::text::{code, document, root, sources};

/// The keys that a table of the configuration takes, as the host itself names them.
fn accepted(table: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    // So far from every key that none is proposed instead of all.
    let text = table.replace("KEY", "zzzzzzzz = 1");
    std::fs::write(directory.path().join("host.toml"), text).unwrap();
    let output = host(directory.path(), &["doctor", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let detail = report["checks"][0]["detail"].as_str().unwrap();
    let (_, keys) = detail
        .split_once("valid here: ")
        .unwrap_or_else(|| panic!("{table:?}: {detail}"));
    keys.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_configuration_page_has_exactly_the_keys_that_the_host_takes() {
    let page = document("docs/src/configuration.md");
    for (heading, table) in [
        ("Top level", "KEY"),
        ("`[server]`", "[server]\nKEY"),
        ("`[plugins.NAME]`", "[plugins.a]\nfile = 'a'\nKEY"),
        ("`[adapters.NAME]`", "[adapters.a]\nfile = 'a'\nKEY"),
        (
            "`[connections.NAME]`",
            "[connections.a]\nbase = 'https://a.example'\nKEY",
        ),
        (
            "`auth`",
            "[connections.a]\nbase = 'https://a.example'\n[connections.a.auth]\ntype = 'bearer'\nKEY",
        ),
        (
            "`[[connections.NAME.allow]]`",
            "[connections.a]\nbase = 'https://a.example'\n[[connections.a.allow]]\nKEY",
        ),
        (
            "`kind = \"broker\"`",
            "[providers.a]\nkind = 'broker'\nurl = 'https://a.example'\ntoken_env = 'A'\nKEY",
        ),
        (
            "`kind = \"oauth2-client\"`",
            "[providers.a]\nkind = 'oauth2-client'\ntoken_url = 'https://a.example'\nKEY",
        ),
        (
            "`kind = \"oauth2-refresh\"`",
            "[providers.a]\nkind = 'oauth2-refresh'\ntoken_url = 'https://a.example'\nclient_id = 'a'\nclient_auth = 'none'\nKEY",
        ),
        (
            "`kind = \"oauth2-login\"`",
            "[providers.a]\nkind = 'oauth2-login'\ntoken_url = 'https://a.example'\nauthorization_url = 'https://a.example'\nissuer = 'a'\nclient_id = 'a'\nclient_auth = 'none'\nKEY",
        ),
        (
            "`kind = \"token-exchange\"`",
            "[providers.a]\nkind = 'token-exchange'\ntoken_url = 'https://a.example'\nclient_id = 'a'\nclient_auth = 'none'\nKEY",
        ),
        (
            "`kind = \"aws-secrets-manager\"`",
            "[providers.a]\nkind = 'aws-secrets-manager'\nregion = 'a'\nurl = 'https://a.example'\naccess_key_id = 'a'\nsecret_access_key_env = 'A'\nsecret_id = '{tenant}/{connection}'\nKEY",
        ),
        (
            "`kind = \"vault-kv\"`",
            "[providers.a]\nkind = 'vault-kv'\nurl = 'https://a.example'\ntoken_env = 'A'\npath = '{tenant}/{connection}'\nKEY",
        ),
        (
            "`[[issuers]]`",
            "[[issuers]]\nissuer = 'https://a.example'\nKEY",
        ),
        (
            "`machine` and `id_token`",
            "[[issuers]]\nissuer = 'https://a.example'\n[issuers.machine]\nKEY",
        ),
        ("`[tenants.NAME]`", "[tenants.a]\nKEY"),
        (
            "`[tenants.NAME.plugins.PLUGIN]`",
            "[tenants.a.plugins.b]\nKEY",
        ),
        ("`[tools]`", "[tools]\nKEY"),
        (
            "`introspection`",
            "[[issuers]]\nissuer = 'https://a.example'\n[issuers.introspection]\nKEY",
        ),
        ("`[tenancy]`", "[tenancy]\nKEY"),
        ("`[tenancy.authority]`", "[tenancy.authority]\nKEY"),
        (
            "`[tenancy.authority.returns]`",
            "[tenancy.authority]\nkind = 'http'\n[tenancy.authority.returns]\nKEY",
        ),
        ("`[tenancy.membership]`", "[tenancy.membership]\nKEY"),
        ("`[tenancy.machine]`", "[tenancy.machine]\nKEY"),
        (
            "`[credentials.TENANT.CONNECTION]`",
            "[credentials.a.b]\nKEY",
        ),
        ("`users`", "[[credentials.a.b.users]]\nKEY"),
        ("`[data]`", "[data]\ndir = 'a'\nKEY"),
        ("`[store]`", "[store]\nkind = 'embedded'\nKEY"),
        ("`[audit]`", "[audit]\nKEY"),
        ("`[cache]`", "[cache]\nKEY"),
    ] {
        let documented: BTreeSet<String> = page.keys(heading).into_iter().collect();
        assert_eq!(documented, accepted(table), "{heading}");
    }
    let limits: BTreeSet<String> = Limit::ALL
        .iter()
        .map(|limit| limit.key().to_owned())
        .collect();
    assert_eq!(limits, accepted("[limits]\nKEY"));
    let limits: BTreeSet<String> = TenantLimit::ALL
        .iter()
        .map(|limit| limit.key().to_owned())
        .collect();
    assert_eq!(limits, accepted("[tenant_limits]\nKEY"));
    assert_eq!(limits, accepted("[tenants.a.limits]\nKEY"));
}

#[test]
fn the_limits_page_has_every_default_ceiling_and_unit() {
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let defaults = Limits::default();
    let documented: Vec<_> = document("docs/src/limits.md")
        .table("Limits")
        .iter()
        .map(|row| {
            (
                code(&row[0]),
                number(&row[1]),
                number(&row[2]),
                row[3].clone(),
            )
        })
        .collect();
    let real: Vec<_> = Limit::ALL
        .iter()
        .map(|limit| {
            (
                limit.key().to_owned(),
                defaults.get(*limit),
                limit.ceiling(),
                limit.unit().to_owned(),
            )
        })
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn the_limits_page_has_every_limit_of_a_tenant() {
    let number = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let defaults = TenantLimits::default();
    let documented: Vec<_> = document("docs/src/limits.md")
        .table("Limits of a tenant")
        .iter()
        .map(|row| {
            (
                code(&row[0]),
                number(&row[1]),
                number(&row[2]),
                row[3].clone(),
            )
        })
        .collect();
    let real: Vec<_> = TenantLimit::ALL
        .iter()
        .map(|limit| {
            let (key, unit) = (limit.key().to_owned(), limit.unit().to_owned());
            (key, defaults.get(*limit), limit.ceiling(), unit)
        })
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn the_errors_page_has_every_code_with_its_status_and_every_exit_status() {
    let page = document("docs/src/errors.md");
    let documented: Vec<_> = page
        .table("Errors")
        .iter()
        .map(|row| (code(&row[0]), row[1].clone()))
        .collect();
    let real: Vec<_> = ErrorCode::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), code.http_status().to_string()))
        .collect();
    assert_eq!(documented, real);

    let help = String::from_utf8(host(&root(), &["--help"]).stdout).unwrap();
    let (_, statuses) = help.split_once("Exit status:\n").unwrap();
    let real: Vec<(String, String)> = statuses
        .lines()
        .filter_map(|line| line.trim().split_once("  "))
        .map(|(status, meaning)| (status.to_owned(), meaning.to_owned()))
        .collect();
    let documented: Vec<_> = page
        .table("Exit statuses")
        .iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(documented, real);

    // The contract's words for them; one that names what it must not say is told by its end.
    let contract = std::fs::read_to_string(root().join("wit/http.wit")).unwrap();
    for row in page.table("Errors of a plugin's request") {
        let code = code(&row[0]);
        let end = code.rfind("-unavailable").map(|at| &code[at..]);
        let named = format!("`{}`", end.unwrap_or(&code));
        assert!(
            contract.contains(&named),
            "wit/http.wit does not name {named}"
        );
    }
}

#[test]
fn the_commands_page_has_every_verb() {
    let page = document("docs/src/commands.md").text;
    for (prefix, help) in [
        ("host", vec!["--help"]),
        ("host token", vec!["token", "--help"]),
        ("host tenant", vec!["tenant", "--help"]),
        ("host plugin", vec!["plugin", "--help"]),
        ("host connection", vec!["connection", "--help"]),
        ("host credential", vec!["credential", "--help"]),
        ("host connection", vec!["connection", "--help"]),
        ("host store", vec!["store", "--help"]),
        ("host key", vec!["key", "--help"]),
        ("host audit", vec!["audit", "--help"]),
    ] {
        let help = String::from_utf8(host(&root(), &help).stdout).unwrap();
        let (_, rest) = help.split_once("Commands:\n").unwrap();
        for verb in rest
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next())
        {
            assert!(
                verb == "help" || page.contains(&format!("$ {prefix} {verb} ")),
                "{prefix} {verb}"
            );
        }
    }
}

#[test]
fn the_operations_page_has_every_metric_and_every_audit_event() {
    let mut paths = Vec::new();
    sources(&root().join("host"), &mut paths);
    let source: String = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let mut metrics = BTreeSet::new();
    for macro_name in ["counter!(", "histogram!(", "gauge!("] {
        for rest in source.split(macro_name).skip(1) {
            metrics.extend(
                rest.trim_start()
                    .strip_prefix('"')
                    .and_then(|rest| rest.split('"').next())
                    .map(str::to_owned),
            );
        }
    }
    let page = document("docs/src/operations.md");
    assert_eq!(
        page.keys("Metrics").into_iter().collect::<BTreeSet<_>>(),
        metrics
    );
    // What the exposition says of each is in one list, with the kind that the page has.
    let kind = |kind: MetricKind| match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    };
    let exposed: BTreeSet<_> = METRICS
        .iter()
        .map(|(name, of, _)| ((*name).to_owned(), kind(*of).to_owned()))
        .collect();
    let shown = page
        .table("Metrics")
        .into_iter()
        .map(|row| (code(&row[0]), row[1].clone()));
    assert_eq!(shown.collect::<BTreeSet<_>>(), exposed);
    let reasons: BTreeSet<_> = LEFT_OUT.iter().map(|&reason| reason.to_owned()).collect();
    assert_eq!(
        page.keys("Plugins that are left out")
            .into_iter()
            .collect::<BTreeSet<_>>(),
        reasons
    );

    let events = std::fs::read_to_string(root().join("host/audit/src/event.rs")).unwrap();
    let (_, enumeration) = events.split_once("pub enum Event {").unwrap();
    let (variants, _) = enumeration.split_once("\n}").unwrap();
    let rows = page.table("Audit events");
    let mut names = BTreeSet::new();
    for variant in variants
        .lines()
        .filter_map(|line| line.trim().split_once('('))
        .map(|(name, _)| name)
    {
        let snake: String = variant
            .char_indices()
            .map(|(at, c)| {
                if at > 0 && c.is_uppercase() {
                    format!("_{}", c.to_lowercase())
                } else {
                    c.to_lowercase().to_string()
                }
            })
            .collect();
        let row = rows
            .iter()
            .find(|row| code(&row[0]) == snake)
            .unwrap_or_else(|| panic!("no event {snake}"));
        let (_, body) = events
            .split_once(&format!("pub struct {variant} {{"))
            .unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        for field in body
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'))
            .map(|(name, _)| name)
        {
            assert!(
                field == "who" || row[2].contains(&format!("`{field}`")),
                "{snake}: {field}"
            );
        }
        names.insert(snake);
    }
    assert_eq!(
        page.keys("Audit events")
            .into_iter()
            .collect::<BTreeSet<_>>(),
        names
    );
}
