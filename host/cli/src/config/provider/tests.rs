use std::path::Path;

use crate::config::Config;
use crate::config::read::parse;

fn read(provider: &str) -> Result<Config, String> {
    let text = format!(
        "[connections.crm]\nbase = \"https://crm.example.com\"\ncredentials = \"own\"\n\n[providers.own]\n{provider}"
    );
    parse(Path::new("conf/host.toml"), &text).map_err(|error| error.to_string())
}

const BROKER: &str = "kind = \"broker\"\nurl = \"https://app.example.com/c\"\ntoken_env = \"T\"";
const CLIENT: &str = "kind = \"oauth2-client\"\ntoken_url = \"https://as.example.com/token\"";
const REFRESH: &str = "kind = \"oauth2-refresh\"\ntoken_url = \"https://as.example.com/token\"\nclient_id = \"h\"\nclient_secret_env = \"S\"";
const LOGIN: &str = "kind = \"oauth2-login\"\ntoken_url = \"https://as.example.com/token\"\nclient_id = \"h\"\nclient_secret_env = \"S\"\nissuer = \"https://as.example.com\"\nauthorization_url = \"https://as.example.com/auth\"";
const EXCHANGE: &str = "kind = \"token-exchange\"\ntoken_url = \"https://as.example.com/token\"\nclient_id = \"h\"\nclient_auth = \"none\"";
const AWS: &str = "kind = \"aws-secrets-manager\"\nregion = \"eu-central-1\"\naccess_key_id = \"AKIA\"\nsecret_access_key_env = \"K\"\nsecret_id = \"t/{tenant}/{connection}\"";
const KV: &str = "kind = \"vault-kv\"\nurl = \"https://vault.example.com\"\ntoken_env = \"T\"\npath = \"t/{tenant}/{connection}\"";

#[test]
fn every_kind_is_read_with_what_it_needs() {
    for (text, kind) in [
        (BROKER, "broker"),
        (CLIENT, "oauth2-client"),
        (REFRESH, "oauth2-refresh"),
        (LOGIN, "oauth2-login"),
        (EXCHANGE, "token-exchange"),
        (AWS, "aws-secrets-manager"),
        (KV, "vault-kv"),
    ] {
        let config = read(text).unwrap();
        assert_eq!(config.providers["own"].kind(), kind);
    }
}

#[test]
fn a_mistake_is_named_with_its_line_and_key() {
    let says = |text: &str, parts: &[&str]| {
        let error = read(text).map(|_| ()).expect_err(text);
        for part in parts {
            assert!(error.contains(part), "{text}: {part}: {error}");
        }
    };
    says("", &["line 5", "providers.own.kind", "broker"]);
    says(
        "kind = \"borker\"",
        &["line 6", "providers.own.kind", "not one of", "broker"],
    );
    says(
        &format!("{BROKER}\nfresh_for = 5"),
        &["line 9", "did you mean fresh_for_ms?"],
    );
    says(
        &BROKER.replace("url =", "urls ="),
        &["line 7", "did you mean url?"],
    );
    says(
        &format!("{BROKER}\nscope = [\"a\"]"),
        &["line 9", "providers.own.scope", "unknown key"],
    );
    says(
        &BROKER.replace("https://", "http://"),
        &["line 7", "allow_http"],
    );
    says(
        &BROKER.replace("app.example.com", "127.0.0.1"),
        &["allow_loopback"],
    );
    says(
        &BROKER.replace("https://", "https://u:p@"),
        &["user or password"],
    );
    says(
        "kind = \"broker\"\nurl = \"https://app.example.com/c\"",
        &["token_file", "token_env"],
    );
    says(
        &format!("{BROKER}\ntoken_file = \"f\""),
        &["token_env", "keep one"],
    );
    says(&format!("{BROKER}\nfresh_for_ms = 300001"), &["300000"]);
    says(
        &format!("{BROKER}\ntimeout = \"5\""),
        &["line 9", "providers.own.timeout"],
    );
    says(
        &format!("{CLIENT}\nclient_secret_env = \"S\""),
        &["client_secret_env", "unknown key"],
    );
    says(
        &REFRESH.replace("client_secret_env = \"S\"", ""),
        &["client_secret_file"],
    );
    says(
        &format!("{EXCHANGE}\nclient_secret_env = \"S\""),
        &["client_auth"],
    );
    says(
        &format!("{EXCHANGE}\nactor_token_type = \"jwt\""),
        &["actor_token_file"],
    );
    says(
        &format!("{EXCHANGE}\nsubject_token_type = \"saml\""),
        &["access_token, jwt"],
    );
    says(
        &LOGIN.replace("https://as.example.com/auth", "http://as.example.com/auth"),
        &["authorization_url"],
    );
    says(&AWS.replace("{tenant}/", ""), &["secret_id", "{tenant}"]);
    says(
        &AWS.replace("/{connection}", "/{connection}/{user}"),
        &["user_secret_id"],
    );
    says(
        &format!("{KV}\nuser_path = \"t/{{tenant}}/{{connection}}\""),
        &["user_path", "{user}"],
    );
    says(&format!("{KV}\nrole_id = \"r\""), &["one way"]);
    says(
        &KV.replace("path = \"t/{tenant}/{connection}\"", ""),
        &["providers.own.path"],
    );
    says(
        &format!("{BROKER}\nprivate_key_file = \"k\""),
        &["certificate_file"],
    );
    says(
        "kind = \"broker\"\n[providers.vault]\nkind = \"broker\"",
        &["providers."],
    );
}

#[test]
fn a_provider_has_a_name_of_its_own_and_a_connection_names_one_that_is_there() {
    for name in ["vault", "static", "authority", "Own", "a b"] {
        let text = format!("[providers.\"{name}\"]\n{BROKER}");
        let error = parse(Path::new("host.toml"), &text)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 1"), "{error}");
    }
    let text = "[connections.crm]\nbase = \"https://crm.example.com\"\ncredentials = \"own\"";
    let error = parse(Path::new("host.toml"), text)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 3") && error.contains("[providers.own]"),
        "{error}"
    );
}

#[test]
fn a_connection_and_its_provider_agree_whose_credentials_they_are() {
    let with = |line: &str, provider: &str| {
        let text = format!(
            "[connections.crm]\nbase = \"https://crm.example.com\"\ncredentials = \"own\"\n{line}\n[providers.own]\n{provider}"
        );
        parse(Path::new("host.toml"), &text).map_err(|error| error.to_string())
    };
    let login = with("", LOGIN).unwrap();
    let owner = login.connections.values().next().unwrap().credential_of;
    assert_eq!(owner, toolhost_policy::CredentialOwner::User);
    for (line, provider) in [
        ("credential_of = \"tenant\"", LOGIN),
        ("credential_of = \"user\"", AWS),
        ("credential_of = \"user\"", KV),
    ] {
        let error = with(line, provider).map(|_| ()).unwrap_err();
        assert!(
            error.contains("line 4") && error.contains("credential_of"),
            "{error}"
        );
    }
}

#[test]
fn a_base_may_have_places_and_the_domain_is_the_operators() {
    let with = |base: &str, more: &str| {
        let text = format!("[connections.crm]\nbase = \"{base}\"\n{more}");
        parse(Path::new("host.toml"), &text).map_err(|error| error.to_string())
    };
    let good = with(
        "https://{site}.example.com/a/{external_tenant_id}",
        "query = { account = \"{site}\" }",
    )
    .unwrap();
    let crm = good.connections.values().next().unwrap();
    assert_eq!(
        crm.base.as_str(),
        "https://site.example.com/a/external-tenant-id"
    );
    let needed: Vec<&str> = crm.filled.attributes().collect();
    assert_eq!(needed, ["site", "external_tenant_id", "site"]);
    for (base, more) in [
        ("https://{site}.com", ""),
        ("https://{site}", ""),
        ("https://{Site}.example.com", ""),
        ("https://{args.x}.example.com", ""),
        ("https://x.example.com/{a", ""),
        ("http://{site}.example.com", ""),
        ("https://x.example.com", "query = { account = \"{a\" }"),
        (
            "https://x.example.com",
            "query = { key = \"x\" }\nauth = { type = \"query\", key = \"key\" }",
        ),
    ] {
        let error = with(base, more).map(|_| ()).expect_err(base);
        assert!(error.contains("connections.crm."), "{base}: {error}");
    }
}
