//! `host explain` looks at what an adapter's tools may send: the operation, the assignment and the
//! mode of a call.

use serde_json::{Value, json};
use toolhost_harness::Host;
use toolhost_harness::host::write;

use crate::adapters::{System, builder, issuer};

fn explain(host: &Host, method: &str, path: &str) -> (i32, Value) {
    let arguments = [
        "explain",
        "billing",
        method,
        path,
        "--as",
        "@acme.jwt",
        "--output",
        "json",
    ];
    let ended = host.verb(&arguments);
    (ended.status, ended.json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_an_operation_is_explained_as_its_call_is_planned() {
    let (system, issuer) = (System::start().await, issuer());
    let lines = format!("spec = \"{}/openapi.json\"", system.upstream.url());
    let mut host = builder(&issuer, "openapi", &lines).data().start();
    write(host.directory(), "acme.jwt", issuer.token("acme"));

    let (status, explained) = explain(&host, "GET", "/invoices/in_7");
    assert_eq!(
        (status, &explained["allowed"]),
        (0, &json!(true)),
        "{explained}"
    );
    let rule = &explained["rules"][0];
    assert_eq!(
        (&rule["tool"], &rule["matches"]),
        (&json!("billing__getInvoice"), &json!("GET /invoices/{id}")),
        "{explained}"
    );
    // A query key that the operation does not have, and a path of none.
    for (path, part) in [
        ("/invoices/in_7?admin=1", "query key"),
        ("/customers", "operations"),
    ] {
        let (status, explained) = explain(&host, "GET", path);
        assert_eq!(status, 4, "{explained}");
        assert!(
            explained["refused"].to_string().contains(part),
            "{explained}"
        );
    }
    // What the operator narrows is narrowed here too, beside the host and without it.
    for is_running in [true, false] {
        if !is_running {
            host.kill();
        }
        let narrowed = host.verb(&["plugin", "assign", "billing", "acme", "--mode", "read-only"]);
        assert_eq!(narrowed.status, 0, "{narrowed:?}");
        assert_eq!(explain(&host, "GET", "/invoices").0, 0);
        let (status, explained) = explain(&host, "POST", "/invoices");
        assert_eq!(status, 4, "{explained}");
        assert!(
            explained["refused"].to_string().contains("read-only"),
            "{explained}"
        );
        assert_eq!(
            host.verb(&["plugin", "unassign", "billing", "acme"]).status,
            0
        );
        let (status, explained) = explain(&host, "GET", "/invoices");
        assert_eq!(status, 4, "{explained}");
        assert!(
            explained["refused"].to_string().contains("assigned"),
            "{explained}"
        );
    }
    assert!(system.paths().is_empty(), "nothing was sent");
}
