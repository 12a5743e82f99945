//! What somebody would try: ids that are guessed, taken along or made up, headers that are more
//! than they seem, and floods.

use futures::StreamExt;

use super::*;

#[tokio::test]
async fn an_event_id_is_worth_nothing_but_in_its_own_session() {
    let world = World::free().await;
    let token = world.owner();
    let (one, other) = (world.session(&token).await, world.session(&token).await);
    for id in [&one, &other] {
        world
            .call(&token, id, &json!({"tool": "help"}))
            .send()
            .await
            .unwrap();
    }
    let mut stream = world.events(&token, &one, None).await;
    let id = stream.until("call_started").await.id.unwrap();
    let tag = id.split_once('-').unwrap().1;
    let forged = [
        "1",
        "-1",
        "1-",
        "1-00000000",
        &format!("01-{tag}"),
        &format!("1-{tag},2-{tag}"),
        "",
        "1.0",
    ];
    for (session, last) in
        std::iter::once((&other, id.as_str())).chain(forged.map(|last| (&one, last)))
    {
        let refused = problem(world.events_request(&token, session, Some(last))).await;
        assert_eq!(
            (refused.0, refused.1.as_str()),
            (400, "invalid_request"),
            "{last}"
        );
    }
    let twice = world
        .events_request(&token, &one, Some(&id))
        .header("last-event-id", &id);
    assert_eq!(problem(twice).await.0, 400);
    // An owner of her own session gets nothing with another's id, and nobody gets hers with their
    // own.
    let eve = world.token("eve", "owner");
    let hers = world.session(&eve).await;
    assert_eq!(
        problem(world.events_request(&eve, &hers, Some(&id)))
            .await
            .0,
        400
    );
    assert_eq!(
        problem(world.events_request(&eve, &one, Some(&id))).await.0,
        404
    );
    // A place that is still to come is said to be lost, and not waited for.
    let mut stream = world
        .events(&token, &one, Some(&format!("{}-{tag}", u64::MAX)))
        .await;
    stream.next().await.unwrap();
    assert_eq!(stream.next().await.unwrap().kind, "events_lost");
}

#[tokio::test]
async fn ids_that_are_guessed_are_all_answered_alike() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let eve = world.token("eve", "owner");
    let unknown = problem(world.ask(Method::GET, "/api/v1/sessions/s_unknown", &eve)).await;
    let longest = "x".repeat(128);
    let long = "x".repeat(4_000);
    let upper = id.to_uppercase();
    for guess in [
        &id,
        &upper,
        &id[..id.len() - 1],
        "s_",
        "%20",
        "%FF",
        "%2e%2e",
        "a%2Fb",
        "%00",
        &longest,
        &long,
    ] {
        let answer =
            problem(world.ask(Method::GET, &format!("/api/v1/sessions/{guess}"), &eve)).await;
        assert_eq!(answer, unknown, "{guess}");
    }
}

#[tokio::test]
async fn a_header_that_is_there_twice_or_odd_is_refused() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    for name in ["toolhost-tenant-context", "toolhost-expect-tenant"] {
        for path in [
            "/api/v1/tools/list_invoices/call".to_owned(),
            format!("/api/v1/sessions/{id}/calls"),
        ] {
            let call = || {
                world
                    .ask(Method::POST, &path, &token)
                    .json(&match path.contains("sessions") {
                        true => invoices(),
                        false => json!({"arguments": {"limit": 3}}),
                    })
            };
            let twice = call().header(name, "acme").header(name, "acme");
            assert_eq!(problem(twice).await.1, "invalid_request", "{name} {path}");
            let odd = call().header(
                name,
                reqwest::header::HeaderValue::from_bytes(b"acme\xff").unwrap(),
            );
            assert_eq!(problem(odd).await.1, "invalid_request", "{name} {path}");
            // A list, which some proxies make of two headers, is one value that nobody gave.
            let list = call().header(name, "acme, acme");
            assert!(
                [400, 404, 409].contains(&problem(list).await.0),
                "{name} {path}"
            );
        }
    }
    // What an answer's header is called says nothing in a request.
    let forged = world
        .call(&token, &id, &invoices())
        .header("toolhost-active-tenant", "globex");
    is_of(forged.send().await.unwrap(), "acme").await;
    assert_eq!(world.billing.upstream.seen().len(), 1);
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_kept() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let huge = json!({"tool": "list_invoices", "arguments": {"x": "x".repeat(2 << 20)}});
    assert_eq!(problem(world.call(&token, &id, &huge)).await.0, 413);
    let begin = world
        .ask(Method::POST, "/api/v1/sessions", &token)
        .body("x".repeat(2_000));
    assert_eq!(problem(begin).await.0, 413);
    for body in ["[]", "1", "{\"tenant\": \"globex\"}", "{\"id\": \"mine\"}"] {
        let begin = world
            .ask(Method::POST, "/api/v1/sessions", &token)
            .body(body);
        assert_eq!(problem(begin).await.1, "invalid_request", "{body}");
    }
    let tool = json!({"tool": "t".repeat(100_000)});
    assert_eq!(problem(world.call(&token, &id, &tool)).await.1, "not_found");
    let mut stream = world.events(&token, &id, None).await;
    let event = stream.until("call_started").await;
    assert!(event.data.len() < 4_000, "{}", event.data.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_sessions_of_one_owner_are_a_hundred_and_hurt_nobody() {
    let world = World::free().await;
    let (token, client) = (world.owner(), reqwest::Client::new());
    let begin = |_| {
        let request = client
            .post(world.host.at("/api/v1/sessions"))
            .bearer_auth(&token);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let first = world.session(&token).await;
    let statuses: Vec<u16> = futures::stream::iter(0..10_000)
        .map(begin)
        .buffer_unordered(32)
        .collect()
        .await;
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    // The one that was used least lately gave way to each that came.
    let listed = world.get("/api/v1/sessions", &token).await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 100);
    assert_eq!(
        problem(world.call(&token, &first, &invoices())).await.0,
        404
    );
    let bob = world.token("bob", "owner");
    let id = world.session(&bob).await;
    is_of(
        world.call(&bob, &id, &invoices()).send().await.unwrap(),
        "acme",
    )
    .await;
    let last = world.session(&token).await;
    is_of(
        world.call(&token, &last, &invoices()).send().await.unwrap(),
        "acme",
    )
    .await;
}
