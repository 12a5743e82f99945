use serde_json::json;
use toolhost_harness::host;

use crate::adapters::{System, builder, call, issuer, names, secret, text, tools};

const HEADERS: &str = "headers = { x-account-id = \"{external_tenant_id}\" }";

fn spec(system: &System) -> String {
    format!("spec = \"{}/openapi.json\"", system.upstream.url())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_of_a_document_are_tools_and_each_tenant_calls_with_its_own_credential() {
    let (system, issuer) = (System::start().await, issuer());
    let host = builder(&issuer, "openapi", &format!("{}\n{HEADERS}", spec(&system))).start();
    assert_eq!(
        names(&host, &issuer).await,
        [
            "billing__createInvoice",
            "billing__getInvoice",
            "billing__getPlan",
            "billing__listInvoices"
        ]
    );
    for tenant in ["acme", "globex"] {
        let (status, body) = call(
            &host,
            &issuer,
            tenant,
            "billing__getInvoice",
            json!({"id": "a b"}),
        )
        .await;
        assert_eq!(
            (status, &body["structured"]),
            (200, &json!({"id": "a b"})),
            "{body}"
        );
        let (status, body) = call(
            &host,
            &issuer,
            tenant,
            "billing__listInvoices",
            json!({"limit": 2}),
        )
        .await;
        assert_eq!(status, 200, "{body}");
        let seen = system.upstream.seen().pop().unwrap();
        assert_eq!(
            seen.header("x-account-id"),
            Some(&*format!("acct_{tenant}"))
        );
        assert_eq!(
            seen.header("authorization"),
            Some(&*format!("Bearer {}", secret(tenant)))
        );
    }
    assert!(system.paths().contains(&"/v1/invoices/a%20b".to_owned()));
    assert!(system.paths().contains(&"/v1/invoices?limit=2".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_meets_no_header_that_the_operator_sets_and_cannot_set_it() {
    let (system, issuer) = (System::start().await, issuer());
    let host = builder(&issuer, "openapi", &format!("{}\n{HEADERS}", spec(&system))).start();
    let tools = tools(&host, &issuer).await;
    let list = tools
        .iter()
        .find(|tool| tool["name"] == "billing__listInvoices")
        .unwrap();
    assert_eq!(
        list["input_schema"]["properties"],
        json!({"limit": {"type": "integer"}}),
        "{list}"
    );
    for name in ["X-Account-Id", "x-account-id", "x_account_id", "unknown"] {
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__listInvoices",
            json!({name: "acct_globex"}),
        )
        .await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("invalid_arguments")),
            "{name}: {body}"
        );
    }
    assert!(system.paths().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_would_leave_its_place_is_refused_before_anything_is_sent() {
    let (system, issuer) = (System::start().await, issuer());
    let host = builder(&issuer, "openapi", &format!("{}\n{HEADERS}", spec(&system))).start();
    for id in [
        "..",
        "../accounts",
        "a/b",
        "%2e%2e",
        "a%2fb",
        "..\\..",
        "",
        "a\u{0}b",
    ] {
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__getInvoice",
            json!({"id": id}),
        )
        .await;
        assert_ne!(status, 200, "{id:?}: {body}");
    }
    assert!(system.paths().is_empty(), "{:?}", system.paths());
    for id in ["a?x=1", "a#b", "a;b=c", "@evil.example", "a&b"] {
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__getInvoice",
            json!({"id": id}),
        )
        .await;
        assert_eq!(
            (status, &body["structured"]["id"]),
            (200, &json!(id)),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_in_a_file_needs_a_base_where_its_own_is_no_place() {
    let (system, issuer) = (System::start().await, issuer());
    let document = crate::adapters::document().to_string();
    let without =
        builder(&issuer, "openapi", "spec = \"billing.json\"").file("billing.json", &document);
    let (directory, mut command) = without.write();
    let ended = host::end(&mut command);
    drop(directory);
    assert_eq!(ended.status, 2, "{ended:?}");
    assert!(
        ended.stderr.contains("connections.billing.base is missing"),
        "{ended:?}"
    );
    let lines = format!(
        "spec = \"billing.json\"\nbase = \"{}/v1\"\n{HEADERS}",
        system.upstream.url()
    );
    let host = builder(&issuer, "openapi", &lines)
        .file("billing.json", &document)
        .start();
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__getInvoice",
        json!({"id": "7"}),
    )
    .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(text(&body), "{\"id\":\"7\"}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_that_a_document_proposes_is_checked_as_a_configured_one() {
    let (system, issuer) = (System::start().await, issuer());
    for (url, says) in [
        ("https://user:pw@billing.example.com", "user or password"),
        ("ftp://billing.example.com", "neither https nor http"),
    ] {
        let mut document = crate::adapters::document();
        document["servers"] = json!([{ "url": url }]);
        system.describes(&document);
        let (directory, mut command) = builder(&issuer, "openapi", &spec(&system)).write();
        let ended = host::end(&mut command);
        drop(directory);
        assert_eq!(ended.status, 2, "{url}: {ended:?}");
        assert!(
            ended.stderr.contains("connections.billing.base") && ended.stderr.contains(says),
            "{url}: {ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_is_not_assigned_the_connection_has_none_of_its_tools() {
    let (system, issuer) = (System::start().await, issuer());
    let lines = format!("{}\n{HEADERS}", spec(&system));
    let host = builder(&issuer, "openapi", &lines)
        .data()
        .config("[tenancy]\nplugins = \"assigned\"")
        .start();
    assert!(names(&host, &issuer).await.is_empty());
    let done = host.verb(&[
        "plugin",
        "assign",
        "billing",
        "acme",
        "--tool",
        "billing__getInvoice",
        "--mode",
        "read-only",
    ]);
    assert_eq!(done.status, 0, "{done:?}");
    assert_eq!(names(&host, &issuer).await, ["billing__getInvoice"]);
    let (status, body) = call(
        &host,
        &issuer,
        "globex",
        "billing__getInvoice",
        json!({"id": "7"}),
    )
    .await;
    assert_eq!(
        (status, &body["code"]),
        (404, &json!("not_found")),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operation_mode_bounds_the_tools_of_a_document_too() {
    let (system, issuer) = (System::start().await, issuer());
    let lines = format!("{}\n{HEADERS}", spec(&system));
    let host = builder(&issuer, "openapi", &lines)
        .config("[tools]\nmode = \"read-only\"")
        .start();
    assert!(
        !names(&host, &issuer)
            .await
            .contains(&"billing__createInvoice".to_owned())
    );
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__createInvoice",
        json!({"total": 1}),
    )
    .await;
    assert_eq!(
        (status, &body["code"]),
        (403, &json!("operation_mode_blocked")),
        "{body}"
    );
}
