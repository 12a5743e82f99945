//! `[tenancy] switch`.

use super::*;

#[tokio::test]
async fn where_switching_is_off_the_tools_are_not_there() {
    let world = World::start("[tenancy]\nswitch = \"off\"").await;
    let token = world.owner();
    let session = world.session(&token).await;
    for listed in [
        world.legacy(&token, &session, mcp::list()).await,
        world.modern(&token, mcp::list(), json!({})).await,
    ] {
        let listed = names(&listed);
        assert!(listed.contains(&"list_invoices"), "{listed:?}");
        let own = |name: &&str| *name == "help" || name.contains("tenant");
        assert!(!listed.iter().any(own), "{listed:?}");
    }
    for call in [switch("globex"), reset(), tenants()] {
        for answer in [
            world.legacy(&token, &session, call.clone()).await,
            world.modern(&token, call.clone(), json!({})).await,
        ] {
            assert_eq!(answer["error"]["data"]["code"], "not_found", "{answer}");
        }
    }
    is_of(&world.legacy(&token, &session, invoices()).await, "acme");
}

/// What was chosen before counts no more.
#[tokio::test]
async fn a_choice_from_before_does_not_outlast_the_permission_to_choose() {
    let billing = Billing::start().await;
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let build = |host: toolhost_harness::HostBuilder| {
        host.issuer(&issuer)
            .config("role_claim = \"/role\"\nmay_grant = [\"owner\"]")
            .sealed_billing(&billing.url())
            .config("parent = \"acme\"")
    };
    let host = build(Host::with())
        .config("[tenancy]\nswitch = \"free\"")
        .start();
    let token = issuer.mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}));
    let request = mcp::modern(host.url(), switch("globex"), json!({})).bearer_auth(&token);
    let given = mcp::answer(request.send().await.unwrap()).await;
    let context = given["result"]["structuredContent"]["tenant_context"].clone();
    let call = |host: &Host| {
        let call = mcp::call("help", json!({ "tenant_context": context }));
        mcp::modern(host.url(), call, json!({}))
            .bearer_auth(&token)
            .send()
    };
    let known = mcp::answer(call(&host).await.unwrap()).await;
    assert_eq!(
        known["result"]["_meta"]["toolhost/active_tenant"], "globex",
        "{known}"
    );
    // It is kept: another process over the same data knows it too.
    let host = host.killed_and_started();
    let known = mcp::answer(call(&host).await.unwrap()).await;
    assert_eq!(
        known["result"]["_meta"]["toolhost/active_tenant"], "globex",
        "{known}"
    );
    let file = host.directory().join("host.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"free\"", "\"off\"")).unwrap();
    let host = host.killed_and_started();
    let answer = mcp::answer(call(&host).await.unwrap()).await;
    assert_eq!(code(&answer), "invalid_arguments");
    let request = mcp::modern(host.url(), invoices(), json!({})).bearer_auth(&token);
    let (client, request) = request.build_split();
    let answer = mcp::answer(
        client
            .execute(with_meta(
                request.unwrap(),
                &json!({"toolhost/tenant_context": context}),
            ))
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(code(&answer), "not_found");
}

#[tokio::test]
async fn a_word_that_is_no_mode_is_refused() {
    let (directory, mut command) = Host::with()
        .config("[tenancy]\nswitch = \"always\"")
        .arguments(&["--dev-tenant", "acme"])
        .write();
    let ended = toolhost_harness::host::end(&mut command);
    drop(directory);
    let said = format!("{ended:?}");
    assert!(
        said.contains("tenancy.switch") && said.contains("free, confirm, off"),
        "{said}"
    );
}
