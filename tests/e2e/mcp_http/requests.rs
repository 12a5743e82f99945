//! Requests that no client would make.

use super::*;

/// T27, T28: an id that somebody else got is no id.
#[tokio::test]
async fn a_session_of_another_caller_is_as_if_it_were_unknown() {
    let world = World::start().await;
    let url = world.url();
    let session = mcp::initialize(url, &world.token("acme"), json!({})).await;
    let others = [
        ("another tenant", world.token("globex")),
        (
            "another user",
            world
                .issuer
                .mint(&json!({"tenantId": "acme", "sub": "user-2"})),
        ),
        (
            "another client",
            world
                .issuer
                .mint(&json!({"tenantId": "acme", "client_id": "client-2"})),
        ),
    ];
    for (who, token) in &others {
        for (method, body) in [
            (Method::POST, Some(mcp::list())),
            (Method::GET, None),
            (Method::DELETE, None),
        ] {
            let theirs =
                mcp::legacy(method.clone(), url, token, Some(&session), body.clone()).await;
            let unknown = mcp::legacy(
                method.clone(),
                url,
                token,
                Some("00000000-0000-0000-0000-000000000000"),
                body,
            )
            .await;
            assert_eq!(theirs.status(), 404, "{who} {method}");
            // And nothing tells the two apart.
            assert_eq!(unknown.status(), 404, "{who} {method}");
            let headers = |response: &reqwest::Response| {
                let mut headers = response.headers().clone();
                headers.remove("date");
                headers
            };
            assert_eq!(headers(&theirs), headers(&unknown), "{who} {method}");
            assert_eq!(
                theirs.text().await.unwrap(),
                unknown.text().await.unwrap(),
                "{who} {method}"
            );
        }
    }
    // It is still its owner's, with a newer token too, until its owner ends it.
    let newer = world.issuer.mint(&json!({"tenantId": "acme", "jti": "2"}));
    for token in [world.token("acme"), newer] {
        let mine = mcp::legacy(Method::POST, url, &token, Some(&session), Some(invoices(3))).await;
        assert_eq!(mine.status(), 200);
        let answer = mcp::answer(mine).await;
        assert_eq!(
            answer["result"]["structuredContent"]["invoices"],
            json!([invoice("acme")]),
            "{answer}"
        );
    }
    let token = world.token("acme");
    let ended = mcp::legacy(Method::DELETE, url, &token, Some(&session), None).await;
    assert_eq!(ended.status(), 204);
    let gone = mcp::legacy(Method::POST, url, &token, Some(&session), Some(mcp::list())).await;
    assert_eq!(gone.status(), 404);
}

/// A session is no proof of who calls: each request is its own token's.
#[tokio::test]
async fn a_session_without_a_token_or_with_an_expired_one_is_refused() {
    let world = World::start().await;
    let session = mcp::initialize(world.url(), &world.token("acme"), json!({})).await;
    let expired = world
        .issuer
        .mint(&json!({"tenantId": "acme", "exp": toolhost_harness::issuer::now() - 60}));
    for token in ["", "nonsense", expired.as_str()] {
        let response = mcp::legacy(
            Method::POST,
            world.url(),
            token,
            Some(&session),
            Some(mcp::list()),
        )
        .await;
        assert!(
            matches!(response.status().as_u16(), 400 | 401),
            "{token:?}: {}",
            response.status()
        );
    }
    assert!(world.billing.upstream.seen().is_empty());
}

#[tokio::test]
async fn foreign_origins_and_names_are_refused_before_anything_else() {
    let world = World::start().await;
    let token = world.token("acme");
    let status = async |name: &'static str, value: &str| {
        let request = mcp::modern(world.url(), mcp::list(), json!({})).bearer_auth(&token);
        request
            .header(name, value)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let own = format!("http://{}", world.host.address());
    assert_eq!(status("origin", &own).await, 200);
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        &format!("{own}.evil.example"),
    ] {
        assert_eq!(status("origin", origin).await, 403, "{origin}");
    }
    for name in ["evil.example", "localhost:1", "127.0.0.1:1"] {
        assert_eq!(status("host", name).await, 403, "{name}");
    }
}

#[tokio::test]
async fn a_token_in_the_query_string_is_refused_even_beside_a_good_one() {
    let world = World::start().await;
    let token = world.token("acme");
    for name in ["access_token", "Access_Token", "token"] {
        let url = format!("{}?{name}={token}", world.url());
        for request in [
            mcp::modern(&url, mcp::list(), json!({})),
            mcp::modern(&url, mcp::list(), json!({})).bearer_auth(&token),
        ] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 400, "{name}");
            assert!(!response.text().await.unwrap().contains("eyJ"));
        }
    }
    assert!(
        !world.host.log().contains(&token[..40]),
        "a URL is not logged with its query"
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_the_host_goes_on() {
    let world = World::start().await;
    let token = world.token("acme");
    let message = "x".repeat(2 << 20);
    let large = mcp::modern(
        world.url(),
        mcp::call("get_invoice", json!({ "id": message })),
        json!({}),
    );
    let response = large.bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(
        response.json::<Value>().await.unwrap()["code"],
        "limit_exceeded"
    );
    // One that only claims to be large is refused before it is read.
    let claims = mcp::modern(world.url(), mcp::list(), json!({}))
        .bearer_auth(&token)
        .build()
        .unwrap();
    let mut claims = claims;
    claims
        .headers_mut()
        .insert("content-length", "99999999".parse().unwrap());
    let refused = tokio::time::timeout(
        Duration::from_secs(5),
        reqwest::Client::new().execute(claims),
    )
    .await;
    assert!(
        refused.is_ok(),
        "the host waits for a body that it would not take"
    );
    let after = mcp::modern(world.url(), mcp::list(), json!({}))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(after.status(), 200);
}

#[tokio::test]
async fn answers_that_nobody_asked_for_are_taken_as_a_first_call() {
    let host = fixtures();
    let with = |responses: Value, state: Option<&str>| {
        let mut body = mcp::call("test_input_required_result_elicitation", json!({}));
        body["params"]["inputResponses"] = responses;
        if let Some(state) = state {
            body["params"]["requestState"] = json!(state);
        }
        mcp::modern(host.url(), body, json!({"elicitation": {}}))
    };
    let forged = json!({"user_name": {"action": "accept", "content": {"name": "Mallory"}}});
    // Without the state that goes with them they are nobody's answers; the question is put again.
    let answer = mcp::answer(with(forged.clone(), None).send().await.unwrap()).await;
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    let state = answer["result"]["requestState"].as_str().unwrap();
    let tampered = mcp::answer(
        with(forged.clone(), Some(&format!("{state}x")))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(tampered["error"]["code"], -32602, "{tampered}");
    let done = mcp::answer(with(forged.clone(), Some(state)).send().await.unwrap()).await;
    assert_eq!(
        done["result"]["content"][0]["text"], "Hello, Mallory!",
        "{done}"
    );
    // And once is all.
    let again = mcp::answer(with(forged, Some(state)).send().await.unwrap()).await;
    assert_eq!(again["error"]["code"], -32602, "{again}");
}

/// What a client sends has no part in how much a host writes to its log.
#[tokio::test]
async fn an_error_that_a_client_causes_is_no_line_of_the_log() {
    let issuer = Issuer::es256(ISSUER, "k1");
    let host = Host::with().plugin("conformance").issuer(&issuer);
    let host = host.config("[tenants.acme]").env("RUST_LOG", "").start();
    let token = issuer.token("acme");
    let session = mcp::initialize(host.url(), &token, json!({})).await;
    let made_up = "made-up-".repeat(100);
    for body in [
        json!({"jsonrpc": "2.0", "id": 1, "method": made_up}),
        mcp::call(&made_up, json!({})),
        json!({"jsonrpc": "2.0", "method": made_up}),
    ] {
        let answer =
            mcp::legacy(Method::POST, host.url(), &token, Some(&session), Some(body)).await;
        assert!(answer.status().is_success(), "{answer:?}");
        let answered = answer.text().await.unwrap();
        assert!(!answered.contains(&made_up), "{answered}");
    }
    let foreign = reqwest::Client::new().get(host.at("/api/v1/tools"));
    foreign.header("host", "evil.test").send().await.unwrap();
    assert!(host.has_logged("foreign_host"));
    assert!(!host.log().contains("made-up"), "{}", host.log());
}
