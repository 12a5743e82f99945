//! The end of a call, and of the host.

use super::*;

#[tokio::test]
async fn on_sigterm_calls_in_flight_finish_and_the_host_exits_with_0() {
    let mut world = World::start().await;
    let token = world.token("acme");
    let session = mcp::initialize(world.url(), &token, json!({})).await;
    // A stream that waits for nothing in particular does not keep the host from ending.
    let stream = mcp::legacy(Method::GET, world.url(), &token, Some(&session), None).await;
    assert_eq!(stream.status(), 200);
    let call = mcp::modern(world.url(), invoices(SLOW), json!({})).bearer_auth(&token);
    let in_flight = tokio::spawn(async move { mcp::answer(call.send().await.unwrap()).await });
    let old = mcp::legacy(
        Method::POST,
        world.url(),
        &token,
        Some(&session),
        Some(invoices(SLOW)),
    );
    let (old, ()) = tokio::join!(old, async {
        world.billing.asked(2).await;
        world.host.terminate();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Nobody new is let in.
        assert!(reqwest::get(world.host.at("/health")).await.is_err());
    });
    for answer in [in_flight.await.unwrap(), mcp::answer(old).await] {
        assert_eq!(
            answer["result"]["structuredContent"]["invoices"],
            json!([invoice("acme")]),
            "{answer}"
        );
    }
    let status = world.host.ended(Duration::from_secs(60)).await;
    assert_eq!(status.code(), Some(0), "{}", world.host.log());
}

/// A terminal that is closed, a supervisor that sends two signals, and one that wants logs opened
/// anew.
#[tokio::test]
async fn no_other_signal_cuts_a_call() {
    use rustix::process::Signal;
    let mut world = World::start().await;
    world.host.signal(Signal::USR1);
    world.host.signal(Signal::PIPE);
    let call = mcp::modern(world.url(), invoices(SLOW), json!({})).bearer_auth(world.token("acme"));
    let in_flight = tokio::spawn(async move { mcp::answer(call.send().await.unwrap()).await });
    world.billing.asked(1).await;
    for signal in [
        Signal::HUP,
        Signal::USR2,
        Signal::QUIT,
        Signal::HUP,
        Signal::TERM,
    ] {
        world.host.signal(signal);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = in_flight.await.unwrap();
    assert_eq!(
        answer["result"]["structuredContent"]["invoices"],
        json!([invoice("acme")]),
        "{answer}"
    );
    let status = world.host.ended(Duration::from_secs(60)).await;
    assert_eq!(status.code(), Some(0), "{}", world.host.log());
}

#[tokio::test]
async fn a_host_whose_log_nobody_reads_any_more_serves_and_stops_as_before() {
    let mut world = World::start().await;
    world.host.close_stderr();
    for _ in 0..3 {
        let call = mcp::modern(world.url(), invoices(10), json!({}));
        let refused = call.bearer_auth("forged").send().await.unwrap();
        assert_eq!(refused.status(), 401);
        let call =
            mcp::modern(world.url(), invoices(10), json!({})).bearer_auth(world.token("acme"));
        let answer = mcp::answer(call.send().await.unwrap()).await;
        assert!(
            answer["result"]["structuredContent"].is_object(),
            "{answer}"
        );
    }
    world.host.terminate();
    let status = world.host.ended(Duration::from_secs(60)).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_a_host_that_waits_for_a_call() {
    let mut world = World::start().await;
    let call =
        mcp::modern(world.url(), invoices(NEVER), json!({})).bearer_auth(world.token("acme"));
    let in_flight = tokio::spawn(async move { call.send().await.is_err() });
    world.billing.asked(1).await;
    world.host.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.host.runs(), "it waits for the call");
    world.host.terminate();
    assert_eq!(
        world.host.ended(Duration::from_secs(60)).await.code(),
        Some(1)
    );
    assert!(
        !world.host.log().contains("grace period"),
        "{}",
        world.host.log()
    );
    assert!(in_flight.await.unwrap());
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_a_typed_error_and_others_are_served_meanwhile() {
    let (billing, issuer) = (Billing::start().await, Issuer::es256(ISSUER, "k1"));
    let limits = "[limits]\nwall_ms = 1500";
    let host = Host::with()
        .billing(&billing.url())
        .issuer(&issuer)
        .config(limits)
        .start();
    let token = issuer.token("acme");
    let call = mcp::modern(host.url(), invoices(NEVER), json!({})).bearer_auth(&token);
    let waiting = tokio::spawn(async move { mcp::answer(call.send().await.unwrap()).await });
    billing.asked(1).await;
    let other = mcp::modern(host.url(), invoices(3), json!({})).bearer_auth(issuer.token("globex"));
    let other = mcp::answer(other.send().await.unwrap()).await;
    assert_eq!(
        other["result"]["structuredContent"]["invoices"],
        json!([invoice("globex")]),
        "{other}"
    );
    let answer = waiting.await.unwrap();
    assert_eq!(
        answer["result"]["_meta"]["toolhost/error"]["code"], "timeout",
        "{answer}"
    );
    assert_eq!(answer["result"]["isError"], true);
}
