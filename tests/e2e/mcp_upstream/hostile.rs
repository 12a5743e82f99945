//! What a server that means harm gets: nothing that it does not have already (T30, T32, T33).

use axum::Router;
use serde_json::json;
use toolhost_harness::{Host, Issuer, Upstream};

use crate::mcp_upstream::evil::{Evil, SESSION};
use crate::mcp_upstream::{builder, call, issuer, secret, start, text};

async fn world() -> (Evil, Host, Issuer) {
    let (evil, issuer) = (Evil::start().await, issuer());
    // Short, since one of its tools never ends.
    let host = start(builder(&issuer, &evil.url()).config("[limits]\nwall_ms = 3000")).await;
    (evil, host, issuer)
}

#[tokio::test]
async fn each_request_is_a_post_to_the_one_place_with_the_callers_own_credential() {
    let (evil, host, issuer) = world().await;
    for tenant in ["acme", "globex", "acme"] {
        let (status, body) = call(&host, &issuer.token(tenant), "fine", json!({"x": tenant})).await;
        assert_eq!((status, text(&body)), (200, "fine"));
    }
    for seen in evil.upstream.seen() {
        assert_eq!((seen.method.as_str(), seen.uri.as_str()), ("POST", "/mcp"));
    }
    // It gave one session to everybody: each has begun its own all the same, and sends it with its
    // own credential.
    let credentials: Vec<_> = evil
        .got("initialize")
        .into_iter()
        .map(|(seen, _)| seen)
        .collect();
    let of = |tenant: &str| {
        let own = format!("Bearer {}", secret(tenant));
        credentials
            .iter()
            .filter(|seen| seen.header("authorization") == Some(&own))
            .count()
    };
    // One more for acme: the approval.
    assert_eq!((of("acme"), of("globex"), credentials.len()), (2, 1, 3));
    for (seen, message) in evil.got("tools/call") {
        let tenant = message["params"]["arguments"]["x"].as_str().unwrap();
        assert_eq!(
            seen.header("authorization"),
            Some(format!("Bearer {}", secret(tenant)).as_str())
        );
        assert_eq!(seen.header("mcp-session-id"), Some(SESSION));
    }
}

#[tokio::test]
async fn no_number_of_a_request_comes_twice_in_one_session() {
    let (evil, host, issuer) = world().await;
    for tenant in ["acme", "globex"].into_iter().cycle().take(10) {
        call(&host, &issuer.token(tenant), "fine", json!({})).await;
    }
    let mut numbers: Vec<u64> = evil
        .got("tools/call")
        .iter()
        .map(|(_, message)| message["id"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers.len(), 10);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 10, "not even those of two tenants");
}

#[tokio::test]
async fn an_answer_to_another_request_and_one_that_never_ends_are_failures() {
    let (evil, host, issuer) = world().await;
    let token = issuer.token("acme");
    let (status, body) = call(&host, &token, "wrong_id", json!({})).await;
    assert!(
        status >= 400 && body.to_string().contains("another request"),
        "{status} {body}"
    );
    let (status, body) = call(&host, &token, "flood", json!({})).await;
    assert!(
        status >= 400 && !body.to_string().contains("yyyy"),
        "{status} {body}"
    );
    let (status, body) = call(&host, &token, "endless", json!({})).await;
    assert!(status >= 400, "{status} {body}");
    let (status, body) = call(&host, &token, "huge_headers", json!({})).await;
    assert!(
        status >= 400 && body.to_string().contains("header"),
        "{status} {body}"
    );
    let (status, body) = call(&host, &token, "lost", json!({})).await;
    assert!(status >= 400, "{status} {body}");
    assert_eq!(
        evil.got("tools/call").len(),
        6,
        "the one that was lost is made twice, and no other"
    );
    let (status, _) = call(&host, &token, "fine", json!({})).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn where_it_points_to_nobody_goes() {
    let (_evil, host, issuer) = world().await;
    let elsewhere = Upstream::start(Router::new()).await;
    let to = json!({"x": format!("{}/mcp", elsewhere.url())});
    let (status, body) = call(&host, &issuer.token("acme"), "redirect", to).await;
    assert!(
        status >= 400 && body.to_string().contains("not followed"),
        "{status} {body}"
    );
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn what_it_asks_of_the_caller_is_refused_and_the_caller_hears_nothing_of_it() {
    let (evil, host, issuer) = world().await;
    let (status, body) = call(&host, &issuer.token("acme"), "asks", json!({})).await;
    assert_eq!((status, text(&body)), (200, "fine"), "{body}");
    let mut said: Vec<_> = evil
        .got("")
        .into_iter()
        .map(|(_, message)| message)
        .collect();
    said.sort_by_key(|message| message["id"].as_u64());
    let said: Vec<_> = said
        .iter()
        .map(|message| (message["id"].clone(), message["error"]["code"].clone()))
        .collect();
    assert_eq!(said, [1, 2, 3].map(|id| (json!(id), json!(-32_601))));
    let (_, hello) = evil.got("initialize").pop().unwrap();
    assert_eq!(hello["params"]["capabilities"], json!({}));
}

#[tokio::test]
async fn a_result_that_quotes_the_credential_does_not_show_it() {
    let (_evil, host, issuer) = world().await;
    let (_, body) = call(&host, &issuer.token("acme"), "quotes", json!({})).await;
    assert!(!body.to_string().contains(&secret("acme")), "{body}");
    assert!(!host.log().contains(&secret("acme")) && !host.log().contains(SESSION));
}
