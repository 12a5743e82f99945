//! `[tenancy]` and what issuers may do beside vouching: what is read, and what is refused with its
//! place.

use std::path::Path;
use std::time::Duration;

use toolhost_identity::{NamedTenants, TenantId};
use toolhost_vault::SecretSource;

use super::read::parse;
use super::{AuthorityKind, Config};

const ISSUER: &str = "[[issuers]]\nissuer = 'https://idp.example'\naudience = 'https://tools.example/mcp'\njwks_url = 'https://idp.example/jwks'\ntenant_claim = '/tenantId'\n";
const RETURNS: &str = "[tenancy.authority.returns]\nissuer = 'https://app.example'\naudience = 'https://app.example'\njwks_url = 'https://app.example/jwks'\ntenant_claim = '/tenantId'\n";
const DATA: &str = "[connections.data]\nbase = 'https://data.example'\ncredentials = 'authority'\n";
const HTTP: &str = "[tenancy.authority]\nkind = 'http'\nurl = 'https://app.example/switch'\n";
const EXCHANGE: &str = "[tenancy.authority]\nkind = 'token-exchange'\nurl = 'https://app.example/token'\nclient_id = 'host'\nclient_secret_env = 'SECRET'\n";

fn read(text: &str) -> Result<Config, String> {
    parse(Path::new("conf/host.toml"), text).map_err(|error| error.to_string())
}

/// Each text is refused, and the refusal has the words and a line.
fn refused(cases: &[(&str, &str)]) {
    for (text, words) in cases {
        let error = read(text).map(drop).expect_err(text);
        assert!(error.contains(", line "), "{error}");
        for word in words.split('|') {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}

#[test]
fn an_authority_is_read_with_all_that_it_is_asked_with() {
    let config = read(&format!("{HTTP}timeout = 7\n{RETURNS}{DATA}")).unwrap();
    let AuthorityKind::Http(settings) = &config.authority else {
        panic!("{:?}", config.authority);
    };
    assert_eq!(
        (settings.token.as_str(), settings.destination.timeout),
        ("/access_token", Duration::from_secs(7))
    );
    assert_eq!(settings.issuer.audience, ["https://app.example"]);
    let owner = config.connections.values().next().unwrap().credential_of;
    assert_eq!(owner, toolhost_policy::CredentialOwner::User);
    let config = read(&format!("{EXCHANGE}{RETURNS}")).unwrap();
    let AuthorityKind::Exchange(exchange) = &config.authority else {
        panic!("{:?}", config.authority);
    };
    assert_eq!(exchange.client.secret, SecretSource::Env("SECRET".into()));
    assert_eq!(exchange.scope_prefix, "tenant:");
    assert!(matches!(
        read("[tenancy.authority]\nkind = 'local'")
            .unwrap()
            .authority,
        AuthorityKind::Local
    ));
}

#[test]
fn an_authority_that_is_not_whole_or_not_safe_is_refused_by_line_and_key() {
    let http = |more: &str| format!("{HTTP}{more}\n{RETURNS}");
    let insecure = http("").replace("https://app.example/switch", "http://app.example/switch");
    let loopback = http("").replace("https://app.example/switch", "https://127.0.0.1/switch");
    let no_claim = format!(
        "{HTTP}{}",
        RETURNS.replace("tenant_claim = '/tenantId'", "")
    );
    let no_id = format!("{EXCHANGE}{RETURNS}").replace("client_id = 'host'\n", "");
    let no_secret = format!("{EXCHANGE}{RETURNS}").replace("client_secret_env = 'SECRET'\n", "");
    let both = format!("{EXCHANGE}client_secret_file = 's'\n{RETURNS}");
    let returned_http = http("").replace("https://app.example/jwks", "http://app.example/jwks");
    refused(&[
        (
            "[tenancy.authority]\nkind = 'ldap'",
            "tenancy.authority.kind|local, http, token-exchange",
        ),
        (
            "[tenancy.authority]\nkind = 'local'\nurl = 'https://a.example'",
            "tenancy.authority.url|no meaning",
        ),
        (
            "[tenancy.authority]\nkind = 'local'\nallow_http = true",
            "tenancy.authority|no meaning",
        ),
        (RETURNS, "kind"),
        (HTTP, "tenancy.authority.returns|needs it"),
        (
            &format!("[tenancy.authority]\nkind = 'http'\n{RETURNS}"),
            "tenancy.authority.url|needs it",
        ),
        (
            &http("client_id = 'x'"),
            "tenancy.authority.client_id|no meaning",
        ),
        (&http("timeout = 31"), "tenancy.authority.timeout|1 to 30"),
        (&http("timeout = 0"), "tenancy.authority.timeout"),
        (
            &http("token = 'access_token'"),
            "tenancy.authority.token|JSON pointer",
        ),
        (
            &http("tokn = '/t'"),
            "tenancy.authority.tokn|did you mean token?",
        ),
        (&insecure, "tenancy.authority.url|allow_http"),
        (&loopback, "tenancy.authority.url|allow_loopback"),
        (
            &returned_http,
            "tenancy.authority.returns.jwks_url|allow_http",
        ),
        (&no_claim, "tenant_claim"),
        (&no_id, "tenancy.authority.client_id|needs it"),
        (
            &no_secret,
            "tenancy.authority.client_secret_file|client_secret_env",
        ),
        (&both, "tenancy.authority.client_secret_env|keep one"),
        (&http("role_claim = '/r'"), "tenancy.authority.role_claim"),
    ]);
}

#[test]
fn a_connection_takes_the_authoritys_token_where_there_is_one_to_take() {
    let with = |more: &str| format!("{HTTP}{RETURNS}{DATA}{more}");
    refused(&[
        (DATA, "connections.data.credentials|[tenancy.authority]"),
        (
            &format!("[tenancy.authority]\nkind = 'local'\n{DATA}"),
            "connections.data.credentials",
        ),
        (
            &with("credential_of = 'tenant'"),
            "connections.data.credential_of|caller's own",
        ),
        (&with("auth = { type = 'none' }"), "connections.data.auth"),
        (
            &with("headers = { x-a = '{external_tenant_id}' }"),
            "connections.data.headers.x-a",
        ),
        (
            &format!("{HTTP}{RETURNS}{DATA}[tenants.acme]\n[credentials.acme.data]\nfile = 'x'"),
            "credentials.acme.data|authority",
        ),
    ]);
    assert!(read(&with("credential_of = 'user'")).is_ok());
}

#[test]
fn what_an_issuer_may_do_is_read_and_bounded() {
    let asks = "[issuers.introspection]\nurl = 'https://idp.example/i'\nclient_id = 'host'\nclient_secret_file = 's'\n";
    let config = read(&format!(
        "{ISSUER}may_provision = true\nprovision_rate = 3\n{asks}"
    ))
    .unwrap();
    assert_eq!(
        config.may_provision,
        [("https://idp.example".to_owned(), 3)]
    );
    let (issuer, client) = config.introspection.unwrap();
    assert_eq!(
        (issuer.as_str(), client.id.as_str()),
        ("https://idp.example", "host")
    );
    assert_eq!(client.secret, SecretSource::File("conf/s".into()));
    let second = ISSUER.replace(
        "https://idp.example'\naud",
        "https://two.example'\ntenants = 'all'\naud",
    );
    let no_claim = ISSUER.replace("tenant_claim = '/tenantId'\n", "");
    refused(&[
        (
            &format!("{ISSUER}{asks}{second}{asks}"),
            "issuers[1].introspection|another issuer",
        ),
        (
            &format!("{ISSUER}{}", asks.replace("https:", "http:")),
            "issuers[0].introspection.url|allow_http",
        ),
        (
            &format!("{ISSUER}{}", asks.replace("client_secret_file = 's'", "")),
            "issuers[0].introspection.client_secret_file",
        ),
        (
            &format!("{ISSUER}{}", asks.replace("'host'", "''")),
            "issuers[0].introspection.client_id|empty",
        ),
        (
            &format!("{ISSUER}provision_rate = 3"),
            "issuers[0].provision_rate|may_provision",
        ),
        (
            &format!("{ISSUER}may_provision = true\nprovision_rate = 0"),
            "issuers[0].provision_rate|1 to 600",
        ),
        (
            &format!("{ISSUER}may_provision = true\nprovision_rate = 601"),
            "issuers[0].provision_rate",
        ),
        (
            &format!("{ISSUER}may_provision = true\n[tenancy]\nsingle = 'acme'"),
            "issuers[0].may_provision|single",
        ),
        (&no_claim, "issuers[0].tenant_claim|[tenancy] single"),
    ]);
    assert!(read(&format!("{no_claim}[tenancy]\nsingle = 'acme'")).is_ok());
}

#[test]
fn members_one_tenant_and_headers_are_read_and_bounded() {
    let members = "[tenancy.membership]\nurl = 'https://app.example/m'\n";
    assert_eq!(read(members).unwrap().membership.unwrap().max_age, 60);
    let single = read("[tenancy]\nsingle = 'acme'").unwrap();
    assert_eq!(single.tenants.len(), 1);
    let headers = read("[tenancy.machine]\ntenant_header = 'X-Org'")
        .unwrap()
        .machine_headers;
    assert_eq!(
        (headers.tenant.as_str(), headers.user.as_str()),
        ("x-org", "snc-userid")
    );
    let of = |more: &str| format!("{members}{more}");
    refused(&[
        (&of("max_age = 61"), "tenancy.membership.max_age|1 to 60"),
        (&of("max_age = 0"), "tenancy.membership.max_age"),
        (
            &of("token_file = 'a'\ntoken_env = 'B'"),
            "tenancy.membership.token_env|keep one",
        ),
        (
            &format!("[tenancy]\nsingle = 'acme'\n{members}"),
            "tenancy.membership|single",
        ),
        ("[tenancy]\nsingle = 'ACME'", "tenancy.single"),
        (
            "[tenancy]\nsingle = 'acme'\n[tenants.globex]",
            "tenancy.single|tenants.globex",
        ),
        (
            "[tenancy.machine]\ntenant_header = 'a b'",
            "tenancy.machine.tenant_header",
        ),
        (
            "[tenancy.machine]\nuser_header = 'Authorization'",
            "tenancy.machine.user_header",
        ),
        (
            "[tenancy.machine]\nuser_header = 'SNC-Tenant'",
            "tenancy.machine.user_header|two headers",
        ),
        (
            "[tenancy.machine]\ntenant_header = 'snc-userid'",
            "tenancy.machine.tenant_header|two headers",
        ),
    ]);
}

#[test]
fn a8_with_more_than_one_issuer_each_says_which_tenants_it_may_name() {
    let second = ISSUER.replace("https://idp.example'\naud", "https://two.example'\naud");
    let both =
        |first: &str, other: &str| format!("{ISSUER}{first}\n{second}{other}\n[tenants.acme]\n");
    let named = |tenants: &str| {
        let config = read(&both("tenants = 'all'", &format!("tenants = {tenants}"))).unwrap();
        config.issuers[1].tenants.clone().unwrap()
    };
    let id = |text: &str| TenantId::parse(text).unwrap();
    assert_eq!(named("'all'"), NamedTenants::All);
    assert_eq!(named("['acme']"), NamedTenants::Listed([id("acme")].into()));
    assert_eq!(
        named("{ prefix = 'ac' }"),
        NamedTenants::Prefix("ac".into())
    );
    assert_eq!(named("{ below = 'acme' }"), NamedTenants::Below(id("acme")));
    let mapped = NamedTenants::Mapped([("org_1".to_owned(), id("acme"))].into());
    assert_eq!(named("{ keys = { org_1 = 'acme' } }"), mapped);
    let all = "tenants = 'all'";
    let keyed = |key: &str| format!("{}keys = ['{key}']\n", both(all, all));
    refused(&[
        (&both("", all), "issuers[0].tenants|more than one issuer"),
        (&both(all, ""), "issuers[1].tenants|more than one issuer"),
        (&both(all, "tenants = []"), "issuers[1].tenants|no tenant"),
        (&both(all, "tenants = 'some'"), "issuers[1].tenants|all"),
        (
            &both(all, "tenants = { prefix = '' }"),
            "issuers[1].tenants|prefix",
        ),
        (
            &both(all, "tenants = { }"),
            "issuers[1].tenants|exactly one",
        ),
        (
            &both(all, "tenants = { prefix = 'a', below = 'b' }"),
            "issuers[1].tenants|exactly one",
        ),
        (&both(all, "tenants = ['A']"), "issuers[1].tenants"),
        (&keyed("org_1"), "tenants.acme.keys|ISSUER#org_1"),
        (
            &keyed("https://three.example#org_1"),
            "tenants.acme.keys|not configured",
        ),
        (
            &both(all, "tenants = { below = 'acme' }\nmay_provision = true"),
            "issuers[1].may_provision|below",
        ),
    ]);
    assert!(read(&keyed("https://two.example#org_1")).is_ok());
    // One issuer, and one tenant, need none of it.
    assert!(read(&format!("{ISSUER}[tenants.acme]\nkeys = ['org_1']")).is_ok());
    assert!(read(&format!("{ISSUER}{second}[tenancy]\nsingle = 'acme'")).is_ok());
    // Anybody can have a directory of a provider: it stays the tenant where one alone is served.
    let template = ISSUER
        .replace("'https://idp.example'", "'https://idp.example/{tid}/v2'")
        .replace("tenant_claim = '/tenantId'\n", "");
    let issuer = read(&format!("{template}[tenancy]\nsingle = 'acme'")).unwrap();
    assert_eq!(issuer.issuers[0].tenant_claim.as_deref(), Some("/tid"));
}

#[test]
fn a_profile_is_a_short_form_and_each_part_is_set_on_its_own() {
    let at = "[[issuers]]\nissuer = 'https://idp.example'\naudience = 'a'\njwks_url = 'https://idp.example/jwks'\n";
    for profile in toolhost_identity::ProviderProfile::ALL {
        let text = format!(
            "{at}profile = '{}'\ntenant_claim = '/t'\n",
            profile.as_str()
        );
        let issuer = read(&text).unwrap().issuers.remove(0);
        let rules = profile.rules();
        assert_eq!(
            (
                issuer.machine,
                issuer.id_token,
                issuer.audience_claims,
                issuer.typ,
                issuer.without_subject
            ),
            (
                rules.machine,
                rules.id_token,
                rules.audience_claims,
                rules.typ,
                rules.without_subject
            )
        );
        assert_eq!(issuer.tenant_claim.as_deref(), Some("/t"));
    }
    let keycloak = read(&format!("{at}profile = 'keycloak'\n"))
        .unwrap()
        .issuers
        .remove(0);
    assert_eq!(keycloak.tenant_claim.as_deref(), Some("/organization"));
    let own = "machine = { claim = ['/a', '/b'], same_as = '/c' }\nid_token = [{ claim = '/d', absent = true }]\naudience_claim = '/client_id'\nsubject_claim = '/oid'\nwithout_subject = 'refuse'\ntenant_member = 'id'\n";
    let issuer = read(&format!("{at}profile = 'keycloak'\n{own}"))
        .unwrap()
        .issuers
        .remove(0);
    assert_eq!(
        (issuer.machine.len(), issuer.machine[0].claims.len()),
        (1, 2)
    );
    assert_eq!(
        issuer.id_token[0].test,
        toolhost_identity::ClaimTest::Absent
    );
    assert_eq!(issuer.tenant_member.as_deref(), Some("id"));
    let with = |more: &str| format!("{at}tenant_claim = '/t'\n{more}\n");
    refused(&[
        (&with("profile = 'kecloak'"), "issuers[0].profile|keycloak"),
        (
            &with("machine = { claim = '/a' }"),
            "issuers[0].machine|exactly one",
        ),
        (
            &with("machine = { claim = '/a', equals = 'b', absent = true }"),
            "issuers[0].machine|exactly one",
        ),
        (
            &with("machine = { claim = '/a', absent = false }"),
            "issuers[0].machine|true",
        ),
        (
            &with("machine = { claim = 'a', absent = true }"),
            "issuers[0].machine.claim|pointer",
        ),
        (
            &with("machine = { claim = [], absent = true }"),
            "issuers[0].machine.claim|no claim",
        ),
        (
            &with("machine = { claim = '/a', same_as = 'b' }"),
            "issuers[0].machine.same_as|pointer",
        ),
        (&with("machine = { claim = '/a', equal = 'b' }"), "equals"),
        (
            &with("without_subject = 'maybe'"),
            "issuers[0].without_subject|refuse",
        ),
        (
            &with("subject_claim = 'oid'"),
            "issuers[0].subject_claim|pointer",
        ),
        (
            &with("audience_claim = 'aud'"),
            "issuers[0].audience_claim|pointer",
        ),
        (
            &with("").replace(
                "https://idp.example'\naud",
                "https://idp.example/{tid}x'\naud",
            ),
            "issuers[0].issuer|placeholder",
        ),
        (
            &with("").replace(
                "https://idp.example'\naud",
                "https://idp.example/{tid}'\naud",
            ),
            "issuers[0].issuer|/tid",
        ),
    ]);
}
