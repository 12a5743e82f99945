use serde_json::json;

use super::{code, scene_with};

#[tokio::test(flavor = "multi_thread")]
async fn every_budget_of_a_call_ends_where_it_says() {
    let scene = scene_with(
        |_| {},
        |limits| {
            limits.http_calls = Some(5);
            limits.request_bytes = Some(1_000);
            limits.headers = Some(3);
            limits.header_bytes = Some(100);
        },
    )
    .await;
    let many = json!({"connection": "echo", "path": "/echo", "n": 9});
    let answer = scene
        .rig
        .call("acme", "many_http", many.clone())
        .await
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(
        (&answer["answered"], code(&answer)),
        (&json!(5), "limit"),
        "{answer}"
    );
    assert_eq!(scene.echo.seen().len(), 5);
    // Side by side as well as one after the other; the next call has a budget of its own.
    let answer = scene
        .rig
        .call("acme", "http_join", many)
        .await
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(answer.to_string().matches("fine").count(), 5, "{answer}");
    assert_eq!(scene.echo.seen().len(), 10);
    for (request, key) in [
        (
            json!({"connection": "echo", "method": "POST", "path": "/echo", "body": "x".repeat(1_001)}),
            "request_bytes",
        ),
        (
            json!({"connection": "echo", "path": "/echo", "headers": [["x-probe", "v".repeat(100)]]}),
            "header_bytes",
        ),
        (
            json!({"connection": "echo", "path": "/echo", "headers": [["accept", "a"], ["x-probe", "b"], ["if-match", "c"], ["user-agent", "d"]]}),
            "headers",
        ),
    ] {
        let answer = scene.probe(request).await;
        assert_eq!(
            (code(&answer), &answer["error"]["sent"]),
            ("limit", &json!(false)),
            "{answer}"
        );
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(key),
            "{answer}"
        );
    }
    let long = json!({"connection": "echo", "path": "/echo", "query": [["q", "x".repeat(9_000)]]});
    assert_eq!(code(&scene.probe(long).await), "invalid-request");
    let exact =
        json!({"connection": "echo", "method": "POST", "path": "/echo", "body": "x".repeat(1_000)});
    assert_eq!(scene.probe(exact).await["status"], 200);
    assert_eq!(scene.echo.seen().len(), 11);
}
