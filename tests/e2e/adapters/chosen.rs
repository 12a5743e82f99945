//! Which operations of a document are served: exactly one of allow and block, and every name in it
//! means something.

use toolhost_harness::host;

use crate::adapters::{System, builder, call, issuer, names};

fn lines(system: &System, choice: &str) -> String {
    format!(
        "spec = \"{}/openapi.json\"\noperations = {choice}",
        system.upstream.url()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_that_are_not_allowed_are_no_tools() {
    let (system, issuer) = (System::start().await, issuer());
    let allowed = lines(&system, "{ allow = [\"getInvoice\", \"getPlan\"] }");
    let host = builder(&issuer, "openapi", &allowed).start();
    assert_eq!(
        names(&host, &issuer).await,
        ["billing__getInvoice", "billing__getPlan"]
    );
    let (status, _) = call(
        &host,
        &issuer,
        "acme",
        "billing__createInvoice",
        serde_json::json!({}),
    )
    .await;
    assert_eq!(status, 404);
    let blocked = lines(&system, "{ block = [\"createInvoice\"] }");
    let host = builder(&issuer, "openapi", &blocked).start();
    assert_eq!(
        names(&host, &issuer).await,
        [
            "billing__getInvoice",
            "billing__getPlan",
            "billing__listInvoices"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_no_operation_is_a_load_error_that_names_the_nearest() {
    let (system, issuer) = (System::start().await, issuer());
    for (choice, says) in [
        ("{ allow = [\"getInvoices\"] }", "did you mean getInvoice?"),
        (
            "{ block = [\"listinvoices\"] }",
            "did you mean listInvoices?",
        ),
        ("{ allow = [\"getFile\"] }", "gives no tool"),
        ("{ allow = [\"zzzz\"] }", "there is no operation"),
    ] {
        let (directory, mut command) = builder(&issuer, "openapi", &lines(&system, choice)).write();
        let ended = host::end(&mut command);
        drop(directory);
        assert_eq!(ended.status, 2, "{choice}: {ended:?}");
        assert!(
            ended.stderr.contains("connections.billing.operations") && ended.stderr.contains(says),
            "{choice}: {ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_of_the_connection_bound_its_tools_as_they_bound_plugins() {
    let (system, issuer) = (System::start().await, issuer());
    let lines = format!(
        "spec = \"{}/openapi.json\"\nallow = [{{ method = \"GET\", path = \"/invoices/{{id}}\" }}, {{ method = \"GET\", path = \"/invoices\" }}]\nheaders = {{ x-account-id = \"{{external_tenant_id}}\" }}",
        system.upstream.url()
    );
    let host = builder(&issuer, "openapi", &lines).start();
    assert_eq!(
        names(&host, &issuer).await,
        ["billing__getInvoice", "billing__listInvoices"]
    );
    let limit = serde_json::json!({"limit": 1});
    let (status, body) = call(&host, &issuer, "acme", "billing__listInvoices", limit).await;
    assert_eq!(
        (status, &body["code"]),
        (403, &serde_json::json!("egress_denied")),
        "{body}"
    );
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__listInvoices",
        serde_json::json!({}),
    )
    .await;
    assert_eq!(status, 200, "{body}");
}
