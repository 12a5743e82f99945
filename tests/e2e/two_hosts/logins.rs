//! A login and what else ends with its tenant: link, page, yes and callback at one host or the
//! other.

use toolhost_harness::mcp;

use super::*;
use crate::two_hosts::flows::{ConfirmedSwitches, answered, modern, person, question, row};

/// What a browser has of a login.
struct Visit {
    cookie: String,
    state: String,
}

impl ConfirmedSwitches {
    async fn link(&self, host: &Host, token: &str) -> String {
        let link = json_of(ask(
            host,
            Method::POST,
            "/api/v1/connections/mail/login",
            token,
        ))
        .await;
        let url = link["url"].as_str().unwrap_or_else(|| panic!("{link}"));
        url.split_once("ticket=").unwrap().1.to_owned()
    }

    /// The page at one host, and its form at another.
    async fn agree(&self, page: &Host, form: &Host, ticket: &str) -> Visit {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let shown = client.get(page.at(&format!("/connections/mail/login?ticket={ticket}")));
        let shown = shown.send().await.unwrap();
        assert_eq!(shown.status(), 200);
        let cookie = shown.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let text = shown.text().await.unwrap();
        let check = text
            .split_once("name=\"check\" value=\"")
            .unwrap()
            .1
            .split('"')
            .next()
            .unwrap();
        let sent = client
            .post(form.at("/connections/mail/login"))
            .header("cookie", &cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("ticket={ticket}&check={check}"));
        let sent = sent.send().await.unwrap();
        assert_eq!(sent.status(), 303);
        let to: url::Url = sent.headers()["location"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let state = to
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1
            .into_owned();
        Visit { cookie, state }
    }

    async fn back(&self, host: &Host, visit: &Visit) -> u16 {
        let path = format!(
            "/connections/mail/callback?code=a-code-0123&state={}&iss=https%3A%2F%2Fidp.test",
            visit.state
        );
        let request = reqwest::Client::new()
            .get(host.at(&path))
            .header("cookie", &visit.cookie);
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_from_host_to_host_and_ends_with_its_tenant() {
    let mut asking = ConfirmedSwitches::start().await;
    let token = asking.world.token();
    let (one, two) = (&asking.world.one, &asking.world.two);
    let ticket = asking.link(one, &token).await;
    row("login", "link", "one");
    let visit = asking.agree(two, one, &ticket).await;
    row("login", "page", "two");
    row("login", "yes", "one");
    assert_eq!(asking.back(two, &visit).await, 200);
    row("login", "callback", "two: stored");
    assert_eq!(asking.back(one, &visit).await, 400);
    row("login", "callback again", "one: refused");
    let used = reqwest::get(two.at(&format!("/connections/mail/login?ticket={ticket}")))
        .await
        .unwrap();
    assert_eq!(used.status(), 410);
    row("login", "link again", "two: refused");
    let redeemed = asking.tokens.connections();

    // Suspended at one host while the browser is away, and back at the other at once.
    let globex = asking
        .world
        .issuer
        .mint(&json!({"tenantId": "globex", "sub": "gus"}));
    let visit = asking
        .agree(one, two, &asking.link(one, &globex).await)
        .await;
    assert_eq!(one.verb(&["tenant", "suspend", "globex"]).status, 0);
    row("login", "tenant suspended", "one");
    assert_eq!(asking.back(two, &visit).await, 403);
    row(
        "login",
        "callback",
        "two: refused, the code is not redeemed",
    );
    assert_eq!(one.verb(&["tenant", "resume", "globex"]).status, 0);
    // Removed and added again.
    let visit = asking
        .agree(one, two, &asking.link(one, &globex).await)
        .await;
    let context = {
        let to = mcp::call("switch_tenant", json!({"tenantId": "globex"}));
        let asked = modern(one, &token, to.clone()).await;
        let done = modern(one, &token, answered(to, &asked, "switch", &json!({}))).await;
        done["result"]["structuredContent"]["tenant_context"].clone()
    };
    let ask = mcp::call("test_elicitation", json!({"message": "who?"}));
    let asked = modern(one, &globex, ask.clone()).await;
    for verb in [
        &["tenant", "remove", "globex", "--yes"][..],
        &["tenant", "add", "globex", "--parent", "acme"],
    ] {
        let done = one.verb(verb);
        assert_eq!(done.status, 0, "{done:?}");
    }
    assert_eq!(
        one.verb(&["plugin", "assign", "conformance", "globex"])
            .status,
        0
    );
    row("login", "tenant removed and added again", "one");
    assert_eq!(asking.back(two, &visit).await, 403);
    row(
        "login",
        "callback",
        "two: refused, the code is not redeemed",
    );
    assert_eq!(
        asking.tokens.connections(),
        redeemed,
        "no code of theirs was redeemed"
    );
    let there = mcp::call(
        "list_invoices",
        json!({"limit": 3, "tenant_context": context}),
    );
    let refused = modern(two, &token, there).await;
    assert_eq!(
        refused["result"]["structuredContent"]["error"]["code"], "tenant_unavailable",
        "{refused}"
    );
    row("tenant_context", "of the tenant of before", "two: refused");
    let old = answered(ask, &asked, &question(&asked), &person());
    let refused = modern(two, &globex, old).await;
    assert_eq!(
        refused["error"]["data"]["code"], "invalid_request",
        "{refused}"
    );
    row("question", "of the tenant of before", "two: refused");
    // A restart loses no login.
    let visit = asking
        .agree(one, two, &asking.link(one, &token).await)
        .await;
    asking.world.one = asking.world.one.killed_and_started();
    assert_eq!(asking.back(&asking.world.one, &visit).await, 200);
    row(
        "login",
        "callback",
        "one, after kill -9 and a start: stored",
    );
}
