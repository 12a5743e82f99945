use std::time::Duration;

use serde_json::json;
use toolhost_harness::{Rig, connection};

use super::{ACME, GLOBEX, Scene, code, fine, probe, scene, scene_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_not_granted_does_not_exist_and_no_byte_leaves() {
    let other = fine().await;
    let scene = {
        let (echo, billing) = (fine().await, fine().await);
        // The operator has a third connection, with a credential; the plugin's manifest does not
        // name it.
        let rig = Rig::for_plugin("evil")
            .connection(connection("echo", &echo.url()))
            .connection(connection("billing", &billing.url()))
            .connection(connection("payroll", &other.url()))
            .credential("acme", "echo", ACME)
            .credential("acme", "payroll", "payroll-of-acme-0123456789")
            .build()
            .await;
        Scene { rig, echo, billing }
    };
    for name in [
        "payroll",
        "PAYROLL",
        "unknown",
        "",
        "../payroll",
        "echo/payroll",
        "echo\u{0}",
        " echo",
    ] {
        for path in ["/echo", "/v1/invoices", "/"] {
            scene
                .refused(json!({"connection": name, "path": path}), "denied")
                .await;
        }
    }
    assert!(other.seen().is_empty());
    // Whether it exists is not told: the sentence is the same as for one that nobody has.
    let message = async |name: &str| {
        let answer = scene
            .probe(json!({"connection": name, "path": "/echo"}))
            .await;
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .replace(name, "X")
    };
    assert_eq!(message("payroll").await, message("unknown").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_a_credential_is_not_connected_and_no_byte_leaves() {
    let scene = scene().await;
    let before = probe(
        &scene.rig,
        "acme",
        json!({"connection": "echo", "path": "/echo"}),
    )
    .await;
    assert_eq!(before["status"], 200);
    for (tenant, connection, path) in [
        ("initech", "echo", "/echo"),
        ("globex", "billing", "/v1/invoices"),
    ] {
        let answer = probe(
            &scene.rig,
            tenant,
            json!({"connection": connection, "path": path}),
        )
        .await;
        assert_eq!(
            (code(&answer), &answer["error"]["sent"]),
            ("not-connected", &json!(false)),
            "{answer}"
        );
        let text = answer.to_string();
        assert!(!text.contains("acme") && !text.contains("globex"), "{text}");
    }
    assert_eq!(scene.echo.seen().len(), 1);
    assert!(scene.billing.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn interleaved_calls_of_two_tenants_each_carry_their_own_credential() {
    let scene = scene_with(|_| {}, |_| {}).await;
    let call = async |tenant: &'static str, number: usize| {
        let tool = ["http", "http_start", "http_join"][number % 3];
        let id = format!("{tenant}-{number}");
        let request =
            json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", id]], "n": 2});
        loop {
            match scene.rig.call(tenant, tool, request.clone()).await {
                Ok(output) => return output.structured.unwrap().to_string(),
                Err(error) if error.code == toolhost_policy::ErrorCode::Busy => {
                    tokio::time::sleep(Duration::from_millis(2)).await
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    let calls = (0..300).map(|number| call(["acme", "globex"][(number * 7 / 3) % 2], number));
    let answers: Vec<String> = futures::stream::StreamExt::collect(
        futures::stream::StreamExt::buffer_unordered(futures::stream::iter(calls), 12),
    )
    .await;
    assert!(
        answers.iter().all(|answer| answer.contains("fine")),
        "{answers:?}"
    );
    let seen = scene.echo.seen();
    assert_eq!(
        seen.len(),
        400,
        "300 calls, every third of them of two requests"
    );
    for request in seen {
        let owner = if request.uri.starts_with("/echo/acme-") {
            ACME
        } else {
            GLOBEX
        };
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {owner}").as_str()),
            "{}",
            request.uri
        );
    }
    // What the audit says of each agrees with what arrived.
    let events = serde_json::to_value(scene.rig.audit.events()).unwrap();
    let of = |tenant: &str| {
        events
            .as_array()
            .unwrap()
            .iter()
            .filter(|e| e["event"] == "egress_intent" && e["tenant"] == tenant)
            .count()
    };
    assert_eq!(of("acme") + of("globex"), 400);
}
