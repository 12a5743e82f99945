//! What real clients see.

use super::*;

#[tokio::test]
async fn two_tenants_of_every_client_get_two_different_answers() {
    let world = World::start().await;
    for (client, mode, version) in Client::ALL {
        for tenant in ["acme", "globex"] {
            let calls = json!([
                {"name": "list_invoices", "arguments": {"limit": 3}},
                {"name": "list_invoices", "arguments": {"limit": 3, "tenant": "globex"}},
                {"name": "no_such_tool", "arguments": {}},
            ]);
            let plan = json!({"url": world.url(), "mode": mode, "token": world.token(tenant), "calls": calls});
            let said = client.run(&plan).await;
            let who = format!("{client:?} {mode} {tenant}: {said}");
            assert_eq!(said["protocol"], version, "{who}");
            assert_eq!(
                said["tools"],
                json!(["create_refund", "get_invoice", "list_invoices"]),
                "{who}"
            );
            let results = &said["results"];
            assert_eq!(
                results[0]["structured"]["invoices"],
                json!([invoice(tenant)]),
                "{who}"
            );
            assert_eq!(results[0]["isError"], false, "{who}");
            // The shape of an error: a flag, a sentence, and a code where programs look for it.
            assert_eq!(results[1]["isError"], true, "{who}");
            assert!(
                results[1]["content"][0]["text"]
                    .as_str()
                    .unwrap()
                    .contains("tenant"),
                "{who}"
            );
            assert_eq!(
                results[1]["meta"]["toolhost/error"]["code"], "invalid_arguments",
                "{who}"
            );
            assert_eq!(results[2]["error"]["code"], -32602, "{who}");
        }
    }
    // Each call carried the credential of its own tenant, and no token of a caller went any
    // further.
    let seen = world.billing.upstream.seen();
    assert_eq!(seen.len(), 2 * Client::ALL.len());
    for (index, request) in seen.iter().enumerate() {
        let tenant = ["acme", "globex"][index % 2];
        assert_eq!(
            request.header("x-account-id"),
            Some(format!("acct_{tenant}").as_str())
        );
        assert!(!format!("{request:?}").contains(&world.token(tenant)[..20]));
    }
    let log = world.host.log();
    assert!(
        !log.contains("billing-secret") && !log.contains("eyJ"),
        "{log}"
    );
}

#[tokio::test]
async fn progress_and_questions_reach_every_client_that_can_take_them() {
    let host = fixtures();
    for (client, mode, _) in Client::ALL {
        let plan = json!({
            "url": host.url(), "mode": mode, "sampling": "Paris",
            "elicitation": {"action": "accept", "content": {"username": "ada", "email": "a@b"}},
            "calls": [
                {"name": "test_tool_with_progress", "arguments": {}},
                {"name": "test_elicitation", "arguments": {"message": "who are you?"}},
                {"name": "test_sampling", "arguments": {"prompt": "capital?"}},
            ],
        });
        let said = client.run(&plan).await;
        let who = format!("{client:?} {mode}: {said}");
        let progress: Vec<f64> =
            serde_json::from_value(said["results"][0]["progress"].clone()).expect(&who);
        assert_eq!(progress, [0.0, 50.0, 100.0], "{who}");
        let text = |index: usize| {
            said["results"][index]["content"][0]["text"]
                .as_str()
                .unwrap_or_default()
        };
        assert!(
            text(1).contains("action=accept") && text(1).contains("ada"),
            "{who}"
        );
        assert_eq!(text(2), "LLM response: Paris", "{who}");
    }
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_told_so_and_one_that_declines_is_believed() {
    let host = fixtures();
    let calls = json!([{"name": "test_elicitation", "arguments": {"message": "who are you?"}}]);
    for (client, mode, version) in [
        Client::ALL[0],
        Client::ALL[2],
        Client::ALL[4],
        Client::ALL[5],
    ] {
        let plan = json!({"url": host.url(), "mode": mode, "calls": calls});
        let said = client.run(&plan).await;
        let result = &said["results"][0];
        if version == "2026-07-28" {
            // The protocol has a code of its own for it, with what a client would have to declare.
            assert_eq!(result["error"]["code"], -32021, "{client:?} {mode}: {said}");
        } else {
            assert_eq!(
                result["structured"]["error"]["code"], "input_unsupported",
                "{client:?} {mode}: {said}"
            );
        }
        let plan = json!({"url": host.url(), "mode": mode, "elicitation": {"action": "decline"}, "calls": calls});
        let said = client.run(&plan).await;
        let text = said["results"][0]["content"][0]["text"]
            .as_str()
            .unwrap_or_default();
        assert!(text.contains("action=decline"), "{client:?} {mode}: {said}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_call_with_it() {
    let world = World::start().await;
    let token = world.token("acme");
    // The stateless protocol: closing the connection is cancelling.
    let call = mcp::modern(world.url(), invoices(NEVER), json!({}))
        .bearer_auth(&token)
        .send();
    let waiting = tokio::time::timeout(Duration::from_millis(600), call).await;
    assert!(waiting.is_err(), "nobody answered");
    world.billing.asked(1).await;
    world.billing.dropped(1).await;
    // The API likewise.
    let body = json!({"arguments": {"limit": NEVER}});
    let api = world.host.at("/api/v1/tools/list_invoices/call");
    let call = reqwest::Client::new()
        .post(api)
        .bearer_auth(&token)
        .json(&body)
        .send();
    assert!(
        tokio::time::timeout(Duration::from_millis(600), call)
            .await
            .is_err()
    );
    world.billing.dropped(2).await;
    // An older client says that it cancels.
    let calls = json!([{"name": "list_invoices", "arguments": {"limit": NEVER}, "abort_ms": 400}]);
    for client in [Client::TypeScript1, Client::TypeScript2] {
        let plan = json!({"url": world.url(), "mode": "legacy", "token": token, "calls": calls});
        let said = client.run(&plan).await;
        assert!(said["results"][0]["error"].is_object(), "{said}");
    }
    world.billing.dropped(4).await;
    let after = mcp::modern(world.url(), invoices(3), json!({}))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(mcp::answer(after).await["result"]["isError"], false);
}
