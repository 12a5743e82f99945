//! Arguments of a document that name an account are kept, and can be the host's to fill (N19).

use serde_json::{Value, json};

use crate::adapters::{System, builder, call, issuer, tools};

const PROVIDE: &str = "provide = { account_id = \"{external_tenant_id}\" }";

fn lines(system: &System, more: &str) -> String {
    format!("spec = \"{}/openapi.json\"\n{more}", system.upstream.url())
}

fn plan(tools: &[Value]) -> &Value {
    let plan = tools.iter().find(|tool| tool["name"] == "billing__getPlan");
    &plan.unwrap()["input_schema"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_of_a_document_is_the_models_unless_it_is_provided() {
    let (system, issuer) = (System::start().await, issuer());
    let host = builder(&issuer, "openapi", &lines(&system, "")).start();
    assert_eq!(
        plan(&tools(&host, &issuer).await)["required"],
        json!(["account_id"])
    );
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__getPlan",
        json!({"account_id": "9"}),
    )
    .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(system.paths(), ["/v1/accounts/9/plan"]);
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__getPlan",
        json!({"account_id": "9", "tenant": "x"}),
    )
    .await;
    assert_eq!(
        (status, &body["code"]),
        (400, &json!("invalid_arguments")),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_provided_leaves_the_schema_is_refused_from_the_model_and_is_each_tenants_own() {
    let (system, issuer) = (System::start().await, issuer());
    let host = builder(&issuer, "openapi", &lines(&system, PROVIDE)).start();
    let tools = tools(&host, &issuer).await;
    assert_eq!(plan(&tools)["properties"], json!({}), "{tools:?}");
    for tenant in ["acme", "globex"] {
        let (status, body) = call(&host, &issuer, tenant, "billing__getPlan", json!({})).await;
        assert_eq!(status, 200, "{body}");
        let forged = json!({"account_id": "acct_globex"});
        let (status, body) = call(&host, &issuer, tenant, "billing__getPlan", forged).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("invalid_arguments")),
            "{body}"
        );
    }
    assert_eq!(
        system.paths(),
        [
            "/v1/accounts/acct_acme/plan",
            "/v1/accounts/acct_globex/plan"
        ]
    );
}
