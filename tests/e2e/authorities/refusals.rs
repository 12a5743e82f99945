//! Whatever is not the authority's clear yes changes nothing (N8, N17).

use std::time::Duration;

use toolhost_harness::Says;

use super::*;

#[tokio::test]
async fn what_is_no_yes_leaves_the_tenant_and_every_token_as_they_were() {
    let world = World::start().await;
    let token = world.owner();
    let session = world.session(&token).await;
    let home = world.both_send(&token, &session, "acme").await;
    let cases = [
        (Says::Status(403), "tenant_unavailable"),
        (Says::Status(404), "tenant_unavailable"),
        (Says::Status(429), "upstream"),
        (Says::Status(500), "upstream"),
        (Says::Status(204), "upstream"),
        (Says::Redirect, "upstream"),
        (Says::Late(Duration::from_secs(3)), "upstream"),
        (Says::Bytes(vec![b' '; 300 << 10]), "upstream"),
        (Says::Bytes(b"<html>".to_vec()), "upstream"),
        (Says::Bytes(b"[]".to_vec()), "upstream"),
        (Says::Bytes(b"{\"access_token\": 7}".to_vec()), "upstream"),
        (
            Says::Bytes(b"{\"access_token\": \"x\", \"access_token\": \"y\"}".to_vec()),
            "upstream",
        ),
        (
            Says::Bytes(format!("{{\"access_token\": \"{token}\"}}").into_bytes()),
            "upstream",
        ),
        (Says::Forged, "upstream"),
        (Says::Token(json!({"sub": "eve"})), "tenant_unavailable"),
        (
            Says::Token(json!({"client_id": "another"})),
            "tenant_unavailable",
        ),
        (
            Says::Token(json!({"tenantId": "initech"})),
            "tenant_unavailable",
        ),
        (Says::Token(json!({"tenantId": null})), "tenant_unavailable"),
        (
            Says::Token(json!({"gty": "client-credentials"})),
            "tenant_unavailable",
        ),
        (Says::Token(json!({"aud": AUDIENCE})), "upstream"),
        (
            Says::Token(json!({"iss": "https://issuer.test"})),
            "upstream",
        ),
        (Says::Token(json!({"exp": 1})), "upstream"),
    ];
    for (says, expected) in cases {
        world.authority.says(says.clone());
        for body in [switch("globex"), reset()] {
            // A reset is a switch: what is no answer to the one is none to the other (N13).
            let answer = world.legacy(&token, &session, body).await;
            let is_home = matches!(&says, Says::Token(changes) if changes["tenantId"] == "acme");
            assert!(is_home || code(&answer) == expected, "{says:?}: {answer}");
        }
        assert_eq!(
            world.both_send(&token, &session, "acme").await,
            home,
            "{says:?}"
        );
    }
    // No question went anywhere else: a redirect is an answer like any other.
    world.authority.is_content("/switch");
    world.no_login_went_out();
}

#[tokio::test]
async fn a_name_that_is_none_and_a_tenant_that_is_unknown_are_refused_alike() {
    let world = World::start().await;
    let token = world.owner();
    let session = world.session(&token).await;
    let nameless = world.legacy(&token, &session, switch("../acme")).await;
    assert_eq!(world.authority.asked(), 0, "a model's own words go nowhere");
    // The authority knows a tenant that the host does not.
    let unknown = world.legacy(&token, &session, switch("umbrella")).await;
    assert_eq!(nameless, unknown);
    assert_eq!(code(&unknown), "tenant_unavailable");
    // The authority says no.
    world.authority.says(Says::Status(403));
    assert_eq!(
        world.legacy(&token, &session, switch("initech")).await,
        unknown
    );
}

#[tokio::test]
async fn without_a_token_from_the_authority_a_call_sends_nothing() {
    let world = World::start().await;
    let token = world.owner();
    let session = world.session(&token).await;
    for says in [Says::Status(500), Says::Token(json!({"sub": "eve"}))] {
        world.authority.says(says);
        let answer = world.legacy(&token, &session, get("billing")).await;
        assert!(answer.to_string().contains("not-connected"), "{answer}");
    }
    assert!(world.application.seen().is_empty());
    assert_eq!(world.authority.asked(), 1, "it is not asked again at once");
}
