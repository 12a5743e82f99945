use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::http_sessions::stream::Stream;

/// Switches that are measured.
const SWITCHES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_made_on_one_host_goes_on_at_the_other() {
    for layout in [Layout::Schema, Layout::Database] {
        goes_on(World::on(Town::new(layout).await).await).await;
    }
}

async fn goes_on(world: World) {
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    println!(
        "one: a session begins, at {:?}",
        active(one, &token, &id).await.unwrap()
    );
    let answer = call(two, &token, &id, &invoices()).send().await.unwrap();
    println!(
        "two: list_invoices in that session, for {:?}",
        whose(answer).await
    );
    switch(two, &token, &id, "globex").await;
    println!("two: switch_tenant globex");
    let seen = until("the switch", SOON, async || {
        active(one, &token, &id).await.as_deref() == Some("globex")
    });
    println!(
        "one: the session is at \"globex\", {:.1?} after",
        seen.await
    );
    let answer = call(one, &token, &id, &invoices()).send().await.unwrap();
    println!(
        "one: list_invoices in that session, for {:?}",
        whose(answer).await
    );
    // Nobody else's, on either.
    let other = world
        .issuer
        .mint(&json!({"tenantId": "acme", "sub": "eve", "role": "owner"}));
    for host in [one, two] {
        assert_eq!(outcome(call(host, &other, &id, &invoices())).await.0, 404);
    }
    let ended = ask(
        two,
        Method::DELETE,
        &format!("/api/v1/sessions/{id}"),
        &token,
    );
    assert!(ended.send().await.unwrap().status().is_success());
    let gone = until("the end", SOON, async || {
        active(one, &token, &id).await.is_none()
    })
    .await;
    println!("two: the session is ended; one refuses it {gone:.1?} after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_on_one_host_is_seen_by_the_other_soon_and_never_half() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    let over = AtomicBool::new(false);
    // Whatever is called meanwhile is all of one tenant: its name, its credential, its account.
    let calls = async {
        let mut counts = [0, 0];
        while !over.load(Ordering::SeqCst) {
            let answer = call(two, &token, &id, &invoices()).send().await.unwrap();
            counts[usize::from(whose(answer).await == "globex")] += 1;
        }
        counts
    };
    let switches = async {
        let mut times = Vec::new();
        for turn in 0..SWITCHES {
            let tenant = ["globex", "acme"][turn % 2];
            switch(one, &token, &id, tenant).await;
            let seen = until("the switch", SOON, async || {
                let answer = call(two, &token, &id, &invoices()).send().await.unwrap();
                whose(answer).await == tenant
            });
            times.push(seen.await);
        }
        over.store(true, Ordering::SeqCst);
        times
    };
    let (counts, times) = tokio::join!(calls, switches);
    show(
        "a switch on one host is seen by a call at the other, that call included",
        times,
    );
    println!(
        "calls on the other meanwhile: {} for acme, {} for globex, none half",
        counts[0], counts[1]
    );
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_call_at_one_host_reach_a_stream_at_the_other() {
    let world = World::start().await;
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    let events = ask(
        two,
        Method::GET,
        &format!("/api/v1/sessions/{id}/events"),
        &token,
    );
    let mut stream = Stream::open(events).await;
    let mut body = invoices();
    body["call_id"] = json!("across");
    let answer = json_of(call(one, &token, &id, &body)).await;
    let finished = Instant::now();
    let event = stream.until("call_finished").await.json();
    println!(
        "an event of one host is in a stream of the other {:.1?} after",
        finished.elapsed()
    );
    assert_eq!(
        (&event["call_id"], &event["result"]),
        (&json!("across"), &answer)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_start_at_once_on_an_empty_database_serve_the_same_tenants() {
    let town = Town::new(Layout::Schema).await;
    let (billing, issuer) = (
        Billing::start().await,
        Issuer::es256("https://issuer.test", "k1"),
    );
    let start = || builder(&town, &billing, &issuer).start();
    let (one, two) = std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(start), scope.spawn(start));
        (one.join().unwrap(), two.join().unwrap())
    });
    let token = issuer.mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}));
    let id = session(&one, &token).await;
    switch(&two, &token, &id, "globex").await;
    for host in [&one, &two] {
        let sound = host.verb(&["store", "check"]);
        assert_eq!(sound.status, 0, "{sound:?}");
    }
}
