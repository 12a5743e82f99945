//! `[tenancy] switch = "confirm"`, which is the default: the person is asked.

use toolhost_harness::clients::Client;

use super::*;

/// What a client of the stateless protocol sends with its answer.
fn answered(call: Value, state: &Value, action: &str) -> Value {
    let mut call = call;
    call["params"]["requestState"] = state.clone();
    call["params"]["inputResponses"] = json!({"switch": {"action": action, "content": {}}});
    call
}

fn asks() -> Value {
    json!({"elicitation": {}})
}

#[tokio::test]
async fn a_client_that_cannot_ask_does_not_switch() {
    let world = World::start("").await;
    let token = world.owner();
    let session = world.session(&token).await;
    assert_eq!(
        code(&world.legacy(&token, &session, switch("globex")).await),
        "input_unsupported"
    );
    is_of(&world.legacy(&token, &session, invoices()).await, "acme");
    let refused = world.modern(&token, switch("globex"), json!({})).await;
    assert_eq!(code(&refused), "input_unsupported");
    // An answer to what nobody was asked is none.
    let forged = answered(switch("globex"), &json!("AAAA"), "accept");
    let answer = world.modern(&token, forged, json!({})).await;
    assert_eq!(
        answer["error"]["data"]["code"], "invalid_request",
        "{answer}"
    );
}

#[tokio::test]
async fn an_answer_counts_for_its_own_person_and_tenant_and_once() {
    let world = World::start("").await;
    let token = world.token("sue", "superadmin");
    let ask = async |tenant: &str| {
        let asked = world.able(&token, switch(tenant), json!({}), asks()).await;
        let result = asked["result"].clone();
        assert_eq!(result["resultType"], "input_required", "{asked}");
        result
    };
    let asked = ask("globex").await;
    let message = asked["inputRequests"]["switch"]["params"]["message"]
        .as_str()
        .unwrap();
    assert!(message.contains("Globex (globex)"), "{message}");
    let state = &asked["requestState"];
    let send = async |token: &str, call: Value| world.able(token, call, json!({}), asks()).await;
    let done = send(&token, answered(switch("globex"), state, "accept")).await;
    assert_eq!(
        done["result"]["structuredContent"]["active_tenant_id"], "globex",
        "{done}"
    );
    let again = send(&token, answered(switch("globex"), state, "accept")).await;
    assert_eq!(again["error"]["data"]["code"], "invalid_request", "{again}");
    for action in ["decline", "cancel"] {
        let asked = ask("globex").await;
        let no = send(
            &token,
            answered(switch("globex"), &asked["requestState"], action),
        )
        .await;
        assert_eq!(code(&no), "forbidden");
    }
    let asked = ask("initech").await;
    let moved = send(
        &token,
        answered(switch("globex"), &asked["requestState"], "accept"),
    )
    .await;
    assert_eq!(moved["error"]["data"]["code"], "invalid_request", "{moved}");
    let asked = ask("globex").await;
    let eve = world.token("eve", "superadmin");
    let stolen = send(
        &eve,
        answered(switch("globex"), &asked["requestState"], "accept"),
    )
    .await;
    assert_eq!(
        stolen["error"]["data"]["code"], "invalid_request",
        "{stolen}"
    );
    // A tenant out of reach is not asked about.
    let unknown = world
        .able(&world.owner(), switch("initech"), json!({}), asks())
        .await;
    assert_eq!(code(&unknown), "tenant_unavailable");
}

#[tokio::test]
async fn real_clients_ask_their_person_and_switch_if_that_says_yes() {
    let world = World::start("").await;
    for (client, mode, _) in Client::ALL {
        for (action, active) in [("accept", "globex"), ("decline", "acme")] {
            let plan = json!({
                "url": world.url(), "mode": mode, "token": world.owner(),
                "elicitation": {"action": action, "content": {}},
                "calls": [{"name": "switch_tenant", "arguments": {"tenantId": "globex"}}, {"name": "list_invoices", "arguments": {"limit": 3}}],
            });
            let said = client.run(&plan).await;
            let who = format!("{client:?} {mode} {action}: {said}");
            let [switched, listed] = [&said["results"][0], &said["results"][1]];
            assert_eq!(switched["isError"], action == "decline", "{who}");
            if action == "accept" {
                assert_eq!(
                    switched["structured"]["active_tenant_id"], "globex",
                    "{who}"
                );
            }
            // Without a session the next call says for which tenant it is, and this one did not.
            let active = if switched["structured"].get("tenant_context").is_some() {
                "acme"
            } else {
                active
            };
            assert_eq!(
                listed["structured"]["invoices"],
                json!([invoice(active)]),
                "{who}"
            );
        }
    }
}
