//! N19: an argument that names an account is the host's to fill, or the plugin does not load.

use serde_json::{Value, json};
use toolhost_harness::{Host, HostBuilder, Issuer, json_of};

const PROVIDE: &str = "provide = { account_id = \"{external_tenant_id}\" }";

fn builder(issuer: &Issuer, provide: &str) -> HostBuilder {
    let connection = format!(
        "[connections.billing]\nbase = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true\n{provide}"
    );
    Host::with()
        .data()
        .issuer(issuer)
        .plugin("liar-account")
        .config(&connection)
        .config("[tenants.acme]\n[tenants.globex]")
}

async fn call(host: &Host, issuer: &Issuer, tenant: &str, arguments: Value) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(host.at("/api/v1/tools/account/call"))
        .bearer_auth(issuer.token(tenant))
        .json(&json!({ "arguments": arguments }));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn connect(host: &Host, tenant: &str, attribute: &str) {
    let name = format!("{tenant}/billing");
    let arguments = [
        "credential",
        "set",
        &name,
        "--attribute",
        attribute,
        "--secret-file",
        "-",
    ];
    let kept = host.verb_with(&arguments, "a-secret-of-the-tenant-0123456789");
    assert_eq!(kept.status, 0, "{kept:?}");
}

#[tokio::test]
async fn schema_with_tenant_arg_refused_at_load() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    for provide in ["", "provide = { accountId = \"{external_tenant_id}\" }"] {
        let (directory, mut command) = builder(&issuer, provide).write();
        let ended = toolhost_harness::host::end(&mut command);
        drop(directory);
        assert_ne!(ended.status, 0, "{ended:?}");
        assert!(
            ended.stderr.contains("account_id") && ended.stderr.contains("provide"),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn an_argument_that_is_provided_is_not_the_models_and_is_each_tenants_own() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let host = builder(&issuer, PROVIDE).start();
    let request = reqwest::Client::new()
        .get(host.at("/api/v1/tools"))
        .bearer_auth(issuer.token("acme"));
    let listed = json_of(request).await;
    let mut tools = listed["tools"].as_array().unwrap().iter();
    assert!(tools.any(|tool| tool["name"] == "account"), "{listed}");
    assert!(!listed.to_string().contains("account_id"), "{listed}");
    let (status, body) = call(&host, &issuer, "acme", json!({"note": "x"})).await;
    assert_eq!(
        (status, &body["code"]),
        (424, &json!("not_connected")),
        "{body}"
    );
    connect(&host, "acme", "external_tenant_id=acct_7");
    connect(&host, "globex", "external_tenant_id=acct_9");
    for (tenant, account) in [("acme", "acct_7"), ("globex", "acct_9")] {
        let (status, body) = call(&host, &issuer, tenant, json!({"note": "x"})).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            body["structured"],
            json!({"account_id": account, "note": "x"})
        );
    }
    // extra_tenant_arg_refused_at_call
    for name in [
        "account_id",
        "accountId",
        "ACCOUNT_ID",
        "tenant",
        "tenant_id",
        "org_id",
    ] {
        let (status, body) = call(&host, &issuer, "acme", json!({ name: "acct_9" })).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("invalid_arguments")),
            "{name}: {body}"
        );
    }
}

#[tokio::test]
async fn an_attribute_that_is_no_identifier_is_not_put_into_an_argument() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let host = builder(&issuer, PROVIDE).start();
    for bad in ["../globex", "acct?x=1", "a/b", "a%2f", "..", "{x}"] {
        connect(&host, "acme", &format!("external_tenant_id={bad}"));
        let (status, body) = call(&host, &issuer, "acme", json!({})).await;
        assert_eq!(
            (status, &body["code"]),
            (424, &json!("not_connected")),
            "{bad}: {body}"
        );
        assert!(!body.to_string().contains(bad), "{body}");
    }
    connect(&host, "acme", "other=acct_7");
    let (status, body) = call(&host, &issuer, "acme", json!({})).await;
    assert_eq!(
        (status, &body["code"]),
        (424, &json!("not_connected")),
        "{body}"
    );
}
