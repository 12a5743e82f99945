use std::path::Path;

use toolhost_vault::SecretSource;

use super::Config;
use super::read::parse;

const GOOD: &str = r#"
[server]
listen = "127.0.0.1:9000"
public_url = "https://tools.example.com/mcp"

[plugins.billing]
file = "billing.wasm"

[connections.billing]
base = "https://billing.example.com"
auth = { type = "bearer" }
headers = { x-account-id = "{external_tenant_id}" }

[[issuers]]
issuer = "https://idp.example.com"
audience = "https://tools.example.com/mcp"
jwks_url = "https://idp.example.com/jwks.json"
tenant_claim = "/tenantId"
may_grant = ["admin"]

[tenants.acme]
keys = ["org_AbC"]

[credentials.acme.billing]
file = "secrets/acme"
external_tenant_id = "acct_1"
expires_at = 2030-01-31T00:00:00Z
"#;

fn read(text: &str) -> Result<Config, String> {
    parse(Path::new("conf/host.toml"), text).map_err(|error| error.to_string())
}

/// The refusal of the good file with one text replaced.
fn refused(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    read(&GOOD.replacen(from, to, 1)).map(|_| ()).expect_err(to)
}

#[test]
fn what_lasts_is_named_once_and_within_bounds() {
    let with = |tables: &str| read(&format!("{GOOD}\n{tables}"));
    let good = with("[data]\ndir = 'kept'\nmaster_key_env = 'KEY'\n[audit]\non_failure = 'serve-reads'\nsegment_bytes = 1048576").unwrap();
    let data = good.data.unwrap();
    assert_eq!(data.dir, Path::new("conf/kept"));
    assert_eq!(data.master_key, Some(SecretSource::Env("KEY".into())));
    assert_eq!(good.chains.segment_bytes, 1 << 20);
    for (tables, key) in [
        (
            "[data]\ndir = 'a'\nmaster_key_env = 'K'\nmaster_key_file = 'k'",
            "data.master_key_env",
        ),
        (
            "[data]\ndir = 'a'\n[audit]\nfile = 'audit.jsonl'",
            "audit.file",
        ),
        ("[audit]\non_failure = 'ignore'", "audit.on_failure"),
        ("[audit]\nsegment_bytes = 1048575", "audit.segment_bytes"),
        ("[audit]\nsegment_bytes = 1073741825", "audit.segment_bytes"),
        ("[data]\ndirectory = 'a'", "dir"),
    ] {
        let error = with(tables).map(|_| ()).expect_err(tables);
        assert!(error.contains(key), "{tables}: {error}");
    }
}

#[test]
fn a_whole_configuration_is_read() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.server.listen.port(), 9000);
    assert_eq!(
        (
            config.connections.len(),
            config.issuers.len(),
            config.tenants.len()
        ),
        (1, 1, 1)
    );
    let credential = config.credentials.first().unwrap();
    assert_eq!(credential.attributes["external_tenant_id"], "acct_1");
    assert_eq!(credential.expires_at, Some(1_896_048_000));
}

#[test]
fn relative_paths_begin_beside_the_file() {
    let config = read(GOOD).unwrap();
    assert_eq!(
        config.plugins.values().next().unwrap(),
        Path::new("conf/billing.wasm")
    );
    let credential = config.credentials.first().unwrap();
    assert_eq!(
        credential.source,
        SecretSource::File("conf/secrets/acme".into())
    );
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one() {
    let error = refused("public_url", "public_ulr");
    assert_eq!(
        error,
        "conf/host.toml, line 4: server.public_ulr: unknown key, did you mean public_url?"
    );
    let error = refused("tenant_claim", "tennant_claim");
    assert!(
        error.contains("line 18") && error.contains("did you mean tenant_claim?"),
        "{error}"
    );
    assert!(refused("[tenants.acme]", "[tenant.acme]").contains("did you mean tenants?"));
}

#[test]
fn a_provider_that_is_not_there_or_in_another_place_is_said() {
    for (from, to, part) in [
        (
            "headers = {",
            "credentials = \"broker\"\nheaders = {",
            "there is no [providers.broker]",
        ),
        ("\"bearer\"", "\"token-exchange\"", "[providers.NAME]"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn what_is_provided_comes_from_the_credential_and_each_credential_has_it() {
    for (template, why) in [
        ("acct_7", "every tenant would have the same"),
        ("{account", "brace"),
        ("{env:X}", "not the name of a credential attribute"),
        ("{site_id}", "connections.billing.provide uses {site_id}"),
    ] {
        let to = format!("provide = {{ account_id = \"{template}\" }}\nheaders = {{");
        let error = refused("headers = {", &to);
        assert!(error.contains(why), "{template}: {error}");
    }
}

#[test]
fn a_header_that_auth_also_writes_is_refused_in_any_case() {
    for header in ["authorization", "aUtHoRiZaTiOn"] {
        let error = refused("x-account-id", header);
        assert!(
            error.contains("line 9") && error.to_lowercase().contains("authorization"),
            "{error}"
        );
    }
}

#[test]
fn http_and_loopback_need_the_operators_word() {
    let error = refused("https://billing.example.com", "http://billing.example.com");
    assert!(error.contains("allow_http"), "{error}");
    for base in [
        "https://127.0.0.1",
        "https://[::1]",
        "https://localhost:1",
        "https://x.localhost",
    ] {
        assert!(
            refused("https://billing.example.com", base).contains("allow_loopback"),
            "{base}"
        );
    }
    assert!(
        refused(
            "https://idp.example.com/jwks.json",
            "http://idp.example.com/jwks.json"
        )
        .contains("allow_http")
    );
}

#[test]
fn a_base_that_carries_more_than_a_place_is_refused() {
    for base in [
        "ftp://x",
        "https://u:p@x.example",
        "https://x.example?a=b",
        "https://x.example#f",
        "nonsense",
        "",
    ] {
        assert!(
            refused("https://billing.example.com", base).contains("connections.billing.base"),
            "{base}"
        );
    }
}

#[test]
fn a_header_template_reaches_neither_arguments_nor_environment() {
    for template in ["{args.limit}", "{env:HOME}", "{$HOME}"] {
        assert!(
            refused("{external_tenant_id}", template).contains("connections.billing.headers"),
            "{template}"
        );
    }
}

#[test]
fn every_member_of_auth_has_its_type() {
    for (auth, key) in [
        (r#"{ type = "bearer", name = "x" }"#, "auth.name"),
        (r#"{ type = "header" }"#, "auth.name"),
        (r#"{ type = "query" }"#, "auth.key"),
        (r#"{ type = "body", pointer = "key" }"#, "auth.pointer"),
        (r#"{ type = "magic" }"#, "auth.type"),
        (r#"{ type = "header", name = "x y" }"#, "auth.name"),
    ] {
        let error = refused(r#"{ type = "bearer" }"#, auth);
        assert!(error.contains(key) && error.contains("line 11"), "{error}");
    }
}

#[test]
fn none_and_hmac_cannot_be_configured() {
    for algorithm in ["none", "HS256"] {
        let error = refused(
            "may_grant",
            &format!("algorithms = [\"{algorithm}\"]\nmay_grant"),
        );
        assert!(error.contains("issuers[0].algorithms"), "{error}");
    }
}

#[test]
fn an_issuer_has_exactly_one_source_of_keys() {
    assert!(refused("jwks_url = \"https://idp.example.com/jwks.json\"", "").contains("is needed"));
    assert!(refused("tenant_claim", "discovery = true\ntenant_claim").contains("keep one of"));
}

#[test]
fn a_credential_for_an_unknown_tenant_or_connection_is_refused() {
    assert!(
        refused("[credentials.acme.billing]", "[credentials.globex.billing]")
            .contains("no [tenants.globex]")
    );
    assert!(
        refused("[credentials.acme.billing]", "[credentials.acme.stripe]")
            .contains("no [connections.stripe]")
    );
    assert!(
        refused("file = \"secrets/acme\"", "file = \"a\"\nenv = \"B\"")
            .contains("both file and env")
    );
    assert!(refused("file = \"secrets/acme\"", "").contains("needs file = or env ="));
    assert!(refused("2030-01-31T00:00:00Z", "2030-01-31T00:00:00").contains("with an offset"));
}

#[test]
fn a_credential_that_would_never_be_used_is_refused() {
    assert!(refused("headers = {", "credential_of = \"user\"\nheaders = {").contains("no meaning"));
    let users = "users = [{ issuer = \"https://idp.example.com\", subject = \"u\", env = \"U\" }]";
    assert!(refused("file = \"secrets/acme\"", users).contains("no meaning"));
    assert!(refused("external_tenant_id = \"acct_1\"", "").contains("is needed"));
}

#[test]
fn a_secret_cannot_stand_in_the_file() {
    let error = refused("file = \"secrets/acme\"", "secret = \"tok_live\"");
    assert!(
        error.contains("unknown key") && !error.contains("tok_live"),
        "{error}"
    );
}

#[test]
fn reserved_and_malformed_tenants_are_refused() {
    for tenant in ["default", "admin", "Acme", "a_b"] {
        assert!(
            refused("[tenants.acme]", &format!("[tenants.{tenant}]")).contains("tenants."),
            "{tenant}"
        );
    }
}

#[test]
fn a_limit_out_of_range_names_its_key_and_range() {
    let error = refused("[tenants.acme]", "[limits]\nwall_ms = 0\n[tenants.acme]");
    assert!(
        error.contains("limits.wall_ms") && error.contains("600000"),
        "{error}"
    );
}

#[test]
fn limits_of_a_tenant_stand_over_those_of_all() {
    let read = |tables: &str| read(&format!("{GOOD}\n{tables}"));
    let config = read(
        "[tenant_limits]\ncalls_at_once = 5\ncalls_per_minute = 7\n[tenants.acme.limits]\ncalls_at_once = 9\n[tools]\ncache = false",
    )
    .unwrap();
    assert_eq!(config.tenant_limits.calls_at_once, 5);
    let [acme] = config.limits_of.values().collect::<Vec<_>>()[..] else {
        panic!("{:?}", config.limits_of)
    };
    assert_eq!((acme.calls_at_once, acme.calls_per_minute), (9, 7));
    assert!(!config.tools.cache);
    assert!(read("").unwrap().tools.cache);
    for (tables, key) in [
        (
            "[tenant_limits]\ncalls_at_once = 0",
            "tenant_limits.calls_at_once",
        ),
        (
            "[tenants.acme.limits]\nrequests_per_minute = 9999999999999",
            "tenants.acme.limits.requests_per_minute",
        ),
        ("[tenant_limits]\ncalls = 1", "calls"),
        ("[tools]\ncached = true", "cached"),
    ] {
        let error = read(tables).map(|_| ()).expect_err(tables);
        assert!(error.contains(key), "{error}");
    }
}
